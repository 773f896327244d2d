package runner

import (
	"context"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// keepAliveEvery is how often a suspended connector joins its group. Brokers keep an
	// empty group's positions for seven days by default (offsets.retention.minutes).
	keepAliveEvery = 24 * time.Hour
	// keepAliveFirst is how long after the start of a process it joins for the first
	// time: a process that is restarted every night must join too.
	keepAliveFirst = 5 * time.Minute
)

// keepAlive calls join after first and then every so often, until ctx ends.
func keepAlive(ctx context.Context, first, every time.Duration, join func(context.Context)) {
	timer := time.NewTimer(first)
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
			join(ctx)
			timer.Reset(every)
		}
	}
}

// idle keeps the group of a suspended connector alive: a member joins once a day.
func (r *run) idle(ctx context.Context, sub *subject) error {
	r.mu.Lock()
	r.row, r.sub = sub.row, sub
	r.mu.Unlock()
	r.set(idleState(sub.row.Desired), "", "")
	if sub.spec.Kind == connector.KindSource { // no group holds its position
		<-ctx.Done()
		return nil
	}
	keepAlive(ctx, keepAliveFirst, keepAliveEvery, func(ctx context.Context) {
		if err := joinBriefly(ctx, sub); err != nil && ctx.Err() == nil {
			r.log(LogWarn, -1, "The suspended connector could not join its group; its position may expire.", map[string]string{"error": err.Error()})
		}
	})
	return nil
}

// joinBriefly joins the group and leaves it: an empty group's offsets expire, a
// membership starts the time anew.
func joinBriefly(ctx context.Context, sub *subject) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := kafka.NewConsumer(sub.cluster, kafka.ConsumerOptions{Group: sub.names.group, Topics: sub.config.List(connector.KeyTopics), SessionTimeout: defaultSessionTimeout})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", sub.names.group, err)
	}
	defer c.Close(true)
	joined := &briefMember{cancel: cancel}
	if err := c.RunSession(ctx, joined); err != nil && !joined.joined {
		return fmt.Errorf("joining group %s: %w", sub.names.group, err)
	}
	return nil
}

type briefMember struct {
	joined bool
	cancel context.CancelFunc
}

func (b *briefMember) Setup(kafka.Session) error {
	b.joined = true
	b.cancel()
	return nil
}

func (b *briefMember) Consume(s kafka.Session, _ kafka.Claim) error {
	<-s.Context().Done()
	return nil
}

func (b *briefMember) Cleanup(kafka.Session) error { return nil }
