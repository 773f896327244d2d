//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// restartLimit is within what every partition with waiting records delivers again after a kill.
const restartLimit = 15 * time.Second

// TestLedger is the proof of exactly once: numbered records flow all the time while the program is killed
// with -9 at random points, an outside consumer forces a rebalance, and the destination fails requests and
// cuts connections before and after storing. Every number is in the bucket once, in order, and every
// restart delivers again in time.
func TestLedger(t *testing.T) {
	t.Parallel()
	const partitions = 6
	numbers := int64(200_000)
	kills := harness.Choose(6, 24)
	rate := harness.Choose(4000, 1000) // records a second: the flow outlasts the kills

	b := lay(t, partitions)
	b.oss.SetFaults(
		harness.Fault{Rate: 0.05, Status: 503, Code: "ServiceUnavailable"},
		harness.Fault{Rate: 0.01, Cut: "before"},
		harness.Fault{Operation: "PutObject", Rate: 0.01, Cut: "after"},
		harness.Fault{Operation: "PutObject", Rate: 0.01, Status: 500, Code: "InternalError", AfterStoring: true},
	)
	c := b.deploy("ledger", map[string]string{"tasks.max": "3", "flush.size": "400"})

	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: partitions, To: numbers, PerSecond: rate, Bytes: 120})
	}()
	for kill := range kills {
		harness.Pause(harness.Between(500*time.Millisecond, 5*time.Second))
		b.killAndDeliverAgain(c)
		if kill == kills/2 {
			outsider := b.kafka.Join(c.Group(), []string{b.topic})
			harness.Pause(5 * time.Second)
			outsider.Leave()
			before := b.kafka.Positions(c.Group(), b.topic)
			c.AwaitProgress(b.kafka, b.topic, before, 60*time.Second)
		}
	}
	if err := <-produced; err != nil {
		t.Fatalf("producing: %v", err)
	}
	if b.ledger.Len() != int(numbers) {
		t.Fatalf("%d numbers were acknowledged, want %d", b.ledger.Len(), numbers)
	}
	c.AwaitDelivered(b.kafka, b.topic, 90*time.Second)
	b.oss.SetFaults()
	b.mustDeliver(c, 10*time.Second)
	b.mustDivertNothing(c)
}

// killAndDeliverAgain kills the program, starts it again, and requires that every partition that has
// records waiting moves within the limit, counted from the start of the process.
func (b *bed) killAndDeliverAgain(c *harness.Connector) {
	b.t.Helper()
	b.sluice.Kill9()
	before := b.kafka.Positions(c.Group(), b.topic)
	b.sluice.Start()
	b.sluice.AwaitReady(10 * time.Second)
	c.AwaitProgress(b.kafka, b.topic, before, restartLimit-time.Since(b.sluice.Started))
	b.t.Logf("delivers again %s after the start", time.Since(b.sluice.Started).Round(10*time.Millisecond))
}
