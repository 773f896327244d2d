//go:build e2e

package e2e

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// odpsBed is a bed whose destination is a table of MaxCompute.
type odpsBed struct {
	*bed
	odps  *harness.ODPS
	table string
	past  time.Time // the first of the minutes of overMinutes
}

// layODPS makes one with an empty topic and the stand-in's own table. The stand-in takes as many sessions as come:
// how a connector stays below the service's limits is a test of its own.
func layODPS(t *testing.T, partitions int32, opts harness.SluiceOptions) *odpsBed {
	t.Helper()
	return layODPSOn(t, suite.StartODPS(t, "-no-limits"), partitions, opts)
}

// layODPSOn is layODPS on a stand-in of the test's choice.
func layODPSOn(t *testing.T, odps *harness.ODPS, partitions int32, opts harness.SluiceOptions) *odpsBed {
	t.Helper()
	b := &odpsBed{odps: odps, table: harness.ODPSTable, past: time.Now().Add(-time.Hour).Truncate(time.Minute), bed: &bed{
		t: t, kafka: suite.Kafka(t), sluice: suite.StartSluice(t, opts),
		ledger: harness.NewLedger(), topic: own(strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))),
	}}
	b.kafka.CreateTopic(b.topic, partitions, nil)
	b.sluice.CreateInstance(instance, b.kafka.Bootstrap("PLAINTEXT"), nil)
	return b
}

// deploy is bed.deploy to the table.
func (b *odpsBed) deploy(name string, extra map[string]string) *harness.Connector {
	b.t.Helper()
	c := b.sluice.CreateConnector(instance, own(name), harness.ODPSConfig(b.odps, b.topic, extra))
	c.AwaitState(60*time.Second, "RUNNING")
	b.awaitPositions(c)
	return c
}

func (b *odpsBed) awaitPositions(c *harness.Connector) {
	b.t.Helper()
	harness.Eventually(b.t, 30*time.Second, "every partition has a position", func() (bool, string) {
		return len(b.kafka.Positions(c.Group(), b.topic)) == len(b.kafka.Ends(b.topic)), "some have none"
	})
}

// mustDeliver waits until everything is delivered and judges the table.
func (b *odpsBed) mustDeliver(c *harness.Connector, within time.Duration) {
	b.t.Helper()
	c.AwaitDelivered(b.kafka, b.topic, within)
	b.mustHold()
}

// mustHold judges the table.
func (b *odpsBed) mustHold() {
	b.t.Helper()
	if v := b.odps.JudgeTable(b.ledger, b.table); !v.OK() {
		b.t.Fatalf("what is in the table is not what was produced: %s", v)
	}
}

// TestODPSLedger is the proof of exactly once into a table: numbered records flow while the program is killed with -9
// at random points, an outside consumer forces a rebalance, requests fail, connections are cut before and after
// acting, and answers of commits are lost. Every number is in the table once, as the vendor's SDK reads it too.
func TestODPSLedger(t *testing.T) {
	t.Parallel()
	const partitions = 6
	numbers := harness.Choose[int64](60_000, 200_000)
	kills := harness.Choose(3, 20)
	rate := harness.Choose(3000, 1000) // records a second: the flow outlasts the kills

	b := layODPS(t, partitions, harness.SluiceOptions{})
	b.odps.SetFaults(
		harness.Fault{Rate: 0.05, Status: 500, Code: "InternalServerError"},
		harness.Fault{Rate: 0.01, Cut: "before"},
		harness.Fault{Operation: "CommitUpload", Rate: 0.1, Cut: "after"},
		harness.Fault{Operation: "UploadBlock", Rate: 0.02, Cut: "after"},
		harness.Fault{Operation: "CommitUpload", Rate: 0.05, Status: 502, Code: "InternalServerError", AfterStoring: true},
		harness.Fault{Operation: "CreateUpload", Rate: 0.02, Cut: "after"},
	)
	c := b.deploy("odps-ledger", map[string]string{"tasks.max": "3", "flush.size": "2000"})

	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: partitions, To: numbers, PerSecond: rate, Bytes: 120})
	}()
	for kill := range kills {
		harness.Pause(harness.Between(500*time.Millisecond, 4*time.Second))
		b.killAndDeliverAgain(c)
		if kill == kills/2 {
			outsider := b.kafka.Join(c.Group(), []string{b.topic})
			harness.Pause(2 * time.Second)
			outsider.Leave()
			before := b.kafka.Positions(c.Group(), b.topic)
			c.AwaitProgress(b.kafka, b.topic, before, 60*time.Second)
		}
	}
	if err := <-produced; err != nil {
		t.Fatalf("producing: %v", err)
	}
	c.AwaitDelivered(b.kafka, b.topic, 90*time.Second)
	b.odps.SetFaults()
	b.mustHold()
	v, err := b.odps.JudgeByPython(b.ledger, b.table)
	if err != nil {
		t.Fatalf("reading the table with pyodps: %v", err)
	}
	if !v.OK() {
		t.Errorf("pyodps reads something else: %s", v)
	}
	b.mustDivertNothing(c)
}

