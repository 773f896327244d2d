package kafka

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

const (
	// pipeDepth is how many requests a leader may have unanswered. A broker remembers the
	// last five batches of a producer, so that no more may be sent twice.
	pipeDepth = 5
	// requestBytes is where a request is cut that has a batch already.
	requestBytes = 4 << 20
	// missingFor is how long a topic may be unknown to its leader until it is believed to
	// be missing: right after its creation a broker may not know it yet.
	missingFor = 2 * time.Second
)

// sending is how far the parcels of a shelf are with the transaction under way.
type sending struct {
	acked   int       // so many does the broker have
	next    int       // the first that was not sent since the last trouble
	refused error     // the answer to the first that the broker does not have
	missing time.Time // when the topic was said to be missing first
}

// errOrder: a broker took a batch although it refused one before it. The order is lost.
var errOrder = errors.New("a broker took a batch behind one that it had refused")

// send brings every parcel to its leader, in order within each partition. A parcel
// that may have arrived already is sent again with the same sequence number.
func (s *Stream) send(ctx context.Context, shelves []*shelf) error {
	for _, shelf := range shelves {
		shelf.sending = sending{}
		sequence := s.w.sequence[shelf.tp]
		for _, p := range shelf.done {
			p.sequence, p.doubtful, p.pending = sequence, false, false
			signBatch(p.bytes, s.castagnoli, s.w.id, s.w.epoch, sequence)
			sequence = addSequence(sequence, p.count)
		}
		s.w.sequence[shelf.tp] = sequence
	}
	deadline := time.Now().Add(s.w.patience)
	pause := backoff{2 * time.Millisecond, 100 * time.Millisecond}
	left := slices.Clone(shelves)
	slices.SortStableFunc(left, func(a, b *shelf) int { return strings.Compare(a.tp.Topic, b.tp.Topic) })
	for {
		trouble := s.round(ctx, left, deadline)
		left = slices.DeleteFunc(left, func(x *shelf) bool { return x.acked == len(x.done) })
		if len(left) == 0 {
			return nil
		}
		if err := s.judge(left); err != nil {
			return err
		}
		for _, shelf := range left {
			if shelf.refused != nil && trouble == nil {
				trouble = fmt.Errorf("writing to %s/%d: %w", shelf.tp.Topic, shelf.tp.Partition, classify(shelf.refused))
			}
			shelf.refused, shelf.next = nil, shelf.acked
		}
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.Is(trouble, ErrAuth) || time.Now().After(deadline) || s.w.client.Closed():
			return classify(trouble)
		}
		s.w.log.Debug("kafka batches are sent again", "error", trouble, "partitions", len(left))
		if !pause.wait(ctx) {
			return context.Cause(ctx)
		}
		s.refresh(ctx, left)
	}
}

// refresh asks who leads the partitions that are left.
func (s *Stream) refresh(ctx context.Context, left []*shelf) {
	var topics []string
	for _, shelf := range left {
		if n := len(topics); n == 0 || topics[n-1] != shelf.tp.Topic {
			topics = append(topics, shelf.tp.Topic)
		}
	}
	_, _ = await(ctx, func() (struct{}, error) { return struct{}{}, s.w.client.RefreshMetadata(topics...) }, nil)
}

// judge returns the error of a partition that another attempt would not help. Batches
// that are too large and hold several records are cut.
func (s *Stream) judge(left []*shelf) error {
	for _, shelf := range left {
		if errors.Is(shelf.refused, sarama.ErrUnknownTopicOrPartition) && shelf.missing.IsZero() {
			shelf.missing = time.Now()
		}
		err := shelf.refused
		if !hopeless(shelf) {
			if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
				continue
			}
			if err = s.halve(shelf); err == nil {
				continue
			}
		}
		return fmt.Errorf("writing to %s/%d: %w", shelf.tp.Topic, shelf.tp.Partition, classify(err))
	}
	return nil
}

// hopeless tells whether a partition refused what it will refuse again.
func hopeless(s *shelf) bool {
	switch err := s.refused; {
	case err == nil:
		return false
	case errors.Is(err, sarama.ErrUnknownTopicOrPartition):
		return !s.missing.IsZero() && time.Since(s.missing) > missingFor
	case errors.Is(err, sarama.ErrMessageSizeTooLarge):
		return s.done[s.acked].count == 1
	default:
		return !leaderMoved(err) && !txnAgain(kerror(err))
	}
}

