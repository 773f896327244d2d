//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestAbortedTransactionsNeverAppear: what a transaction aborted is in no object, what one committed is,
// and the position reaches the end of the log although its last offsets are control records.
func TestAbortedTransactionsNeverAppear(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("transactions", map[string]string{"flush.size": "50"})
	next := int64(0)
	for round := range 8 {
		for _, commit := range []bool{round%2 == 0, round%2 == 1, false} {
			b.kafka.ProduceTransaction(b.ledger,
				harness.Numbers{Topic: b.topic, Partitions: 3, From: next, To: next + 90}, commit)
			next += 90
		}
	}
	b.mustDeliver(c, 60*time.Second) // the end of the log is behind the marker of an aborted transaction

	b.sluice.Restart()
	b.produce(next, next+300, 3)
	b.mustDeliver(c, 60*time.Second)
	b.mustDivertNothing(c)
}
