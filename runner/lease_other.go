//go:build !linux

package runner

import "time"

// newBootClock gives the monotonic clock, which on most of these systems stands still
// while the machine sleeps: production runs on Linux.
func newBootClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration { return time.Since(start) }
}
