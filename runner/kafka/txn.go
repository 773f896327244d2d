package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Txn writes records and a group's positions in Kafka transactions. It has a client
// of its own. Its methods may be called at the same time; transactions follow one
// another.
type Txn struct {
	mu     sync.Mutex
	w      *writer
	broken bool
}

// OpenTxn connects and calls InitProducerId, which fences whoever else uses the
// transactional id and aborts what a killed predecessor left open, positions
// included. timeout is how long a transaction may stay open until the coordinator
// aborts it (the broker allows 15 min by default). It needs brokers ≥ 0.11.
func OpenTxn(ctx context.Context, c Cluster, transactionalID string, timeout time.Duration) (*Txn, error) {
	if transactionalID == "" {
		return nil, errors.New("the transactional id is empty")
	}
	k, err := open(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	if !k.conf.Version.IsAtLeast(sarama.V0_11_0_0) {
		k.close()
		return nil, fmt.Errorf("opening transactions: %w", ErrUnsupported)
	}
	k.patience = time.Minute
	t := &Txn{w: &writer{conn: k, transactionalID: &transactionalID}}
	if err := t.w.initProducer(ctx, timeout); err != nil {
		k.close()
		return nil, fmt.Errorf("opening transactions of %s: %w", transactionalID, err)
	}
	return t, nil
}

// Broken tells whether Write failed: this Txn is of no more use, open a new one.
func (t *Txn) Broken() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.broken
}

// Close ends the client. A transaction that is open stays so until the next OpenTxn
// with the same id or until its timeout.
func (t *Txn) Close() error { return t.w.close() }

// Write puts records and positions into one transaction and commits it: readers with
// read_committed see all of it or nothing. With positions m says whose they are; its
// id, generation and instance id fence the transaction (brokers ≥ 2.5).
//
//   - ErrUnanswered: the commit was asked for and it is not known whether it took
//     place. Join the group anew and read the positions.
//   - ErrRebalance, ErrFenced (ErrProducerFenced when it is not m): m or this producer
//     is stale. Nothing became visible, unless the error is also ErrUnanswered.
//   - ErrMessageTooLarge, ErrNoTopic, ErrDenied and others: nothing became visible.
//
// After any error the Txn is broken.
func (t *Txn) Write(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.broken {
		return errors.New("the transactional producer is broken by an earlier error: open a new one")
	}
	if len(records) == 0 && len(positions) == 0 {
		return nil
	}
	if len(positions) > 0 && m.Group == "" {
		return errors.New("positions without a consumer group cannot be part of a transaction")
	}
	if err := t.write(ctx, records, m, positions); err != nil {
		t.broken = true
		return fmt.Errorf("transaction of %s: %w", *t.w.transactionalID, err)
	}
	return nil
}

func (t *Txn) write(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	err := t.fill(ctx, records, m, positions)
	if err == nil {
		return t.w.end(ctx, true)
	}
	if answered(err) {
		t.w.abort(ctx, err)
	}
	return err
}

// abortFor bounds the wait for an abort, which only spares readers a wait.
const abortFor = time.Second

// abort ends a transaction that failed with err. Nothing of it can become visible any
// more. When the broker answered everything, nothing of ours is under way and the
// abort frees readers at once; otherwise it must not be called: late bytes could
// follow the abort, and the epoch that InitProducerId raises keeps them out.
func (w *writer) abort(ctx context.Context, err error) {
	if errors.Is(err, ErrProducerFenced) {
		return
	}
	abort, stop := context.WithTimeout(context.WithoutCancel(ctx), abortFor)
	defer stop()
	_ = w.end(abort, false)
}

// fill does everything before the end of the transaction.
func (t *Txn) fill(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	placed, order, err := t.w.place(ctx, records)
	if err != nil {
		return err
	}
	if err := t.w.enlist(ctx, order); err != nil {
		return fmt.Errorf("adding partitions: %w", err)
	}
	for _, tp := range order {
		if _, err := t.w.write(ctx, tp, placed[tp]); err != nil {
			return err
		}
	}
	if len(positions) == 0 {
		return nil
	}
	if err := t.enlistGroup(ctx, m.Group); err != nil {
		return fmt.Errorf("adding group %s: %w", m.Group, err)
	}
	if err := t.offer(ctx, m, positions); err != nil {
		return fmt.Errorf("adding positions of group %s: %w", m.Group, err)
	}
	return nil
}

// outdate aborts a transaction of which something may still be under way: it asks for
// the next epoch of this producer, and what arrives late has the old one. Without it
// readers would wait until the transaction times out, if nobody opens the next producer
// soon. A producer that is not the newest any more is refused (KIP-360, brokers ≥ 2.5),
// so that nobody else is fenced.
func (w *writer) outdate(ctx context.Context, err error) {
	if errors.Is(err, ErrProducerFenced) || initProducerVersion(w.conf.Version) < 3 {
		return
	}
	w.dials.breakAll() // a request that waits for a silent broker is in the way
	short, stop := context.WithTimeout(context.WithoutCancel(ctx), abortFor)
	defer stop()
	_ = w.coordinateTxn(short, func(b *sarama.Broker) (bool, error) {
		req := &sarama.InitProducerIDRequest{
			Version: initProducerVersion(w.conf.Version), TransactionalID: w.transactionalID,
			TransactionTimeout: w.timeout, ProducerID: w.id, ProducerEpoch: w.epoch,
		}
		r, err := await(short, func() (*sarama.InitProducerIDResponse, error) { return b.InitProducerID(req) }, nil)
		if err == nil && r.Err != sarama.ErrNoError {
			return moved(r.Err) || leaderMoved(r.Err) || r.Err == sarama.ErrConcurrentTransactions, r.Err
		}
		return err != nil, err
	})
}

