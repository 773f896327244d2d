package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// readerPartition stands for a source's reader where sinks have partitions.
	readerPartition = -1
	// mostParts bounds what is kept of a source's progress.
	mostParts = 500
	// savedEvery is how often the last sequence number is noted outside the log.
	savedEvery = time.Second
)

// setStatus sets the task's state; true when state or cause changed.
func (t *sourceTask) setStatus(st connector.Status) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.setLocked(st)
}

func (t *sourceTask) setLocked(st connector.Status) bool {
	changed := t.status.State != st.State || t.status.Cause != st.Cause
	st.Since = t.status.Since
	if t.status.State != st.State {
		st.Since = time.Now().UTC()
	}
	t.status = st
	return changed
}

// waiting shows that this node does not lead (yet).
func (t *sourceTask) waiting() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State == connector.StateRunning {
		t.setLocked(connector.Status{State: connector.StateRunning, Cause: "Waiting for its place in the connector's consumer group; another node may be reading."})
	}
}

// begun shows that the source runs. What interrupted it before is shown until something
// moves.
func (t *sourceTask) begun(s connector.Source) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.lost, t.choices, t.awayMark = s, "", nil, 0
	t.moved = time.Now()
	if t.status.State != connector.StateRecovering {
		t.setLocked(connector.Status{State: connector.StateRunning})
	}
}

func (t *sourceTask) ended() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running = nil
}

// well shows that the source works, unless a transaction does not end: what is read then goes nowhere. The
// caller holds mu.
func (t *sourceTask) well() {
	if t.running != nil && !t.hung && t.status.State != connector.StateRunning {
		t.setLocked(connector.Status{State: connector.StateRunning})
	}
}

// remedyOf is what to look at when an error does not pass. What a source says of its own
// system goes before what is known of the cluster: the same refused connection means
// another thing there.
func remedyOf(err error) string {
	switch connector.CauseOf(err) {
	case connector.CauseAway, connector.CauseWrong:
		return connector.Remedy(err)
	}
	return kafka.Remedy(err)
}

// passing shows what keeps the task from working now.
func (t *sourceTask) passing(err error) {
	if errors.Is(err, errReopen) {
		return
	}
	st := connector.Status{State: connector.StateRecovering, Cause: sentence(err), Remedy: strings.TrimSpace("Nothing to do if it passes: the connector tries again by itself. " + remedyOf(err))}
	if t.setStatus(st) {
		t.o.Log(LogWarn, "The reader is interrupted and will try again: "+st.Cause, map[string]string{"error": err.Error()})
	}
}

// away shows what the source waits for; nil: for nothing any more. So many facts were
// marked before.
func (t *sourceTask) away(err error, marked int64) {
	t.mu.Lock()
	t.awayMark = 0
	if err != nil {
		t.awayMark = marked
	}
	t.mu.Unlock()
	if err == nil {
		t.mu.Lock()
		was := t.status.State
		t.well()
		t.mu.Unlock()
		if was == connector.StateRecovering {
			t.o.Log(LogInfo, "What was away answers again.", nil)
		}
		return
	}
	t.passing(err)
}

// stuck shows what hides the position, and with "" that nothing does.
func (t *sourceTask) stuck(cause, remedy string) {
	st := connector.Status{State: connector.StateRecovering, Cause: cause, Remedy: remedy}
	if cause == "" {
		st = connector.Status{State: connector.StateDeploying, Cause: "Reading the position."}
	}
	if t.setStatus(st) && cause != "" {
		t.o.Log(LogWarn, cause, map[string]string{"remedy": remedy})
	}
}

// failed shows for what reason the task has ended for good.
func (t *sourceTask) failed(wrong *connector.WrongError) error {
	t.mu.Lock()
	t.ending = true // before anybody can see that it failed and resume it
	t.setLocked(connector.Status{State: connector.StateFailed, Cause: sentence(wrong), Remedy: wrong.Remedy, Field: wrong.Field})
	t.mu.Unlock()
	return wrong
}

