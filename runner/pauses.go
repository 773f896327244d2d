package runner

import (
	"math/rand/v2"
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
