package kafka

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/record"
)

// bridge is the handler that sarama sees. It lives for one session.
type bridge struct {
	consumer *Consumer
	group    sarama.ConsumerGroup
	conf     *sarama.Config
	handler  Handler

	work atomic.Int32 // calls of the handler that have not returned
	mu   sync.Mutex
	raw  sarama.ConsumerGroupSession
	sess *session
	fail error // the first error of the handler
}

func (b *bridge) busy() bool { return b.work.Load() != 0 }

func (b *bridge) failed(err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.fail == nil {
		b.fail = err
	}
}

// Setup implements sarama.ConsumerGroupHandler.
func (b *bridge) Setup(raw sarama.ConsumerGroupSession) error {
	if err := raw.Context().Err(); err != nil {
		return context.Cause(raw.Context())
	}
	b.work.Add(1)
	defer b.work.Add(-1)
	n := 0
	for _, ps := range raw.Claims() {
		n += len(ps)
	}
	// The partition consumers of this session are made after Setup and read these
	// settings; those of the last one have ended.
	b.conf.Consumer.Fetch.Default = b.consumer.share(n)
	b.conf.ChannelBufferSize = ahead(n)
	s := &session{group: b.group, raw: raw, member: Member{
		Group: b.consumer.opts.Group, ID: raw.MemberID(), Generation: raw.GenerationID(),
		InstanceID: b.conf.Consumer.Group.InstanceId,
	}}
	s.claims = maps.Clone(raw.Claims())
	s.turns = newTurns(n, 2*int64(b.consumer.opts.FetchBytes), b.consumer.share(n),
		func(tp TP) { b.group.Pause(map[string][]int32{tp.Topic: {tp.Partition}}) },
		func(tp TP) { b.group.Resume(map[string][]int32{tp.Topic: {tp.Partition}}) })
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(raw.Context()))
	s.ctx = ctx
	context.AfterFunc(raw.Context(), func() { cancel(endOf(raw.Context())) })
	b.mu.Lock()
	b.raw, b.sess = raw, s
	b.mu.Unlock()
	if err := b.handler.Setup(s); err != nil {
		b.failed(err)
		return err
	}
	return nil
}

// Cleanup implements sarama.ConsumerGroupHandler. sarama calls it also after a Setup
// that failed.
func (b *bridge) Cleanup(sarama.ConsumerGroupSession) error {
	b.work.Add(1)
	defer b.work.Add(-1)
	b.mu.Lock()
	s := b.sess
	b.mu.Unlock()
	if s == nil {
		return nil
	}
	if err := b.handler.Cleanup(s); err != nil {
		b.failed(err)
		return err
	}
	return nil
}

// ConsumeClaim implements sarama.ConsumerGroupHandler.
func (b *bridge) ConsumeClaim(raw sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	b.mu.Lock()
	s := b.sess
	b.mu.Unlock()
	b.work.Add(1)
	defer b.work.Add(-1)
	mine := &claim{
		tp: TP{c.Topic(), c.Partition()}, raw: c, ch: c.Messages(), session: raw.Context(), own: s.ctx,
	}
	defer s.begin(mine)()
	err := b.handler.Consume(s, mine)
	if err != nil && raw.Context().Err() == nil {
		b.failed(fmt.Errorf("%s/%d: %w", c.Topic(), c.Partition(), err))
	}
	return err
}

// outcome is what RunSession returns.
func (b *bridge) outcome(ctx context.Context, err error) error {
	b.mu.Lock()
	fail, raw := b.fail, b.raw
	b.mu.Unlock()
	switch {
	case fail != nil:
		return fail
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case raw != nil && raw.Context().Err() != nil:
		return endOf(raw.Context())
	case err != nil:
		return fmt.Errorf("joining group %s: %w", b.consumer.opts.Group, classify(err))
	}
	return ErrRebalance
}

// endOf is why a session ended. Contexts above it keep their own causes.
func endOf(ctx context.Context) error {
	return classify(context.Cause(ctx))
}

// session implements Session.
type session struct {
	group  sarama.ConsumerGroup
	raw    sarama.ConsumerGroupSession
	ctx    context.Context
	member Member
	claims map[string][]int32
	turns  *turns // nil: every partition fetches at any time

	mu    sync.Mutex
	taken map[TP]*turn
}

func (s *session) Context() context.Context   { return s.ctx }
func (s *session) Member() Member             { return s.member }
func (s *session) Claims() map[string][]int32 { return s.claims }

