package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// deliverAll is the delivering stage: one closed chunk after the other.
//
//	commit(first, intent) → publish → commit(next, intent of the next chunk when it is closed) → …
//
// After the session's end what is announced already is finished within the drain
// deadline; nothing new is announced.
func (l *partitionLine) deliverAll() error {
	var item *closedChunk
	announced := false // item's intent stands in the commit
	// Also when a sink panics: what its chunks held is the node's.
	defer func() { item.drop(l.st); l.taken.drop(l.st) }()
	for {
		if item == nil {
			select {
			case item = <-l.queue:
				announced = false
			case <-l.ctx.Done():
				return l.over()
			}
		}
		if l.ctx.Err() != nil && !announced {
			item.drop(l.st)
			return l.over()
		}
		next, nextAnnounced, err := l.deliver(item, announced)
		stop := item.stop
		item.drop(l.st)
		if err == nil && stop != nil {
			err = stop
		}
		if err != nil {
			next.drop(l.st)
			return err
		}
		item, announced = next, nextAnnounced
		if item == nil {
			l.nudge() // an open chunk that is ready may close now
		}
	}
}

// deliver brings one closed chunk to the destination and the position behind it. It
// returns the chunk behind it if that is closed, and whether its intent went along.
func (l *partitionLine) deliver(c *closedChunk, announced bool) (next *closedChunk, nextAnnounced bool, err error) {
	if c.intent.Next == 0 { // nothing but a stop
		return nil, false, nil
	}
	if !announced {
		if err := l.s.proveTopic(l.ctx, l.tp.Topic); err != nil {
			return nil, false, err
		}
	}
	outs := c.outs
	if c.chunk != nil {
		refused, err := l.makeVisible(c, announced)
		var outage *outageError
		if errors.As(err, &outage) {
			return nil, false, l.divertOutage(c, outage.err)
		}
		if connector.CauseOf(err) == connector.CauseRepeat && l.pending != nil {
			return nil, false, l.deliverAgain(c, err)
		}
		if err != nil {
			return nil, false, err
		}
		if len(refused) > 0 && !l.t.tuning.tolerateAll {
			// The intent stays: Resume resolves it, and what is visible stays single.
			return nil, false, refusedStop(l.tp, refused[0])
		}
		if outs, err = l.refusedOuts(l.s.drain, refused); err != nil {
			return nil, false, err
		}
	}
	next, announce := l.takeNext()
	if announce != nil {
		outs = append(outs, next.outs...)
	}
	if err := l.conclude(c, announce, outs); err != nil {
		return next, false, err
	}
	if next != nil {
		l.st.oldest.Store(next.time0)
	}
	refusedHere := int64(len(outs))
	if announce != nil {
		refusedHere -= int64(len(next.outs))
	}
	if c.chunk == nil {
		l.noteDelivered(0, 0, refusedHere)
	} else {
		l.noteDelivered(c.intent.Count-refusedHere, c.bytes, refusedHere+int64(len(c.outs)))
	}
	return next, announce != nil, nil
}

// deliverAgain settles the announced range of a chunk that cannot become visible any
// more, as after a crash.
func (l *partitionLine) deliverAgain(c *closedChunk, cause error) error {
	l.t.o.Log(LogWarn, fmt.Sprintf("Offsets %d to %d are delivered once more: %s", c.intent.First, c.intent.Next-1, sentence(cause)), l.fields(map[string]string{}))
	c.chunk.Discard()
	s := l.settler
	s.held = nil // the share counts the open chunk, which the reading stage fills meanwhile
	out, err := s.settle(l.s.drain, l.header, l.pending)
	if err != nil {
		return err
	}
	l.header = out.header
	l.setPending(nil)
	l.st.moved(out.next)
	l.st.latest.Store(max(c.timeLast, 0))
	l.st.oldest.Store(l.openTime.Load())
	l.noteDelivered(out.count, out.bytes, out.refused+int64(len(c.outs)))
	return nil
}

// makeVisible announces the chunk, unless that is done, and publishes it.
func (l *partitionLine) makeVisible(c *closedChunk, announced bool) ([]connector.Refusal, error) {
	giveUp := 0
	if l.t.tuning.divertOutage {
		giveUp = max(l.t.tuning.retries, 1)
	}
	if !announced {
		if err := l.prepare(l.ctx, c, giveUp); err != nil {
			return nil, fmt.Errorf("preparing offsets %d to %d: %w", c.intent.First, c.intent.Next-1, err)
		}
		if err := l.announce(c); err != nil {
			return nil, err
		}
	}
	refused, err := l.publish(l.s.drain, giveUp, c.chunk)
	if err != nil {
		return nil, fmt.Errorf("delivering offsets %d to %d: %w", c.intent.First, c.intent.Next-1, err)
	}
	return refused, nil
}

func (l *partitionLine) prepare(ctx context.Context, c *closedChunk, giveUp int) error {
	if c.prepared {
		return nil
	}
	if err := l.fault(stepPrepare); err != nil {
		return err
	}
	return l.persist(ctx, giveUp, func() (err error) { c.intent.Payload, err = c.chunk.Prepare(ctx); return err })
}

// announce commits the position at which the chunk begins with its intent; diverted
// records of the chunk are written in the same transaction.
func (l *partitionLine) announce(c *closedChunk) error {
	step := stepIntent
	if len(c.outs) > 0 {
		step = stepDivert
	}
	if err := l.fault(step); err != nil {
		return err
	}
	if l.ctx.Err() != nil {
		return l.over()
	}
	l.header.Config, l.header.Encoder = l.o.Hash, l.o.Spec.EncoderVersion
	if err := l.commits.commit(l.s.drain, l.tp, c.intent.First, l.header, &c.intent, c.outs); err != nil {
		return err
	}
	l.setPending(&c.intent)
	return l.fault(step + ".done")
}

