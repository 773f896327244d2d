package runner_test

import (
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/runnertest"
)

func TestTaskDelivers(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 3)
	r := b.start()
	for p := range int32(3) {
		b.put(p, numbered("a", int(p)*1000, int(p)*1000+105)...)
	}
	b.allDelivered()
	b.until("positions at the end", func() bool { return r.partition(0).Position == 105 && r.partition(2).Position == 105 })
	st := r.task.Status()
	if st.State != connector.StateRunning || len(st.Partitions) != 3 {
		t.Errorf("status %+v", st)
	}
	if err := r.stop(runner.ErrShutdown); err != nil {
		t.Fatal(err)
	}
	if at := b.position(1); at.Offset != 105 {
		t.Errorf("committed %d", at.Offset)
	}
	h, in, err := runner.DecodeMetadata(b.position(1).Metadata)
	if err != nil || in != nil || h.Last == nil || h.Last.Offset != 104 || h.TopicID == "" {
		t.Errorf("header %+v, intent %v, %v", h, in, err)
	}
}

// A task killed at any step is followed by one that finishes: exactly once, in order.
func TestTaskKilledAtEveryStep(t *testing.T) {
	t.Parallel()
	for _, step := range runner.FaultSteps() {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 2)
			b.put(0, numbered("a", 0, 35)...)
			b.put(1, numbered("b", 0, 35)...)
			if step == "divert" || step == "divert.done" {
				b.put(0, runnertest.Poison, "x1", runnertest.Refused, "x2")
			}
			if step == "resolve" || step == "redo" {
				first := runnertest.KillAt("intent.done", 2)
				if err := b.start(withKiller(first)).wait(); !isKilled(err) {
					t.Fatalf("first kill: %v", err)
				}
			}
			k := runnertest.KillAt(step, 1)
			if err := b.start(withKiller(k)).wait(); !isKilled(err) {
				t.Fatalf("killed task returned %v", err)
			}
			b.start()
			b.put(1, numbered("c", 0, 5)...)
			b.allDelivered()
		})
	}
}
