package runner_test

import (
	"strings"
	"sync"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Retention that passes the position between its judgement and the first fetch: the
// consumer begins elsewhere by itself, and that is a gap, not a silent reset.
func TestRule02ClaimThatBeginsElsewhereIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 30)...)
	var once sync.Once
	r := b.start(func(o *runner.TaskOptions) {
		o.Mirrored = func(kafka.TP) (runner.MirroredPosition, bool) { // asked when the bounds are known
			once.Do(func() { b.deleteRecords(0, 12) })
			return runner.MirroredPosition{}, false
		}
	})
	st := r.untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "offsets 0 to 11") || b.dest.Count() != 0 || st.Position != 0 {
		t.Errorf("%d visible; %+v", b.dest.Count(), st)
	}
	b.wrote = b.wrote[12:]
	b.check(r.task.Choose(b.ctx, b.tp(0), "beginning", 0))
	b.allDelivered()
}
