package runner_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// Nobody has positions of a connector that has delivered, and nothing is mirrored.
func TestRule04AllPositionsMissingIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	b.check(b.offsets.Delete(b.ctx, "connect-"+b.name, []kafka.TP{b.tp(0)}))
	b.delivered = true
	st := b.start().untilState(0, connector.StateGap)
	if b.dest.Count() != 0 || !strings.Contains(st.Lost, "although the connector has delivered before") {
		t.Errorf("%d visible; lost %q", b.dest.Count(), st.Lost)
	}
}

// A choice of another place begins a replay epoch; one about the pending range does not.
func TestRule05EpochOfAChoice(t *testing.T) {
	t.Parallel()
	for choice, anew := range map[string]bool{"end": true, "done": false} {
		t.Run(choice, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			b.put(0, numbered("a", 0, 10)...)
			if anew {
				b.deleteRecords(0, 4)
			} else {
				if err := b.start(withKiller(runnertest.KillAt("intent.done", 1))).wait(); !isKilled(err) {
					t.Fatal(err)
				}
				b.dest.Plant(fmt.Sprintf("%s-0-%020d", b.topic, 0), []byte("not ours"))
			}
			r := b.start()
			r.untilState(0, connector.StateGap)
			b.check(r.task.Choose(b.ctx, b.tp(0), choice, 0))
			h, _, err := runner.DecodeMetadata(b.position(0).Metadata)
			if err != nil || b.position(0).Offset != 10 || (h.Epoch != b.epoch) != anew {
				t.Errorf("epoch %q at %+v, %v", h.Epoch, b.position(0), err)
			}
		})
	}
}

// A position of another topic of the same name is a gap, whatever the log holds, and
// what was being delivered of the old one is not looked for in the new.
func TestRule05PositionOfAnotherTopicIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	text, err := runner.EncodeMetadata(runner.NewHeader("another-uuid", b.epoch, b.spec.Hash(b.config()), 1), nil)
	b.check(err)
	b.check(b.offsets.Commit(b.ctx, kafka.Member{Group: "connect-" + b.name}, map[kafka.TP]kafka.Committed{b.tp(0): {Offset: 5, Metadata: text}}))
	st := b.start().untilState(0, connector.StateGap)
	if b.dest.Count() != 0 || !strings.Contains(st.Lost, "deleted and made again") || len(st.Choices) != 4 {
		t.Errorf("%d visible; %+v", b.dest.Count(), st)
	}
}

// Nothing that was read after a topic was made again becomes visible, although the
// consumer, which names topics by name, reads on: neither a chunk by itself nor one
// whose intent goes along with the commit of the one before.
func TestRule05NothingOfAnotherTopicIsDelivered(t *testing.T) {
	t.Parallel()
	t.Run("by itself", func(t *testing.T) {
		t.Parallel()
		b := newTaskBed(t, 1)
		var id atomic.Pointer[string]
		b.put(0, numbered("a", 0, 10)...)
		r := b.start(runner.WithTopicID(&id))
		b.allDelivered()
		other := "another-uuid"
		id.Store(&other)
		b.put(0, numbered("n", 0, 10)...)
		r.untilState(0, connector.StateGap)
		if n := b.dest.Count(); n != 10 {
			t.Errorf("%d visible, 10 are of the topic", n)
		}
	})
	t.Run("carried along", func(t *testing.T) {
		t.Parallel()
		b := newTaskBed(t, 1)
		var id atomic.Pointer[string]
		var once sync.Once
		b.dest.Before(func(string) error { // the second chunk waits while the first is being put
			once.Do(func() {
				other := "another-uuid"
				id.Store(&other)
			})
			return nil
		})
		b.put(0, numbered("a", 0, 100)...)
		r := b.start(runner.WithTopicID(&id))
		r.untilState(0, connector.StateGap)
		b.until("the position behind the first 10", func() bool { return b.position(0).Offset == 10 })
		r.untilState(0, connector.StateGap)
		if n := b.dest.Count(); n != 10 {
			t.Errorf("%d visible; the topic was another one behind the first 10", n)
		}
	})
}

// A redo for which the log gives as many records, but others, writes nothing.
func TestRule08RedoOfOtherRecordsAsks(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	b.commit(0, 0, &connector.Intent{Range: connector.Range{First: 0, Next: 10}, Config: b.spec.Hash(b.config()), Encoder: 1, Count: 10, Sum: 7,
		Payload: fmt.Appendf(nil, `{"name":"%s-0-%020d","size":1,"crc":1}`, b.topic, 0)})
	st := b.start().untilState(0, connector.StateGap)
	if b.dest.Count() != 0 || !strings.Contains(st.Lost, "are not the records any more") {
		t.Errorf("%d visible; lost %q", b.dest.Count(), st.Lost)
	}
}

// With errors.tolerance=none a record that the destination refuses stops the partition
// at its range: nothing is diverted or passed over, and a change of mind settles it.
func TestRule12RefusalWithoutTolerance(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[connector.KeyTolerance] = connector.ToleranceFail
	b.put(0, "a0", runnertest.Refused+"1", "a2")
	r := b.start()
	st := r.untilState(0, connector.StateFailed)
	if !strings.Contains(st.Cause, "Offset 1 of") || b.position(0).Offset != 0 || len(b.diverted()) != 0 {
		t.Errorf("position %+v, %d diverted; %+v", b.position(0), len(b.diverted()), st)
	}
	r.stop(runner.ErrRestart)
	b.given[connector.KeyTolerance] = connector.ToleranceLog
	r = b.start()
	b.until("position", func() bool { return r.partition(0).Position == 3 })
	b.verify()
	if got := b.diverted(); len(got) != 1 || headerOf(got[0], "__connect.errors.offset") != "1" {
		t.Errorf("%d diverted", len(got))
	}
}
