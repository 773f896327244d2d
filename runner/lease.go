package runner

import (
	"errors"
	"sync/atomic"
	"time"
)

// errLeaseLost: no fenced request of ours was answered well for a session timeout, so
// another member may own the partition.
var errLeaseLost = errors.New("the group membership was not confirmed in time: another member may own the partition")

// lease tells whether this member may still act: no visible act starts later than
// the session timeout after the sending of the last fenced request (a commit or a
// heartbeat of our own) that was answered well.
type lease struct {
	clock   func() time.Duration // a clock that also runs while the machine or process sleeps
	timeout time.Duration
	sent    atomic.Int64 // sending time of the latest request answered well, in ns of clock; -1 none
}

func newLease(clock func() time.Duration, timeout time.Duration) *lease {
	l := &lease{clock: clock, timeout: timeout}
	l.sent.Store(-1)
	return l
}

// now is what a fenced request's caller takes before sending it.
func (l *lease) now() time.Duration { return l.clock() }

// answered notes that a fenced request sent at that time was answered well.
func (l *lease) answered(sentAt time.Duration) {
	for {
		old := l.sent.Load()
		if int64(sentAt) <= old || l.sent.CompareAndSwap(old, int64(sentAt)) {
			return
		}
	}
}

// guard is the connector.Guard of every visible act.
func (l *lease) guard() error {
	sent := l.sent.Load()
	if sent < 0 || l.clock()-time.Duration(sent) >= l.timeout {
		return errLeaseLost
	}
	return nil
}
