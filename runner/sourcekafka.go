package runner

import (
	"context"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// sourceKafka opens what a source task says to a cluster. Package kafka is one
// implementation, the simulation of the tests the other.
type sourceKafka interface {
	stream(ctx context.Context, o streamOptions) (sourceStream, error)
	offsets(ctx context.Context) (taskOffsets, error)
	reader(ctx context.Context) (taskReader, error)
}

type streamOptions struct {
	id          string // transactional
	compression string // "": lz4
	step        func(step string) error
}

// sourceStream writes one transaction after the other.
type sourceStream interface {
	NewBatch() sourceBatch
	Partitions(ctx context.Context, topic string) (int32, error)
	MaxMessageBytes(ctx context.Context, topic string) (int, error)
	Partition(key []byte, n int32) int32
	// Commit makes a batch visible, whole. After an error the stream is of no more use.
	Commit(ctx context.Context, b sourceBatch) error
	Close() error
}

// sourceBatch collects a transaction's records. Tag and Drop reach what was appended since
// the last Mark.
type sourceBatch interface {
	Append(tp kafka.TP, key, value []byte, headers []record.Header, timestamp int64)
	Tag(headers []record.Header)
	Mark()
	Drop()
	Unmarked() int64
	Bytes() int64
	Records() int
	Reset()
}

var _ sourceBatch = (*kafka.Batch)(nil)

const (
	sourceTransactionTimeout = 30 * time.Second
	defaultCompression       = "lz4"
)

func (k clusterKafka) stream(ctx context.Context, o streamOptions) (sourceStream, error) {
	if o.compression == "" {
		o.compression = defaultCompression
	}
	s, err := kafka.OpenStream(ctx, k.c, kafka.StreamOptions{
		TransactionalID: o.id, Timeout: sourceTransactionTimeout, Compression: o.compression,
		Step: func(step string) error { return o.step(sourceStep + step) },
	})
	if err != nil {
		return nil, err
	}
	return clusterStream{s}, nil
}

// clusterStream is a kafka.Stream as the task sees it.
type clusterStream struct{ *kafka.Stream }

func (s clusterStream) NewBatch() sourceBatch { return s.Stream.NewBatch() }

func (s clusterStream) Commit(ctx context.Context, b sourceBatch) error {
	return s.Stream.Commit(ctx, b.(*kafka.Batch))
}