func kerror(err error) sarama.KError {
	var k sarama.KError
	errors.As(err, &k)
	return k
}

// settled tells whether every parcel that the brokers do not have was refused by them,
// so that no byte of it can still arrive.
func settled(shelves []*shelf) bool {
	for _, shelf := range shelves {
		for _, p := range shelf.done[shelf.acked:] {
			if p.doubtful {
				return false
			}
		}
	}
	return true
}

// round sends what is left to those who lead, all at the same time, and returns when
// everything that was sent is answered or lost. The error is a connection's.
func (s *Stream) round(ctx context.Context, left []*shelf, deadline time.Time) error {
	type found struct {
		leader *sarama.Broker
		err    error
	}
	tps := tpsOf(left)
	leaders, err := await(ctx, func() ([]found, error) {
		all := make([]found, len(tps))
		for i, tp := range tps {
			all[i].leader, all[i].err = s.w.client.Leader(tp.Topic, tp.Partition)
		}
		return all, nil
	}, nil)
	if err != nil {
		return err
	}
	type leg struct {
		leader  *sarama.Broker
		shelves []*shelf
	}
	var legs []leg
	var away error // no broker could be asked
	for i, f := range leaders {
		switch {
		case f.err == nil:
		case answered(f.err):
			left[i].refused = f.err
			continue
		default:
			away = fmt.Errorf("asking who leads %v: %w", tps[i], f.err)
			continue
		}
		at := slices.IndexFunc(legs, func(l leg) bool { return l.leader.ID() == f.leader.ID() })
		if at < 0 {
			at, legs = len(legs), append(legs, leg{leader: f.leader})
		}
		legs[at].shelves = append(legs[at].shelves, left[i])
	}
	var halt atomic.Bool
	errs := make([]error, len(legs))
	var wait sync.WaitGroup
	for i, l := range legs[min(1, len(legs)):] {
		wait.Go(func() { errs[i+1] = s.leg(ctx, l.leader, l.shelves, &halt, deadline) })
	}
	if len(legs) > 0 {
		errs[0] = s.leg(ctx, legs[0].leader, legs[0].shelves, &halt, deadline)
	}
	wait.Wait()
	return errors.Join(append(errs, away)...)
}

// leg sends the parcels of one leader until one is refused, then it waits for the
// answers to what is under way.
func (s *Stream) leg(ctx context.Context, leader *sarama.Broker, shelves []*shelf, halt *atomic.Bool, deadline time.Time) error {
	p, err := s.pipe(ctx, leader)
	if err != nil {
		return fmt.Errorf("connecting to %s: %w", leader.Addr(), classify(err))
	}
	var flights [][]shipment
	lost := func(err error) error {
		for _, f := range flights {
			for _, x := range f {
				x.doubtful, x.pending = x.doubtful || x.pending, false
			}
		}
		s.drop(p)
		return fmt.Errorf("writing to %s: %w", leader.Addr(), err)
	}
	stop := context.AfterFunc(ctx, func() { p.conn.Close() })
	defer stop()
	for refused := false; ; {
		for len(flights) < pipeDepth && !refused && !halt.Load() {
			load := nextLoad(shelves)
			if len(load) == 0 {
				break
			}
			flights = append(flights, load)
			if err := p.send(*s.w.transactionalID, earlier(deadline, time.Now().Add(requestTimeout)), load); err != nil {
				return lost(err)
			}
		}
		if len(flights) == 0 {
			return nil
		}
		answers, err := p.receive(earlier(deadline, time.Now().Add(requestTimeout)))
		if err != nil {
			return lost(err)
		}
		for _, x := range flights[0] {
			if !x.settle(answers) {
				refused = true
			}
		}
		flights = flights[1:]
		if refused && slices.ContainsFunc(shelves, hopeless) {
			halt.Store(true)
		}
	}
}

