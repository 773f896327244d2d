package runner

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// partitionLine delivers one partition during one session, in two stages: the claim's
// goroutine reads records into the open chunk, a second goroutine makes closed chunks
// visible, one at a time, with at most one more waiting.
type partitionLine struct {
	settler
	t     *sinkTask
	s     *taskSession
	st    *partitionState
	share *budgetShare

	// ctx ends with the session, or when the partition is stopped.
	ctx    context.Context
	cancel context.CancelCauseFunc

	claim   kafka.Claim
	found   *finding
	queue   chan *closedChunk
	wake    chan struct{}
	probe   atomic.Bool // look what lies between the position and the last stable offset
	looked  int64       // position at the last look of the session's watch
	stopped sync.Once

	// Of the reading stage.
	next     int64 // offset that the next chunk begins at or that the open one has reached
	open     *openChunk
	records  [2]record.Record
	last     *record.Record // read last, one of records; nil after letGo
	seen     *lastRecord    // of the record read last, when its chunk closed or it was let go
	seenTime int64          // its timestamp, ms
	openTime atomic.Int64   // timestamp of the open chunk's first record, ms; 0 none
	timer    *time.Timer
	due      time.Time // when the open chunk closes by age
	lingered int64     // records of the open chunk when it was last found due

	// Of the delivering stage.
	header  header            // of the committed position
	pending *connector.Intent // that stands in the commit
	taken   *closedChunk      // taken from the queue last, to go behind the one before it
}

func newPartitionLine(s *taskSession, f *finding) *partitionLine {
	t := s.t
	l := &partitionLine{t: t, s: s, found: f, st: t.partition(f.tp), queue: make(chan *closedChunk, 1), wake: make(chan struct{}, 1)}
	l.settler = settler{o: &t.o, commits: s.commits, reader: s.clients.reader, sink: s.clients.sink, tp: f.tp, persist: l.persistent, turns: s.redoing}
	l.share = t.o.Budget.share(l.wake)
	l.held = func(n int64) { l.share.set(n) }
	l.ctx, l.cancel = context.WithCancelCause(s.kafka.Context())
	l.looked = -1
	l.next, l.header, l.pending = f.at.Offset, f.header, f.intent
	l.st.position.Store(f.at.Offset)
	l.st.movedMs.Store(time.Now().UnixMilli())
	l.st.end.Store(f.bounds.LSO)
	return l
}

// nudge wakes the reading stage.
func (l *partitionLine) nudge() {
	select {
	case l.wake <- struct{}{}:
	default:
	}
}

// run is the claim's goroutine: it returns when the partition is stopped or the
// session is over, with nothing of the line left behind.
func (l *partitionLine) run(claim kafka.Claim) {
	l.claim = claim
	l.timer = time.NewTimer(time.Hour)
	l.timer.Stop()
	var delivering sync.WaitGroup
	err := l.guarded(func() error {
		if err := l.begin(); err != nil {
			return err
		}
		delivering.Go(func() { l.finish(l.guarded(l.deliverAll)) })
		return l.read()
	})
	if err != nil {
		l.finish(err)
	}
	l.discardOpen()
	delivering.Wait()
	for {
		select {
		case c := <-l.queue:
			c.drop(l.st)
		default:
			l.share.drop()
			return
		}
	}
}

// guarded turns a panic of a connector into a stop of the one partition.
func (l *partitionLine) guarded(work func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			l.t.o.Log(LogError, fmt.Sprintf("A fault in the program stopped the partition: %v", p), l.fields(map[string]string{"stack": clipText(string(debug.Stack()), 4000)}))
			err = &stopError{state: connector.StateFailed, cause: fmt.Sprintf("A fault in the program stopped the partition: %v.", p),
				remedy: "Please report it with the log line's stack. Resume tries again."}
		}
	}()
	return work()
}

// begin does what comes before the first record: the verdict of the assignment, the
// standing intent, the place where sarama begins.
func (l *partitionLine) begin() error {
	if l.found.stop != nil {
		return l.found.stop
	}
	settledNow := l.pending != nil
	if settledNow {
		out, err := l.settle(l.ctx, l.header, l.pending)
		if err != nil {
			return err
		}
		l.share.drop()
		l.header, l.next = out.header, out.next
		l.setPending(nil)
		l.st.moved(out.next)
		l.noteDelivered(out.count, out.bytes, out.refused)
	}
	if was := l.st.running(); was.State == connector.StateRecovering {
		l.t.o.Log(LogInfo, "The partition is delivered again.", l.fields(map[string]string{}))
	}
	if l.next < l.found.bounds.Start {
		return retentionStop(l.tp, l.next, l.found.bounds.Start)
	}
	start := l.claim.InitialOffset()
	if start >= 0 && start <= l.next {
		return nil
	}
	if settledNow {
		return errRejoin // sarama began elsewhere because the intent's range is gone
	}
	w, err := l.commits.positions.Watermarks(l.ctx, l.tp)
	if err != nil {
		return fmt.Errorf("reading the bounds of %s/%d: %w", l.tp.Topic, l.tp.Partition, err)
	}
	if b := w[l.tp]; l.next < b.Start {
		return retentionStop(l.tp, l.next, b.Start)
	}
	return gapStop(fmt.Sprintf("position %d of %s/%d is not in the log: the consumer was set to %d", l.next, l.tp.Topic, l.tp.Partition, start))
}

