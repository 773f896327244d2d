//go:build e2e

package kafka_test

import (
	"os"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner/kafka"
)

// TestBrokersDie: of three brokers one after the other is killed and comes back while
// transactions are written: leaders and coordinators move, answers are lost, and every
// record is there once, in order.
func TestBrokersDie(t *testing.T) {
	t.Parallel()
	k := harness.StartKafka(t, harness.KafkaOptions{Nodes: 3, Properties: map[string]string{
		"broker.session.timeout.ms": "3000", "broker.heartbeat.interval.ms": "500", // others lead what the dead led, soon
	}})
	ctx := within(t, 3*time.Minute)
	b := open(t, ctx, kafka.Cluster{Bootstrap: k.Brokers()})
	const partitions = 6
	name := b.topic(t, ctx, partitions+1, map[string]string{"max.message.bytes": "50000"})
	l := &ledger{b: b, c: b.c, topic: name, state: kafka.TP{Topic: name, Partition: partitions}, partitions: partitions, patience: time.Minute}
	kills := 2
	if os.Getenv("SLUICE_SOAK") != "" {
		kills = 8
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for i := range kills {
			k.Kill(i % 3)
			k.Restart(i % 3)
		}
	}()
	for alive := true; alive; {
		select {
		case <-done:
			alive = false
		default:
		}
		l.run(t, ctx, 10, 3000)
	}
	t.Logf("%d batches, opened %d times", l.batches, l.reopened)
}
