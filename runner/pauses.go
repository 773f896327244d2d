package runner

import (
	"context"
	"math/rand/v2"
	"sync"
	"time"
)

// retryPause gives the pauses between attempts on a system that is away: doubling
// from half a second, at most 5 s in the first five minutes, so that its return is
// noticed soon, later at most a minute; each with a fifth of jitter. The zero value
// is ready.
type retryPause struct {
	next0 time.Duration
	total time.Duration
}

const (
	firstPause   = 500 * time.Millisecond
	earlyPause   = 5 * time.Second
	earlyPeriod  = 5 * time.Minute
	longestPause = time.Minute
)

// next is the pause before the next attempt; after is what the system asked for.
func (p *retryPause) next(after time.Duration) time.Duration {
	d := max(p.next0, firstPause)
	limit := earlyPause
	if p.total > earlyPeriod {
		limit = longestPause
	}
	d = min(d, limit)
	p.next0 = d * 2
	d = time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
	d = min(max(d, after), longestPause)
	p.total += d
	return d
}

func (p *retryPause) reset() { *p = retryPause{} }

// alarm ends pauses early: each ring wakes those who wait. The zero value is ready.
type alarm struct {
	mu   sync.Mutex
	bell chan struct{} // closed and made anew by ring
}

// rung is closed by the next ring.
func (a *alarm) rung() <-chan struct{} {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bell == nil {
		a.bell = make(chan struct{})
	}
	return a.bell
}

func (a *alarm) ring() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.bell != nil {
		close(a.bell)
		a.bell = nil
	}
}

// sleep waits for d, or until the next ring; false when ctx ended.
func (a *alarm) sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-a.rung():
	case <-timer.C:
	}
	return true
}
