//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner"
)

// fcBed is a bed whose destination is the stand-in of Function Compute.
type fcBed struct {
	*bed
	fc *harness.Standin
}

// layFC makes one with an empty topic; args go to the stand-in, which keeps every invocation.
func layFC(t *testing.T, partitions int32, opts harness.SluiceOptions, args ...string) *fcBed {
	t.Helper()
	b := layBare(t, suite.Kafka(t), partitions, opts)
	return &fcBed{bed: b, fc: suite.StartService(t, "fc", append([]string{"-keep", "-1"}, args...)...)}
}

func (b *fcBed) deploy(name string, extra map[string]string) *harness.Connector {
	b.t.Helper()
	return b.start(name, harness.FCConfig(b.fc, b.topic, extra))
}

// mustInvoke waits until everything is delivered, and requires every number in invocations that did not fail, in
// order; in more than one only if doubles are allowed.
func (b *fcBed) mustInvoke(c *harness.Connector, within time.Duration, doubles bool) harness.Verdict {
	b.t.Helper()
	c.AwaitDelivered(b.kafka, b.topic, within)
	v := b.fc.JudgeInvocations(b.ledger)
	wrong := v
	if doubles {
		wrong.Doubled = nil
	}
	if !wrong.OK() {
		b.t.Fatalf("what was invoked is not what was produced: %s", wrong)
	}
	return v
}

// fcFaults fail requests, cut connections and lose answers.
var fcFaults = []harness.Fault{
	{Operation: "InvokeFunction", Rate: 0.05, Status: 503, Code: "ServiceUnavailable"},
	{Operation: "InvokeFunction", Rate: 0.01, Cut: "before"},
	{Operation: "InvokeFunction", Rate: 0.01, Cut: "after"},
	{Operation: "InvokeFunction", Rate: 0.01, Status: 500, Code: "InternalServerError", AfterStoring: true},
}

// fcModes are the two guarantees, each on another version of the API.
var fcModes = []struct {
	name    string
	doubles bool // are within the guarantee
	config  map[string]string
}{
	{name: "async", config: map[string]string{"fc.mode": "async"}},
	{name: "sync", doubles: true, config: map[string]string{"fc.mode": "sync", "fc.service": ""}},
}

// with is a configuration with something added.
func with(config map[string]string, extra ...string) map[string]string {
	out := map[string]string{}
	for key, value := range config {
		out[key] = value
	}
	for i := 0; i < len(extra); i += 2 {
		out[extra[i]] = extra[i+1]
	}
	return out
}

// TestFCLedger: numbered records flow all the time while the program is killed with -9, an outside consumer forces a
// rebalance, requests fail, connections are cut before and after the request was accepted, answers are lost. Each
// number is in exactly one accepted asynchronous batch; of synchronous ones none is missing. Order is kept.
func TestFCLedger(t *testing.T) {
	t.Parallel()
	for _, mode := range fcModes {
		t.Run(mode.name, func(t *testing.T) {
			t.Parallel()
			const partitions = 6
			kills := harness.Choose(3, 24)
			numbers := harness.Choose[int64](48_000, 200_000)
			b := layFC(t, partitions, harness.SluiceOptions{})
			b.fc.SetFaults(fcFaults...)
			c := b.deploy("fc-ledger-"+mode.name, with(mode.config, "tasks.max", "3"))
			produced := make(chan error, 1)
			go func() {
				produced <- b.kafka.TryProduce(t.Context(), b.ledger,
					harness.Numbers{Topic: b.topic, Partitions: partitions, To: numbers, PerSecond: harness.Choose(3000, 1000), Bytes: 120})
			}()
			for kill := range kills {
				harness.Pause(harness.Between(500*time.Millisecond, harness.Choose(2*time.Second, 5*time.Second)))
				b.killAndDeliverAgain(c)
				if kill == kills/2 {
					outsider := b.kafka.Join(c.Group(), []string{b.topic})
					harness.Pause(harness.Choose(2*time.Second, 5*time.Second))
					outsider.Leave()
					before := b.kafka.Positions(c.Group(), b.topic)
					c.AwaitProgress(b.kafka, b.topic, before, 60*time.Second)
				}
			}
			if err := <-produced; err != nil {
				t.Fatalf("producing: %v", err)
			}
			v := b.mustInvoke(c, 90*time.Second, mode.doubles)
			b.mustDivertNothing(c)
			stats := b.fc.FCStats()
			t.Logf("%d records, %d of them more than once; %d invocations, %d refused as submitted before", v.Records, len(v.Doubled), stats.Invocations, stats.Repeated)
			if !mode.doubles && stats.Repeated == 0 {
				t.Error("no batch was submitted twice: lost answers were not tried")
			}
		})
	}
}

// fcSteps are the steps of the protocol that decide about FC; the long form takes all.
var fcSteps = []string{"intent.done", "redo", "publish", "publish.done", "commit", "commit.done", "divert.done"}

// TestFCKillPoints kills the program on purpose at the steps of the delivery protocol: each number is in exactly one
// accepted batch, and every record that cannot be converted is in the dead-letter topic once.
func TestFCKillPoints(t *testing.T) {
	t.Parallel()
	k := &killer{diverted: map[string]int{}}
	b := layFC(t, 3, harness.SluiceOptions{Faults: true})
	k.bed = b.bed
	k.judge = func() harness.Verdict { return b.fc.JudgeInvocations(b.ledger) }
	k.c = b.deploy("fc-killed", map[string]string{"fc.batch.size": "20", "fc.binary": "dlq", "flush.interval.ms": "300"})
	k.killAtEach(harness.Choose(fcSteps, runner.FaultSteps()))
	k.mustDivertOnce()
}

