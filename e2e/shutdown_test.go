//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestShutdownUnderLoad: SIGTERM ends the program with 0 within ten seconds while records flow and the
// destination is slow, again and again, and nothing is lost or doubled by it.
func TestShutdownUnderLoad(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("shutdown", map[string]string{"flush.size": "200"})
	b.oss.SetFaults(harness.Fault{Operation: "PutObject", Rate: 0.5, LatencyMS: 400})
	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: 3, To: 20_000, PerSecond: 1500, Bytes: 120})
	}()
	for range 4 {
		harness.Pause(harness.Between(300*time.Millisecond, 2*time.Second))
		b.sluice.Stop()
		before := b.kafka.Positions(c.Group(), b.topic)
		b.sluice.Start()
		c.AwaitProgress(b.kafka, b.topic, before, restartLimit)
		b.sluice.AwaitReady(10 * time.Second)
	}
	if err := <-produced; err != nil {
		t.Fatalf("producing: %v", err)
	}
	b.oss.SetFaults()
	b.mustDeliver(c, 90*time.Second)
}

// TestShutdownWhileOSSHangs: a destination that does not answer holds no shutdown up.
func TestShutdownWhileOSSHangs(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("hanging", map[string]string{"flush.size": "40"})
	before := b.kafka.Positions(c.Group(), b.topic)
	b.oss.Freeze()
	b.produce(0, 300, 3)
	b.awaitIntents(c, before)
	b.sluice.Stop()
	b.oss.Thaw()
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	b.mustDeliver(c, 60*time.Second)
}
