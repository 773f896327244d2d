package runner

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// Several partitions redo at once after a start (redoing of each task); this is what
	// each has in memory beside its chunk.
	redoFetchBytes = 1 << 20
	redoing        = 4
	// mostLogged is how many diverted records of one chunk get a line in the log.
	mostLogged    = 20
	redoFetchWait = 500 * time.Millisecond
)

// settler finishes what an intent announced: it asks the destination what became of
// it, and goes forward, delivers the range again exactly, or stops. A running task and
// the removal of a stopped connector share it.
type settler struct {
	o       *taskOptions
	commits *fencedCommits
	reader  taskReader
	sink    connector.Sink // of the current configuration
	tp      kafka.TP
	// persist repeats an act while a system is away, and shows that; giveUp > 0 bounds
	// the further attempts.
	persist func(ctx context.Context, giveUp int, act func() error) error
	// turns, where there is one, bounds how many redo at the same time.
	turns chan struct{}
	// held tells how much memory the range takes; nil where nobody counts.
	held func(int64)
}

// settled is the position behind an intent, with what it brought.
type settled struct {
	next    int64
	header  header
	count   int64
	bytes   int64
	refused int64
}

func (s *settler) fault(step string) error {
	if err := s.o.Faults.at(step, s.tp); err != nil {
		return &abortError{err}
	}
	return nil
}

// settle resolves in, which stands at the position with header h, and commits the
// position behind it under the current configuration.
func (s *settler) settle(ctx context.Context, h header, in *connector.Intent) (settled, error) {
	sink, closeSink, err := s.sinkFor(ctx, in)
	if err != nil {
		return settled{}, err
	}
	defer closeSink()
	if err := s.fault(stepResolve); err != nil {
		return settled{}, err
	}
	var out connector.Outcome
	err = s.persist(ctx, 0, func() (err error) { out, err = sink.Resolve(ctx, *in, s.commits.lease.guard); return err })
	if err != nil {
		return settled{}, fmt.Errorf("finding out what became of offsets %d to %d: %w", in.First, in.Next-1, err)
	}
	s.o.Log(LogInfo, "An interrupted delivery was found: "+string(out.Kind)+".", s.fields(map[string]string{
		"first": fmt.Sprint(in.First), "next": fmt.Sprint(in.Next), "detail": out.Detail}))
	switch out.Kind {
	case connector.Done:
		return s.advance(ctx, h, in)
	case connector.Redo:
		// Refusals of the destination are met by the policy of now: what the intent names
		// is the same with either, and changing the policy is how a person goes on.
		return s.redo(ctx, sink, newSinkTuning(s.o.Config), h, in)
	}
	lost := fmt.Sprintf("it cannot be known whether offsets %d to %d of %s/%d reached the destination", in.First, in.Next-1, s.tp.Topic, s.tp.Partition)
	if out.Detail != "" {
		lost += ": " + out.Detail
	}
	return settled{}, intentStop(lost, in, out.Choices)
}

// sinkFor gives the sink with the shape settings that the intent was made with and
// the access settings of now.
func (s *settler) sinkFor(ctx context.Context, in *connector.Intent) (connector.Sink, func(), error) {
	none := func() {}
	if in.Config == s.o.Hash {
		return s.sink, none, nil
	}
	var old connector.Config
	var known bool
	err := s.persist(ctx, 0, func() (err error) { old, known, err = s.o.ConfigByHash(ctx, in.Config); return err })
	if err != nil {
		return nil, nil, fmt.Errorf("reading configuration %s: %w", in.Config, err)
	}
	if !known {
		return nil, nil, intentStop(fmt.Sprintf("the configuration %s, with which offsets %d to %d of %s/%d were being delivered, is not in the configuration topic",
			in.Config, in.First, in.Next-1, s.tp.Topic, s.tp.Partition), in, nil)
	}
	if s.o.Spec.SameShape(old, s.o.Config) {
		return s.sink, none, nil
	}
	pinned := s.o.Spec.Pin(old, s.o.Config)
	var sink connector.Sink
	err = s.persist(ctx, 0, func() (err error) { sink, err = s.o.Spec.NewSink(ctx, pinned, s.o.Deps); return err })
	if err != nil {
		return nil, nil, fmt.Errorf("opening the destination with the shape settings of configuration %s: %w", in.Config, err)
	}
	return sink, func() { _ = sink.Close() }, nil
}