// nextLoad takes the next parcel of every partition that has one, as many as one
// request may hold.
func nextLoad(shelves []*shelf) []shipment {
	var load []shipment
	size := 0
	for _, s := range shelves {
		if s.refused != nil || s.next == len(s.done) {
			continue
		}
		// A log that does not know the producer takes any first sequence number: were the
		// first batch refused, the second could take its place.
		if s.next > 0 && s.acked == 0 && s.done[0].sequence == 0 {
			continue
		}
		p := s.done[s.next]
		if len(p.bytes) > largestRequest-1<<20 {
			s.refused = sarama.ErrMessageSizeTooLarge // the broker would hang up without a word
			continue
		}
		if len(load) > 0 && size+len(p.bytes) > requestBytes {
			continue
		}
		p.pending = true
		load = append(load, shipment{s, s.next, p})
		size += len(p.bytes)
		s.next++
	}
	return load
}

// settle takes note of a partition's answer; false when it is not a good one.
func (x shipment) settle(answers map[TP]sarama.KError) bool {
	answer, ok := answers[x.shelf.tp]
	x.pending = false
	// Without a lost answer before it, "duplicate" means that the order is lost.
	if ok && (answer == sarama.ErrNoError || answer == sarama.ErrDuplicateSequenceNumber && x.doubtful) {
		if x.number != x.shelf.acked {
			x.shelf.refused = errOrder
			return false
		}
		x.doubtful = false
		x.shelf.acked++
		return true
	}
	x.doubtful = x.doubtful || !ok || mayHaveTaken(answer)
	switch {
	case x.shelf.refused != nil: // this one is refused because an earlier one was
	case !ok:
		x.shelf.refused = sarama.ErrIncompleteResponse
	default:
		x.shelf.refused = answer
	}
	return false
}

// halve cuts the first parcel of s that the broker does not have into two.
func (s *Stream) halve(shelf *shelf) error {
	p := shelf.done[shelf.acked]
	halves, err := splitParcel(p, s.codec)
	if err != nil {
		return err
	}
	halves[0].sequence = p.sequence
	halves[1].sequence = addSequence(p.sequence, halves[0].count)
	for _, h := range halves {
		signBatch(h.bytes, s.castagnoli, s.w.id, s.w.epoch, h.sequence)
	}
	shelf.done = slices.Replace(shelf.done, shelf.acked, shelf.acked+1, halves[:]...)
	return nil
}

// splitParcel makes two parcels of one.
func splitParcel(p *parcel, codec sarama.CompressionCodec) ([2]*parcel, error) {
	var halves [2]*parcel
	attributes := binary.BigEndian.Uint16(p.bytes[batchAttributesAt:])
	raw, err := expand(sarama.CompressionCodec(attributes&batchCodecBits), p.bytes[batchHeaderBytes:])
	if err != nil {
		return halves, fmt.Errorf("cutting a batch: %w", err)
	}
	first := int64(binary.BigEndian.Uint64(p.bytes[batchFirstTimeAt:]))
	half := newBatch(func(string) int { return largestRequest }, squeezer{codec: codec})
	for n := int32(0); len(raw) > 0; n++ {
		var f fields
		rest, err := f.parse(raw, first)
		if err != nil {
			return halves, fmt.Errorf("cutting a batch: %w", err)
		}
		raw = rest
		// The two halves stand as two partitions of a batch of their own.
		half.add(half.shelf(TP{Partition: min(n/(p.count/2), 1)}), &f)
	}
	if err := half.Seal(); err != nil {
		return halves, err
	}
	for i, s := range half.used {
		halves[i] = s.done[0]
	}
	return halves, nil
}

// pipe is the connection to a leader.
func (s *Stream) pipe(ctx context.Context, b *sarama.Broker) (*pipe, error) {
	s.pipesMu.Lock()
	p := s.pipes[b.Addr()]
	s.pipesMu.Unlock()
	if p != nil && time.Since(p.used) < pipeIdle {
		return p, nil
	}
	if p != nil {
		s.drop(p)
	}
	p, err := s.w.openPipe(ctx, b)
	if err != nil {
		return nil, err
	}
	s.pipesMu.Lock()
	s.pipes[b.Addr()] = p
	s.pipesMu.Unlock()
	return p, nil
}

func (s *Stream) drop(p *pipe) {
	s.pipesMu.Lock()
	delete(s.pipes, p.owner.Addr())
	s.pipesMu.Unlock()
	p.close()
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
