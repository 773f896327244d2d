package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// sourceClients are the clients of one life of a source task.
type sourceClients struct {
	stream  sourceStream
	offsets taskOffsets
	reader  taskReader
}

// openSource opens every client at the same time. The transactional producer fences
// whoever had its id and ends the transaction that a killed process left open.
func openSource(ctx context.Context, o *sourceOptions, step func(string) error) (*sourceClients, error) {
	c := &sourceClients{}
	var stream, offsets, reader error
	var all sync.WaitGroup
	all.Go(func() { c.stream, stream = o.kafka.stream(ctx, o.streamOptions(step)) })
	all.Go(func() { c.offsets, offsets = o.kafka.offsets(ctx) })
	all.Go(func() { c.reader, reader = o.kafka.reader(ctx) })
	all.Wait()
	if err := errors.Join(stream, offsets, reader); err != nil {
		c.close()
		if errors.Is(stream, kafka.ErrUnsupported) {
			return nil, &connector.WrongError{Err: fmt.Errorf("the brokers are too old for transactions: %w", stream),
				Remedy: "Upgrade the brokers (0.11 at least; 2.1 for compression zstd), or choose another instance."}
		}
		if stream != nil {
			return nil, fmt.Errorf("opening the transactional producer: %w", stream)
		}
		return nil, fmt.Errorf("connecting to Kafka: %w", cmp.Or(offsets, reader))
	}
	return c, nil
}

// load reads what the connector has saved: errNoState, a *damagedState.
func (c *sourceClients) load(ctx context.Context, o *sourceOptions, stuck func(cause, remedy string)) (*sourceState, error) {
	log := &stateLog{tp: kafka.TP{Topic: o.OffsetTopic, Partition: statePartition}, offsets: c.offsets, reader: c.reader, stuck: stuck}
	found, err := log.read(ctx)
	if err != nil {
		return nil, err
	}
	return stateOf(found, o.Connector.UUID, o.Connector.Name, o.OffsetTopic, o.ConfigTopic)
}

func (c *sourceClients) close() {
	if c.stream != nil {
		_ = c.stream.Close()
	}
	if c.offsets != nil {
		_ = c.offsets.Close()
	}
	if c.reader != nil {
		_ = c.reader.Close()
	}
}
