package aliyun

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// issuer counts what it issues.
type issuer struct {
	life  atomic.Int64 // of what is issued, a time.Duration
	takes atomic.Int64 // of an issue
	fail  atomic.Pointer[error]

	asked, at, most atomic.Int64
}

func (i *issuer) issue(ctx context.Context) (issued, error) {
	n := i.asked.Add(1)
	at := i.at.Add(1)
	defer i.at.Add(-1)
	for most := i.most.Load(); at > most && !i.most.CompareAndSwap(most, at); most = i.most.Load() {
	}
	select {
	case <-time.After(time.Duration(i.takes.Load())):
	case <-ctx.Done():
		return issued{}, ctx.Err()
	}
	if err := i.fail.Load(); err != nil {
		return issued{}, *err
	}
	life := time.Duration(i.life.Load())
	return issued{Credentials: Credentials{AccessKeyID: "STS.id", AccessKeySecret: "secret", SecurityToken: fmt.Sprint("token-", n), Expiration: time.Now().Add(life)}, life: life}, nil
}

func token(t *testing.T, p Provider) string {
	t.Helper()
	c, err := p.Credentials(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return c.SecurityToken
}

// pass lets the time of a bubble go on.
func pass(d time.Duration) { <-time.After(d) }

// TestRenewal follows a provider through the life of what it was issued.
func TestRenewal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		i.life.Store(int64(time.Hour))
		i.takes.Store(int64(200 * time.Millisecond))
		p := newTemporary(i.issue, nil)
		expect := func(want string, asked int64) {
			t.Helper()
			if got := token(t, p); got != want || i.asked.Load() != asked {
				t.Errorf("%s after %d issues, want %s after %d", got, i.asked.Load(), want, asked)
			}
		}
		expect("token-1", 1)
		pass(56 * time.Minute)
		expect("token-1", 1)
		pass(time.Minute) // 179.8 s remain: renewed beside, the old ones in use meanwhile
		expect("token-1", 1)
		synctest.Wait()
		expect("token-1", 2)
		pass(time.Second)
		expect("token-2", 2)

		// The issuer is away: the old ones stay in use until they expire.
		away := error(&connector.AwayError{System: "STS", Err: errors.New("refused")})
		i.fail.Store(&away)
		pass(58 * time.Minute)
		for range 100 {
			if got := token(t, p); got != "token-2" {
				t.Fatal(got)
			}
			pass(time.Second)
		}
		if n := i.asked.Load(); n < 15 || n > 25 {
			t.Errorf("asked %d times in 100 s", n-2)
		}
		pass(time.Minute)
		var ae *connector.AwayError
		for range 10 { // within a pause nobody is asked again
			if _, err := p.Credentials(t.Context()); !errors.As(err, &ae) {
				t.Fatalf("expired, and the issuer is away: %v", err)
			}
		}
		asked := i.asked.Load()
		i.fail.Store(nil)
		pass(2 * time.Second)
		expect(fmt.Sprint("token-", asked+1), asked+1)
	})
}

// TestShortLives: of lives shorter than the usual margin a third is kept as margin.
func TestShortLives(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		i.life.Store(int64(2 * time.Second))
		p := newTemporary(i.issue, nil)
		for range 1000 {
			if c, err := p.Credentials(t.Context()); err != nil || time.Until(c.Expiration) <= 0 {
				t.Fatalf("expires in %v (%v)", time.Until(c.Expiration), err)
			}
			pass(10 * time.Millisecond)
		}
		if n := i.asked.Load(); n < 7 || n > 9 {
			t.Errorf("%d issues in 10 s of credentials that live 2 s", n)
		}
	})
}

// TestRefused is the table of what a service's refusal brings about.
func TestRefused(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		i.life.Store(int64(time.Hour))
		p := newTemporary(i.issue, nil)
		first, _ := p.Credentials(t.Context())
		if p.Refused(first) {
			t.Error("what was issued a moment ago is renewed")
		}
		pass(forcedPause)
		if !p.Refused(first) {
			t.Fatal("no others can be had")
		}
		second, _ := p.Credentials(t.Context())
		if second.SecurityToken != "token-2" {
			t.Fatalf("still %s", second.SecurityToken)
		}
		if !p.Refused(first) || token(t, p) != "token-2" {
			t.Error("a late refusal of the old ones renews the new ones, or hides them")
		}
		if p.Refused(second) || i.asked.Load() != 2 {
			t.Error("refusals renew more often than every few seconds")
		}

		// Refused while the issuer is away: nothing valid is left, and that is said.
		pass(time.Minute)
		away := error(&connector.AwayError{System: "STS", Err: errors.New("refused")})
		i.fail.Store(&away)
		if !p.Refused(second) {
			t.Error("no others can be had")
		}
		if _, err := p.Credentials(t.Context()); !errors.Is(err, away) {
			t.Errorf("%v", err)
		}
		i.fail.Store(nil)
		pass(2 * time.Second)
		if got := token(t, p); got != "token-4" {
			t.Errorf("%s", got)
		}
	})
}

// TestOneRenewalAtATime asks from many goroutines at once while credentials expire, are
// refused and cannot be had.
func TestOneRenewalAtATime(t *testing.T) {
	t.Parallel()
	i := &issuer{}
	i.life.Store(int64(20 * time.Millisecond))
	i.takes.Store(int64(time.Millisecond))
	p := newTemporary(i.issue, nil)
	stop := time.Now().Add(time.Second)
	var wg sync.WaitGroup
	var got atomic.Int64
	for n := range 16 {
		wg.Go(func() {
			for time.Now().Before(stop) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Duration(n+1)*time.Millisecond)
				c, err := p.Credentials(ctx)
				cancel()
				switch {
				case err == nil && c.SecurityToken == "":
					t.Error("no token, and no error")
				case err == nil:
					got.Add(1)
					if n%4 == 0 {
						p.Refused(c)
					}
				case !errors.Is(err, context.DeadlineExceeded):
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if i.most.Load() != 1 || got.Load() == 0 || i.asked.Load() < 10 {
		t.Errorf("%d renewals at once, %d in all, %d answers", i.most.Load(), i.asked.Load(), got.Load())
	}
}

// TestWaitingEnds: who waits for credentials stops at the end of its own context, and
// the renewal goes on for the others.
func TestWaitingEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		i := &issuer{}
		i.life.Store(int64(time.Hour))
		i.takes.Store(int64(5 * time.Second))
		p := newTemporary(i.issue, nil)
		cause := errors.New("revoked")
		ctx, cancel := context.WithCancelCause(t.Context())
		go func() { pass(time.Second); cancel(cause) }()
		if _, err := p.Credentials(ctx); !errors.Is(err, cause) {
			t.Errorf("%v", err)
		}
		if got := token(t, p); got != "token-1" || i.asked.Load() != 1 {
			t.Errorf("%s after %d issues", got, i.asked.Load())
		}
		i.takes.Store(int64(time.Hour)) // a dead issuer
		pass(time.Hour)
		began := time.Now()
		if _, err := p.Credentials(t.Context()); err == nil || time.Since(began) != issueTimeout {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestCredentialsPrintNoSecret(t *testing.T) {
	t.Parallel()
	c := Credentials{AccessKeyID: "id", AccessKeySecret: "geheim", SecurityToken: "geheim"}
	for _, text := range []string{fmt.Sprint(c), fmt.Sprintf("%v %+v %#v %s", c, c, c, c), c.LogValue().String()} {
		if strings.Contains(text, "geheim") || !strings.Contains(text, "id") {
			t.Error(text)
		}
	}
}
