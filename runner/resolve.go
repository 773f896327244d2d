package runner

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// resolveAttempts bounds the attempts on a destination that is away, when a stopped
// connector is about to be removed or moved.
const resolveAttempts = 3

// resolveIntents settles every intent that stands in the metadata of the group of a
// connector whose tasks are stopped, as a member of the empty group. It returns a
// sentence for each that stays. With force it tries only once.
func resolveIntents(ctx context.Context, o taskOptions, tps []kafka.TP, force bool) (pending []string, err error) {
	o = o.withDefaults()
	c := &taskClients{}
	defer c.close()
	if err := c.openKafka(ctx, o.kafka, o.transactionalID()); err != nil {
		return nil, err
	}
	group := o.Config.Get(connector.KeyGroup)
	at, err := c.positions.Fetch(ctx, group, tps)
	if err != nil {
		return nil, fmt.Errorf("reading positions of group %s: %w", group, err)
	}
	for _, tp := range tps {
		h, in, err := decodeMetadata(at[tp].Metadata)
		if err != nil || in == nil {
			continue // nothing of ours is pending
		}
		in.Topic, in.Partition = tp.Topic, tp.Partition
		if c.sink == nil {
			if c.sink, err = o.Spec.NewSink(ctx, o.Config, o.Deps); err != nil {
				err = fmt.Errorf("opening the destination: %w", err)
			}
		}
		if err == nil {
			err = resolveOne(ctx, &o, c, kafka.Member{Group: group}, tp, h, in, force)
		}
		if err != nil {
			pending = append(pending, fmt.Sprintf("offsets %d to %d of %s/%d: %s", in.First, in.Next-1, tp.Topic, tp.Partition, sentence(err)))
		}
		if ctx.Err() != nil {
			return pending, ctx.Err()
		}
	}
	return pending, nil
}

// resolveOne settles one intent. The commit of what is committed already proves that
// the group is empty, and begins the lease.
func resolveOne(ctx context.Context, o *taskOptions, c *taskClients, m kafka.Member, tp kafka.TP, h header, in *connector.Intent, force bool) error {
	top, err := c.topic(ctx, tp.Topic)
	if err == nil && top.ID != "" && h.TopicID != "" && top.ID != h.TopicID {
		err = errors.New("the topic was deleted and made again")
	}
	if err != nil {
		return err
	}
	commits := &fencedCommits{o: o, positions: c.positions, divert: c.divert, member: m, lease: newLease(o.clock, o.SessionTimeout)}
	attempts := resolveAttempts
	if force {
		attempts = 1
	}
	s := &settler{o: o, commits: commits, reader: c.reader, sink: c.sink, tp: tp}
	s.persist = func(ctx context.Context, _ int, act func() error) error {
		var pause retryPause
		for attempt := 1; ; attempt++ {
			err := act()
			if err == nil || attempt >= attempts || !passes(err) {
				return err
			}
			if !wait(ctx, pause.next(0)) {
				return context.Cause(ctx)
			}
			if err := s.confirm(ctx, h, in); err != nil {
				return err
			}
		}
	}
	if err := o.Faults.at(stepResolvedAdmin, tp); err != nil {
		return &abortError{err}
	}
	if err := s.confirm(ctx, h, in); err != nil {
		return err
	}
	_, err = s.settle(ctx, h, in)
	return err
}

// confirm commits what stands already, which renews the lease.
func (s *settler) confirm(ctx context.Context, h header, in *connector.Intent) error {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	return s.commits.commit(ctx, s.tp, in.First, h, in, nil)
}
