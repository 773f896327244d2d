package kafka

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"strconv"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// StreamOptions configures OpenStream.
type StreamOptions struct {
	TransactionalID string
	// Timeout is how long a transaction may stay open until the coordinator aborts it
	// (the broker allows 15 min by default).
	Timeout time.Duration
	// Compression is one of Compressions; "" is "none".
	Compression string
	// Step, when there is one, is called in Commit at each of the steps below. Its error
	// ends Commit at once, as if the process had ended there: nothing more is sent.
	Step func(step string) error
}

// Steps of Stream.Commit.
const (
	TxnBegin    = "begin"    // before AddPartitionsToTxn
	TxnProduce  = "produce"  // before the first batch is sent
	TxnProduced = "produced" // all batches are answered
	TxnEnd      = "end"      // before EndTxn
	TxnEnded    = "ended"    // it was answered, Commit is about to return
)

// Stream writes much data in Kafka transactions: batches are compressed before the
// transaction begins, each leader gets one request at a time with all its partitions,
// several of them under way. It has a client of its own. Its methods may be called at
// the same time; transactions follow one another.
type Stream struct {
	mu         sync.Mutex // of transactions
	w          *writer
	codec      sarama.CompressionCodec
	castagnoli *crc32.Table
	step       func(string) error
	broken     bool

	buffers buffers

	pipesMu sync.Mutex
	pipes   map[string]*pipe // by address

	shapesMu sync.Mutex
	shapes   map[string]shape
}

// shape is what was asked of a topic.
type shape struct {
	partitions int32
	limit      int // max.message.bytes
}

// defaultLimit is taken for topics whose settings the user may not read.
const defaultLimit = 1 << 20

// OpenStream connects and calls InitProducerId, which fences whoever else uses the
// transactional id and aborts what a killed predecessor left open. It needs brokers
// ≥ 0.11, for zstd ≥ 2.1 (ErrUnsupported).
func OpenStream(ctx context.Context, c Cluster, o StreamOptions) (*Stream, error) {
	codec, err := codecOf(o.Compression)
	if err != nil {
		return nil, err
	}
	if o.TransactionalID == "" {
		return nil, errors.New("the transactional id is empty")
	}
	k, err := open(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	if !k.conf.Version.IsAtLeast(sarama.V0_11_0_0) || codec == sarama.CompressionZSTD && !k.conf.Version.IsAtLeast(sarama.V2_1_0_0) {
		k.close()
		return nil, fmt.Errorf("opening transactions with compression %s: %w", codec, ErrUnsupported)
	}
	k.patience = time.Minute
	s := &Stream{
		w: &writer{conn: k, transactionalID: &o.TransactionalID}, codec: codec, castagnoli: crc32.MakeTable(crc32.Castagnoli),
		step: o.Step, pipes: make(map[string]*pipe), shapes: make(map[string]shape),
	}
	if s.step == nil {
		s.step = func(string) error { return nil }
	}
	if err := s.w.initProducer(ctx, o.Timeout); err != nil {
		k.close()
		return nil, fmt.Errorf("opening transactions of %s: %w", o.TransactionalID, err)
	}
	return s, nil
}

// Broken tells whether Commit failed: this Stream is of no more use, open a new one.
func (s *Stream) Broken() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.broken
}

// Close ends the client. A transaction that is open stays so until the next OpenStream
// with the same id or until its timeout.
func (s *Stream) Close() error {
	err := s.w.close() // a Commit that waits for an answer ends
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range s.pipes {
		p.close()
	}
	clear(s.pipes)
	s.broken = true
	return err
}

// NewBatch returns an empty Batch with the compression of s.
func (s *Stream) NewBatch() *Batch {
	b := newBatch(s.parcelLimit, squeezer{codec: s.codec})
	b.buffers = &s.buffers
	return b
}

func (s *Stream) parcelLimit(topic string) int {
	s.shapesMu.Lock()
	defer s.shapesMu.Unlock()
	if k, ok := s.shapes[topic]; ok {
		return min(k.limit, parcelBytes)
	}
	return parcelBytes
}

// Partitions is how many partitions a topic had when it was first asked for.
// ErrNoTopic: it does not exist.
func (s *Stream) Partitions(ctx context.Context, topic string) (int32, error) {
	k, err := s.shape(ctx, topic)
	return k.partitions, err
}

// MaxMessageBytes is the largest record batch that a topic took, in bytes, when it was
// first asked for; 1 MiB where the user may not read the topic's settings. See
// BatchSize. ErrNoTopic: the topic does not exist.
func (s *Stream) MaxMessageBytes(ctx context.Context, topic string) (int, error) {
	k, err := s.shape(ctx, topic)
	return k.limit, err
}

