package runner

import (
	"context"
	"time"
)

const (
	// keepAliveEvery is how often a suspended connector joins its group. Brokers keep an
	// empty group's positions for seven days by default (offsets.retention.minutes).
	keepAliveEvery = 24 * time.Hour
	// keepAliveFirst is how long after the start of a process it joins for the first
	// time: a process that is restarted every night must join too.
	keepAliveFirst = 5 * time.Minute
)

// keepAlive calls join after first and then every so often, until ctx ends.
func keepAlive(ctx context.Context, first, every time.Duration, join func(context.Context)) {
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			join(ctx)
			timer.Reset(every)
		}
	}
}