// advance commits the position behind an intent that is done.
func (s *settler) advance(ctx context.Context, h header, in *connector.Intent) (settled, error) {
	last := h.Last
	if page, err := s.reader.Fetch(ctx, s.tp, in.Next-1, 1, redoFetchWait); err == nil && len(page.Records) > 0 && page.Records[0].Offset == in.Next-1 {
		last = newLastRecord(&page.Records[0])
	}
	return s.finish(ctx, h, in, last, nil, settled{count: in.Count})
}

// finish commits the position behind the intent, together with refused records.
func (s *settler) finish(ctx context.Context, h header, in *connector.Intent, last *lastRecord, outs []kafka.Out, out settled) (settled, error) {
	out.next = in.Next
	out.header = newHeader(h.TopicID, h.Epoch, s.o.Hash, s.o.Spec.EncoderVersion)
	out.header.Last = last
	step := stepCommit
	if len(outs) > 0 {
		step = stepDivert
	}
	if err := s.fault(step); err != nil {
		return settled{}, err
	}
	if err := s.commits.commit(ctx, s.tp, out.next, out.header, nil, outs); err != nil {
		return settled{}, err
	}
	return out, s.fault(step + ".done")
}

// redo delivers exactly the intent's range again: same records, same bytes, same
// names. When the log does not give the same records any more nothing is written.
func (s *settler) redo(ctx context.Context, sink connector.Sink, tuning sinkTuning, h header, in *connector.Intent) (settled, error) {
	if err := s.fault(stepRedo); err != nil {
		return settled{}, err
	}
	if s.turns != nil {
		select {
		case s.turns <- struct{}{}:
			defer func() { <-s.turns }()
		case <-ctx.Done():
			return settled{}, context.Cause(ctx)
		}
	}
	at := in.Range
	at.Next = 0
	var chunk connector.Chunk
	if err := s.persist(ctx, 0, func() (err error) { chunk, err = sink.Begin(ctx, at, in); return err }); err != nil {
		return settled{}, fmt.Errorf("beginning to deliver offsets %d to %d again: %w", in.First, in.Next-1, err)
	}
	defer chunk.Discard()
	got, err := s.refill(ctx, chunk, in)
	if err != nil {
		return settled{}, err
	}
	if got.count != in.Count || got.sum.Sum64() != in.Sum {
		return settled{}, gapStop(got.difference(s.tp, in))
	}
	if err := s.rewrite(ctx, chunk, h, in); err != nil {
		return settled{}, err
	}
	refused, err := s.publish(ctx, 0, chunk)
	if err != nil {
		return settled{}, fmt.Errorf("delivering offsets %d to %d again: %w", in.First, in.Next-1, err)
	}
	if len(refused) > 0 && !tuning.tolerateAll {
		return settled{}, refusedStop(s.tp, refused[0])
	}
	outs, err := s.refusedOuts(ctx, refused)
	if err != nil {
		return settled{}, err
	}
	if got.last == nil {
		got.last = h.Last
	}
	return s.finish(ctx, h, in, got.last, outs, settled{count: in.Count - int64(len(outs)), bytes: got.bytes, refused: int64(len(outs))})
}

