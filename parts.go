package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"
)

// part is something that runs as long as the program does.
type part struct {
	name string
	run  func(context.Context) error
}

// endDeadline is how long the parts may take to end after the signal.
const endDeadline = 9 * time.Second

// runParts runs all parts beside each other. When ctx ends, or one of them fails, all
// are told to end; those that have not within the deadline are left behind.
func runParts(ctx context.Context, log *slog.Logger, deadline time.Duration, parts ...part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		name string
		err  error
	}
	ended := make(chan end, len(parts))
	for _, p := range parts {
		go func() { ended <- end{p.name, p.run(ctx)} }()
	}
	var first error
	var late <-chan time.Time
	stopping := ctx.Done()
	for left := len(parts); left > 0; {
		select {
		case e := <-ended:
			left--
			if e.err != nil && !errors.Is(e.err, context.Canceled) {
				log.Error("a part of the program ended", "part", e.name, "err", e.err)
				first = errors.Join(first, fmt.Errorf("%s: %w", e.name, e.err))
				cancel()
			}
		case <-stopping:
			stopping = nil
			log.Info("ending")
			late = time.After(deadline)
		case <-late:
			log.Warn("not everything ended in time; what was not settled is settled at the next start")
			return first
		}
	}
	return first
}