// finish decides what an error of a stage means: for the partition, or for the session.
func (l *partitionLine) finish(err error) {
	var abort *abortError
	var stop *stopError
	switch {
	case err == nil:
	case errors.As(err, &abort):
		l.s.abort(err)
	case errors.Is(err, kafka.ErrUnanswered):
		l.s.end(err)
	case l.ctx.Err() != nil:
		// The session is over: what was not finished stands in the metadata, and a commit
		// that came too late was rightly refused.
	case errors.As(err, &stop):
		l.stop(stop)
	case membershipOver(err), errors.Is(err, errReopen), errors.Is(err, errRejoin):
		l.s.end(err)
	case errors.Is(err, kafka.ErrMessageTooLarge):
		l.stop(&stopError{state: connector.StateFailed, cause: "A record cannot be diverted: " + sentence(err),
			remedy: "Raise max.message.bytes of the topics " + l.t.o.DeadLetterTopic + " and " + l.t.o.AbnormalTopic + " above that of the source topic, then resume."})
	default:
		l.finishByCause(err)
	}
}

func (l *partitionLine) finishByCause(err error) {
	var wrong *connector.WrongError
	var gap *connector.GapError
	var mismatch *connector.MismatchError
	switch {
	case errors.As(err, &wrong):
		l.t.o.Log(LogError, "The destination refuses: "+sentence(err), l.fields(map[string]string{"error": err.Error()}))
		l.stop(&stopError{state: connector.StateFailed, cause: sentence(err), wrong: true, remedy: wrong.Remedy, field: wrong.Field})
	case errors.As(err, &gap):
		l.stop(l.stopFor(gap.Error(), gap.Choices))
	case errors.As(err, &mismatch):
		l.stop(l.stopFor(mismatch.Error(), nil))
	default: // something of Kafka's
		l.s.end(err)
	}
}

func (l *partitionLine) stopFor(lost string, choices []connector.Choice) *stopError {
	if l.pending != nil {
		return intentStop(lost, l.pending, choices)
	}
	e := gapStop(lost)
	if len(choices) > 0 {
		e.choices = choices
	}
	return e
}

// stop parks the partition: its state says why, nothing of it is fetched any more, the
// other partitions go on.
func (l *partitionLine) stop(e *stopError) {
	l.stopped.Do(func() {
		l.st.mu.Lock()
		pending := l.pending
		l.st.mu.Unlock()
		l.st.stop(e, pending)
		fields := map[string]string{"remedy": e.remedy, "state": string(e.state)}
		if e.detail != "" {
			fields["detail"] = e.detail
		}
		l.t.o.Log(LogError, "The partition is stopped: "+e.cause, l.fields(fields))
		l.cancel(errStopped)
		l.s.kafka.Pause(map[string][]int32{l.tp.Topic: {l.tp.Partition}})
	})
}

// persistent repeats act while what it needs is away, showing that, with growing
// pauses, until the session ends. It returns at once what waiting cannot mend.
func (l *partitionLine) persistent(ctx context.Context, giveUp int, act func() error) error {
	var pause retryPause
	for attempt := 1; ; attempt++ {
		err := act()
		if err == nil {
			if attempt > 1 && l.st.state() == connector.StateRecovering {
				l.st.running()
				l.t.o.Log(LogInfo, "What was away answers again.", l.fields(map[string]string{"attempts": fmt.Sprint(attempt)}))
			}
			return nil
		}
		if l.ctx.Err() != nil || ctx.Err() != nil || !passes(err) {
			return err
		}
		if giveUp > 0 && attempt > giveUp {
			return &outageError{err}
		}
		var away *connector.AwayError
		var after time.Duration
		if errors.As(err, &away) {
			after = away.After
		}
		if l.st.recovering(sentence(err), awayRemedy(err)) {
			l.t.o.Log(LogWarn, "Delivery waits: "+sentence(err), l.fields(map[string]string{"error": err.Error()}))
		}
		if !l.t.retry.sleep(l.ctx, pause.next(after)) {
			return context.Cause(l.ctx)
		}
	}
}

// awayRemedy is what to do about a system that is away.
func awayRemedy(err error) string {
	const wait = "Nothing to do if it passes: the position waits, and delivery goes on by itself."
	if more := connector.Remedy(err); more != "" {
		return wait + " " + more
	}
	return wait
}

// passes tells of an error that another attempt may mend.
func passes(err error) bool {
	var abort *abortError
	var stop *stopError
	var skip *skipError
	if membershipOver(err) || errors.As(err, &abort) || errors.As(err, &stop) || errors.As(err, &skip) {
		return false
	}
	switch connector.CauseOf(err) {
	case connector.CauseWrong, connector.CauseGap, connector.CauseMismatch, connector.CauseRepeat:
		return false
	}
	return true
}

// outageError: the destination was away for more attempts than errors.outage=divert waits.
type outageError struct{ err error }

func (e *outageError) Error() string { return e.err.Error() }
func (e *outageError) Unwrap() error { return e.err }

// noteDelivered counts what became visible and what was diverted.
func (l *partitionLine) noteDelivered(records, bytes, diverted int64) {
	l.st.delivered.Add(records)
	l.st.bytes.Add(bytes)
	l.st.diverted.Add(diverted)
	if records > 0 {
		l.t.noteProof()
		l.st.lastMs.Store(time.Now().UnixMilli())
	}
	if records > 0 || diverted > 0 {
		l.t.o.OnDelivered(l.tp, records, bytes, diverted)
	}
}
