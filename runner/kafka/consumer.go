package kafka

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Group timing. A member that does not come back within rebalanceTimeout of a
// rebalance loses its partitions; a join may be answered that late, so the client's
// read timeout is above it.
const (
	defaultSessionTimeout = 10 * time.Second
	heartbeatEvery        = 3 * time.Second
	rebalanceTimeout      = 20 * time.Second
	// Members that join at the same time meet each other's rebalances: who is told so
	// joins again soon (sarama's own pause of 2 s would be the time a connector takes to
	// start), for as long as sarama would try.
	joinAgainAfter = 50 * time.Millisecond
	joinAgainMost  = 160
	// messagesBuffered is how many records sarama holds ready for one partition, and
	// for all partitions of a client where there are many. Each keeps the answer in
	// memory that it came with.
	messagesBuffered    = 256
	allMessagesBuffered = 2048
	leastBuffered       = 16
	// A partition's share of a fetch is between these, in bytes.
	leastFetch, mostFetch = 16 << 10, 1 << 20
	// breakGrace is how long what sarama does may go on after the end of a session's
	// context before its connection is broken: a little longer than a fetch waits.
	breakGrace = 600 * time.Millisecond
	// leaveTimeout bounds the good-bye of a static member.
	leaveTimeout = 3 * time.Second
)

// Consumer is one member of a consumer group, with a client of its own. It never
// marks or commits positions: see Offsets.
type Consumer struct {
	cluster Cluster
	opts    ConsumerOptions
	log     *slog.Logger

	mu     sync.Mutex // guards k, group, closed and running
	k      *conn
	group  sarama.ConsumerGroup
	closed bool
	// running is closed when the current RunSession has returned.
	running chan struct{}
	cancel  context.CancelCauseFunc
}

// errClosed is what a closed Consumer answers.
var errClosed = errors.New("the consumer is closed")

// NewConsumer checks the options. It connects in RunSession.
func NewConsumer(c Cluster, o ConsumerOptions) (*Consumer, error) {
	switch {
	case o.Group == "":
		return nil, errors.New("the consumer group has no name")
	case len(o.Topics) == 0:
		return nil, fmt.Errorf("consumer group %s: no topic is given", o.Group)
	case len(o.InstanceID) >= maxInstanceIDBytes || o.InstanceID != "" && !sarama.GROUP_INSTANCE_ID_REGEXP.MatchString(o.InstanceID):
		return nil, fmt.Errorf("group instance id %q: at most 249 letters, digits, dots, hyphens and underscores", o.InstanceID)
	case o.SessionTimeout != 0 && o.SessionTimeout < time.Second:
		return nil, fmt.Errorf("session timeout %s is below one second", o.SessionTimeout)
	}
	if o.SessionTimeout == 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	if o.FetchBytes <= 0 {
		o.FetchBytes = c.FetchBytes
	}
	if o.FetchBytes <= 0 {
		o.FetchBytes = defaultFetchBytes
	}
	return &Consumer{cluster: c, opts: o, log: c.logger().With(slog.String("group", o.Group))}, nil
}

// tune sets what a group consumer needs.
func (c *Consumer) tune(conf *sarama.Config) {
	g := &conf.Consumer
	g.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	g.Group.Session.Timeout = c.opts.SessionTimeout
	g.Group.Heartbeat.Interval = min(heartbeatEvery, c.opts.SessionTimeout/3)
	g.Group.Rebalance.Timeout = rebalanceTimeout
	g.Group.Rebalance.Retry.Backoff = joinAgainAfter
	g.Group.Rebalance.Retry.Max = joinAgainMost
	g.Group.ResetInvalidOffsets = true
	if conf.Version.IsAtLeast(sarama.V2_3_0_0) {
		g.Group.InstanceId = c.opts.InstanceID
	}
	g.Offsets.Initial = sarama.OffsetOldest
	g.Offsets.AutoCommit.Enable = false
	g.IsolationLevel = sarama.ReadCommitted
	if !conf.Version.IsAtLeast(sarama.V0_11_0_0) {
		g.IsolationLevel = sarama.ReadUncommitted // there are no transactions
	}
	g.Return.Errors = true
	g.Fetch.Min = 1
	g.Fetch.Default = c.share(1)
	g.Fetch.MaxBytes = c.opts.FetchBytes
	conf.ChannelBufferSize = messagesBuffered
	conf.Net.ReadTimeout = rebalanceTimeout + 10*time.Second
}

// share is what one of n partitions may fetch at once, so that all together stay
// near FetchBytes when none of them is drained.
func (c *Consumer) share(n int) int32 {
	return min(max(c.opts.FetchBytes/int32(max(n, 1)), leastFetch), mostFetch)
}

