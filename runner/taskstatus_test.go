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
