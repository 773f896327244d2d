package runner

import (
	"math/rand/v2"
	"time"
)

// backoff gives growing pauses with jitter: each is between half and the whole of a
// value that doubles from min to max.
type backoff struct {
	min, max time.Duration
	current  time.Duration
}

func (b *backoff) next() time.Duration {
	if b.current == 0 {
		b.current = b.min
	}
	d := b.current
	b.current = min(b.current*2, b.max)
	return d/2 + rand.N(d/2+1)
}

func (b *backoff) reset() { b.current = 0 }
