package harness

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"
)

// Outsider is a member of a consumer group that is not Sluice: it takes partitions and commits nothing.
type Outsider struct {
	t      T
	group  sarama.ConsumerGroup
	cancel context.CancelFunc
	wait   sync.WaitGroup
	setups atomic.Int64
	claims atomic.Int64
	once   sync.Once
}

// Join makes an outsider join a group and waits until it has been given its share.
func (k *Kafka) Join(group string, topics []string) *Outsider {
	k.t.Helper()
	c := clientConfig()
	c.Consumer.Offsets.AutoCommit.Enable = false
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Group.Rebalance.GroupStrategies = []sarama.BalanceStrategy{sarama.NewBalanceStrategyRange()}
	client, err := sarama.NewConsumerGroup(k.Brokers(), group, c)
	if err != nil {
		k.t.Fatalf("joining %s from outside: %v", group, err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	o := &Outsider{t: k.t, group: client, cancel: cancel}
	var last atomic.Value
	last.Store("")
	o.wait.Go(func() {
		for ctx.Err() == nil {
			if err := client.Consume(ctx, topics, o); err != nil {
				last.Store(err.Error())
				Pause(100 * time.Millisecond)
			}
		}
	})
	k.t.Cleanup(o.Leave)
	Eventually(k.t, 90*time.Second, "an outside consumer is a member of "+group, func() (bool, string) {
		return o.setups.Load() > 0, fmt.Sprintf("no assignment yet %v", last.Load())
	})
	return o
}

// Leave leaves the group; a second call does nothing.
func (o *Outsider) Leave() {
	o.once.Do(func() {
		o.cancel()
		o.wait.Wait()
		if err := o.group.Close(); err != nil {
			o.t.Logf("closing the outside consumer: %v", err)
		}
	})
}

// Claims is the number of partitions that it holds now.
func (o *Outsider) Claims() int { return int(o.claims.Load()) }

// Setup is called by sarama at the begin of a session.
func (o *Outsider) Setup(s sarama.ConsumerGroupSession) error {
	n := 0
	for _, partitions := range s.Claims() {
		n += len(partitions)
	}
	o.claims.Store(int64(n))
	o.setups.Add(1)
	return nil
}

// Cleanup is called by sarama at the end of a session.
func (o *Outsider) Cleanup(sarama.ConsumerGroupSession) error {
	o.claims.Store(0)
	return nil
}

// ConsumeClaim reads and forgets.
func (o *Outsider) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for {
		select {
		case <-s.Context().Done():
			return nil
		case _, open := <-c.Messages():
			if !open {
				return nil
			}
		}
	}
}
