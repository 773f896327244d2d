package runner

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// slowOffsets answers every request of a member after a while.
type slowOffsets struct {
	taskOffsets
	wait func()
	err  error
}

func (o *slowOffsets) Commit(context.Context, kafka.Member, map[kafka.TP]kafka.Committed) error {
	o.wait()
	return o.err
}

func (o *slowOffsets) Heartbeat(context.Context, kafka.Member) error {
	o.wait()
	return o.err
}

// The lease counts from the sending of a request, not from its answer, and a request
// that is refused renews nothing.
func TestRule11LeaseCountsFromTheSending(t *testing.T) {
	t.Parallel()
	for name, send := range map[string]func(*fencedCommits) error{
		"heartbeat": func(f *fencedCommits) error { return f.beat(t.Context()) },
		"commit": func(f *fencedCommits) error {
			return f.commit(t.Context(), kafka.TP{Topic: "a"}, 1, newHeader("", "e", "h", 1), nil, nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			now := time.Hour
			o := taskOptions{OnCommit: func(MirroredPosition) {}}
			slow := &slowOffsets{wait: func() { now += 6 * time.Second }}
			f := &fencedCommits{o: &o, positions: slow, lease: newLease(func() time.Duration { return now }, 10*time.Second)}
			if f.lease.guard() == nil {
				t.Error("a lease before the first answer")
			}
			if err := send(f); err != nil || f.lease.guard() != nil {
				t.Fatalf("%v; %v", err, f.lease.guard())
			}
			now += 5 * time.Second // 11 s after the sending, 5 s after the answer
			if err := f.lease.guard(); !errors.Is(err, errLeaseLost) {
				t.Errorf("11 s after the sending the lease still holds: %v", err)
			}
			slow.wait, slow.err = func() {}, kafka.ErrRebalance
			if err := send(f); !errors.Is(err, kafka.ErrRebalance) || f.lease.guard() == nil {
				t.Errorf("a refused request renewed the lease (%v)", err)
			}
		})
	}
}

// A commit without an answer decides how the session is followed, whatever ended it.
func TestRule03UnansweredCommitCountsMost(t *testing.T) {
	t.Parallel()
	for _, order := range [][]error{{errRejoin, kafka.ErrUnanswered}, {kafka.ErrUnanswered, errRejoin}} {
		s := newTaskSession(nil, t.Context(), nil)
		for _, err := range order {
			s.end(err)
		}
		if got := s.cause(); !errors.Is(got, kafka.ErrUnanswered) {
			t.Errorf("%v: the session ended by %v", order, got)
		}
	}
}

// Who takes the seat again and again makes the task give up; now and then does not.
func TestRule02FencedTooOften(t *testing.T) {
	t.Parallel()
	task := &sinkTask{}
	for n := 1; n <= fencingsAllowed; n++ {
		if task.fencedTooOften() {
			t.Fatalf("gave up at the fencing %d", n)
		}
	}
	if !task.fencedTooOften() {
		t.Error("goes on for ever")
	}
	for i := range task.fences {
		task.fences[i] = task.fences[i].Add(-fencingPeriod)
	}
	if task.fencedTooOften() {
		t.Error("fencings of long ago count")
	}
}
