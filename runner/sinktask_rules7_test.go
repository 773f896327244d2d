package runner_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// Nothing becomes visible before its range stands in an intent.
func TestRule07IntentBeforeEveryVisibleByte(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 2)
	var checked, bad atomic.Int64
	b.dest.Before(func(name string) error {
		for p := range int32(2) {
			at, err := b.offsets.Fetch(context.Background(), "connect-"+b.name, []kafka.TP{b.tp(p)})
			if err != nil {
				return err
			}
			_, in, err := runner.DecodeMetadata(at[b.tp(p)].Metadata)
			if err == nil && in != nil && strings.Contains(string(in.Payload), name) && in.First == at[b.tp(p)].Offset {
				checked.Add(1)
				return nil
			}
		}
		bad.Add(1)
		return nil
	})
	b.start()
	for i := range 5 {
		b.put(0, numbered(fmt.Sprint("a", i, "-"), 0, 25)...)
		b.put(1, numbered(fmt.Sprint("b", i, "-"), 0, 13)...)
	}
	b.allDelivered()
	if bad.Load() > 0 || checked.Load() < 10 {
		t.Errorf("%d acts without an intent, %d with", bad.Load(), checked.Load())
	}
}

// A redo whose range the log does not give any more writes nothing and asks.
func TestRule08RedoOfAChangedLogAsks(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	b.wrote = nil
	if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
		t.Fatal(err)
	}
	b.deleteRecords(0, 4)
	r := b.start()
	st := r.untilState(0, connector.StateGap)
	if b.dest.Count() != 0 || !strings.Contains(st.Lost, "offsets 0 to 3") || len(st.Choices) != 4 {
		t.Errorf("%d visible; %+v", b.dest.Count(), st)
	}
	b.check(r.task.Choose(b.ctx, b.tp(0), "beginning", 0))
	b.until("the rest", func() bool { return b.dest.Count() == 6 })
}

func TestRule08UnknownIntentAsks(t *testing.T) {
	t.Parallel()
	for _, choice := range []string{"done", "redo"} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			b.put(0, numbered("a", 0, 10)...)
			if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
				t.Fatal(err)
			}
			name := fmt.Sprintf("%s-0-%020d", b.topic, 0)
			b.dest.Plant(name, []byte("not ours"))
			r := b.start()
			r.untilState(0, connector.StateGap)
			b.put(0, numbered("b", 0, 10)...)
			if choice == "redo" {
				b.dest.Remove(name)
			} else {
				b.wrote = b.wrote[10:]
			}
			b.check(r.task.Choose(b.ctx, b.tp(0), choice, 0))
			b.allDelivered()
			if body := b.dest.Objects()[name]; choice == "done" && string(body) != "not ours" {
				t.Errorf("what was visible was replaced by %q", body)
			}
		})
	}
}

// An intent pins shape settings; access settings are the current ones.
func TestRule09IntentPinsShapeOnly(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[runnertest.KeyPrefix] = "old/"
	b.deploy()
	b.put(0, numbered("a", 0, 10)...)
	if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
		t.Fatal(err)
	}
	b.given[runnertest.KeyPrefix], b.given[runnertest.KeyAccess], b.given[connector.KeyFlushSize] = "new/", "wrong", "3"
	r := b.start()
	st := r.untilState(0, connector.StateFailed)
	if st.Remedy != "Correct "+runnertest.KeyAccess+"." {
		t.Errorf("remedy %q", st.Remedy)
	}
	r.stop(runner.ErrRestart)
	b.given[runnertest.KeyAccess] = "right"
	b.put(0, numbered("b", 0, 6)...)
	b.start()
	b.allDelivered()
	old, young := 0, 0
	for name := range b.dest.Objects() {
		if strings.HasPrefix(name, "old/") {
			old++
		} else if strings.HasPrefix(name, "new/") {
			young++
		}
	}
	if old != 1 || young != 2 {
		t.Errorf("%d objects with the old shape, %d with the new", old, young)
	}
}

func TestRule09UnknownConfigurationAsks(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
		t.Fatal(err)
	}
	clear(b.configs)
	b.given[runnertest.KeyPrefix] = "new/"
	st := b.start().untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "not in the configuration topic") {
		t.Errorf("lost %q", st.Lost)
	}
}

