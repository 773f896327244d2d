package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// probeAgain is the longest pause between two questions to a destination that is away.
const probeAgain = 5 * time.Second

// probe asks the destination, beside the joining of the group, whether it takes
// deliveries: what is wrong with the configuration is known before there is a record,
// not at the first flush. fail is called with what is certainly wrong. A destination
// that is away only shows; it is asked until it answers.
func (t *sinkTask) probe(ctx context.Context, sink connector.Sink, fail func(error)) {
	p, ok := sink.(connector.Prober)
	if !ok {
		return
	}
	defer t.setAway(nil)
	t.proved.Store(false)
	var pause retryPause
	for {
		asked := t.retry.rung()
		err := guardedProbe(ctx, p)
		if err == nil || ctx.Err() != nil || t.proved.Load() { // a delivery is the better answer
			return
		}
		if connector.CauseOf(err) == connector.CauseWrong {
			if !t.endFor(asked) {
				continue
			}
			fail(err)
			return
		}
		if t.setAway(err) {
			t.o.Log(LogWarn, "The destination does not answer: "+sentence(err), map[string]string{"error": err.Error()})
		}
		var away *connector.AwayError
		var after time.Duration
		if errors.As(err, &away) {
			after = away.After
		}
		if !t.retry.sleep(ctx, min(pause.next(after), max(probeAgain, after))) {
			return
		}
	}
}

// endFor decides that the task ends, unless Retry was called since the destination was
// asked: what it answered may be put right since. A task that ends does not take a Retry
// any more.
func (t *sinkTask) endFor(asked <-chan struct{}) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	select {
	case <-asked:
		return false
	default:
	}
	t.ending = true
	return true
}

// noteProof is called when something became visible: the destination is there.
func (t *sinkTask) noteProof() {
	if !t.proved.Swap(true) {
		t.setAway(nil)
	}
}

// guardedProbe takes a panic of a connector for an answer that says nothing.
func guardedProbe(ctx context.Context, p connector.Prober) (err error) {
	defer func() {
		if f := recover(); f != nil {
			err = fmt.Errorf("a fault in the program: %v", f)
		}
	}()
	return p.Probe(ctx)
}

// setAway shows that the destination is away, nil that it is not; true when that is new.
func (t *sinkTask) setAway(err error) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	before := t.away
	if err == nil {
		t.away = nil
		return before != nil
	}
	t.away = &connector.Status{State: connector.StateRecovering, Cause: sentence(err), Since: time.Now().UTC(),
		Remedy: "Nothing to do if it passes: the position waits, and delivery goes on by itself."}
	if before != nil {
		t.away.Since = before.Since
	}
	return before == nil
}

// withAway is the task's own state with what is known of the destination. t.mu is held.
func (t *sinkTask) withAway() connector.Status {
	if t.away != nil && (t.status.State == connector.StateRunning || t.status.State == connector.StateDeploying) {
		return *t.away
	}
	return t.status
}