// takeNext takes the chunk that is waiting, if one is, and prepares it so that the
// commit of this one can carry its intent. A failure only means that it does not.
func (l *partitionLine) takeNext() (*closedChunk, *connector.Intent) {
	if l.ctx.Err() != nil {
		return nil, nil
	}
	var next *closedChunk
	select {
	case next = <-l.queue:
		l.taken = next
	default:
		return nil, nil
	}
	if next.chunk == nil || l.fault(stepPrepare) != nil {
		return next, nil
	}
	if l.s.proveTopic(l.ctx, l.tp.Topic) != nil {
		return next, nil
	}
	payload, err := next.chunk.Prepare(l.ctx)
	if err != nil {
		return next, nil
	}
	next.intent.Payload, next.prepared = payload, true
	if _, err := encodeMetadata(l.headerBehind(next), &next.intent); err != nil {
		return next, nil
	}
	return next, &next.intent
}

// headerBehind is the header of the position behind c.
func (l *partitionLine) headerBehind(c *closedChunk) header {
	h := l.header
	h.Config, h.Encoder = l.o.Hash, l.o.Spec.EncoderVersion
	if c.last != nil {
		h.Last = c.last
	}
	return h
}

// conclude commits the position behind c with the next chunk's intent (nil: none),
// and in the same transaction what is to be diverted.
func (l *partitionLine) conclude(c *closedChunk, announce *connector.Intent, outs []kafka.Out) error {
	step := stepCommit
	if len(outs) > 0 {
		step = stepDivert
	}
	if err := l.fault(step); err != nil {
		return err
	}
	h := l.headerBehind(c)
	if err := l.commits.commit(l.s.drain, l.tp, c.intent.Next, h, announce, outs); err != nil {
		return err
	}
	l.header = h
	l.setPending(announce)
	l.st.moved(c.intent.Next)
	l.st.latest.Store(max(c.timeLast, 0))
	l.st.oldest.Store(l.openTime.Load())
	return l.fault(step + ".done")
}

func (l *partitionLine) setPending(in *connector.Intent) {
	l.st.mu.Lock()
	l.pending = in
	l.st.mu.Unlock()
}

// divertOutage is errors.outage=divert: the destination was away for too long, the
// records of the range go to the abnormal data topic. Each page is one transaction
// with the position behind it.
//
// When the range was announced the destination is asked first; if that is away too,
// part of the range may be visible as well as diverted, and the log says so.
func (l *partitionLine) divertOutage(c *closedChunk, cause error) error {
	if l.pending != nil {
		out, err := l.sink.Resolve(l.s.drain, c.intent, l.commits.lease.guard)
		switch {
		case err == nil && out.Kind == connector.Done:
			if err := l.conclude(c, nil, nil); err != nil {
				return err
			}
			l.noteDelivered(c.intent.Count, c.bytes, int64(len(c.outs)))
			return nil
		case err == nil && out.Kind == connector.Unknown:
			return intentStop(out.Detail, l.pending, out.Choices)
		case err != nil:
			l.t.o.Log(LogWarn, fmt.Sprintf("Offsets %d to %d are diverted although it is not known whether they reached the destination before it went away.", c.intent.First, c.intent.Next-1), l.fields(map[string]string{}))
		default: // some of the range may be there
			l.t.o.Log(LogWarn, fmt.Sprintf("Offsets %d to %d are diverted; what of them is at the destination already is there twice.", c.intent.First, c.intent.Next-1), l.fields(map[string]string{"detail": out.Detail}))
		}
	}
	already := c.diverted
	if l.pending == nil {
		already = nil
	}
	reason := &connector.RecordError{Stage: connector.StageTaskPut, Code: "outage", Err: cause}
	l.t.o.Log(LogWarn, fmt.Sprintf("The destination is away: offsets %d to %d go to %s.", c.intent.First, c.intent.Next-1, l.o.AbnormalTopic), l.fields(map[string]string{"error": cause.Error()}))
	for at := c.intent.First; at < c.intent.Next; {
		next, err := l.divertPage(at, c, already, reason)
		if err != nil {
			return err
		}
		at = next
	}
	l.st.oldest.Store(0)
	l.st.running()
	return nil
}

// divertPage diverts what one fetch gives of the range from at on.
func (l *partitionLine) divertPage(at int64, c *closedChunk, already map[int64]bool, reason *connector.RecordError) (int64, error) {
	page, err := l.reader.Fetch(l.s.drain, l.tp, at, maxDivertedBytes, redoFetchWait)
	if err != nil {
		return 0, fmt.Errorf("reading the records to divert: %w", err)
	}
	next := min(page.Next, c.intent.Next)
	if next <= at {
		return 0, fmt.Errorf("reading the records to divert: nothing at offset %d", at)
	}
	var outs []kafka.Out
	bytes := int64(0)
	h := l.headerBehind(&closedChunk{})
	for i := range page.Records {
		r := &page.Records[i]
		if r.Offset < at || r.Offset >= next {
			continue
		}
		if len(outs) >= maxDiverted || bytes >= maxDivertedBytes {
			next = r.Offset // a page may hold far more than it weighs in the log
			break
		}
		h.Last = newLastRecord(r)
		if !already[r.Offset] {
			outs = append(outs, l.o.diverted(r, reason))
			bytes += r.Size()
		}
	}
	if err := l.fault(stepDivert); err != nil {
		return 0, err
	}
	if err := l.commits.commit(l.s.drain, l.tp, next, h, nil, outs); err != nil {
		return 0, err
	}
	l.header = h
	l.setPending(nil)
	l.st.moved(next)
	l.noteDelivered(0, 0, int64(len(outs)))
	return next, l.fault(stepDivertDone)
}
