package runner

import (
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

func TestSourceDivertsAndTags(t *testing.T) {
	b := newSourceBed(t)
	b.script.Add(runnertest.Fact{
		Records: []connector.Outgoing{
			{Topic: "out", Partition: 1, Key: []byte("a"), Value: []byte("0/0"), Headers: []record.Header{{Key: "x", Value: []byte("y")}}},
			{Topic: "out", Partition: -1, Key: []byte("b"), Value: []byte("bad")},
		},
		Divert: &connector.RecordError{Stage: connector.StageValueConverter, Code: "oversize", DeadLetter: true, Err: errors.New("too long")},
		Tags:   []record.Header{{Key: "sluice.tx.part", Value: []byte("1")}},
	})
	r := b.start()
	b.until("the fact", func() bool { return b.count() == 1 })
	got := b.cluster.visible("out", 1)
	if len(got) != 1 || len(got[0].Headers) != 2 || got[0].Headers[1].Key != "sluice.tx.part" {
		t.Errorf("%+v", got)
	}
	aside := b.cluster.visible("errors", 0)
	if len(aside) != 1 {
		t.Fatalf("%d diverted", len(aside))
	}
	heads := map[string]string{}
	for _, h := range aside[0].Headers {
		heads[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{headTopic: "out", headConnector: "c", headClass: runnertest.ScriptClass, headStage: "VALUE_CONVERTER", headException: "RecordError/oversize", headMessage: "too long"} {
		if heads[key] != want {
			t.Errorf("header %s is %q, want %q", key, heads[key], want)
		}
	}
	b.until("the counts", func() bool { st := r.task.Status().Partitions[0]; return st.Delivered == 1 && st.Diverted == 1 })
}

// What a topic does not take is told before anything is written.
func TestSourceRefusals(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	for name, c := range map[string]struct {
		record connector.Outgoing
		want   string
	}{
		"oversize":     {connector.Outgoing{Topic: "out", Partition: -1, Value: []byte(big)}, "max.message.bytes"},
		"nowhere":      {connector.Outgoing{Topic: "out", Partition: -1, Value: []byte(big)}, "the topic errors takes at most"},
		"no topic":     {connector.Outgoing{Topic: "missing", Partition: -1}, "missing does not exist"},
		"no partition": {connector.Outgoing{Topic: "out", Partition: 7}, "no partition 7"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSourceBed(t)
			f := runnertest.Fact{Records: []connector.Outgoing{c.record}}
			if name == "nowhere" {
				f.Divert = &connector.RecordError{Code: "oversize", DeadLetter: true, Err: errors.New("too large")}
			}
			b.script.Add(f)
			r := b.start()
			b.until("the cause", func() bool { return strings.Contains(r.task.Status().Cause, c.want) })
			if n := b.count(); n != 0 {
				t.Errorf("%d records are visible", n)
			}
			if st := r.task.Status().State; st != connector.StateFailed {
				t.Errorf("it is %s", st)
			}
		})
	}
}

// What a topic will never take is no passing cause: the connector fails and names the topic.
func TestSourceInvalidRecord(t *testing.T) {
	b := newSourceBed(t)
	b.cluster.onCommit = func() (bool, error) {
		return false, fmt.Errorf("writing to out/1: %w", kafka.ErrInvalidRecord)
	}
	b.script.Numbers("out", 0, 1, 1, 1)
	r := b.start()
	r.state(connector.StateFailed)
	if st := r.task.Status(); !strings.Contains(st.Cause, "out/1") || !strings.Contains(st.Remedy, "cleanup.policy") {
		t.Errorf("%+v", st.Status)
	}
}

// A gap waits for a person; the choice comes with every start until something is saved.
func TestSourceGap(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	r := b.start()
	b.exactly(5, 1)
	r.stop()
	b.script.Gap(&connector.GapError{Lost: "the log was purged", Choices: []connector.Choice{{Choice: "now", Title: "Go on from now"}}})
	r = b.start()
	r.state(connector.StateGap)
	st := r.task.Status().Partitions[0]
	if st.Lost != "the log was purged" || len(st.Choices) != 2 || st.Choices[1].Choice != "stay" || st.Partition != readerPartition {
		t.Errorf("%+v", st)
	}
	if err := r.task.Choose(t.Context(), kafka.TP{}, "snapshot", -1); err == nil {
		t.Error("what is not offered was taken")
	}
	if err := r.task.Choose(t.Context(), kafka.TP{}, "stay", -1); err != nil || r.task.Status().State != connector.StateGap {
		t.Errorf("stay: %v, %v", err, r.task.Status().State)
	}
	failed := false
	b.script.Before(func(int) error {
		if !failed {
			failed = true
			return runnertest.ErrScript
		}
		return nil
	})
	if err := r.task.Choose(t.Context(), kafka.TP{}, "now", -1); err != nil {
		t.Fatal(err)
	}
	b.until("two starts with the choice", func() bool { return len(b.script.Starts()) == 4 })
	b.until("the choice to be forgotten", func() bool { return r.task.choiceMade() == "" })
	b.script.Numbers("out", 5, 6, 1, 3)
	b.exactly(6, 1)
	starts := b.script.Starts()
	if len(starts) != 4 || starts[2].Choice != "now" || starts[3].Choice != "now" {
		t.Errorf("%+v", starts)
	}
}

// A node that cannot join the group says so.
func TestSourceCannotJoin(t *testing.T) {
	b := newSourceBed(t)
	leads := newLeadership(time.Second)
	r := b.startWith(leads)
	leads.troubled(errors.New("the coordinator is away"))
	r.state(connector.StateRecovering)
	leads.won(newSimSession(t.Context(), 1))
	b.script.Numbers("out", 0, 5, 1, 3)
	b.exactly(5, 1)
	r.state(connector.StateRunning)
}

// What was read before the source's system went away does not hide that it is away.
func TestSourceIsAway(t *testing.T) {
	b := newSourceBed(t)
	slow := make(chan struct{})
	b.cluster.slow = slow
	r := b.start()
	b.script.Numbers("out", 0, 1, 1, 3)
	b.until("the run", func() bool { return len(b.script.Starts()) == 1 })
	b.until("the fact", func() bool { return r.task.o.Budget.Used() > 0 })
	r.task.away(&connector.AwayError{System: "the script", Err: errors.New("it is gone")}, 1)
	close(slow)
	b.exactly(1, 1)
	b.until("the count", func() bool { return r.task.Status().Partitions[0].Delivered == 1 })
	if st := r.task.Status(); st.State != connector.StateRecovering || !strings.Contains(st.Cause, "he script is away") {
		t.Errorf("%+v", st.Status)
	}
	b.script.Numbers("out", 1, 2, 1, 3)
	r.state(connector.StateRunning)
}

// TestSourceAwayRemedy: what a source says of its own system is what is shown, and nothing about brokers.
func TestSourceAwayRemedy(t *testing.T) {
	b := newSourceBed(t)
	refused := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&connector.AwayError{System: "database", Err: refused, Remedy: "Start the database."}, "Nothing to do if it passes: the connector tries again by itself. Start the database."},
		{&connector.AwayError{System: "database", Err: refused}, "Nothing to do if it passes: the connector tries again by itself."},
		{refused, "Nothing to do if it passes: the connector tries again by itself. " + kafka.Remedy(refused)},
	} {
		task := newSourceTask(b.options(newLeadership(time.Second)))
		task.passing(tt.err)
		if got := task.Status().Remedy; got != tt.want {
			t.Errorf("%v: remedy %q, want %q", tt.err, got, tt.want)
		}
	}
}

// TestSourceShowsAHangingTransaction: while a transaction does not end, that is shown, whatever the source reads meanwhile.
func TestSourceShowsAHangingTransaction(t *testing.T) {
	b := newSourceBed(t)
	task := newSourceTask(b.options(newLeadership(time.Second)))
	task.begun(runnertest.NewScript().Source())
	end := task.committing(time.Millisecond)
	b.until("it is shown", func() bool { return task.Status().State == connector.StateRecovering })
	task.progressed(nil)
	task.lagging(0)
	task.away(nil, 0)
	if st := task.Status(); st.State != connector.StateRecovering || !strings.Contains(st.Cause, "does not finish a transaction") || !strings.Contains(st.Remedy, "brokers") {
		t.Errorf("while the source reads on: %+v", st.Status)
	}
	end()
	task.committed(1, true, 1, 1, 0, 1)
	if st := task.Status().State; st != connector.StateRunning {
		t.Errorf("after it has ended: %s", st)
	}
}
