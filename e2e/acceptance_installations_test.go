//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestAnotherInstallation: a connector of the same name in another installation does not start beside the
// first, and deleting it leaves the first one's topics and positions alone, even while the first is suspended.
func TestAnotherInstallation(t *testing.T) {
	t.Parallel()
	b := lay(t, 2)
	b.produce(0, 20, 2)
	c := b.deploy("claimed", nil)
	b.mustDeliver(c, 30*time.Second)
	c.Pause()
	c.AwaitState(20*time.Second, "SUSPENDED")
	before := b.kafka.Positions(c.Group(), b.topic)

	second := suite.StartSluice(t, harness.SluiceOptions{})
	second.CreateInstance(instance, b.kafka.Bootstrap("PLAINTEXT"), nil)
	double := second.CreateConnector(instance, c.Name, harness.OSSConfig(b.oss, b.topic, nil))
	mustSay(t, double.AwaitState(30*time.Second, "FAILED").Connector.Detail, "another installation")
	double.Delete("")

	topics := b.kafka.Topics()
	for _, role := range []string{"offset", "config", "status", "error"} {
		if _, there := topics["connect-"+role+"-"+c.Name]; !there {
			t.Errorf("the first installation's %s topic is gone", role)
		}
	}
	for partition, at := range b.kafka.Positions(c.Group(), b.topic) {
		if at.Offset != before[partition].Offset {
			t.Errorf("partition %d went from %d to %d", partition, before[partition].Offset, at.Offset)
		}
	}
	c.Resume()
	c.AwaitState(30*time.Second, "RUNNING")
	b.produce(20, 40, 2)
	b.mustDeliver(c, 30*time.Second)
}
