package runner

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// TestWrongSettingsFailTheConnector: a bucket that does not exist is no matter of the one partition that had
// something to deliver; a record that is refused is.
func TestWrongSettingsFailTheConnector(t *testing.T) {
	t.Parallel()
	running := connector.Status{State: connector.StateRunning}
	for _, wrong := range []bool{false, true} {
		stopped := newPartitionState(kafka.TP{Topic: "a"})
		stopped.stop(&stopError{state: connector.StateFailed, cause: "No.", wrong: wrong}, nil)
		idle := newPartitionState(kafka.TP{Topic: "a", Partition: 1})
		parts := []PartitionStatus{stopped.report(time.Now(), time.Minute), idle.report(time.Now(), time.Minute)}
		tasks := []TaskStatus{{Status: rollUp(running, parts), Partitions: parts}, {Status: running, Partitions: parts[1:]}}
		want := connector.StateDegraded
		if wrong {
			want = connector.StateFailed
		}
		if got := combine(running, tasks); tasks[0].State != want || got.State != want || got.Cause != "No." {
			t.Errorf("wrong %v: the task is %s, the connector %s (%s), want %s", wrong, tasks[0].State, got.State, got.Cause, want)
		}
		stopped.running()
		if p := stopped.report(time.Now(), time.Minute); p.Wrong || p.State != connector.StateRunning {
			t.Errorf("after it was mended: %+v", p)
		}
	}
}

// TestRunningSince: a connector that recovered is Running since then, not since it was started.
func TestRunningSince(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	at := func(minutes int, state connector.State) connector.Status {
		return connector.Status{State: state, Since: start.Add(time.Duration(minutes) * time.Minute)}
	}
	part := func(st connector.Status) PartitionStatus { return PartitionStatus{Status: st} }
	own := at(0, connector.StateRunning)
	for _, c := range []struct {
		parts []connector.Status
		want  connector.Status
	}{
		{nil, own},
		{[]connector.Status{at(5, connector.StateRunning), at(3, connector.StateRunning)}, at(5, connector.StateRunning)},
		{[]connector.Status{at(9, connector.StateRunning), at(3, connector.StateRecovering)}, at(3, connector.StateRecovering)},
		{[]connector.Status{at(3, connector.StateRecovering), at(9, connector.StateRunning)}, at(3, connector.StateRecovering)},
	} {
		var parts []PartitionStatus
		var tasks []TaskStatus
		for _, st := range c.parts {
			parts = append(parts, part(st))
			tasks = append(tasks, TaskStatus{Status: st})
		}
		if got := rollUp(own, parts); got != c.want {
			t.Errorf("task of %v: %v, want %v", c.parts, got, c.want)
		}
		if got := combine(own, tasks); got != c.want {
			t.Errorf("connector of %v: %v, want %v", c.parts, got, c.want)
		}
	}
}

type patient time.Duration

func (p patient) Patience() time.Duration { return time.Duration(p) }

// TestSlowActsAreNoStall: as long as one act of the destination may take, nothing need move.
func TestSlowActsAreNoStall(t *testing.T) {
	t.Parallel()
	task := &sinkTask{}
	if got := task.stallLimit(); got != stalledAfter {
		t.Errorf("%s", got)
	}
	for patience, want := range map[time.Duration]time.Duration{time.Second: stalledAfter, 10 * time.Minute: 11 * time.Minute} {
		var p connector.Patient = patient(patience)
		task.patient.Store(&p)
		if got := task.stallLimit(); got != want {
			t.Errorf("an act of %s: stalled after %s, want %s", patience, got, want)
		}
	}
}
