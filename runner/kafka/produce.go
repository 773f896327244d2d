package kafka

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/record"
)

// Out is a record to be written.
type Out struct {
	Topic string
	// Partition -1 means: by the hash of the key as Kafka's own client does (murmur2),
	// any for a nil key.
	Partition  int32
	Key, Value []byte // nil is Kafka's null
	Headers    []record.Header
	// Timestamp is in milliseconds since the Unix epoch; 0 means now.
	Timestamp int64
}

// batchBytes is where a batch is cut: below the 1,048,588 bytes that a topic takes by
// default. A larger record goes alone, and the broker decides.
const batchBytes = 900 << 10

// writer sends batches to leaders with a producer's sequence numbers, so that a batch
// whose answer was lost can be sent again without doubling. sarama's own producer is
// not used: it has one size limit for all topics, refuses larger records by itself,
// and does not tell a transaction that ended unknown from one that failed. A writer
// is for one goroutine.
type writer struct {
	*conn
	transactionalID *string
	timeout         time.Duration // of transactions
	id              int64         // -1: not idempotent
	epoch           int16
	sequence        map[TP]int32
}

// initProducer asks for a producer id. coordinator is nil for one without transactions.
func (w *writer) initProducer(ctx context.Context, timeout time.Duration) error {
	w.sequence, w.timeout = make(map[TP]int32), timeout
	attempt := func(b *sarama.Broker) (bool, error) {
		req := &sarama.InitProducerIDRequest{
			Version: initProducerVersion(w.conf.Version), TransactionalID: w.transactionalID,
			TransactionTimeout: timeout, ProducerID: -1, ProducerEpoch: -1,
		}
		r, err := await(ctx, func() (*sarama.InitProducerIDResponse, error) { return b.InitProducerID(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		if r.Err != sarama.ErrNoError {
			return moved(r.Err) || leaderMoved(r.Err) || r.Err == sarama.ErrConcurrentTransactions, r.Err
		}
		w.id, w.epoch = r.ProducerID, r.ProducerEpoch
		return false, nil
	}
	if w.transactionalID != nil {
		return w.coordinateTxn(ctx, attempt)
	}
	return w.anyBroker(ctx, attempt)
}

// anyBroker asks whichever broker answers.
func (w *writer) anyBroker(ctx context.Context, attempt func(*sarama.Broker) (bool, error)) error {
	return w.follow(ctx, func() (*sarama.Broker, error) {
		if b := w.client.LeastLoadedBroker(); b != nil {
			return b, nil
		}
		return nil, sarama.ErrOutOfBrokers
	}, func() {}, never, attempt)
}

func never(error) bool { return false }

// coordinateTxn follows the coordinator of the transactional id.
func (w *writer) coordinateTxn(ctx context.Context, attempt func(*sarama.Broker) (bool, error)) error {
	id := *w.transactionalID
	concurrent := false
	return w.follow(ctx,
		func() (*sarama.Broker, error) { return w.client.TransactionCoordinator(id) },
		func() {
			if !concurrent {
				_ = w.client.RefreshTransactionCoordinator(id)
			}
		}, never,
		func(b *sarama.Broker) (bool, error) {
			pause := backoff{500 * time.Microsecond, 2 * time.Millisecond}
			for n := 0; ; n++ {
				again, err := attempt(b)
				// The coordinator still finishes the last transaction: that takes a few
				// milliseconds, and the pauses of a broker that is away are too long for it.
				concurrent = errors.Is(err, sarama.ErrConcurrentTransactions)
				if !concurrent || n > 50 || !pause.wait(ctx) {
					return again, err
				}
			}
		})
}

// place decides the partition of every record that leaves it open.
func (w *writer) place(ctx context.Context, outs []Out) (map[TP][]Out, []TP, error) {
	placed := make(map[TP][]Out)
	var order []TP
	counts := make(map[string]int32)
	for _, o := range outs {
		tp := TP{o.Topic, o.Partition}
		if o.Partition < 0 {
			n, ok := counts[o.Topic]
			if !ok {
				ps, err := await(ctx, func() ([]int32, error) { return w.client.Partitions(o.Topic) }, nil)
				if err != nil {
					return nil, nil, fmt.Errorf("topic %s: %w", o.Topic, classify(err))
				}
				n = int32(len(ps))
				counts[o.Topic] = n
			}
			p, err := partitionOf(o.Key, n)
			if err != nil {
				return nil, nil, fmt.Errorf("topic %s: %w", o.Topic, err)
			}
			tp.Partition = p
		}
		if _, ok := placed[tp]; !ok {
			order = append(order, tp)
		}
		placed[tp] = append(placed[tp], o)
	}
	return placed, order, nil
}

// partitionOf is the partition of a key among n.
func partitionOf(key []byte, n int32) (int32, error) {
	if n <= 0 {
		return 0, ErrNoTopic
	}
	if key == nil {
		return rand.Int32N(n), nil
	}
	return sarama.NewMurmur2Partitioner("").Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, n)
}

// write sends outs to tp in order and returns the offset of the first, -1 when the
// broker does not tell it.
func (w *writer) write(ctx context.Context, tp TP, outs []Out) (int64, error) {
	first := int64(-1)
	for begin := 0; begin < len(outs); {
		end, size := begin+1, outSize(&outs[begin])
		for end < len(outs) && size+outSize(&outs[end]) <= batchBytes {
			size += outSize(&outs[end])
			end++
		}
		offset, err := w.split(ctx, tp, outs[begin:end])
		if err != nil {
			return -1, fmt.Errorf("writing to %s/%d: %w", tp.Topic, tp.Partition, err)
		}
		if begin == 0 {
			first = offset
		}
		begin = end
	}
	return first, nil
}

// split sends a batch, in halves when the topic takes only smaller ones.
func (w *writer) split(ctx context.Context, tp TP, outs []Out) (int64, error) {
	offset, err := w.batch(ctx, tp, outs)
	if !errors.Is(err, ErrMessageTooLarge) || len(outs) == 1 {
		return offset, err
	}
	half := len(outs) / 2
	if offset, err = w.split(ctx, tp, outs[:half]); err != nil {
		return -1, err
	}
	_, err = w.split(ctx, tp, outs[half:])
	return offset, err
}

// batch sends one batch until it is answered.
func (w *writer) batch(ctx context.Context, tp TP, outs []Out) (int64, error) {
	offset, sent := int64(-1), false
	err := w.lead(ctx, tp, func(b *sarama.Broker) (bool, error) {
		req := w.request(tp, outs)
		r, err := await(ctx, func() (*sarama.ProduceResponse, error) { return b.Produce(req) }, nil)
		if err != nil {
			sent = sent || !unsent(err)
			// Without sequence numbers another attempt could double the records.
			return ctx.Err() == nil && (w.id >= 0 || !sent), err
		}
		block := r.GetBlock(tp.Topic, tp.Partition)
		switch {
		case block == nil:
			return false, sarama.ErrIncompleteResponse
		case block.Err == sarama.ErrNoError:
			offset = block.Offset
			return false, nil
		case block.Err == sarama.ErrDuplicateSequenceNumber:
			return false, nil // an earlier attempt was taken
		}
		return leaderMoved(block.Err) && (w.id >= 0 || !mayHaveTaken(block.Err)), block.Err
	})
	if err == nil && w.id >= 0 {
		w.sequence[tp] = addSequence(w.sequence[tp], int32(len(outs)))
	}
	return offset, err
}

// mayHaveTaken tells whether a broker that answers so may have written all the same.
func mayHaveTaken(err error) bool {
	return errors.Is(err, sarama.ErrRequestTimedOut) || errors.Is(err, sarama.ErrNotEnoughReplicasAfterAppend) || errors.Is(err, sarama.ErrNetworkException)
}

func outSize(o *Out) int {
	n := len(o.Key) + len(o.Value) + 40
	for i := range o.Headers {
		n += len(o.Headers[i].Key) + len(o.Headers[i].Value) + 10
	}
	return n
}

// request makes the produce request of one batch.
func (w *writer) request(tp TP, outs []Out) *sarama.ProduceRequest {
	req := &sarama.ProduceRequest{
		Version: produceVersion(w.conf.Version), TransactionalID: w.transactionalID,
		RequiredAcks: sarama.WaitForAll, Timeout: int32(requestTimeout / 2 / time.Millisecond),
	}
	now := time.Now()
	when := func(o *Out) time.Time {
		if o.Timestamp <= 0 {
			return now
		}
		return time.UnixMilli(o.Timestamp)
	}
	if req.Version < 3 { // brokers below 0.11 know neither batches nor headers
		for i := range outs {
			req.AddMessage(tp.Topic, tp.Partition, &sarama.Message{Version: 1, Key: outs[i].Key, Value: outs[i].Value, Timestamp: when(&outs[i])})
		}
		return req
	}
	batch := &sarama.RecordBatch{
		Version: 2, ProducerID: w.id, ProducerEpoch: w.epoch, FirstSequence: w.sequence[tp],
		IsTransactional: w.transactionalID != nil, LastOffsetDelta: int32(len(outs) - 1),
		FirstTimestamp: when(&outs[0]), MaxTimestamp: when(&outs[0]), Records: make([]*sarama.Record, len(outs)),
	}
	if w.id < 0 {
		batch.ProducerEpoch, batch.FirstSequence = -1, -1
	}
	for i := range outs {
		o, at := &outs[i], when(&outs[i])
		if at.After(batch.MaxTimestamp) {
			batch.MaxTimestamp = at
		}
		r := &sarama.Record{
			Key: o.Key, Value: o.Value, OffsetDelta: int64(i),
			TimestampDelta: time.Duration(at.UnixMilli()-batch.FirstTimestamp.UnixMilli()) * time.Millisecond,
		}
		for _, h := range o.Headers {
			r.Headers = append(r.Headers, &sarama.RecordHeader{Key: []byte(h.Key), Value: h.Value})
		}
		batch.Records[i] = r
	}
	req.AddBatch(tp.Topic, tp.Partition, batch)
	return req
}