func (s *Stream) shape(ctx context.Context, topic string) (shape, error) {
	s.shapesMu.Lock()
	k, ok := s.shapes[topic]
	s.shapesMu.Unlock()
	if ok {
		return k, nil
	}
	ps, err := await(ctx, func() ([]int32, error) { return s.w.client.Partitions(topic) }, nil)
	if err == nil && len(ps) == 0 {
		err = ErrNoTopic
	}
	if err != nil {
		return shape{}, fmt.Errorf("topic %s: %w", topic, classify(err))
	}
	k.partitions = int32(len(ps))
	if k.limit, err = s.w.topicLimit(ctx, topic); err != nil {
		return shape{}, fmt.Errorf("reading the settings of topic %s: %w", topic, err)
	}
	s.shapesMu.Lock()
	s.shapes[topic] = k
	s.shapesMu.Unlock()
	return k, nil
}

// topicLimit asks for max.message.bytes.
func (w *writer) topicLimit(ctx context.Context, topic string) (int, error) {
	limit := defaultLimit
	err := w.anyBroker(ctx, func(b *sarama.Broker) (bool, error) {
		req := &sarama.DescribeConfigsRequest{Version: describeConfigsVersion(w.conf.Version), Resources: []*sarama.ConfigResource{
			{Type: sarama.TopicResource, Name: topic, ConfigNames: []string{"max.message.bytes"}},
		}}
		r, err := await(ctx, func() (*sarama.DescribeConfigsResponse, error) { return b.DescribeConfigs(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		for _, resource := range r.Resources {
			for _, c := range resource.Configs {
				if n, err := strconv.Atoi(c.Value); err == nil && c.Name == "max.message.bytes" && n > batchHeaderBytes {
					limit = n
				}
			}
		}
		return false, nil
	})
	return limit, err
}

// Partition is PartitionOf.
func (s *Stream) Partition(key []byte, n int32) int32 { return PartitionOf(key, n) }

// PartitionOf is the partition of a key among n as Kafka's own client chooses it
// (murmur2); 0 for a nil key, so that order is kept.
func PartitionOf(key []byte, n int32) int32 {
	if key == nil || n <= 1 {
		return 0
	}
	return int32(murmur2(key)&0x7fffffff) % n
}

// murmur2 is the 32-bit hash by Austin Appleby with the seed of Kafka's
// org.apache.kafka.common.utils.Utils.
func murmur2(b []byte) uint32 {
	const m = 0x5bd1e995
	h := 0x9747b28c ^ uint32(len(b))
	for ; len(b) >= 4; b = b[4:] {
		k := uint32(b[0]) | uint32(b[1])<<8 | uint32(b[2])<<16 | uint32(b[3])<<24
		k *= m
		k ^= k >> 24
		h = h*m ^ k*m
	}
	switch len(b) {
	case 3:
		h ^= uint32(b[2]) << 16
		fallthrough
	case 2:
		h ^= uint32(b[1]) << 8
		fallthrough
	case 1:
		h = (h ^ uint32(b[0])) * m
	}
	h ^= h >> 13
	h *= m
	return h ^ h>>15
}

// Commit makes everything in b visible in one transaction: readers with read_committed
// see all of it or nothing. b is left as it is, for another try with another Stream or
// for Reset.
//
//   - ErrUnanswered: the commit was asked for and it is not known whether it took
//     place: read what was stored with it.
//   - ErrFenced (always ErrProducerFenced): a newer producer has the transactional id,
//     or the transaction was open for too long. Nothing became visible, unless the error
//     is also ErrUnanswered.
//   - ErrMessageTooLarge, ErrNoTopic, ErrDenied and others: nothing became visible.
//
// What ends by itself (leaders and coordinators that move, lost answers, brokers that
// are away) is tried again for up to a minute. After any error the Stream is broken.
func (s *Stream) Commit(ctx context.Context, b *Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.broken {
		return errors.New("the transactional producer is broken by an earlier error: open a new one")
	}
	if err := b.Seal(); err != nil {
		return err
	}
	if len(b.used) == 0 {
		return nil
	}
	if err := s.commit(ctx, b); err != nil {
		s.broken = true
		return fmt.Errorf("transaction of %s: %w", *s.w.transactionalID, err)
	}
	return nil
}

func (s *Stream) commit(ctx context.Context, b *Batch) error {
	if err := s.step(TxnBegin); err != nil {
		return err
	}
	if err := s.w.enlist(ctx, tpsOf(b.used)); err != nil {
		if answered(err) {
			s.w.abort(ctx, err)
		}
		return fmt.Errorf("adding partitions: %w", err)
	}
	if err := s.step(TxnProduce); err != nil {
		return err
	}
	if err := s.send(ctx, b.used); err != nil {
		if settled(b.used) {
			s.w.abort(ctx, err)
		} else {
			s.w.outdate(ctx, err)
		}
		return err
	}
	for _, step := range []string{TxnProduced, TxnEnd} {
		if err := s.step(step); err != nil {
			return err
		}
	}
	if err := s.w.end(ctx, true); err != nil {
		return err
	}
	return s.step(TxnEnded)
}

func tpsOf(shelves []*shelf) []TP {
	tps := make([]TP, len(shelves))
	for i, shelf := range shelves {
		tps[i] = shelf.tp
	}
	return tps
}
