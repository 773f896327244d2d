package models

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
)

const (
	rememberFor = time.Minute    // a verified password
	knownFor    = 24 * time.Hour // an address from which a user signed in

	addressBurst = 20              // wrong attempts of one address at once
	userBurst    = 10              // and for one user
	refill       = 6 * time.Second // one further attempt of each

	maxWaiting = 32   // throttled attempts that wait to be verified
	maxKept    = 4096 // entries of each memory before old ones are dropped
)

// logins remembers verified passwords and counts wrong ones. Only wrong attempts use
// up a limit. An attempt beyond a limit is still verified, so that right credentials
// work, but one after the other in a slow lane of its own.
type logins struct {
	now  func() time.Time
	key  []byte        // of this process, for the hashes below
	fast chan struct{} // verifications at once: each takes argonMemory
	slow chan struct{}
	line chan struct{} // who waits for slow

	mu       sync.Mutex
	verified map[[sha256.Size]byte]time.Time // keyed hash of user, password and stored hash → until
	known    map[string]time.Time            // user and address → until
	wrong    map[string]bucket
}

// bucket fills by one attempt every refill.
type bucket struct {
	left float64
	at   time.Time
}

func newLogins(now func() time.Time) *logins {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails (crypto/rand)
	return &logins{now: now, key: key, fast: make(chan struct{}, 2), slow: make(chan struct{}, 1), line: make(chan struct{}, maxWaiting),
		verified: map[[sha256.Size]byte]time.Time{}, known: map[string]time.Time{}, wrong: map[string]bucket{}}
}

// Authenticate verifies a name and a password from an address (an IP without port):
// ErrWrongCredentials, *ThrottledError when wrong ones came too often. What is said
// does not depend on whether the user exists.
func (s *Store) Authenticate(ctx context.Context, name, password, address string) (User, error) {
	var row userRow
	err := fail("reading a user", s.read(ctx).Take(&row, "name = ?", name).Error)
	if err != nil && !errors.Is(err, runner.ErrNotFound) {
		return User{}, err
	}
	exists := err == nil
	if exists && s.login.remembers(&row, password) {
		return row.user(), nil
	}
	if len(password) > maxPassword || len(name) > maxPassword {
		return User{}, s.login.failed(name, address)
	}
	leave, err := s.login.enter(ctx, name, address)
	if err != nil {
		return User{}, err
	}
	right := false
	if exists {
		right, err = verifyPassword(row.Password, password)
	} else {
		_, err = hashPassword(password) // takes as long
	}
	leave()
	if err != nil {
		s.log.Error("verifying a password", "user", name, "error", err)
	}
	if !right {
		return User{}, s.login.failed(name, address)
	}
	s.login.passed(&row, password, address)
	s.noted(ctx, &row)
	return row.user(), nil
}

// remembered hashes what was verified together with the stored hash, so that a changed
// password is not remembered.
func (l *logins) remembered(row *userRow, password string) [sha256.Size]byte {
	h := hmac.New(sha256.New, l.key)
	for _, part := range []string{row.Password, "\x00", password} {
		h.Write([]byte(part))
	}
	return [sha256.Size]byte(h.Sum(nil))
}

func (l *logins) remembers(row *userRow, password string) bool {
	if len(password) > maxPassword {
		return false
	}
	key := l.remembered(row, password)
	l.mu.Lock()
	defer l.mu.Unlock()
	until, ok := l.verified[key]
	return ok && l.now().Before(until)
}

// forget drops all verified passwords.
func (l *logins) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	clear(l.verified)
}

func (l *logins) passed(row *userRow, password, address string) {
	key := l.remembered(row, password)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	prune(l.verified, now)
	prune(l.known, now)
	l.verified[key] = now.Add(rememberFor)
	l.known[pair(row.Name, address)] = now.Add(knownFor)
	delete(l.wrong, "u"+strings.ToLower(row.Name))
}

func prune[K comparable](m map[K]time.Time, now time.Time) {
	if len(m) < maxKept {
		return
	}
	for k, until := range m {
		if now.After(until) {
			delete(m, k)
		}
	}
	if len(m) >= maxKept {
		clear(m)
	}
}

func pair(name, address string) string { return strings.ToLower(name) + "\x00" + address }

// enter waits for a turn to verify.
func (l *logins) enter(ctx context.Context, name, address string) (leave func(), err error) {
	lane := l.fast
	if wait := l.wait(name, address); wait > 0 {
		select {
		case l.line <- struct{}{}:
			defer func() { <-l.line }()
		default:
			return nil, &ThrottledError{wait}
		}
		lane = l.slow
	}
	select {
	case lane <- struct{}{}:
		return func() { <-lane }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// wait is how long until a further wrong attempt is within the limits. A user's limit
// does not hold for an address from which that user signed in lately.
func (l *logins) wait(name, address string) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if until, ok := l.known[pair(name, address)]; ok && now.Before(until) {
		return short(l.filled("a"+address, addressBurst, now).left)
	}
	return max(short(l.filled("a"+address, addressBurst, now).left), short(l.filled("u"+strings.ToLower(name), userBurst, now).left))
}

func short(left float64) time.Duration {
	if left >= 1 {
		return 0
	}
	return time.Duration((1 - left) * float64(refill))
}

func (l *logins) filled(key string, burst float64, now time.Time) bucket {
	b, ok := l.wrong[key]
	if !ok {
		return bucket{burst, now}
	}
	return bucket{min(burst, b.left+max(now.Sub(b.at), 0).Seconds()/refill.Seconds()), now}
}

// failed counts a wrong attempt and says what to answer.
func (l *logins) failed(name, address string) error {
	wait := l.wait(name, address)
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.now()
	if len(l.wrong) >= maxKept { // a full bucket is as good as none
		for k, b := range l.wrong {
			if l.filled(k, math.Inf(1), now).left >= b.left+userBurst {
				delete(l.wrong, k)
			}
		}
		if len(l.wrong) >= maxKept {
			clear(l.wrong)
		}
	}
	for key, burst := range map[string]float64{"a" + address: addressBurst, "u" + strings.ToLower(clip(name)): userBurst} {
		b := l.filled(key, burst, now)
		b.left = max(b.left-1, 0)
		l.wrong[key] = b
	}
	if wait > 0 {
		return &ThrottledError{wait}
	}
	return ErrWrongCredentials
}