// Removal and position changes settle what stands, or name it.
func TestRule10ResolveOfAStoppedConnector(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"intent.done", "publish.done"} {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			b.put(0, numbered("a", 0, 10)...)
			if err := b.start(withKiller(runnertest.KillAt(step, 1))).wait(); !isKilled(err) {
				t.Fatal(err)
			}
			b.check(b.admin.RemoveMembers(b.ctx, "connect-"+b.name, "n1-"+b.name+"-0"))
			b.dest.Away(true)
			pending, err := runner.ResolveIntents(b.ctx, b.options(), []kafka.TP{b.tp(0)}, true)
			if err != nil || len(pending) != 1 || !strings.Contains(pending[0], "offsets 0 to 9") {
				t.Fatalf("pending %v, %v", pending, err)
			}
			b.dest.Away(false)
			pending, err = runner.ResolveIntents(b.ctx, b.options(), []kafka.TP{b.tp(0)}, false)
			if err != nil || len(pending) != 0 {
				t.Fatalf("pending %v, %v", pending, err)
			}
			b.verify()
			if _, in, _ := runner.DecodeMetadata(b.position(0).Metadata); in != nil || b.position(0).Offset != 10 {
				t.Errorf("position %+v", b.position(0))
			}
		})
	}
}

// An act does not start when the membership was not confirmed for a session timeout.
func TestRule11NoActStartsLate(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	start := time.Now()
	var slept atomic.Int64
	clock := func() time.Duration { return time.Since(start) + time.Duration(slept.Load()) }
	b.put(0, numbered("a", 0, 10)...)
	publishes := 0
	b.start(runner.WithClock(clock), func(o *runner.TaskOptions) {
		o.Faults = func(step, _ string, _ int32) error {
			if step == "publish" {
				if publishes++; publishes == 1 {
					slept.Add(int64(11 * time.Second)) // the machine slept between commit and act
				}
			}
			return nil
		}
	})
	b.allDelivered()
	if b.dest.Puts() != 1 || !strings.Contains(strings.Join(b.logLines(), "\n"), "not confirmed in time") {
		b.dump()
		t.Errorf("%d acts", b.dest.Puts())
	}
}

// Diverted records are written once, with their reason, whatever the crash.
func TestRule12DivertedOnceWithReason(t *testing.T) {
	t.Parallel()
	for _, step := range []string{"", "divert", "divert.done", "publish", "publish.done"} {
		t.Run("kill at "+step, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			b.put(0, "a0", runnertest.Poison+"1", "a1", runnertest.Refused+"2", runnertest.Passing+"3", "a2")
			b.put(0, runnertest.Poison+"4")
			if step != "" {
				if err := b.start(withKiller(runnertest.KillAt(step, 1))).wait(); !isKilled(err) {
					t.Fatal(err)
				}
			}
			r := b.start()
			b.until("position", func() bool { return r.partition(0).Position == 7 })
			b.verify()
			got := b.diverted()
			if len(got) != 3 {
				t.Fatalf("%d diverted", len(got))
			}
			first := got[0]
			for key, want := range map[string]string{"__connect.errors.topic": b.topic, "__connect.errors.partition": "0", "__connect.errors.offset": "1",
				"__connect.errors.connector.name": b.name, "__connect.errors.task.id": "0", "__connect.errors.stage": "VALUE_CONVERTER",
				"__connect.errors.class.name": runnertest.Class, "__connect.errors.exception.class.name": "RecordError/poison", "__connect.errors.exception.message": "the value is poison"} {
				if got := headerOf(first, key); got != want {
					t.Errorf("%s is %q, want %q", key, got, want)
				}
			}
			if string(first.Value) != runnertest.Poison+"1" || string(first.Key) != "k" {
				t.Errorf("key %q value %q", first.Key, first.Value)
			}
		})
	}
}

