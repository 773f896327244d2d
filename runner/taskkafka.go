package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// taskKafka opens what a task says to a cluster. Package kafka is one implementation;
// the simulation of the tests, which can crash at any point, is the other.
type taskKafka interface {
	offsets(ctx context.Context) (taskOffsets, error)
	reader(ctx context.Context) (taskReader, error)
	admin(ctx context.Context) (taskAdmin, error)
	txn(ctx context.Context, id string, timeout time.Duration) (taskTxn, error)
	consumer(kafka.ConsumerOptions) (taskConsumer, error)
}

type taskOffsets interface {
	Fetch(ctx context.Context, group string, tps []kafka.TP) (map[kafka.TP]kafka.Committed, error)
	Commit(ctx context.Context, m kafka.Member, ps map[kafka.TP]kafka.Committed) error
	Heartbeat(ctx context.Context, m kafka.Member) error
	Watermarks(ctx context.Context, tps ...kafka.TP) (map[kafka.TP]kafka.Watermarks, error)
	Close() error
}

type taskReader interface {
	Fetch(ctx context.Context, tp kafka.TP, offset int64, maxBytes int32, wait time.Duration) (kafka.Page, error)
	Close() error
}

type taskAdmin interface {
	Topic(ctx context.Context, name string) (kafka.Topic, error)
	DescribeGroup(ctx context.Context, name string) (kafka.Group, error)
	Close() error
}

type taskTxn interface {
	Write(ctx context.Context, records []kafka.Out, m kafka.Member, positions map[kafka.TP]kafka.Committed) error
	Broken() bool
	Close() error
}

type taskConsumer interface {
	RunSession(ctx context.Context, h kafka.Handler) error
	Close(leave bool) error
}

// clusterKafka is taskKafka on a real cluster.
type clusterKafka struct{ c kafka.Cluster }

func (k clusterKafka) offsets(ctx context.Context) (taskOffsets, error) {
	o, err := kafka.OpenOffsets(ctx, k.c)
	if err != nil {
		return nil, err
	}
	return o, nil
}

func (k clusterKafka) reader(ctx context.Context) (taskReader, error) {
	r, err := kafka.OpenReader(ctx, k.c)
	if err != nil {
		return nil, err
	}
	return r, nil
}

func (k clusterKafka) admin(ctx context.Context) (taskAdmin, error) {
	a, err := kafka.OpenAdmin(ctx, k.c)
	if err != nil {
		return nil, err
	}
	return a, nil
}

func (k clusterKafka) txn(ctx context.Context, id string, timeout time.Duration) (taskTxn, error) {
	t, err := kafka.OpenTxn(ctx, k.c, id, timeout)
	if err != nil {
		return nil, err
	}
	return t, nil
}

func (k clusterKafka) consumer(o kafka.ConsumerOptions) (taskConsumer, error) {
	c, err := kafka.NewConsumer(k.c, o)
	if err != nil {
		return nil, err
	}
	return c, nil
}

// taskClients are the clients of one life of a task. Positions, the group's member and
// the transactional producer each have connections of their own: on a shared one a
// commit waits behind a long poll.
type taskClients struct {
	positions taskOffsets
	reader    taskReader
	admin     taskAdmin
	divert    *divertLine
	sink      connector.Sink
}

func (t *sinkTask) openClients(ctx context.Context) (_ *taskClients, err error) {
	c := &taskClients{}
	defer func() {
		if err != nil {
			c.close()
		}
	}()
	if err := c.openKafka(ctx, t.o.kafka, t.o.transactionalID()); err != nil {
		return nil, err
	}
	if c.sink, err = t.o.Spec.NewSink(ctx, t.o.Config, t.o.Deps); err != nil {
		return nil, fmt.Errorf("opening the destination: %w", err)
	}
	if p, ok := c.sink.(connector.Patient); ok {
		t.patient.Store(&p)
	}
	return c, nil
}

// openKafka opens every client at the same time: each has to find the cluster's brokers
// and the coordinators by itself.
func (c *taskClients) openKafka(ctx context.Context, k taskKafka, transactionalID string) error {
	open := func(ctx context.Context) (taskTxn, error) { return k.txn(ctx, transactionalID, transactionTimeout) }
	var positions, reader, admin, divert error
	var all sync.WaitGroup
	all.Go(func() { c.positions, positions = k.offsets(ctx) })
	all.Go(func() { c.reader, reader = k.reader(ctx) })
	all.Go(func() { c.admin, admin = k.admin(ctx) })
	all.Go(func() {
		var txn taskTxn
		if txn, divert = open(ctx); divert == nil {
			c.divert = &divertLine{open: open, txn: txn}
		}
	})
	all.Wait()
	switch {
	case positions != nil:
		return fmt.Errorf("connecting to Kafka for positions: %w", positions)
	case reader != nil:
		return fmt.Errorf("connecting to Kafka for reading: %w", reader)
	case admin != nil:
		return fmt.Errorf("connecting to Kafka: %w", admin)
	case divert != nil:
		return fmt.Errorf("opening the transactional producer: %w", divert)
	}
	return nil
}

// close closes what is open; errors of closing change nothing any more.
func (c *taskClients) close() {
	if c.sink != nil {
		_ = c.sink.Close()
	}
	if c.divert != nil {
		c.divert.close()
	}
	if c.admin != nil {
		_ = c.admin.Close()
	}
	if c.reader != nil {
		_ = c.reader.Close()
	}
	if c.positions != nil {
		_ = c.positions.Close()
	}
}

// topic looks a topic up. That it is gone is believed only when it is said three times:
// a broker that has just started may not know its topics yet.
func (c *taskClients) topic(ctx context.Context, name string) (kafka.Topic, error) {
	for attempt := 1; ; attempt++ {
		top, err := c.admin.Topic(ctx, name)
		if !errors.Is(err, kafka.ErrNoTopic) || attempt == 3 {
			return top, err
		}
		timer := time.NewTimer(300 * time.Millisecond)
		select {
		case <-ctx.Done():
			timer.Stop()
			return top, ctx.Err()
		case <-timer.C:
		}
	}
}