// gap shows what is lost and waits for a choice, or for Retry; false when ctx ended.
func (t *sourceTask) gap(ctx context.Context, g *connector.GapError) bool {
	choices := slices.Clone(g.Choices)
	if !slices.ContainsFunc(choices, func(c connector.Choice) bool { return c.Choice == connector.ChoiceStay }) {
		choices = append(choices, connector.Choice{Choice: connector.ChoiceStay, Title: stayChoice.Title, Risk: "Nothing is read until you choose."})
	}
	t.mu.Lock()
	t.lost, t.choices, t.choice = g.Error(), choices, ""
	changed := t.setLocked(connector.Status{State: connector.StateGap, Cause: sentence(g), Remedy: "Choose how the connector goes on."})
	chosen, retry := t.chosen, t.retry.rung()
	t.mu.Unlock()
	if changed {
		t.o.Log(LogError, "The connector stopped at a gap: "+g.Error(), nil)
	}
	select {
	case <-chosen:
	case <-retry:
	case <-ctx.Done():
		return false
	}
	return true
}

// Choose answers the gap that the reader stands at. The choice holds until something
// that was saved after it is visible.
func (t *sourceTask) Choose(_ context.Context, _ kafka.TP, choice string, _ int64) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.status.State != connector.StateGap || !slices.ContainsFunc(t.choices, func(c connector.Choice) bool { return c.Choice == choice }) {
		return connector.FieldError{Field: "choice", Message: `"` + choice + `" is not offered.`}
	}
	if choice == connector.ChoiceStay {
		return nil
	}
	t.choice = choice
	t.setLocked(connector.Status{State: connector.StateRunning, Cause: "Going on as chosen."})
	t.lost, t.choices = "", nil
	close(t.chosen)
	t.chosen = make(chan struct{})
	t.o.Log(LogInfo, `An operator chose "`+choice+`".`, nil)
	return nil
}

func (t *sourceTask) choiceMade() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.choice
}

// committing shows a transaction that takes longer than patience, until end is called.
func (t *sourceTask) committing(patience time.Duration) (end func()) {
	over := false // under mu
	late := time.AfterFunc(patience, func() {
		t.mu.Lock()
		t.hung = !over
		t.mu.Unlock()
		if t.hangs() {
			t.passing(&connector.AwayError{System: "Kafka", Brief: "Kafka does not finish a transaction.", Err: fmt.Errorf("a transaction takes more than %s", patience),
				Remedy: "See whether all brokers are well, and whether every topic that is written still exists."})
		}
	})
	return func() {
		late.Stop()
		t.mu.Lock()
		defer t.mu.Unlock()
		over, t.hung = true, false
	}
}

func (t *sourceTask) hangs() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.hung
}

// committed notes a transaction that is visible. What the source had read before it told
// of an absence does not end that.
func (t *sourceTask) committed(sequence int64, saved bool, records, bytes, diverted, upTo int64) {
	now := time.Now()
	t.mu.Lock()
	t.moved = now
	if records > 0 {
		t.last = now
	}
	if upTo > t.awayMark {
		t.well()
	}
	note := false
	if saved {
		t.sequence.Store(sequence)
		t.choice = ""
		if note = now.Sub(t.mirrorAt) >= savedEvery; note {
			t.mirrorAt = now
		}
	}
	t.mu.Unlock()
	t.delivered.Add(records)
	t.bytes.Add(bytes)
	t.diverted.Add(diverted)
	t.o.OnDelivered(records, bytes, diverted)
	if note {
		t.o.OnSaved(sequence)
	}
}

func (t *sourceTask) progressed(parts []connector.Progress) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.parts = slices.Clone(parts[:min(len(parts), mostParts)])
	t.well()
}

func (t *sourceTask) lagging(d time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.behind = d
	if d == 0 && !t.hung {
		t.moved = time.Now()
	}
	t.well()
}

// Status is the task's state, with the reader as its one partition.
func (t *sourceTask) Status() TaskStatus {
	now := time.Now()
	t.mu.Lock()
	defer t.mu.Unlock()
	reader := PartitionStatus{
		Partition: readerPartition, Status: t.status, Position: -1, End: -1, LagMillis: t.behind.Milliseconds(),
		Delivered: t.delivered.Load(), Bytes: t.bytes.Load(), Diverted: t.diverted.Load(), LastDelivery: t.last.UTC(),
		Wrong: t.ending, Lost: t.lost, Choices: slices.Clone(t.choices),
	}
	if t.last.IsZero() {
		reader.LastDelivery = time.Time{}
	}
	reader.Stalled = t.running != nil && t.behind > 0 && now.Sub(t.moved) > stalledAfter
	st := t.status
	st.Stalled = reader.Stalled
	return TaskStatus{ConnectorID: t.o.Connector.ID, Node: t.o.Node, UpdatedAt: now.UTC(), Status: st,
		Partitions: []PartitionStatus{reader}, Progress: slices.Clone(t.parts)}
}
