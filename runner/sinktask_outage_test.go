package runner_test

import (
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// A diverted range is written in transactions that end well within their timeout,
// however many records a page of the log holds.
func TestTaskOutageDivertsInSmallTransactions(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[connector.KeyOutage], b.given[connector.KeyRetries] = connector.OutageDivert, "1"
	b.given[connector.KeyFlushSize] = "5000"
	b.deploy()
	b.dest.Away(true)
	b.put(0, numbered("a", 0, 2500)...)
	var most atomic.Int64
	r := b.start(func(o *runner.TaskOptions) {
		o.OnDelivered = func(_ kafka.TP, _, _, diverted int64) { most.Store(max(most.Load(), diverted)) }
	})
	b.until("diverted", func() bool { return r.partition(0).Position == 2500 })
	offsets := map[string]bool{}
	got := b.diverted()
	for _, rec := range got {
		offsets[headerOf(rec, "__connect.errors.offset")] = true
	}
	if len(got) != 2500 || len(offsets) != 2500 || most.Load() != 1000 {
		t.Errorf("%d diverted, %d different, at most %d at once", len(got), len(offsets), most.Load())
	}
}

// Where the destination answers again, and part of the range may be there, the log says
// that what is diverted may be there twice.
func TestTaskOutageDivertsWhatIsThere(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.given[connector.KeyOutage], b.given[connector.KeyRetries] = connector.OutageDivert, "1"
	b.deploy()
	b.dest.After(func(string) error {
		return &connector.AwayError{System: "the destination", Err: errors.New("the answer was lost")}
	})
	b.put(0, "a0", runnertest.Refused+"1")
	r := b.start()
	b.until("diverted", func() bool { return r.partition(0).Position == 2 })
	if lines := strings.Join(b.logLines(), "\n"); len(b.diverted()) != 2 || !strings.Contains(lines, "Offsets 0 to 1 are diverted; what of them is at the destination already is there twice.") {
		t.Errorf("%d diverted, and the log says:\n%s", len(b.diverted()), lines)
	}
}

// A panic of a sink gives back what its chunks held of the node's budget.
func TestTaskSinkThatPanicsGivesMemoryBack(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.dest.Before(func(string) error { panic("a fault") })
	for i := range 3 {
		b.put(0, numbered(fmt.Sprint("a", i, strings.Repeat("x", 100)), 0, 10)...)
	}
	budget := runner.NewBudget(64 << 20)
	r := b.start(func(o *runner.TaskOptions) { o.Budget = budget })
	r.untilState(0, connector.StateFailed)
	if err := r.stop(runner.ErrSuspend); err != nil {
		t.Error(err)
	}
	if used := budget.Used(); used != 0 {
		t.Errorf("%d bytes held by a task that has ended", used)
	}
}
