package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// simCluster is a cluster in memory as a source task sees it: logs with transactions,
// producers that are fenced, a group that is asked for heartbeats.
type simCluster struct {
	mu        sync.Mutex
	topics    map[string]*simTopic
	epochs    map[string]int
	opened    map[string]*simTxn // by transactional id: what is open
	heartbeat func(kafka.Member) error
	// onCommit decides about a transaction whose end was asked for: whether it takes place,
	// and what Commit returns.
	onCommit func() (takesPlace bool, answer error)
	// slow makes every transaction wait for it.
	slow    chan struct{}
	commits int
	squeeze int64 // of batches
	fences  int
	away    error // of everything that is opened
}

type simTopic struct {
	limit int
	logs  [][]simRecord
	start []int64
}

type simRecord struct {
	record.Record
	txn *simTxn
}

type simTxn struct{ decided, visible bool }

func newSimCluster(topics map[string]int) *simCluster {
	c := &simCluster{topics: map[string]*simTopic{}, epochs: map[string]int{}, opened: map[string]*simTxn{}}
	for name, n := range topics {
		c.topics[name] = &simTopic{limit: 1 << 20, logs: make([][]simRecord, n), start: make([]int64, n)}
	}
	return c
}

// visible is what a read_committed consumer sees of a partition.
func (c *simCluster) visible(topic string, p int) []record.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	var out []record.Record
	for i := range c.topics[topic].logs[p] {
		r := &c.topics[topic].logs[p][i]
		if !r.txn.decided {
			break
		}
		if r.txn.visible {
			out = append(out, r.Record)
		}
	}
	return out
}

func (c *simCluster) add(tp kafka.TP, r record.Record, txn *simTxn) {
	t := c.topics[tp.Topic]
	r.Topic, r.Partition, r.Offset = tp.Topic, tp.Partition, t.start[tp.Partition]+int64(len(t.logs[tp.Partition]))
	t.logs[tp.Partition] = append(t.logs[tp.Partition], simRecord{r, txn})
}

// truncate forgets the records of a partition below an offset, as compaction that removed
// all of them would.
func (c *simCluster) truncate(topic string, p int, below int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	t := c.topics[topic]
	n := below - t.start[p]
	t.logs[p], t.start[p] = t.logs[p][n:], below
}

func (c *simCluster) offsets(context.Context) (taskOffsets, error) {
	return simOffsets{c}, c.away
}
func (c *simCluster) reader(context.Context) (taskReader, error) { return simReader{c}, c.away }

func (c *simCluster) stream(_ context.Context, o streamOptions) (sourceStream, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.away != nil {
		return nil, c.away
	}
	c.epochs[o.id]++
	if open := c.opened[o.id]; open != nil {
		open.decided = true // aborted
		delete(c.opened, o.id)
	}
	return &simStream{c: c, o: o, epoch: c.epochs[o.id]}, nil
}

// fence does what another process with the same transactional id does.
func (c *simCluster) fence(id string) {
	_, _ = c.stream(context.Background(), streamOptions{id: id})
}

type simStream struct {
	c     *simCluster
	o     streamOptions
	epoch int
}

func (s *simStream) NewBatch() sourceBatch { return &simBatch{squeezed: s.c.squeeze} }
func (s *simStream) Close() error          { return nil }

func (s *simStream) Partitions(_ context.Context, topic string) (int32, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	t := s.c.topics[topic]
	if t == nil {
		return 0, kafka.ErrNoTopic
	}
	return int32(len(t.logs)), nil
}

func (s *simStream) MaxMessageBytes(_ context.Context, topic string) (int, error) {
	s.c.mu.Lock()
	defer s.c.mu.Unlock()
	return s.c.topics[topic].limit, nil
}

func (s *simStream) Partition(key []byte, n int32) int32 { return kafka.PartitionOf(key, n) }

func (s *simStream) step(step string) error { return s.o.step(sourceStep + step) }

func (s *simStream) fenced() error {
	if s.epoch != s.c.epochs[s.o.id] {
		s.c.fences++
		return kafka.ErrProducerFenced
	}
	return nil
}

