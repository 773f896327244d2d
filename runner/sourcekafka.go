package runner

import (
	"context"
	"slices"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// sourceKafka opens what a source task says to a cluster. Package kafka is one
// implementation, the simulation of the tests the other.
type sourceKafka interface {
	stream(ctx context.Context, o streamOptions) (sourceStream, error)
	offsets(ctx context.Context) (taskOffsets, error)
	reader(ctx context.Context) (taskReader, error)
	shapes(ctx context.Context) (sourceShapes, error)
}

type streamOptions struct {
	id          string // transactional
	compression string
	step        func(step string) error
}

// sourceStream writes one transaction after the other.
type sourceStream interface {
	NewBatch() sourceBatch
	Partitions(ctx context.Context, topic string) (int32, error)
	Partition(key []byte, n int32) int32
	// Commit makes a batch visible, whole. After an error the stream is of no more use.
	Commit(ctx context.Context, b sourceBatch) error
	Close() error
}

// sourceBatch collects a transaction's records.
type sourceBatch interface {
	Append(tp kafka.TP, key, value []byte, headers []record.Header, timestamp int64)
	Tag(headers []record.Header) // what was appended since the last Mark
	Mark()
	Drop() // takes back what was appended since the last Mark
	Unmarked() int64
	Bytes() int64
	Records() int
	Reset()
}

// sourceShapes tells what topics take.
type sourceShapes interface {
	MaxMessageBytes(ctx context.Context, topic string) (int, error)
	Close() error
}

const sourceTransactionTimeout = 30 * time.Second

func (k clusterKafka) shapes(ctx context.Context) (sourceShapes, error) {
	a, err := kafka.OpenAdmin(ctx, k.c)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (k clusterKafka) stream(ctx context.Context, o streamOptions) (sourceStream, error) {
	txn, err := kafka.OpenTxn(ctx, k.c, o.id, sourceTransactionTimeout)
	if err != nil {
		return nil, err
	}
	admin, err := kafka.OpenAdmin(ctx, k.c)
	if err != nil {
		_ = txn.Close()
		return nil, err
	}
	return &txnStream{txn: txn, admin: admin, step: o.step}, nil
}

// txnStream is a sourceStream on kafka.Txn.
type txnStream struct {
	txn   *kafka.Txn
	admin *kafka.Admin
	step  func(string) error
}

func (s *txnStream) NewBatch() sourceBatch { return &outBatch{} }

func (s *txnStream) Partitions(ctx context.Context, topic string) (int32, error) {
	t, err := s.admin.Topic(ctx, topic)
	return int32(len(t.Partitions)), err
}

func (s *txnStream) Partition(key []byte, n int32) int32 {
	if key == nil || n <= 1 {
		return 0
	}
	p, err := sarama.NewMurmur2Partitioner("").Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, n)
	if err != nil {
		return 0
	}
	return p
}

func (s *txnStream) Commit(ctx context.Context, b sourceBatch) error {
	if err := s.step(stepSourceBegin); err != nil {
		return err
	}
	if err := s.txn.Write(ctx, b.(*outBatch).outs, kafka.Member{}, nil); err != nil {
		return err
	}
	return s.step(stepSourceEnded)
}

func (s *txnStream) Close() error {
	_ = s.admin.Close()
	return s.txn.Close()
}

// outBatch is a sourceBatch of records as they are.
type outBatch struct {
	outs   []kafka.Out
	bytes  int64
	marked int
	open   int64 // bytes since the last Mark
}

func (b *outBatch) Append(tp kafka.TP, key, value []byte, headers []record.Header, timestamp int64) {
	hs := slices.Clone(headers)
	for i := range hs {
		hs[i].Value = slices.Clone(hs[i].Value)
	}
	b.outs = append(b.outs, kafka.Out{Topic: tp.Topic, Partition: tp.Partition, Key: slices.Clone(key), Value: slices.Clone(value), Headers: hs, Timestamp: timestamp})
	n := int64(len(key) + len(value) + 32)
	b.bytes += n
	b.open += n
}

func (b *outBatch) Tag(headers []record.Header) {
	for i := b.marked; i < len(b.outs); i++ {
		b.outs[i].Headers = append(b.outs[i].Headers, headers...)
	}
}

func (b *outBatch) Mark() { b.marked, b.open = len(b.outs), 0 }

func (b *outBatch) Drop() {
	b.outs, b.bytes, b.open = b.outs[:b.marked], b.bytes-b.open, 0
}

func (b *outBatch) Unmarked() int64 { return b.open }
func (b *outBatch) Bytes() int64    { return b.bytes }
func (b *outBatch) Records() int    { return len(b.outs) }

func (b *outBatch) Reset() {
	clear(b.outs)
	b.outs, b.bytes, b.marked, b.open = b.outs[:0], 0, 0, 0
}