// TestODPSFrozenUntilFenced: the process is stopped with SIGSTOP until somebody else has had its partitions, then goes
// on in the middle of an upload or a commit. It must do nothing late.
func TestODPSFrozenUntilFenced(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-frozen", map[string]string{"flush.interval.ms": "300"})
	rounds := harness.Choose(1, 6)
	produced := make(chan error, 1)
	go func() {
		produced <- b.kafka.TryProduce(t.Context(), b.ledger,
			harness.Numbers{Topic: b.topic, Partitions: 3, To: int64(rounds) * 18_000, PerSecond: 1000, Bytes: 120})
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

// TestOutageOfODPS: the destination is away for a while. Status says so with the cause, nothing is diverted, and all
// is well by itself when it is back.
func TestOutageOfODPS(t *testing.T) {
	t.Parallel()
	outage := harness.Choose(15*time.Second, 2*time.Minute)
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-outage", nil)
	b.produce(0, 3000, 3)
	b.mustDeliver(c, 60*time.Second)

	b.odps.Kill()
	b.produce(3000, 6000, 3)
	status := c.AwaitState(30*time.Second, "RECOVERING")
	if d := status.Connector.Detail; status.Connector.State != "RUNNING" || !strings.Contains(d.Cause, "MaxCompute") {
		t.Errorf("while MaxCompute is away: %+v", status.Connector)
	}
	harness.Never(t, outage, "the connector leaves Recovering", func() (bool, string) {
		d := c.Status().Connector.Detail
		return d.State != "RECOVERING", d.State + ": " + d.Cause
	})
	b.odps.Start()
	c.AwaitState(75*time.Second, "RUNNING") // pauses grow to at most a minute
	b.mustDeliver(c, 60*time.Second)
	b.mustDivertNothing(c)
}

// TestODPSPace: twelve partitions whose chunks would close ten times a second, against the service's own limit of 500
// sessions in five minutes. Flushes stretch: the connector opens 100 at once and then about one a second, none is
// refused, and every row is there once.
func TestODPSPace(t *testing.T) {
	t.Parallel()
	const partitions, burst = 12, 100
	during := harness.Choose(20, 120) // seconds
	b := layODPSOn(t, suite.StartODPS(t), partitions, harness.SluiceOptions{})
	c := b.deploy("odps-pace", map[string]string{"flush.interval.ms": "100", "tasks.max": "3"})
	began := time.Now()
	b.kafka.Produce(b.ledger, harness.Numbers{Topic: b.topic, Partitions: partitions, To: int64(during) * 600, PerSecond: 600, Bytes: 120})
	c.AwaitDelivered(b.kafka, b.topic, 3*time.Minute)
	took := time.Since(began)
	sessions := b.odps.Sessions()
	if most := burst + int(took/time.Second) + 2; len(sessions) > most || len(sessions) < burst {
		t.Errorf("%d sessions in %s, want from %d to %d", len(sessions), took, burst, most)
	}
	var most int64
	for _, s := range sessions {
		most = max(most, s.Rows)
	}
	if most <= 100 {
		t.Errorf("no session has more than %d rows: flushes do not stretch", most)
	}
	if state := c.Status().Connector.Detail; state.State != "RUNNING" {
		t.Errorf("%+v: what the pace holds back is no outage", state)
	}
	b.mustHold()
	b.mustDivertNothing(c)
	t.Logf("%d rows in %d sessions, at most %d in one, within %s", b.ledger.Len(), len(sessions), most, took.Round(time.Second))
}

// TestThrottledODPS: the project's quota is used up for a while, and commits stay refused now and then; that is an
// outage too, with the service's word in the cause.
func TestThrottledODPS(t *testing.T) {
	t.Parallel()
	b := layODPS(t, 3, harness.SluiceOptions{})
	c := b.deploy("odps-throttled", nil)
	b.odps.SetFaults(harness.Fault{Status: 429, Code: "QuotaExceeded"})
	b.produce(0, 3000, 3)
	if d := c.AwaitState(30*time.Second, "RECOVERING").Connector.Detail; !strings.Contains(d.Cause, "QuotaExceeded") {
		t.Errorf("the cause does not name the quota: %+v", d)
	}
	b.odps.SetFaults(harness.Fault{Operation: "CommitUpload", Rate: 0.3, Status: 429, Code: "FlowExceeded"})
	b.mustDeliver(c, 120*time.Second)
	b.odps.SetFaults()
	c.AwaitState(75*time.Second, "RUNNING")
	b.mustDivertNothing(c)
}
