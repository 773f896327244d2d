package runner

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// Between two looks at the clock and the budget at most this many records and bytes
	// are added.
	lookRecords = 64
	lookBytes   = 64 << 10
	// lingerPause is how long a due chunk of a partition that is far behind waits for
	// the next record.
	lingerPause = 250 * time.Millisecond
	// probeBytes is enough to see what kind of batch follows.
	probeBytes = 64 << 10
	// farBehind stands for flush.size where a sink has none.
	farBehind = 10_000
)

// openChunk is the chunk that records are added to.
type openChunk struct {
	chunk connector.Chunk
	ready connector.Readier // the chunk, where it is one
	packs connector.Packer  // the chunk, where it is one
	first int64
	n     int64 // records read, diverted ones included
	count int64 // records delivered
	bytes int64 // raw bytes of all records read
	sum   record.Sum

	outs     []kafka.Out
	outBytes int64
	diverted map[int64]bool // offsets of outs
	time0    int64          // timestamp of the first record

	lookedN, lookedBytes int64
}

// closedChunk is a range on its way to the destination. Without a chunk it only moves
// the position, writing its diverted records.
type closedChunk struct {
	chunk    connector.Chunk
	intent   connector.Intent // payload as of Prepare
	last     *lastRecord
	bytes    int64
	time0    int64
	timeLast int64
	outs     []kafka.Out
	diverted map[int64]bool
	stop     *stopError // stops the partition behind this range
	release  func()
	counted  bool // in the partition's busy
	prepared bool // the intent has its payload
}

// drop discards what is left of the chunk and gives its memory back; harmless twice
// and after delivery.
func (c *closedChunk) drop(st *partitionState) {
	if c == nil {
		return
	}
	if c.chunk != nil {
		c.chunk.Discard()
	}
	if c.release != nil {
		c.release()
	}
	if c.counted {
		c.counted = false
		st.busy.Add(-1)
	}
}

// read fills chunks from the claim until the session ends or the partition stops. Two
// records take turns, so that the one read last is still there when the next call of
// the claim fails.
func (l *partitionLine) read() error {
	for turn := 0; ; {
		current := &l.records[turn]
		if l.open != nil && l.open.ready != nil && l.claim.Buffered() == 0 && l.st.busy.Load() == 1 && l.open.ready.Ready() {
			if err := l.closeOpen(nil); err != nil {
				return err
			}
		}
		if err := l.claim.Next(l.ctx, current, l.wake, l.timer.C); err != nil {
			l.letGo()
			if err := l.idle(err); err != nil {
				return err
			}
			continue
		}
		if current.Offset < l.next {
			continue
		}
		if err := l.add(current); err != nil {
			return err
		}
		turn = 1 - turn
	}
}

// letGo keeps what is to be known of the record read last, and not its bytes: they
// lie in the answer of a fetch, which holds the records of many partitions and would
// stay in memory with it while this one waits.
func (l *partitionLine) letGo() {
	if l.last != nil {
		l.seen, l.seenTime, l.last = newLastRecord(l.last), l.last.Timestamp, nil
	}
	l.records = [2]record.Record{}
}

// add takes one record into the open chunk and closes it when a bound is reached.
func (l *partitionLine) add(r *record.Record) error {
	if c := l.open; c != nil && c.packs != nil && c.n > 0 && !c.packs.Fits(r) {
		kept := *r // handing the chunk over may let go of what was read last
		if err := l.closeOpen(nil); err != nil {
			return err
		}
		*r = kept
	}
	c := l.open
	if c == nil {
		if err := l.openAt(r); err != nil {
			return err
		}
		c = l.open
	}
	if err := c.chunk.Add(l.ctx, r); err != nil {
		if stop, err := l.notAdded(c, r, err); stop != nil || err != nil {
			if err != nil {
				return err
			}
			return l.closeOpen(stop)
		}
	} else {
		c.count++
		c.sum.Add(r)
	}
	c.n++
	c.bytes += rawSize(r)
	l.next = r.Offset + 1
	l.last = r
	if t := &l.t.tuning; t.flushSize > 0 && c.n >= t.flushSize || t.flushBytes > 0 && c.bytes >= t.flushBytes || c.chunk.Full() {
		return l.closeOpen(nil)
	}
	if c.n-c.lookedN >= lookRecords || c.bytes-c.lookedBytes >= lookBytes {
		return l.look(c)
	}
	return nil
}

