//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// noticeLimit is within what a topic made anew and added partitions are noticed, with some slack for the
// machine.
const noticeLimit = 75 * time.Second

// TestTopicMadeAnew: the source topic is deleted and made again under the running connector. Its records
// are not taken for those of the old one, and none is skipped: a Gap, then the choice.
func TestTopicMadeAnew(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("made-anew", nil)
	b.produce(0, 300, 3)
	b.mustDeliver(c, 60*time.Second)

	b.kafka.DeleteTopic(b.topic)
	b.kafka.CreateTopic(b.topic, 3, nil)
	second := harness.NewLedger()
	b.kafka.Produce(second, harness.Numbers{Topic: b.topic, Partitions: 3, From: 1000, To: 1450})
	c.AwaitState(noticeLimit, "GAP")
	b.oss.MustDeliver(b.ledger, c.Name+"/") // nothing was added or changed meanwhile

	// The new topic's first offsets would have the old objects' names: another prefix keeps both.
	c.Patch(map[string]string{"oss.prefix": "second/"})
	chooseEach(t, c, 3, func(partition int32) { c.Choose(b.topic, partition, "beginning", nil) })
	c.AwaitState(noticeLimit, "RUNNING")
	c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	b.oss.MustDeliver(second, "second/")
	b.oss.MustDeliver(b.ledger, c.Name+"/")
}

// TestPartitionsAdded: a partition that appears later starts at its beginning, also where the connector was
// told to start at the end of those that were there.
func TestPartitionsAdded(t *testing.T) {
	t.Parallel()
	b := lay(t, 2)
	c := b.deploy("added", map[string]string{"consumer.override.auto.offset.reset": "latest"})
	b.produce(0, 200, 2)
	b.mustDeliver(c, 60*time.Second)
	b.kafka.AddPartitions(b.topic, 5)
	b.produce(200, 700, 5) // before anybody has noticed
	b.mustDeliver(c, noticeLimit)
}

// TestGroupOffsetsExpired: the group's committed offsets are gone when the program comes back. It does not
// begin anywhere by itself; told where it was, it goes on with nothing doubled.
func TestGroupOffsetsExpired(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("expired", nil)
	b.produce(0, 300, 3)
	b.mustDeliver(c, 60*time.Second)
	last := b.kafka.Positions(c.Group(), b.topic)

	b.sluice.Kill9()
	b.kafka.DeleteGroupPositions(c.Group(), b.topic)
	b.produce(300, 600, 3)
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	c.AwaitState(60*time.Second, "GAP")
	chooseEach(t, c, 3, func(partition int32) {
		c.Choose(b.topic, partition, "position", map[string]any{"offset": last[partition].Offset})
	})
	c.AwaitState(60*time.Second, "RUNNING")
	b.mustDeliver(c, 60*time.Second)
}

// chooseEach decides for every partition once it asks: each notices for itself.
func chooseEach(t *testing.T, c *harness.Connector, partitions int, choose func(partition int32)) {
	t.Helper()
	chosen := map[int32]bool{}
	harness.Eventually(t, noticeLimit, "every partition has been asked about", func() (bool, string) {
		for _, choice := range c.Choices() {
			if !chosen[choice.Partition] {
				choose(choice.Partition)
				chosen[choice.Partition] = true
			}
		}
		return len(chosen) == partitions, fmt.Sprint(chosen)
	})
}
