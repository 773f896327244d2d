package runner_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// An outage holds the position, shows itself, and passes; acts whose answers were lost
// are not done twice.
func TestTaskOutageHolds(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 2)
	b.dest.Away(true)
	b.put(0, numbered("a", 0, 45)...)
	b.put(1, numbered("b", 0, 45)...)
	r := b.start()
	b.until("recovering", func() bool { return r.partition(0).State == connector.StateRecovering })
	if st := r.partition(0); !strings.Contains(st.Cause, "away") || st.Remedy == "" || st.Position != 0 || st.Lag == 0 {
		t.Errorf("%+v", st)
	}
	var n atomic.Int64
	b.dest.Before(nil)
	b.dest.After(func(string) error {
		if n.Add(1)%2 == 1 {
			return &connector.AwayError{System: "the destination", Err: errors.New("the answer was lost")}
		}
		return nil
	})
	b.allDelivered()
	b.until("running", func() bool { return r.task.Status().State == connector.StateRunning })
	if got := b.diverted(); len(got) != 0 {
		t.Errorf("%d diverted", len(got))
	}
}

func TestTaskOutageDiverts(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[connector.KeyOutage], b.given[connector.KeyRetries] = connector.OutageDivert, "1"
	b.deploy()
	b.dest.Away(true)
	b.put(0, numbered("a", 0, 15)...)
	b.put(0, runnertest.Poison)
	b.wrote = nil
	r := b.start()
	b.until("diverted", func() bool { return r.partition(0).Position == 16 })
	got := b.diverted()
	offsets := map[string]int{}
	for _, rec := range got {
		offsets[headerOf(rec, "__connect.errors.offset")]++
	}
	if len(got) != 16 || len(offsets) != 16 {
		t.Errorf("%d diverted, %d different", len(got), len(offsets))
	}
	b.dest.Away(false)
	b.put(0, numbered("b", 0, 5)...)
	b.allDelivered()
}

// A configuration that cannot work stops with its remedy; Resume goes on.
func TestTaskWrongConfiguration(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	wrong := true
	b.dest.Before(func(string) error {
		if wrong {
			return &connector.WrongError{Field: "mem.bucket", Remedy: "Make the bucket.", Err: errors.New("no such bucket")}
		}
		return nil
	})
	b.put(0, numbered("a", 0, 15)...)
	r := b.start()
	st := r.untilState(0, connector.StateFailed)
	if st.Remedy != "Make the bucket." || !strings.Contains(st.Cause, "no such bucket") || r.task.Status().State != connector.StateFailed {
		t.Errorf("%+v", st)
	}
	b.dest.Before(nil)
	r.task.Retry()
	b.allDelivered()
}

func TestTaskSinkThatCannotBeMade(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.spec = runnertest.BrokenSpec(&connector.WrongError{Remedy: "Correct the key.", Err: errors.New("bad key")})
	r := b.start()
	var wrong *connector.WrongError
	if err := r.wait(); !errors.As(err, &wrong) {
		t.Fatalf("Run returned %v", err)
	}
	if st := r.task.Status(); st.State != connector.StateFailed || st.Remedy != "Correct the key." {
		t.Errorf("%+v", st.Status)
	}
}

// A panic of a sink stops one partition, not the process.
func TestTaskSinkThatPanics(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 2)
	b.dest.Before(func(name string) error {
		if strings.Contains(name, "-1-") {
			panic("a fault")
		}
		return nil
	})
	b.put(0, numbered("a", 0, 15)...)
	b.put(1, "x")
	b.wrote = b.wrote[:15]
	r := b.start()
	r.untilState(1, connector.StateFailed)
	b.allDelivered()
}

// Retention that passes an undelivered position is a gap with choices.
func TestTaskRetentionGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 30)...)
	b.deleteRecords(0, 12)
	r := b.start()
	st := r.untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "offsets 0 to 11") || b.dest.Count() != 0 {
		t.Errorf("%+v", st)
	}
	b.wrote = b.wrote[12:]
	b.check(r.task.Choose(b.ctx, b.tp(0), "beginning", 0))
	b.allDelivered()
}

