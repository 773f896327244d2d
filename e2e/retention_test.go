//go:build e2e

package e2e

import (
	"slices"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestRetentionRemovesPartOfAnIntendedRange: records of a range that an intent names are gone before it
// could be redone. The range is not written in part: the partition shows a Gap with what is lost and asks,
// the others go on, nothing that was visible shrinks.
func TestRetentionRemovesPartOfAnIntendedRange(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("retention", map[string]string{"flush.size": "40"})
	b.produce(0, 300, 3)
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	visible := b.oss.Keys(c.Name + "/")

	before := b.kafka.Positions(c.Group(), b.topic)
	b.oss.SetFaults(harness.Fault{Operation: "PutObject", Cut: "before"}) // nothing is stored
	b.produce(300, 600, 3)
	b.awaitIntents(c, before)
	b.sluice.Kill9()
	b.oss.SetFaults()
	b.kafka.DeleteRecords(b.topic, 0, 120)
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)

	status := c.AwaitState(60*time.Second, "GAP")
	if status.Connector.Detail.Cause == "" || status.Connector.Detail.Remedy == "" {
		t.Errorf("a gap without cause or remedy: %+v", status.Connector.Detail)
	}
	choices := c.Choices()
	if len(choices) != 1 || choices[0].Topic != b.topic || choices[0].Partition != 0 || len(choices[0].Options) < 2 {
		t.Fatalf("choices = %+v, want those of partition 0", choices)
	}
	now := b.oss.Keys(c.Name + "/")
	for _, key := range visible {
		if !slices.Contains(now, key) {
			t.Errorf("%s was visible and is gone", key)
		}
	}

	c.Choose(b.topic, 0, "beginning", nil)
	c.AwaitState(60*time.Second, "RUNNING")
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	b.ledger.Forget(b.topic, 0, 100, 120)
	b.oss.MustDeliver(b.ledger, c.Name+"/")
}
