package runner

import (
	"time"

	"golang.org/x/sys/unix"
)

// newBootClock gives CLOCK_BOOTTIME: monotonic, and running while the machine sleeps.
func newBootClock() func() time.Duration {
	start := time.Now()
	return func() time.Duration {
		var ts unix.Timespec
		if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts); err != nil { // the kernel has had it since 2.6.39
			return time.Since(start)
		}
		return time.Duration(ts.Nano())
	}
}
