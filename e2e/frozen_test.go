//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestFrozenUntilFenced: the process is stopped with SIGSTOP until its group has given it up and somebody
// else has had its partitions, then goes on in the middle of whatever it did. It must do nothing late.
func TestFrozenUntilFenced(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("frozen", map[string]string{"flush.size": "100"})
	rounds := harness.Choose(2, 8)
	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: 3, To: int64(rounds) * 30_000, PerSecond: 1000, Bytes: 120})
	}()
	for range rounds {
		harness.Pause(harness.Between(500*time.Millisecond, 3*time.Second))
		b.sluice.Freeze()
		b.kafka.AwaitMembers(c.Group(), 0, 90*time.Second)
		outsider := b.kafka.Join(c.Group(), []string{b.topic})
		b.sluice.Thaw()
		harness.Pause(2 * time.Second)
		outsider.Leave()
		before := b.kafka.Positions(c.Group(), b.topic)
		c.AwaitProgress(b.kafka, b.topic, before, 60*time.Second)
	}
	if err := <-produced; err != nil {
		t.Fatalf("producing: %v", err)
	}
	b.mustDeliver(c, 60*time.Second)
	c.AwaitState(30*time.Second, "RUNNING")
	b.mustDivertNothing(c)
}