// rewrite prepares the chunk, and commits the intent anew where its payload changed (a
// new upload session in place of an expired one).
func (s *settler) rewrite(ctx context.Context, chunk connector.Chunk, h header, in *connector.Intent) error {
	if err := s.fault(stepPrepare); err != nil {
		return err
	}
	var payload []byte
	if err := s.persist(ctx, 0, func() (err error) { payload, err = chunk.Prepare(ctx); return err }); err != nil {
		return fmt.Errorf("preparing offsets %d to %d again: %w", in.First, in.Next-1, err)
	}
	if samePayload(payload, in.Payload) {
		return nil
	}
	in.Payload = payload
	if err := s.fault(stepIntent); err != nil {
		return err
	}
	if err := s.commits.commit(ctx, s.tp, in.First, h, in, nil); err != nil {
		return err
	}
	return s.fault(stepIntentDone)
}

func samePayload(a, b []byte) bool {
	var x, y bytes.Buffer
	if json.Compact(&x, a) != nil || json.Compact(&y, b) != nil {
		return bytes.Equal(a, b)
	}
	return bytes.Equal(x.Bytes(), y.Bytes())
}

// refilled is what the log gave for an intent's range.
type refilled struct {
	count int64
	bytes int64
	sum   record.Sum
	last  *lastRecord
	start int64 // log start, where part of the range is gone
}

func (r *refilled) difference(tp kafka.TP, in *connector.Intent) string {
	if r.start > in.First {
		return fmt.Sprintf("offsets %d to %d of %s/%d were removed by retention before their delivery was finished", in.First, min(r.start, in.Next)-1, tp.Topic, tp.Partition)
	}
	return fmt.Sprintf("offsets %d to %d of %s/%d are not the records any more that were being delivered: %d were announced, the log gives %d, or others", in.First, in.Next-1, tp.Topic, tp.Partition, in.Count, r.count)
}