func (s *session) Pause(tps map[string][]int32) {
	s.group.Pause(tps)
	for _, p := range s.turnsOf(tps) {
		p.park()
	}
}

func (s *session) Resume(tps map[string][]int32) {
	if s.turns == nil {
		s.group.Resume(tps)
		return
	}
	for topic, ps := range tps {
		for _, n := range ps {
			one := map[string][]int32{topic: {n}}
			if found := s.turnsOf(one); len(found) > 0 {
				found[0].unpark()
			} else {
				s.group.Resume(one)
			}
		}
	}
}

func (s *session) turnsOf(tps map[string][]int32) []*turn {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found []*turn
	for topic, ps := range tps {
		for _, n := range ps {
			if p := s.taken[TP{topic, n}]; p != nil {
				found = append(found, p)
			}
		}
	}
	return found
}

// begin gives a claim its turn, where there are turns; the result ends it.
func (s *session) begin(c *claim) (end func()) {
	if s.turns == nil {
		return func() {}
	}
	c.turn, c.next = s.turns.join(c.tp), c.raw.InitialOffset()
	c.timer = time.NewTimer(turnTime)
	s.mu.Lock()
	if s.taken == nil {
		s.taken = map[TP]*turn{}
	}
	s.taken[c.tp] = c.turn
	s.mu.Unlock()
	return func() {
		c.timer.Stop()
		c.turn.park()
	}
}

// claim implements Claim. One goroutine uses it.
type claim struct {
	tp      TP
	raw     sarama.ConsumerGroupClaim
	ch      <-chan *sarama.ConsumerMessage
	session context.Context // sarama's
	own     context.Context // what Session.Context returns

	turn  *turn // nil: none is needed
	timer *time.Timer
	next  int64 // offset behind the last record
}

func (c *claim) TP() TP               { return c.tp }
func (c *claim) InitialOffset() int64 { return c.raw.InitialOffset() }
func (c *claim) Buffered() int        { return len(c.ch) }
func (c *claim) HighWaterMark() int64 { return c.raw.HighWaterMarkOffset() }

// Next implements Claim. What is buffered is received without a select: one for each
// record costs a quarter of the whole loop.
func (c *claim) Next(ctx context.Context, r *record.Record, wake <-chan struct{}, deadline <-chan time.Time) error {
	if len(c.ch) == 0 {
		// Who reads faster than sarama feeds would come to the select below, with its
		// locks, for every record. One turn for the feeder fills the channel again.
		runtime.Gosched()
	}
	if len(c.ch) > 0 {
		// Only this goroutine receives, so this cannot block.
		c.fill(r, <-c.ch)
		return nil
	}
	done := ctx.Done()
	if ctx == c.own {
		done = nil // it ends with the session
	}
	var granted <-chan struct{}
	var over <-chan time.Time
	if c.turn != nil {
		c.turn.want()
		granted, over = c.turn.granted, c.timer.C
	}
	for {
		select {
		case m, ok := <-c.ch:
			if !ok {
				return c.ended(ctx)
			}
			c.fill(r, m)
			return nil
		case <-c.session.Done():
			return endOf(c.session)
		case <-done:
			return context.Cause(ctx)
		case <-wake:
			return ErrIdle
		case <-deadline:
			return ErrIdle
		case <-granted:
			c.timer.Reset(turnTime)
		case <-over:
			end := c.raw.HighWaterMarkOffset()
			c.turn.idle(end > 0 && c.next >= end)
			c.timer.Reset(turnTime)
		}
	}
}

// ended tells why the channel is closed.
func (c *claim) ended(ctx context.Context) error {
	if c.session.Err() != nil {
		return endOf(c.session)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return ErrClaimClosed
}

// fill makes m the caller's record. Nothing is copied and, but for headers, nothing
// allocated; a copy of the record keeps its own headers.
func (c *claim) fill(r *record.Record, m *sarama.ConsumerMessage) {
	if c.turn != nil {
		c.turn.received(int64(len(m.Key) + len(m.Value) + 1))
		c.next = m.Offset + 1
	}
	r.Topic, r.Partition, r.Offset = c.tp.Topic, c.tp.Partition, m.Offset
	r.Timestamp = millis(m.Timestamp)
	r.Key, r.Value = m.Key, m.Value
	r.Headers = nil
	if len(m.Headers) > 0 {
		r.Headers = headers(m.Headers)
	}
}