// txnAgain tells whether a coordinator's answer is worth asking again.
func txnAgain(e sarama.KError) bool {
	return moved(e) || leaderMoved(e) || e == sarama.ErrConcurrentTransactions || e == sarama.ErrUnknownTopicOrPartition
}

// enlist adds partitions to the transaction, which begins it.
func (w *writer) enlist(ctx context.Context, tps []TP) error {
	if len(tps) == 0 {
		return nil
	}
	for _, tp := range tps { // a topic that does not exist is answered by metadata, not by retries
		if _, err := await(ctx, func() (*sarama.Broker, error) { return w.client.Leader(tp.Topic, tp.Partition) }, nil); errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			return fmt.Errorf("%s/%d: %w", tp.Topic, tp.Partition, classify(err))
		}
	}
	return w.coordinateTxn(ctx, func(b *sarama.Broker) (bool, error) {
		req := &sarama.AddPartitionsToTxnRequest{
			Version: txnVersion(w.conf.Version), TransactionalID: *w.transactionalID,
			ProducerID: w.id, ProducerEpoch: w.epoch, TopicPartitions: byTopic(tps),
		}
		r, err := await(ctx, func() (*sarama.AddPartitionsToTxnResponse, error) { return b.AddPartitionsToTxn(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		return partitionAnswer(r.Errors)
	})
}

// partitionAnswer is the worst of several partitions' errors: one that is final, or
// one that is worth another attempt.
func partitionAnswer(topics map[string][]*sarama.PartitionError) (bool, error) {
	var again error
	for topic, ps := range topics {
		for _, p := range ps {
			switch {
			case p.Err == sarama.ErrNoError:
			case p.Err == sarama.ErrOperationNotAttempted: // another partition's error is the reason
				if again == nil {
					again = p.Err
				}
			case txnAgain(p.Err):
				again = fmt.Errorf("%s/%d: %w", topic, p.Partition, p.Err)
			default:
				return false, fmt.Errorf("%s/%d: %w", topic, p.Partition, p.Err)
			}
		}
	}
	return again != nil, again
}

func (t *Txn) enlistGroup(ctx context.Context, group string) error {
	return t.w.coordinateTxn(ctx, func(b *sarama.Broker) (bool, error) {
		req := &sarama.AddOffsetsToTxnRequest{
			Version: txnVersion(t.w.conf.Version), TransactionalID: *t.w.transactionalID,
			ProducerID: t.w.id, ProducerEpoch: t.w.epoch, GroupID: group,
		}
		r, err := await(ctx, func() (*sarama.AddOffsetsToTxnResponse, error) { return b.AddOffsetsToTxn(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		if r.Err != sarama.ErrNoError {
			return txnAgain(r.Err), r.Err
		}
		return false, nil
	})
}

// offer sends the positions, pending until the transaction ends. Sending them again is
// harmless: they are part of this transaction only.
func (t *Txn) offer(ctx context.Context, m Member, positions map[TP]Committed) error {
	return t.w.coordinate(ctx, m.Group, func(b *sarama.Broker) (bool, error) {
		req := txnCommitRequest(t.w.conf.Version, m, positions)
		req.TransactionalID, req.ProducerID, req.ProducerEpoch = *t.w.transactionalID, t.w.id, t.w.epoch
		r, err := await(ctx, func() (*sarama.TxnOffsetCommitResponse, error) { return b.TxnOffsetCommit(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		return partitionAnswer(r.Topics)
	})
}

func txnCommitRequest(v sarama.KafkaVersion, m Member, positions map[TP]Committed) *sarama.TxnOffsetCommitRequest {
	req := &sarama.TxnOffsetCommitRequest{
		Version: txnCommitVersion(v), GroupID: m.Group, GenerationID: sarama.GroupGenerationUndefined,
		Topics: make(map[string][]*sarama.PartitionOffsetMetadata),
	}
	if req.Version >= 3 && m.ID != "" {
		req.MemberID, req.GenerationID = m.ID, m.Generation
		if m.InstanceID != "" {
			req.GroupInstanceID = &m.InstanceID
		}
	}
	for tp, c := range positions {
		req.Topics[tp.Topic] = append(req.Topics[tp.Topic], &sarama.PartitionOffsetMetadata{
			Partition: tp.Partition, Offset: c.Offset, LeaderEpoch: -1, Metadata: &c.Metadata,
		})
	}
	return req
}

// end commits or aborts. A commit that was sent and not answered well is ErrUnanswered:
// asking again is allowed (the coordinator answers alike for a transaction that it has
// committed) but the search for a good answer may fail.
func (w *writer) end(ctx context.Context, commit bool) error {
	doubtful := false
	err := w.coordinateTxn(ctx, func(b *sarama.Broker) (bool, error) {
		req := &sarama.EndTxnRequest{
			Version: txnVersion(w.conf.Version), TransactionalID: *w.transactionalID,
			ProducerID: w.id, ProducerEpoch: w.epoch, TransactionResult: commit,
		}
		r, err := await(ctx, func() (*sarama.EndTxnResponse, error) { return b.EndTxn(req) }, nil)
		if err != nil {
			doubtful = doubtful || !unsent(err)
			return ctx.Err() == nil, err
		}
		if r.Err == sarama.ErrNoError {
			return false, nil
		}
		// Only "not me" and "still loading" prove that nothing was begun.
		again := txnAgain(r.Err)
		if again && r.Err != sarama.ErrNotCoordinatorForConsumer && r.Err != sarama.ErrOffsetsLoadInProgress {
			doubtful = true
		}
		return again, r.Err
	})
	if err != nil && commit && doubtful {
		return fmt.Errorf("%w: %w", ErrUnanswered, err)
	}
	return err
}
