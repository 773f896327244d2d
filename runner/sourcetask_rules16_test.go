package runner

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// A source task is killed at each step, at its first and its third time: nothing is lost,
// doubled or seen in part.
func TestRule16KilledAtEveryStep(t *testing.T) {
	for _, step := range SourceFaultSteps() {
		for _, nth := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %d", step, nth), func(t *testing.T) {
				b := newSourceBed(t)
				b.script.Numbers("out", 0, 30, 3, 4)
				kill := runnertest.KillAt(step, nth)
				b.change = func(o *sourceOptions) { o.Faults = kill.Fault }
				r := b.start()
				go func() {
					for n := 30; n < 60; n += 3 { // transactions one after the other
						b.script.Numbers("out", n, n+3, 3, 4)
						<-time.After(time.Millisecond) // lets some of them end
					}
				}()
				if step == stepSourceOpen || step == stepSourceState || step == stepSourceRun {
					if nth > 1 {
						t.Skip("reached once")
					}
				}
				<-r.done
				if !errors.Is(r.err, runnertest.ErrKilled) {
					t.Fatalf("the task ended with %v", r.err)
				}
				b.change = nil
				b.start()
				b.exactly(60, 3)
			})
		}
	}
}

// Nobody resends: after an answer that was lost the position decides.
func TestRule16LostAnswers(t *testing.T) {
	for _, took := range []bool{true, false} {
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			b := newSourceBed(t)
			once := sync.OnceValue(func() bool { return true })
			done := false
			b.cluster.onCommit = func() (bool, error) {
				if once() && !done {
					done = true
					return took, kafka.ErrUnanswered
				}
				return true, nil
			}
			b.script.Numbers("out", 0, 10, 2, 3)
			b.start()
			b.exactly(10, 2)
			b.until("two runs", func() bool { return len(b.script.Starts()) == 2 })
		})
	}
}

// While a transaction waits the source may go on up to a bound, and what it then wrote
// becomes visible as one.
func TestRule16BackPressure(t *testing.T) {
	b := newSourceBed(t)
	slow := make(chan struct{})
	b.cluster.slow = slow
	b.change = func(o *sourceOptions) { o.uncommitted = 10_000 }
	r := b.start()
	var facts []runnertest.Fact
	for n := range 1000 {
		facts = append(facts, runnertest.Fact{Records: []connector.Outgoing{{Topic: "out", Partition: -1, Key: []byte("k"), Value: fmt.Appendf(nil, "%d/0 %090d", n, 0)}}})
	}
	var most int64
	var written int
	b.script.Before(func(n int) error {
		written = n
		most = max(most, r.task.o.Budget.Used())
		return nil
	})
	b.script.Add(facts...)
	var used int64
	b.until("the source to wait", func() bool {
		before := used
		<-time.After(20 * time.Millisecond)
		used = r.task.o.Budget.Used()
		return used >= 10_000 && used == before
	})
	if used > 22_000 {
		t.Errorf("%d bytes are held, the bound is 10,000 for each of two batches", used)
	}
	close(slow)
	b.until("all of it", func() bool { return b.count() == 1000 })
	r.stop()
	if most > 22_000 || written != 999 {
		t.Errorf("at most %d bytes were held; %d written", most, written)
	}
	if n := r.task.o.Budget.Used(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	if b.cluster.commits < 2 || b.cluster.commits > 100 {
		t.Errorf("%d transactions for 1000 facts", b.cluster.commits)
	}
}

// One fact is never split, however large.
func TestRule16LargeFact(t *testing.T) {
	b := newSourceBed(t)
	b.change = func(o *sourceOptions) { o.uncommitted = 100 }
	b.script.Numbers("out", 0, 1, 5000, 3)
	b.start()
	b.until("a part of it", func() bool { return b.count() > 0 })
	if n := b.count(); n != 5000 {
		t.Errorf("%d of 5000 records are visible", n)
	}
}

// A topic that got more partitions keeps the order of its keys.
func TestRule19MorePartitions(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 20, 1, 20)
	r := b.start()
	b.exactly(20, 1)
	r.stop()
	b.cluster.mu.Lock()
	top := b.cluster.topics["out"]
	top.logs, top.start = append(top.logs, nil, nil), append(top.start, 0, 0)
	b.cluster.mu.Unlock()
	b.script.Numbers("out", 20, 40, 1, 20)
	b.start()
	b.exactly(40, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.ContainsFunc(b.logs, func(l string) bool { return strings.Contains(l, "WARN") && strings.Contains(l, "5 partitions now") }) {
		t.Error("nobody was warned")
	}
}

// What compresses well is cut by what it is for who reads it.
func TestRule16BackPressureOfWhatCompresses(t *testing.T) {
	b := newSourceBed(t)
	slow := make(chan struct{})
	b.cluster.slow, b.cluster.squeeze = slow, 1000
	b.change = func(o *sourceOptions) { o.uncommitted = 1000 }
	b.start()
	var written atomic.Int64
	b.script.Before(func(n int) error { written.Store(int64(n)); return nil })
	b.script.Numbers("out", 0, 5000, 1, 3)
	var before int64
	b.until("the source to wait", func() bool {
		before = written.Load()
		<-time.After(20 * time.Millisecond)
		return before > 0 && written.Load() == before
	})
	if before > 3000 { // 6 bytes each, 8,000 in the batch that waits
		t.Errorf("%d facts were taken while nothing was committed", before)
	}
	close(slow)
	b.exactly(5000, 1)
}
