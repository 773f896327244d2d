package main

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"
)

// forever runs until it is told to end, and tells that it was.
func forever(name string, ended chan<- string) part {
	return part{name, func(ctx context.Context) error {
		<-ctx.Done()
		ended <- name
		return ctx.Err()
	}}
}

func TestPartsEndTogether(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	fails := part{"fails", func(context.Context) error { return broken }}
	ends := part{"ends", func(context.Context) error { return nil }}
	for _, c := range []struct {
		name  string
		extra part
		stop  bool // by the signal
		want  error
	}{
		{"the signal", ends, true, nil},
		{"a part that fails ends the others", fails, false, broken},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			ended := make(chan string, 2)
			result := make(chan error, 1)
			go func() {
				result <- runParts(ctx, slog.New(slog.DiscardHandler), time.Minute, forever("a", ended), c.extra, forever("b", ended))
			}()
			if c.stop {
				stop()
			}
			err := <-result
			if !errors.Is(err, c.want) || (err != nil && !strings.Contains(err.Error(), c.extra.name)) {
				t.Errorf("error %v, want %v with the part's name", err, c.want)
			}
			if len(ended) != 2 {
				t.Errorf("%d of the 2 others ended", len(ended))
			}
		})
	}
}

func TestAPartThatDoesNotEndIsLeftBehind(t *testing.T) {
	t.Parallel()
	ctx, stop := context.WithCancel(t.Context())
	release := make(chan struct{})
	defer close(release)
	stuck := part{"stuck", func(context.Context) error { <-release; return nil }}
	stop()
	if err := runParts(ctx, slog.New(slog.DiscardHandler), time.Millisecond, stuck); err != nil {
		t.Errorf("error %v: what is left behind is settled at the next start", err)
	}
}