// Two members share the partitions; one leaves, the other takes over: exactly once.
func TestTaskRebalance(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 4)
	b.start()
	write := func(round int) {
		for p := range int32(4) {
			b.put(p, numbered(fmt.Sprintf("%d-%d-", p, round), 0, 37)...)
		}
	}
	write(1)
	other := b.start(func(o *runner.TaskOptions) { o.Task = 1 })
	write(2)
	b.until("shared", func() bool { return len(other.task.Status().Partitions) == 2 })
	write(3)
	other.stop(runner.ErrSuspend)
	write(4)
	b.allDelivered()
}

// A topic that is missing at the start is waited for.
func TestTaskMissingTopic(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given["topics"] = b.topic + ",late-" + b.name
	r := b.start(runner.LookOften(100 * time.Millisecond))
	b.put(0, numbered("a", 0, 10)...)
	b.allDelivered()
	b.until("degraded", func() bool { return r.task.Status().State == connector.StateDegraded })
	b.makeTopic("late-"+b.name, 1)
	b.check(b.prod.SendAll(b.ctx, []kafka.Out{{Topic: "late-" + b.name, Value: []byte("late")}}))
	b.wrote = append(b.wrote, "late")
	b.allDelivered()
	b.until("running", func() bool { return r.task.Status().State == connector.StateRunning })
}

// A cluster that does not answer is waited for, and the status says so.
func TestTaskUnreachableCluster(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	r := b.start(func(o *runner.TaskOptions) { o.Cluster.Bootstrap = []string{"127.0.0.1:1"} })
	b.until("recovering", func() bool { return r.task.Status().State == connector.StateRecovering })
	if st := r.task.Status(); st.Cause == "" || st.Remedy == "" {
		t.Errorf("%+v", st.Status)
	}
	if err := r.stop(runner.ErrShutdown); err != nil {
		t.Errorf("stopped with %v", err)
	}
}

// A stop is quick whatever the task waits for, and releases everything it held.
func TestTaskStopsWhileAway(t *testing.T) {
	t.Parallel()
	for _, cause := range []error{runner.ErrShutdown, runner.ErrSuspend, runner.ErrRestart} {
		t.Run(cause.Error(), func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 2)
			b.dest.Away(true)
			b.put(0, numbered("a", 0, 100)...)
			r := b.start()
			r.untilState(0, connector.StateRecovering)
			began := time.Now()
			if err := r.stop(cause); err != nil {
				t.Errorf("stopped with %v", err)
			}
			if took := time.Since(began); took > 7*time.Second {
				t.Errorf("stopping took %s", took)
			}
			b.dest.Away(false)
			b.start()
			b.allDelivered()
		})
	}
}

// A chunk that cannot become visible any more is settled like after a crash, beside
// the records that arrive meanwhile: written once, whether the act took place or not.
func TestRepeatedRange(t *testing.T) {
	t.Parallel()
	gone := &connector.RepeatError{Err: errors.New("the upload session is gone")}
	for name, hook := range map[string]func(*runnertest.Destination, func(string) error){
		"before the act": (*runnertest.Destination).Before,
		"after the act":  (*runnertest.Destination).After,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 2)
			var acts atomic.Int64
			hook(b.dest, func(string) error {
				if n := acts.Add(1); n == 1 || n == 6 {
					return gone
				}
				return nil
			})
			b.put(0, numbered("a", 0, 100)...)
			b.put(1, numbered("b", 0, 35)...)
			r := b.start()
			b.allDelivered()
			if got := r.task.Status().State; got != connector.StateRunning {
				t.Errorf("task is %s", got)
			}
			if lines := strings.Join(b.logLines(), "\n"); !strings.Contains(lines, "are delivered once more") || !strings.Contains(lines, "the upload session is gone") {
				t.Errorf("the log does not tell of it:\n%s", lines)
			}
		})
	}
}

// Units that are whole do not wait for the interval.
func TestReadyChunksCloseWhenTheFeedPauses(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[connector.KeyFlushInterval], b.given[connector.KeyFlushSize], b.given[runnertest.KeyUnit] = "3600000", "1000", "5"
	b.put(0, numbered("a", 0, 12)...)
	r := b.start()
	b.allDelivered()
	b.put(0, numbered("b", 0, 7)...)
	b.allDelivered()
	b.put(0, numbered("c", 0, 3)...)
	b.until("they are read", func() bool { return r.partition(0).Lag == 3 })
	if n := b.dest.Count(); n != 19 {
		t.Errorf("%d visible: what is no whole unit waits", n)
	}
	b.put(0, numbered("d", 0, 2)...)
	b.allDelivered()
}