// openAt opens the chunk that r is the first record of.
func (l *partitionLine) openAt(r *record.Record) error {
	at := connector.Range{Topic: l.tp.Topic, Partition: l.tp.Partition, First: l.next, TopicID: l.found.topic.ID, Epoch: l.found.header.Epoch}
	var chunk connector.Chunk
	if err := l.persist(l.ctx, 0, func() (err error) { chunk, err = l.sink.Begin(l.ctx, at, nil); return err }); err != nil {
		return fmt.Errorf("beginning a chunk at offset %d: %w", at.First, err)
	}
	ready, _ := chunk.(connector.Readier)
	packs, _ := chunk.(connector.Packer)
	l.open = &openChunk{chunk: chunk, ready: ready, packs: packs, first: at.First, time0: r.Timestamp}
	l.st.busy.Add(1)
	l.openTime.Store(max(r.Timestamp, 0))
	l.st.oldest.CompareAndSwap(0, max(r.Timestamp, 0))
	l.due = time.Now().Add(l.t.tuning.flushInterval)
	l.lingered = 0
	l.timer.Reset(l.t.tuning.flushInterval)
	return nil
}

// notAdded handles a record that the sink did not take: it is diverted, or the
// partition is to stop before it.
func (l *partitionLine) notAdded(c *openChunk, r *record.Record, err error) (*stopError, error) {
	var refused *connector.RecordError
	attempt := 0
	var pause retryPause
	for err != nil {
		if !errors.As(err, &refused) {
			// Nothing of the record's own: what is away comes back, the record is added again.
			err = l.persist(l.ctx, 0, func() error {
				err := c.chunk.Add(l.ctx, r)
				if errors.As(err, &refused) {
					return nil
				}
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("converting offset %d: %w", r.Offset, err)
			}
			if refused == nil {
				break
			}
		}
		if !refused.Retry || attempt >= l.t.tuning.retries {
			return l.divert(c, r, refused), nil
		}
		attempt++
		if !l.t.retry.sleep(l.ctx, pause.next(0)) {
			return nil, errSessionEnd
		}
		refused = nil
		err = c.chunk.Add(l.ctx, r)
	}
	c.count++
	c.sum.Add(r)
	return nil, nil
}

// divert sets a refused record apart; with errors.tolerance=none it tells how the
// partition is to stop instead.
func (l *partitionLine) divert(c *openChunk, r *record.Record, e *connector.RecordError) *stopError {
	if !l.t.tuning.tolerateAll {
		return refusedStop(l.tp, connector.Refusal{Offset: r.Offset, Err: e})
	}
	if c.diverted == nil {
		c.diverted = map[int64]bool{}
	}
	c.outs = append(c.outs, l.o.diverted(r, e))
	c.diverted[r.Offset] = true
	c.outBytes += r.Size()
	if len(c.outs) <= mostLogged { // a topic full of them must not fill the log
		l.logDiverted(r, e)
	}
	return nil
}

// look is taken every few records: at the budget, at the clock, at how much is diverted.
func (l *partitionLine) look(c *openChunk) error {
	c.lookedN, c.lookedBytes = c.n, c.bytes
	if l.share.set(c.chunk.Held()+c.outBytes) && l.share.relieve(l.ctx) || l.share.pressed.Load() {
		return l.closeOpen(nil)
	}
	if len(c.outs) >= maxDiverted || c.outBytes >= maxDivertedBytes {
		return l.closeOpen(nil)
	}
	if !time.Now().Before(l.due) && !l.behind() {
		return l.closeOpen(nil)
	}
	return nil
}

// behind tells whether more records than one chunk takes wait in the log.
func (l *partitionLine) behind() bool {
	size := l.t.tuning.flushSize
	if size == 0 {
		size = farBehind
	}
	return l.claim.HighWaterMark()-l.next > size
}

// idle is called when no record was there: by a wake-up, the flush timer, or the end.
func (l *partitionLine) idle(err error) error {
	switch {
	case errors.Is(err, kafka.ErrIdle):
	case l.ctx.Err() != nil:
		return l.over()
	case errors.Is(err, kafka.ErrClaimClosed):
		return l.claimClosed()
	default:
		return err
	}
	if l.probe.Swap(false) {
		if err := l.probeTail(); err != nil {
			return err
		}
	}
	c := l.open
	if c == nil {
		return nil
	}
	if l.share.pressed.Load() {
		return l.closeOpen(nil)
	}
	if time.Now().Before(l.due) {
		return nil
	}
	// A partition that is far behind fills its chunks, unless nothing more arrives:
	// what is left may belong to a transaction that is still open.
	if l.behind() && c.n != l.lingered {
		l.lingered = c.n
		l.timer.Reset(lingerPause)
		return nil
	}
	return l.closeOpen(nil)
}

// over is the end of the reading stage with its session.
func (l *partitionLine) over() error { return fmt.Errorf("%w: %w", errSessionEnd, l.ctx.Err()) }

// claimClosed: sarama ended the feed although the session lives: retention has passed
// the claim, or the partition is gone.
func (l *partitionLine) claimClosed() error {
	w, err := l.commits.positions.Watermarks(l.ctx, l.tp)
	if err != nil {
		return fmt.Errorf("the feed of %s/%d ended; reading its bounds: %w", l.tp.Topic, l.tp.Partition, err)
	}
	if b := w[l.tp]; l.next < b.Start {
		return l.closeOpen(retentionStop(l.tp, l.next, b.Start))
	}
	return fmt.Errorf("the feed of %s/%d ended: %w", l.tp.Topic, l.tp.Partition, kafka.ErrClaimClosed)
}

// probeTail moves the position over control batches and aborted records that nothing
// visible follows: otherwise the partition would show a lag for ever. One partition of
// a task looks at a time, and none waits for its turn, for records may come meanwhile:
// hundreds that are read for the first time would stand still.
func (l *partitionLine) probeTail() error {
	if l.open != nil || l.st.busy.Load() != 0 || l.claim.Buffered() > 0 {
		return nil
	}
	if !l.s.probing.TryLock() {
		l.probe.Store(true)
		return nil
	}
	defer l.s.probed()
	page, err := l.reader.Fetch(l.ctx, l.tp, l.next, probeBytes, 0)
	if err != nil || len(page.Records) > 0 || page.Next <= l.next {
		return nil // the claim delivers what is there, the next look tells the rest
	}
	at := l.next
	l.next = page.Next
	l.st.busy.Add(1)
	return l.handOver(&closedChunk{intent: connector.Intent{Range: connector.Range{First: at, Next: page.Next}}, counted: true})
}

// closeOpen closes the open chunk and hands it over; with stop the partition stops
// behind it.
func (l *partitionLine) closeOpen(stop *stopError) error {
	c := l.open
	if c == nil || c.n == 0 {
		l.discardOpen()
		if stop == nil {
			return nil
		}
		return l.handOverLast(&closedChunk{stop: stop})
	}
	l.open = nil
	l.openTime.Store(0)
	l.timer.Stop()
	l.share.set(c.chunk.Held() + c.outBytes)
	if l.last != nil {
		l.seen, l.seenTime = newLastRecord(l.last), l.last.Timestamp
	}
	out := &closedChunk{
		chunk: c.chunk, last: l.seen, bytes: c.bytes, time0: c.time0, timeLast: l.seenTime,
		outs: c.outs, diverted: c.diverted, stop: stop, counted: true, release: l.share.close(),
		intent: connector.Intent{
			Range:  connector.Range{Topic: l.tp.Topic, Partition: l.tp.Partition, First: c.first, Next: l.next, TopicID: l.found.topic.ID, Epoch: l.found.header.Epoch},
			Config: l.o.Hash, Encoder: l.o.Spec.EncoderVersion, Count: c.count, Sum: c.sum.Sum64(),
		},
	}
	if c.count == 0 { // everything was diverted: nothing becomes visible
		c.chunk.Discard()
		out.chunk = nil
	}
	if stop != nil {
		return l.handOverLast(out)
	}
	return l.handOver(out)
}

// handOverLast hands over what the partition stops behind, and reads no further.
func (l *partitionLine) handOverLast(c *closedChunk) error {
	if err := l.handOver(c); err != nil {
		return err
	}
	<-l.ctx.Done()
	return l.over()
}

// handOver waits for a place behind the chunk that is being delivered: this is the
// back pressure.
func (l *partitionLine) handOver(c *closedChunk) error {
	select {
	case l.queue <- c:
		return nil
	default:
	}
	l.letGo()
	select {
	case l.queue <- c:
		return nil
	case <-l.ctx.Done():
		c.drop(l.st)
		return l.over()
	}
}

func (l *partitionLine) discardOpen() {
	if c := l.open; c != nil {
		l.open = nil
		l.timer.Stop()
		c.chunk.Discard()
		l.share.drop()
		l.st.busy.Add(-1)
	}
}