// TestFCFrozenUntilFenced: the process is stopped until its group has given it up and somebody else has had its
// partitions, then goes on in the middle of whatever it did.
func TestFCFrozenUntilFenced(t *testing.T) {
	t.Parallel()
	b := layFC(t, 3, harness.SluiceOptions{})
	c := b.deploy("fc-frozen", nil)
	rounds := harness.Choose(1, 8)
	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: 3, To: int64(rounds) * 25_000, PerSecond: 1000, Bytes: 120})
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
	b.mustInvoke(c, 60*time.Second, false)
	c.AwaitState(30*time.Second, "RUNNING")
	b.mustDivertNothing(c)
}

// TestOutageOfFC: the service is away for a while, for a connector of each mode. Status says so with the cause,
// nothing is diverted, and all is well by itself when it is back.
func TestOutageOfFC(t *testing.T) {
	t.Parallel()
	outage := harness.Choose(15*time.Second, 2*time.Minute)
	b := layFC(t, 3, harness.SluiceOptions{})
	var both []*harness.Connector
	for _, mode := range fcModes {
		both = append(both, b.deploy("fc-outage-"+mode.name, mode.config))
	}
	b.produce(0, 900, 3)
	for _, c := range both {
		c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
	}
	b.fc.Kill()
	b.produce(900, 3000, 3)
	for _, c := range both {
		status := c.AwaitState(30*time.Second, "RECOVERING")
		if status.Connector.State != "RUNNING" || status.Connector.Detail.Cause == "" {
			t.Errorf("while FC is away: %+v", status.Connector)
		}
	}
	harness.Never(t, outage, "a connector leaves Recovering", func() (bool, string) {
		for _, c := range both {
			if d := c.Status().Connector.Detail; d.State != "RECOVERING" {
				return true, c.Name + ": " + d.State + ": " + d.Cause
			}
		}
		return false, ""
	})
	b.fc.Start()
	for i, c := range both {
		c.AwaitState(75*time.Second, "RUNNING") // pauses grow to at most a minute
		c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
		b.mustDivertNothing(c)
		b.mustHold(i == 0)
	}
}

// mustHold judges what came by one of two connectors on the same stand-in: the one of 2.0, or that of 3.0.
func (b *fcBed) mustHold(v2 bool) {
	b.t.Helper()
	var ours []harness.Invocation
	for _, inv := range b.fc.Invocations() {
		if (inv.Service != "") == v2 {
			ours = append(ours, inv)
		}
	}
	v := harness.JudgeThese(b.ledger, ours)
	if !v2 {
		v.Doubled = nil // synchronous
	}
	if !v.OK() {
		b.t.Errorf("what was invoked (2.0: %v) is not what was produced: %s", v2, v)
	}
}

// TestSlowFunction: a synchronous call of 90 s, against a session timeout of 10 s, is waited for: the group keeps its
// generation, the call is made once, and what waited behind it follows.
func TestSlowFunction(t *testing.T) {
	t.Parallel()
	took := harness.Choose(90*time.Second, 10*time.Minute)
	b := layFC(t, 1, harness.SluiceOptions{}, "-slow", took.String())
	c := b.deploy("fc-slow", map[string]string{"fc.mode": "sync", "fc.function": "slow", "flush.interval.ms": "100"})
	generation := b.kafka.Generation(c.Group())
	b.produce(0, 20, 1)
	harness.Eventually(t, 30*time.Second, "the function is called", func() (bool, string) {
		return b.fc.FCStats().Invocations == 1, fmt.Sprintf("%+v", b.fc.FCStats())
	})
	began := time.Now()
	b.fc.Control("POST", "/__slow?ms=0") // those that follow
	b.produce(20, 60, 1)
	c.AwaitDelivered(b.kafka, b.topic, took+60*time.Second)
	if waited := time.Since(began); waited < took-5*time.Second {
		t.Errorf("delivered after %s although the function takes %s", waited, took)
	}
	if now := b.kafka.Generation(c.Group()); now != generation {
		t.Errorf("the group went from generation %d to %d while a function was slow", generation, now)
	}
	b.mustInvoke(c, 10*time.Second, false)
	b.mustDivertNothing(c)
}

// TestThrottledFC: a function that takes 5 invocations a second slows the connector down; nothing fails, nothing is
// diverted, and it is not asked much more often than it answers.
func TestThrottledFC(t *testing.T) {
	t.Parallel()
	b := layFC(t, 2, harness.SluiceOptions{})
	c := b.deploy("fc-throttled", map[string]string{"fc.mode": "sync", "fc.function": "throttled"})
	b.produce(0, 800, 2)
	b.mustInvoke(c, 90*time.Second, true)
	b.mustDivertNothing(c)
	c.AwaitState(75*time.Second, "RUNNING")
	stats := b.fc.FCStats()
	if stats.Throttled == 0 || stats.Throttled > 3*stats.Invocations {
		t.Errorf("%d invocations were taken and %d refused", stats.Invocations, stats.Throttled)
	}
	t.Logf("%d invocations, %d refused as too many", stats.Invocations, stats.Throttled)
}
