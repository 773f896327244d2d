package runner

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/kafka"
)

// stalledAfter is the least time without movement that is called stalled.
const stalledAfter = 3 * time.Minute

// topicGoneError: no source topic exists (any more).
type topicGoneError struct{ topics []string }

func (e *topicGoneError) Error() string {
	return "the source topic " + strings.Join(e.topics, ", ") + " does not exist"
}

const (
	topicGoneCause  = "The source topic %s is gone: it was deleted or never existed."
	topicGoneRemedy = "Create the topic again, or delete the connector. When the topic is back, delivery asks where to go on."
)

// noteMissing remembers which source topics are gone.
func (t *sinkTask) noteMissing(gone []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	clear(t.missing)
	for _, name := range gone {
		t.missing[name] = true
		known := false
		stop := &stopError{state: connector.StateFailed, cause: fmt.Sprintf(topicGoneCause, name), remedy: topicGoneRemedy}
		for tp, p := range t.parts {
			if tp.Topic == name {
				known = true
				p.stop(stop, nil)
			}
		}
		if !known && t.o.Task == 0 { // one task says so, for the partition that every topic has
			p := newPartitionState(kafka.TP{Topic: name})
			p.stop(stop, nil)
			t.parts[p.tp] = p
		}
	}
}

// passing shows what keeps the task from working now.
func (t *sinkTask) passing(err error) {
	if err == nil || immediate(err) {
		return
	}
	var gone *topicGoneError
	st := connector.Status{State: connector.StateRecovering, Cause: sentence(err), Remedy: "Nothing to do if it passes: the task tries again by itself. " + kafka.Remedy(err)}
	var refused *egress.Refused
	if errors.As(err, &refused) {
		st = connector.Status{State: connector.StateFailed, Cause: sentence(err), Remedy: refused.Remedy}
	}
	if errors.As(err, &gone) {
		st = connector.Status{State: connector.StateFailed, Cause: fmt.Sprintf(topicGoneCause, strings.Join(gone.topics, ", ")), Remedy: topicGoneRemedy}
	}
	if t.setStatus(st) {
		t.o.Log(LogWarn, "The task is interrupted and will try again: "+st.Cause, map[string]string{"remedy": st.Remedy})
	}
}

// failed shows for what reason the task has ended for good.
func (t *sinkTask) failed(err error) error {
	st := connector.Status{State: connector.StateFailed, Cause: sentence(err)}
	var wrong *connector.WrongError
	if errors.As(err, &wrong) {
		st.Remedy, st.Field = wrong.Remedy, wrong.Field
	}
	t.mu.Lock()
	t.ending = true // before anybody can see that it failed and resume it
	t.mu.Unlock()
	t.setStatus(st)
	return err
}

// setStatus sets the task's own status; true when state or cause changed.
func (t *sinkTask) setStatus(st connector.Status) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	changed := t.status.State != st.State || t.status.Cause != st.Cause
	st.Since = t.status.Since
	if t.status.State != st.State {
		st.Since = time.Now().UTC()
	}
	t.status = st
	return changed
}

// Status is the task's state and that of each partition it has now.
func (t *sinkTask) Status() TaskStatus {
	t.mu.Lock()
	own := t.withAway()
	states := make([]*partitionState, 0, len(t.parts))
	for _, p := range t.parts {
		if p.claimed.Load() || t.missing[p.tp.Topic] {
			states = append(states, p)
		}
	}
	t.mu.Unlock()
	now := time.Now()
	out := TaskStatus{ConnectorID: t.o.Connector.ID, Task: t.o.Task, Node: t.o.Node, UpdatedAt: now.UTC()}
	for _, p := range states {
		out.Partitions = append(out.Partitions, p.report(now, t.stallLimit()))
	}
	slices.SortFunc(out.Partitions, func(a, b PartitionStatus) int {
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
	})
	out.Status = rollUp(own, out.Partitions)
	return out
}

// stallLimit is how long nothing need move: a flush, and one act of the destination, may
// take their time.
func (t *sinkTask) stallLimit() time.Duration {
	limit := max(stalledAfter, 2*t.tuning.flushInterval)
	if p := t.patient.Load(); p != nil {
		limit = max(limit, (*p).Patience()+time.Minute)
	}
	return limit
}

func (p *partitionState) report(now time.Time, stallLimit time.Duration) PartitionStatus {
	p.mu.Lock()
	defer p.mu.Unlock()
	out := PartitionStatus{
		Topic: p.tp.Topic, Partition: p.tp.Partition, Status: p.status,
		Position: p.position.Load(), End: p.end.Load(),
		Delivered: p.delivered.Load(), Bytes: p.bytes.Load(), Diverted: p.diverted.Load(),
		Wrong: p.wrong, Lost: p.lost, Choices: slices.Clone(p.choices),
	}
	if ms := p.lastMs.Load(); ms > 0 {
		out.LastDelivery = time.UnixMilli(ms).UTC()
	}
	if out.Position < 0 || out.End < 0 {
		return out
	}
	if out.Lag = max(out.End-out.Position, 0); out.Lag == 0 {
		p.movedMs.Store(now.UnixMilli())
		return out
	}
	if ts := cmp.Or(p.oldest.Load(), p.latest.Load()); ts > 0 {
		out.LagMillis = max(now.UnixMilli()-ts, 0)
	}
	out.Stalled = now.Sub(time.UnixMilli(p.movedMs.Load())) > stallLimit
	return out
}

// anyWrong tells whether some partition is Failed by settings that cannot work: those
// that had nothing to deliver yet would fail alike.
func anyWrong(parts []PartitionStatus) bool {
	return slices.ContainsFunc(parts, func(p PartitionStatus) bool { return p.Wrong && p.State == connector.StateFailed })
}

// runningSince is st, since when the last of what it is made of is Running as well.
func runningSince(st connector.Status, since time.Time) connector.Status {
	if st.State == connector.StateRunning && since.After(st.Since) {
		st.Since = since
	}
	return st
}

// rollUp is the state of a task from its own and its partitions' states.
func rollUp(own connector.Status, parts []PartitionStatus) connector.Status {
	if own.State != connector.StateRunning {
		return own
	}
	count := map[connector.State]int{}
	worst := own
	rank := func(s connector.State) int {
		switch s {
		case connector.StateGap:
			return 3
		case connector.StateFailed:
			return 2
		case connector.StateRecovering:
			return 1
		}
		return 0
	}
	stalled := false
	for i := range parts {
		p := &parts[i]
		count[p.State]++
		stalled = stalled || p.Stalled
		if rank(p.State) > rank(worst.State) {
			worst = p.Status
		} else if p.State == connector.StateRunning {
			worst = runningSince(worst, p.Since)
		}
	}
	if worst.State == connector.StateFailed && count[connector.StateFailed] < len(parts) && !anyWrong(parts) {
		worst.State = connector.StateDegraded
	}
	worst.Stalled = stalled
	return worst
}