// refill reads the intent's range from the log into the chunk. Records that the sink
// refuses were diverted together with the intent and are not diverted again.
func (s *settler) refill(ctx context.Context, chunk connector.Chunk, in *connector.Intent) (*refilled, error) {
	got := &refilled{}
	for at := in.First; at < in.Next; {
		var page kafka.Page
		err := s.persist(ctx, 0, func() (err error) {
			page, err = s.reader.Fetch(ctx, s.tp, at, redoFetchBytes, redoFetchWait)
			if errors.Is(err, kafka.ErrOutOfRange) {
				return nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading offsets %d to %d again: %w", in.First, in.Next-1, err)
		}
		for i := range page.Records {
			r := &page.Records[i]
			if r.Offset < at || r.Offset >= in.Next {
				continue
			}
			if err := s.refillOne(ctx, chunk, r, got); err != nil {
				return nil, err
			}
		}
		if page.Next <= at { // out of range, or nothing there: the range is not whole
			if page.LSO > at && page.Start <= at {
				continue // the broker had not read it yet
			}
			got.start = s.logStart(ctx)
			return got, nil
		}
		at = page.Next
	}
	return got, nil
}

func (s *settler) refillOne(ctx context.Context, chunk connector.Chunk, r *record.Record, got *refilled) error {
	err := s.persist(ctx, 0, func() error {
		err := chunk.Add(ctx, r)
		var refused *connector.RecordError
		if errors.As(err, &refused) {
			return &skipError{}
		}
		return err
	})
	got.last = newLastRecord(r)
	var skip *skipError
	if errors.As(err, &skip) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("converting offset %d again: %w", r.Offset, err)
	}
	got.count++
	got.bytes += rawSize(r)
	got.sum.Add(r)
	if s.held != nil && got.count%64 == 0 {
		s.held(chunk.Held())
	}
	return nil
}

// skipError carries a refused record past persist, which would repeat it.
type skipError struct{}

func (*skipError) Error() string { return "skipped" }

func (s *settler) logStart(ctx context.Context) int64 {
	w, err := s.commits.positions.Watermarks(ctx, s.tp)
	if err != nil {
		return 0
	}
	return w[s.tp].Start
}

// publish makes a chunk visible, again and again while the destination is away and
// while the sink says that a refusal may pass.
func (s *settler) publish(ctx context.Context, giveUp int, chunk connector.Chunk) ([]connector.Refusal, error) {
	if err := s.fault(stepPublish); err != nil {
		return nil, err
	}
	var pause retryPause
	for {
		var refused []connector.Refusal
		err := s.persist(ctx, giveUp, func() (err error) { refused, err = chunk.Publish(ctx, s.commits.lease.guard); return err })
		if err != nil {
			return nil, err
		}
		if !mayPass(refused) {
			return refused, s.fault(stepPublishDone)
		}
		if !wait(ctx, pause.next(0)) {
			return nil, context.Cause(ctx)
		}
	}
}

func mayPass(refused []connector.Refusal) bool {
	for _, r := range refused {
		if r.Err.Retry {
			return true
		}
	}
	return false
}

// refusedOuts reads the refused records again, as many with one fetch as there are
// side by side, and makes them ready to be diverted. One that retention has removed
// meanwhile is diverted without its content.
func (s *settler) refusedOuts(ctx context.Context, refused []connector.Refusal) ([]kafka.Out, error) {
	refused = slices.SortedFunc(slices.Values(refused), func(a, b connector.Refusal) int { return cmp.Compare(a.Offset, b.Offset) })
	outs := make([]kafka.Out, 0, len(refused))
	for len(refused) > 0 {
		var page kafka.Page
		err := s.persist(ctx, 0, func() (err error) {
			page, err = s.reader.Fetch(ctx, s.tp, refused[0].Offset, redoFetchBytes, redoFetchWait)
			if errors.Is(err, kafka.ErrOutOfRange) {
				return nil
			}
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("reading the refused record %d again: %w", refused[0].Offset, err)
		}
		records := page.Records
		for first := true; len(refused) > 0; first = false {
			f := refused[0]
			for len(records) > 0 && records[0].Offset < f.Offset {
				records = records[1:]
			}
			if !first && len(records) == 0 && page.Next <= f.Offset {
				break // not of this page
			}
			r := record.Record{Topic: s.tp.Topic, Partition: s.tp.Partition, Offset: f.Offset}
			if len(records) > 0 && records[0].Offset == f.Offset {
				r = records[0]
			}
			outs = append(outs, s.o.diverted(&r, f.Err))
			if len(outs) <= mostLogged {
				s.logDiverted(&r, f.Err)
			}
			refused = refused[1:]
		}
	}
	return outs, nil
}

func (s *settler) logDiverted(r *record.Record, e *connector.RecordError) {
	topic := s.o.AbnormalTopic
	if e.DeadLetter {
		topic = s.o.DeadLetterTopic
	}
	s.o.Log(LogWarn, "A record cannot be delivered and goes to "+topic+": "+clipText(e.Error(), 500), s.fields(map[string]string{
		"offset": fmt.Sprint(r.Offset), "stage": string(e.Stage), "code": e.Code}))
}

func (s *settler) fields(more map[string]string) map[string]string {
	more["topic"], more["partition"] = s.tp.Topic, fmt.Sprint(s.tp.Partition)
	return more
}

func refusedStop(tp kafka.TP, f connector.Refusal) *stopError {
	return &stopError{state: connector.StateFailed,
		cause:  fmt.Sprintf("Offset %d of %s/%d is refused for good: %s", f.Offset, tp.Topic, tp.Partition, sentence(f.Err)),
		detail: f.Err.Detail,
		remedy: "Mend what refuses the record, or set errors.tolerance to all so that such records are diverted; then resume."}
}

// rawSize is what a record counts for in flush.bytes and in the figures: the bytes of
// key, value and headers.
func rawSize(r *record.Record) int64 {
	n := int64(len(r.Key) + len(r.Value))
	for i := range r.Headers {
		n += int64(len(r.Headers[i].Key) + len(r.Headers[i].Value))
	}
	return n
}
