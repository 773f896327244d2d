package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/IBM/sarama"
)

// conn is a sarama client with what the parts of this package share: waits that a
// context ends, and requests that follow a coordinator or leader that moves.
type conn struct {
	client   sarama.Client
	conf     *sarama.Config
	dials    *dialer
	log      *slog.Logger
	patience time.Duration
}

// How long a request follows a moving coordinator or leader, unless ctx ends first.
const followFor = 20 * time.Second

// A topic is believed to be missing when the brokers said so this often: right after
// its creation a broker may not know it yet.
const unknownLimit = 3

// open connects. tune may change the options before.
func open(ctx context.Context, c Cluster, tune func(*sarama.Config)) (*conn, error) {
	if c.Version == "" {
		info, err := Probe(ctx, c)
		if err != nil {
			return nil, err
		}
		c.Version = info.Version
	} else if err := reach(ctx, c); err != nil {
		return nil, err
	}
	conf, err := c.Config()
	if err != nil {
		return nil, err
	}
	if tune != nil {
		tune(conf)
	}
	dials, _ := conf.Net.Proxy.Dialer.(*dialer)
	client, err := await(ctx, func() (sarama.Client, error) { return sarama.NewClient(c.Bootstrap, conf) },
		func(late sarama.Client) { late.Close() })
	if err != nil {
		dials.shut()
		return nil, fmt.Errorf("connecting to Kafka: %w", classify(err))
	}
	return &conn{client: client, conf: conf, dials: dials, log: c.logger(), patience: followFor}, nil
}

func (k *conn) close() error {
	// The connections go first: a request that waits holds the broker's lock, and
	// closing the client would wait for it.
	k.dials.shut()
	err := k.client.Close()
	if errors.Is(err, sarama.ErrClosedClient) {
		return nil
	}
	return err
}

// await runs f, which cannot be interrupted, and stops waiting for it when ctx ends.
// A result that comes later is given to discard.
func await[T any](ctx context.Context, f func() (T, error), discard func(T)) (T, error) {
	type result struct {
		v   T
		err error
	}
	var zero T
	if ctx.Err() != nil {
		return zero, context.Cause(ctx)
	}
	ch := make(chan result, 1)
	go func() {
		v, err := f()
		ch <- result{v, err}
	}()
	select {
	case r := <-ch:
		return r.v, r.err
	case <-ctx.Done():
		if discard != nil {
			go func() {
				if r := <-ch; r.err == nil {
					discard(r.v)
				}
			}()
		}
		return zero, context.Cause(ctx)
	}
}

// ready waits until b is connected and authenticated. After it returned nil, an error
// of a request may mean that the request was sent.
func (k *conn) ready(ctx context.Context, b *sarama.Broker) error {
	_, err := await(ctx, func() (struct{}, error) {
		if ok, _ := b.Connected(); ok {
			return struct{}{}, nil
		}
		if err := b.Open(k.conf); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
			return struct{}{}, err
		}
		ok, err := b.Connected()
		if !ok && err == nil {
			err = sarama.ErrNotConnected
		}
		if ok {
			err = nil
		}
		return struct{}{}, err
	}, nil)
	return err
}

// backoff grows the pauses between attempts.
type backoff struct{ pause, max time.Duration }

// wait returns false when ctx ended.
func (b *backoff) wait(ctx context.Context) bool {
	t := time.NewTimer(b.pause)
	defer t.Stop()
	b.pause = min(b.pause*2, b.max)
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// follow calls attempt with a connected broker until it does not ask to be called
// again, the time is up or ctx ends. find returns the broker, forget makes it be
// looked up anew, final names errors that end it. The last error is returned.
func (k *conn) follow(ctx context.Context, find func() (*sarama.Broker, error), forget func(),
	final func(error) bool, attempt func(*sarama.Broker) (again bool, err error)) error {
	deadline := time.Now().Add(k.patience)
	pause := backoff{20 * time.Millisecond, 500 * time.Millisecond}
	for {
		b, err := await(ctx, find, nil)
		again := err != nil
		if err == nil {
			err = k.ready(ctx, b)
			again = err != nil
		}
		if err == nil {
			again, err = attempt(b)
		}
		if err != nil {
			err = classify(err)
		}
		if !again || final(err) || errors.Is(err, ErrAuth) || errors.Is(err, ErrDenied) || time.Now().After(deadline) || k.client.Closed() {
			return err
		}
		k.log.Debug("kafka request is repeated", slog.Any("error", err))
		if !pause.wait(ctx) {
			return err
		}
		_, _ = await(ctx, func() (struct{}, error) { forget(); return struct{}{}, nil }, nil)
	}
}

// coordinate follows the coordinator of a group.
func (k *conn) coordinate(ctx context.Context, group string, attempt func(*sarama.Broker) (bool, error)) error {
	return k.follow(ctx,
		func() (*sarama.Broker, error) { return k.client.Coordinator(group) },
		func() { _ = k.client.RefreshCoordinator(group) },
		func(error) bool { return false },
		attempt)
}

// lead follows the leader of a partition. A topic that stays unknown is ErrNoTopic.
func (k *conn) lead(ctx context.Context, tp TP, attempt func(*sarama.Broker) (bool, error)) error {
	unknown := 0
	return k.follow(ctx,
		func() (*sarama.Broker, error) {
			b, err := k.client.Leader(tp.Topic, tp.Partition)
			if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
				unknown++
			}
			return b, err
		},
		func() { _ = k.client.RefreshMetadata(tp.Topic) },
		func(error) bool { return unknown >= unknownLimit },
		func(b *sarama.Broker) (bool, error) {
			again, err := attempt(b)
			if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
				unknown++
				again = true
			}
			return again, err
		})
}
