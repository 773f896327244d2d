//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner"
)

// TestMySQLLedger is the proof of exactly once from a database: writers insert, update, delete, change keys and roll
// back while tables are copied and followed, and the program is killed with -9 at random points, its connections to
// the server are ended by KILL, and the server itself is killed. A read_committed consumer that is not ours applies
// the messages: each fits what was before it, and at the end it has exactly the tables' content.
func TestMySQLLedger(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, ownDatabase(t, flavor), harness.SluiceOptions{})
		b.db.LayLedger(b.database, harness.Choose(3000, 60_000))
		writers := b.db.StartWriters(b.database, 3, 30)
		c := b.deploy(map[string]string{"snapshot.chunk.size": harness.Choose("300", "2000")})
		kills := harness.Choose(6, 24)
		for kill := range kills {
			if kill == kills/2 {
				b.awaitCopied(c, 60*time.Second)
			}
			harness.Pause(harness.Between(100*time.Millisecond, harness.Choose(1500*time.Millisecond, 6*time.Second)))
			switch {
			case kill%4 == 2:
				b.t.Logf("%d connections ended", b.db.KillConnections(dbUser))
			case kill%4 == 3:
				b.db.Kill()
				b.db.Start()
			}
			b.sluice.Kill9()
			b.sluice.Start()
			b.sluice.AwaitReady(30 * time.Second)
		}
		c.AwaitState(60*time.Second, "RUNNING")
		harness.Pause(2 * time.Second)
		writers.Stop()
		seen := b.mustEqual(harness.Choose(time.Minute, 4*time.Minute), beds.LedgerTables()...)
		mustResendNothing(t, seen)
		t.Logf("%d transactions, %d messages %v, partitions %v", writers.Transactions.Load(), seen.Messages, seen.Ops, seen.Partitions)
	})
}

// TestMySQLKillPoints kills the program on purpose at every step of a source's transaction and start, starts it again
// and compares.
func TestMySQLKillPoints(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{Faults: true})
	b.db.LayLedger(b.database, 400)
	writers := b.db.StartWriters(b.database, 2, 30)
	b.deploy(nil)
	for _, step := range runner.SourceFaultSteps() {
		for n := range harness.Choose(1, 4) {
			b.sluice.Kill9()
			b.sluice.Setenv("SLUICE_FAULT_KILL", fmt.Sprintf("%s:%d", step, killNumber(step, n)))
			b.sluice.Start()
			b.sluice.AwaitKilled(40 * time.Second)
		}
	}
	b.sluice.Setenv("SLUICE_FAULT_KILL", "")
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	writers.Stop()
	mustResendNothing(t, b.mustEqual(60*time.Second, beds.LedgerTables()...))
}

// killNumber is the passing of a step at which the program dies: those of the start come once in a life.
func killNumber(step string, n int) int {
	switch step {
	case "source.open", "source.state", "source.run":
		return 1
	}
	return 1 + 2*n
}

// TestMySQLBrokerCut: connections to the broker are cut, and answers of commits are lost after the broker has carried
// them out. Nothing is lost or doubled by either.
func TestMySQLBrokerCut(t *testing.T) {
	t.Parallel()
	kafka, proxy := harness.StartProxiedKafka(t)
	b := layReaderOn(t, kafka, proxy.Addr(), sharedDatabase(t, beds.MySQL), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 2000)
	writers := b.db.StartWriters(b.database, 2, 30)
	c := b.deploy(nil)
	for range harness.Choose(3, 12) {
		lost := proxy.Lost()
		proxy.LoseAnswer(harness.APIEndTxn)
		harness.Eventually(t, 40*time.Second, "the answer of a commit is lost", func() (bool, string) {
			d := c.Status().Connector.Detail
			return proxy.Lost() > lost, d.State + " " + d.Cause
		})
		harness.Pause(harness.Between(200*time.Millisecond, 2*time.Second))
		proxy.Cut()
		harness.Pause(harness.Between(200*time.Millisecond, time.Second))
	}
	proxy.Refuse(true)
	proxy.Cut()
	mustSay(t, c.AwaitState(40*time.Second, "RECOVERING").Connector.Detail, "Kafka")
	proxy.Refuse(false)
	c.AwaitState(60*time.Second, "RUNNING")
	writers.Stop()
	mustResendNothing(t, b.mustEqual(60*time.Second, beds.LedgerTables()...))
}

// TestMySQLServerAway: while the server does not answer the connector recovers and says so, and goes on by itself.
func TestMySQLServerAway(t *testing.T) {
	t.Parallel()
	b := layReader(t, ownDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 100)
	c := b.deploy(nil)
	b.mustEqual(40*time.Second, beds.LedgerTables()...)
	b.db.Stop()
	c.AwaitState(40*time.Second, "RECOVERING")
	b.db.Start()
	b.exec("INSERT INTO numbers VALUES (7777777, 1, 'after', 1.5, NULL)")
	seen := b.mustEqual(60*time.Second, beds.LedgerTables()...)
	mustResendNothing(t, seen)
	c.AwaitState(20*time.Second, "RUNNING")
}