// Commit writes records one by one, so that a kill in between leaves a part of them.
func (s *simStream) Commit(ctx context.Context, b sourceBatch) error {
	if err := s.step(kafka.TxnBegin); err != nil {
		return err
	}
	s.c.mu.Lock()
	slow := s.c.slow
	s.c.mu.Unlock()
	if slow != nil {
		select {
		case <-slow:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	txn := &simTxn{}
	outs := b.(*simBatch).outs
	for i, o := range outs {
		if i == 0 || i == len(outs)/2 {
			if err := s.step(kafka.TxnProduce); err != nil {
				return err
			}
		}
		s.c.mu.Lock()
		if err := s.fenced(); err != nil {
			s.c.mu.Unlock()
			return err
		}
		s.c.opened[s.o.id] = txn
		s.c.add(o.tp, o.Record, txn)
		s.c.mu.Unlock()
	}
	for _, step := range []string{kafka.TxnProduced, kafka.TxnEnd} {
		if err := s.step(step); err != nil {
			return err
		}
	}
	s.c.mu.Lock()
	if err := s.fenced(); err != nil {
		s.c.mu.Unlock()
		return err
	}
	takesPlace, answer := true, error(nil)
	if s.c.onCommit != nil {
		takesPlace, answer = s.c.onCommit()
	}
	if takesPlace {
		txn.decided, txn.visible = true, true
		delete(s.c.opened, s.o.id)
		s.c.commits++
	}
	s.c.mu.Unlock()
	if answer != nil {
		return answer
	}
	return s.step(kafka.TxnEnded)
}

type simOut struct {
	tp kafka.TP
	record.Record
}

type simBatch struct {
	outs        []simOut
	marked      int
	bytes, open int64
	squeezed    int64 // so many times shorter it says it is
}

func (b *simBatch) Append(tp kafka.TP, key, value []byte, headers []record.Header, timestamp int64) {
	b.outs = append(b.outs, simOut{tp, record.Record{Key: slices.Clone(key), Value: slices.Clone(value), Headers: slices.Clone(headers), Timestamp: timestamp}})
	b.bytes += int64(len(key) + len(value))
	b.open += int64(len(key) + len(value))
}

func (b *simBatch) Tag(headers []record.Header) {
	for i := b.marked; i < len(b.outs); i++ {
		b.outs[i].Headers = append(b.outs[i].Headers, headers...)
	}
}
func (b *simBatch) Mark()           { b.marked, b.open = len(b.outs), 0 }
func (b *simBatch) Drop()           { b.outs, b.bytes, b.open = b.outs[:b.marked], b.bytes-b.open, 0 }
func (b *simBatch) Unmarked() int64 { return b.open }
func (b *simBatch) Bytes() int64    { return b.bytes / max(b.squeezed, 1) }
func (b *simBatch) Records() int    { return len(b.outs) }
func (b *simBatch) Reset()          { *b = simBatch{squeezed: b.squeezed} }

type simReader struct{ c *simCluster }

func (simReader) Close() error { return nil }

func (c *simCluster) marks(tp kafka.TP) (kafka.Watermarks, error) {
	t := c.topics[tp.Topic]
	if t == nil {
		return kafka.Watermarks{}, kafka.ErrNoTopic
	}
	log, start := t.logs[tp.Partition], t.start[tp.Partition]
	w := kafka.Watermarks{Start: start, End: start + int64(len(log)), LSO: start + int64(len(log))}
	if i := slices.IndexFunc(log, func(r simRecord) bool { return !r.txn.decided }); i >= 0 {
		w.LSO = start + int64(i)
	}
	return w, nil
}

// Fetch gives at most seven offsets, so that windows take several pages.
func (r simReader) Fetch(_ context.Context, tp kafka.TP, offset int64, _ int32, _ time.Duration) (kafka.Page, error) {
	r.c.mu.Lock()
	defer r.c.mu.Unlock()
	w, err := r.c.marks(tp)
	if err != nil {
		return kafka.Page{}, err
	}
	if offset < w.Start || offset > w.End {
		return kafka.Page{}, kafka.ErrOutOfRange
	}
	p := kafka.Page{Watermarks: w, Next: offset}
	t := r.c.topics[tp.Topic]
	for at := offset; at < w.LSO && at < offset+7; at++ {
		if rec := t.logs[tp.Partition][at-t.start[tp.Partition]]; rec.txn.visible {
			p.Records = append(p.Records, rec.Record)
		}
		p.Next = at + 1
	}
	return p, nil
}

type simOffsets struct{ c *simCluster }

func (simOffsets) Close() error { return nil }

func (o simOffsets) Watermarks(_ context.Context, tps ...kafka.TP) (map[kafka.TP]kafka.Watermarks, error) {
	o.c.mu.Lock()
	defer o.c.mu.Unlock()
	out := map[kafka.TP]kafka.Watermarks{}
	for _, tp := range tps {
		w, err := o.c.marks(tp)
		if err != nil {
			return nil, err
		}
		out[tp] = w
	}
	return out, nil
}

func (o simOffsets) Heartbeat(_ context.Context, m kafka.Member) error {
	o.c.mu.Lock()
	f := o.c.heartbeat
	o.c.mu.Unlock()
	if f == nil {
		return nil
	}
	return f(m)
}

func (simOffsets) Fetch(context.Context, string, []kafka.TP) (map[kafka.TP]kafka.Committed, error) {
	return nil, errors.ErrUnsupported
}

func (simOffsets) Commit(context.Context, kafka.Member, map[kafka.TP]kafka.Committed) error {
	return errors.ErrUnsupported
}

// simSession is a session of the connector's group in which this node leads.
type simSession struct {
	ctx    context.Context
	member kafka.Member
}

func (s simSession) Context() context.Context { return s.ctx }
func (s simSession) Member() kafka.Member     { return s.member }
func (simSession) Claims() map[string][]int32 { return map[string][]int32{"connect-config-c": {0}} }
func (simSession) Pause(map[string][]int32)   {}
func (simSession) Resume(map[string][]int32)  {}

func newSimSession(ctx context.Context, generation int) simSession {
	return simSession{ctx, kafka.Member{Group: "connect-cluster-c", ID: fmt.Sprintf("m%d", generation), Generation: int32(generation), InstanceID: "node-c"}}
}
