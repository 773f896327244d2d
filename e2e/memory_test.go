//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestMemoryBound: 500 partitions whose records belong to 24 hours each, so 12,000 paths are open at once,
// and 2 GB of records. The peak stays under the budget and 150 MiB.
func TestMemoryBound(t *testing.T) {
	if !harness.Soak() {
		t.Skip("a long test: make soak runs it")
	}
	const (
		partitions = 500
		size       = 2000
		numbers    = int64(1_000_000)
		budget     = 256 << 20
		slack      = 150 << 20
	)
	b := &bed{
		t: t, kafka: harness.StartKafka(t, harness.KafkaOptions{HeapMB: 1024, Throughput: true}),
		oss: suite.StartDiscardingStandin(t), ledger: harness.NewLedger(), topic: "memory",
	}
	b.sluice = suite.StartSluice(t, harness.SluiceOptions{Budget: "256MiB"})
	// The records are months old: retention would remove them before they are read.
	b.kafka.CreateTopic(b.topic, partitions, map[string]string{"retention.ms": "-1"})
	b.sluice.CreateInstance(instance, b.kafka.Bootstrap("PLAINTEXT"), nil)
	day := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	b.kafka.Produce(b.ledger, harness.Numbers{
		Topic: b.topic, Partitions: partitions, To: numbers, Bytes: size,
		Time: func(n int64) time.Time { return day.Add(time.Duration(n/partitions%24) * time.Hour) },
	})
	c := b.sluice.CreateConnector(instance, "memory", harness.OSSConfig(b.oss, b.topic, map[string]string{
		"flush.size": "100000", "flush.interval.ms": "60000", "tasks.max": "6",
	}))
	c.AwaitDelivered(b.kafka, b.topic, 30*time.Minute)
	peak, err := harness.PeakMemory(b.sluice.PID())
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("peak resident memory %d MiB", peak>>20)
	if peak > budget+slack {
		t.Errorf("peak resident memory %d MiB, want at most %d", peak>>20, (budget+slack)>>20)
	}
}