// ahead is how many records are held ready for one of n partitions.
func ahead(n int) int {
	return min(max(allMessagesBuffered/max(n, 1), leastBuffered), messagesBuffered)
}

// connect opens the client and the group once.
func (c *Consumer) connect(ctx context.Context) (sarama.ConsumerGroup, *conn, error) {
	c.mu.Lock()
	group, k := c.group, c.k
	c.mu.Unlock()
	if group != nil {
		return group, k, nil
	}
	k, err := open(ctx, c.cluster, c.tune)
	if err != nil {
		return nil, nil, err
	}
	if err := k.conf.Validate(); err != nil {
		k.close()
		return nil, nil, fmt.Errorf("consumer group %s: %w", c.opts.Group, err)
	}
	group, err = sarama.NewConsumerGroupFromClient(c.opts.Group, k.client)
	if err != nil {
		k.close()
		return nil, nil, fmt.Errorf("opening consumer group %s: %w", c.opts.Group, classify(err))
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		k.close()
		return nil, nil, errClosed
	}
	c.group, c.k = group, k
	go func() {
		for err := range group.Errors() {
			c.log.Warn("kafka consumer", slog.Any("error", err))
		}
	}()
	return group, k, nil
}

// RunSession joins the group and runs one generation with h. It returns
//
//   - ErrRebalance when the generation ended as generations do: call it again;
//   - ctx's cause when ctx ended, ErrFenced when another member took the instance id;
//   - h's error when Setup or Consume failed;
//   - otherwise what went wrong, classified (ErrAuth, ErrDenied, ErrNoTopic, or the
//     network's error).
//
// It returns after Cleanup did. When ctx ends while sarama waits for a broker, which
// cannot be interrupted, the connection is broken: without the handler's own time it
// returns within about 3 s. Only one session runs at a time.
//
// While a broker is silent (nothing refused, nothing answered) sarama takes a minute
// and more to end a session: who needs to know earlier sends heartbeats of its own
// (Offsets.Heartbeat) and ends ctx. After ErrFenced and after a commit that was
// ErrUnanswered close this Consumer and make a new one, which joins with a new member
// id; this one would join with the old.
func (c *Consumer) RunSession(ctx context.Context, h Handler) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	c.mu.Lock()
	if c.closed || c.running != nil {
		defer c.mu.Unlock()
		if c.closed {
			return errClosed
		}
		return fmt.Errorf("consumer group %s: a session runs already", c.opts.Group)
	}
	c.running, c.cancel = done, cancel
	c.mu.Unlock()
	defer func() {
		c.mu.Lock()
		c.running, c.cancel = nil, nil
		c.mu.Unlock()
		close(done)
	}()
	group, k, err := c.connect(ctx)
	if err != nil {
		return err
	}
	b := &bridge{consumer: c, group: group, conf: k.conf, handler: h}
	over := make(chan struct{})
	go c.breakOff(ctx, b, k, over)
	err = group.Consume(ctx, c.opts.Topics, b)
	close(over)
	return b.outcome(ctx, err)
}

// breakOff ends what sarama still does after ctx ended: a join, or a fetch or heartbeat
// that waits for a silent broker. It leaves the handler the time that it takes.
func (c *Consumer) breakOff(ctx context.Context, b *bridge, k *conn, over <-chan struct{}) {
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	tick := time.NewTicker(breakGrace)
	defer tick.Stop()
	for {
		select {
		case <-over:
			return
		case <-tick.C:
		}
		if !b.busy() {
			k.dials.breakAll()
		}
	}
}

// Close ends the session that runs and the client. With leave the static member is
// also removed from the group, so that its partitions go to others at once; without
// it the seat stays for a restart until the session timeout. A dynamic member leaves
// in both cases. Closing again does nothing.
func (c *Consumer) Close(leave bool) error {
	c.mu.Lock()
	if c.closed {
		c.mu.Unlock()
		return nil
	}
	c.closed = true
	running, cancel := c.running, c.cancel
	group, k := c.group, c.k
	c.mu.Unlock()
	if cancel != nil {
		cancel(errClosed)
		<-running
	}
	if group == nil {
		return nil
	}
	var err error
	if leave && c.opts.InstanceID != "" {
		ctx, stop := context.WithTimeout(context.Background(), leaveTimeout)
		err = removeMembers(ctx, k, c.opts.Group, c.opts.InstanceID)
		stop()
	}
	// Leaving asks the coordinator; one that is silent must not hold the shutdown up.
	stuck := time.AfterFunc(leaveTimeout/2, k.dials.shut)
	closeErr := group.Close()
	stuck.Stop()
	if e := k.close(); closeErr == nil {
		closeErr = e
	}
	if err == nil && closeErr != nil {
		c.log.Debug("closing the consumer", slog.Any("error", closeErr))
	}
	return err
}