// Waiting leaves the membership alone, and memory stays within the budget.
func TestRule13WaitingKeepsTheSeatAndTheBudget(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 2)
	b.given[connector.KeyFlushSize], b.given[connector.KeyFlushInterval] = "1000000", "3000"
	b.given[connector.KeyFlushBytes] = "1GiB"
	b.deploy()
	budget := runner.NewBudget(5 << 20) // 4 MiB of it are reserved for fetches
	b.dest.Away(true)
	var joins atomic.Int64
	r := b.start(func(o *runner.TaskOptions) {
		o.Budget = budget
		o.Faults = func(step, _ string, _ int32) error {
			if step == "setup" {
				joins.Add(1)
			}
			return nil
		}
	})
	big := strings.Repeat("x", 1000)
	for p := range int32(2) {
		for i := range 10 {
			b.put(p, numbered(fmt.Sprint(p, "-", i, "-", big), 0, 400)...)
		}
	}
	b.until("recovering", func() bool { return r.task.Status().State == connector.StateRecovering })
	held := time.Now()
	b.until("longer than a heartbeat", func() bool {
		if used := budget.Used(); used > budget.Limit()+1<<20 {
			t.Fatalf("%d bytes used of %d", used, budget.Limit())
		}
		return time.Since(held) > 4*time.Second
	})
	b.dest.Away(false)
	b.allDelivered()
	if joins.Load() != 1 {
		t.Errorf("joined %d times", joins.Load())
	}
	b.until("running", func() bool { return r.task.Status().State == connector.StateRunning })
	r.stop(runner.ErrSuspend)
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes held by a task that has ended", used)
	}
}

// deleteRecords removes what is below offset, as retention does.
func (b *taskBed) deleteRecords(p int32, below int64) {
	b.t.Helper()
	c := sarama.NewConfig()
	c.Version = sarama.V2_8_0_0
	a, err := sarama.NewClusterAdmin(b.cluster.Bootstrap, c)
	b.check(err)
	defer a.Close()
	b.check(a.DeleteRecords(b.topic, map[int32]int64{p: below}))
}

func (b *taskBed) logLines() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return append([]string{}, b.logs...)
}

// askingSink knows nothing of what was interrupted until a person has said it, which it keeps in the intent.
type askingSink struct{ *runnertest.MemSink }

const saidRedo = `,"said":"redo"}`

func (s askingSink) Resolve(_ context.Context, in connector.Intent, _ connector.Guard) (connector.Outcome, error) {
	if strings.HasSuffix(string(in.Payload), saidRedo) {
		return connector.Outcome{Kind: connector.Redo}, nil
	}
	return connector.Outcome{Kind: connector.Unknown, Detail: "two parts are in doubt", Choices: []connector.Choice{{Choice: "redo:1", Title: "One", Risk: "None"}}}, nil
}

func (s askingSink) Choose(in connector.Intent, choice string) ([]byte, bool, error) {
	if choice != "redo:1" {
		return nil, false, nil
	}
	return []byte(strings.TrimSuffix(string(in.Payload), "}") + saidRedo), true, nil
}

// What a person says of a part of what is in doubt stands in the intent, with which the range is resolved once more.
// The position does not move for that, and the runner's own choices stay what they are.
func TestRule08AnswerInTheIntent(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
		t.Fatal(err)
	}
	b.spec.NewSink = func(_ context.Context, c connector.Config, _ connector.Deps) (connector.Sink, error) {
		return askingSink{runnertest.NewMemSink(b.dest, c)}, nil
	}
	before, _, err := runner.DecodeMetadata(b.position(0).Metadata)
	b.check(err)
	r := b.start()
	st := r.untilState(0, connector.StateGap)
	if len(st.Choices) != 2 || st.Choices[0].Choice != "redo:1" || st.Choices[1].Choice != "stay" {
		t.Fatalf("offered %+v", st.Choices)
	}
	if err := r.task.Choose(b.ctx, b.tp(0), "redo", 0); err == nil {
		t.Error("what is not offered was taken")
	}
	b.check(r.task.Choose(b.ctx, b.tp(0), "redo:1", 0))
	b.allDelivered()
	b.verify()
	after, _, err := runner.DecodeMetadata(b.position(0).Metadata)
	if err != nil || after.Epoch != before.Epoch {
		t.Errorf("epoch %q, before %q, %v", after.Epoch, before.Epoch, err)
	}
}
