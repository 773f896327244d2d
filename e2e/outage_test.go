//go:build e2e

package e2e

import (
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestOutageOfOSS: the destination is away for a while. Status says so with the cause, nothing is
// diverted, and all is well by itself when it is back.
func TestOutageOfOSS(t *testing.T) {
	t.Parallel()
	outage := harness.Choose(15*time.Second, 2*time.Minute)
	b := lay(t, 3)
	c := b.deploy("outage", nil)
	b.produce(0, 3000, 3)
	b.mustDeliver(c, 60*time.Second)

	b.oss.Kill()
	b.produce(3000, 6000, 3)
	status := c.AwaitState(30*time.Second, "RECOVERING")
	if status.Connector.State != "RUNNING" || status.Connector.Detail.Cause == "" {
		t.Errorf("while OSS is away: %+v", status.Connector)
	}
	harness.Never(t, outage, "the connector leaves Recovering", func() (bool, string) {
		d := c.Status().Connector.Detail
		return d.State != "RECOVERING", d.State + ": " + d.Cause
	})
	b.oss.Start()
	c.AwaitState(75*time.Second, "RUNNING") // pauses grow to at most a minute
	b.mustDeliver(c, 60*time.Second)
	b.mustDivertNothing(c)
}

// TestThrottledOSS: every request is refused as too many for a while; that is an outage too.
func TestThrottledOSS(t *testing.T) {
	t.Parallel()
	b := lay(t, 3)
	c := b.deploy("throttled", nil)
	b.oss.SetFaults(harness.Fault{Status: 503, Code: "RequestLimitExceeded"})
	b.produce(0, 3000, 3)
	c.AwaitState(30*time.Second, "RECOVERING")
	b.oss.SetFaults(harness.Fault{Operation: "PutObject", Rate: 0.3, Status: 503, Code: "QpsLimitExceeded"})
	b.mustDeliver(c, 120*time.Second)
	b.oss.SetFaults()
	c.AwaitState(75*time.Second, "RUNNING")
	b.mustDivertNothing(c)
}
