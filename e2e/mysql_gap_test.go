//go:build e2e

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// TestMySQLGapPurged: the binary log that would have to be read is gone. The connector stops in the state Gap, says
// what was lost and what to choose; a new copy brings the consumer to the tables' content, going on from now leaves
// out what was lost and nothing else.
func TestMySQLGapPurged(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, ownDatabase(t, flavor), harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")

		b.miss("INSERT INTO t VALUES (3, 3)")
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
		b.mustOffer(c, "snapshot", "now")
		b.exec("INSERT INTO t VALUES (4, 4)")
		c.Choose("", harness.ReaderPartition, "snapshot", nil)
		c.AwaitState(60*time.Second, "RUNNING")
		b.mustEqual(60*time.Second, "t")

		b.miss("INSERT INTO t VALUES (5, 5)")
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
		b.mustOffer(c, "snapshot", "now")
		c.Choose("", harness.ReaderPartition, "now", nil)
		c.AwaitState(60*time.Second, "RUNNING")
		harness.Eventually(t, 40*time.Second, "changes after the choice come, the lost one does not", func() (bool, string) {
			b.exec("INSERT INTO t SELECT MAX(id) + 1, 6 FROM t")
			ids := map[string]bool{}
			for _, row := range b.consume().Tables["t"] {
				ids[*row["id"]] = true
			}
			if ids["5"] {
				t.Fatal("the change that was lost has come all the same: the gap was none")
			}
			return len(ids) > 4, fmt.Sprint(ids)
		})
	})
}

// miss changes the database while the program is down and removes the binary log that tells of it.
func (b *readerBed) miss(statement string) {
	b.t.Helper()
	b.sluice.Kill9()
	b.exec(statement)
	b.db.PurgeAll()
	b.exec("CREATE TABLE IF NOT EXISTS other (id INT PRIMARY KEY)")
	b.db.PurgeAll()
}

// mustOffer waits for a Gap that offers choices, with what is lost.
func (b *readerBed) mustOffer(c *harness.Connector, choices ...string) {
	b.t.Helper()
	c.AwaitState(60*time.Second, "GAP")
	all := c.Choices()
	if len(all) != 1 || all[0].Partition != harness.ReaderPartition || all[0].Lost == nil {
		b.t.Fatalf("choices %+v", all)
	}
	offered := map[string]bool{}
	for _, o := range all[0].Options {
		offered[o.Choice] = o.Title != "" && o.Risk != ""
	}
	for _, want := range choices {
		if !offered[want] {
			b.t.Fatalf("%q is not offered with its title and risk: %+v", want, all)
		}
	}
}

// TestMySQLGapForeignServer: the server is replaced by one that has not executed what was delivered. It is not followed
// as if nothing had happened.
func TestMySQLGapForeignServer(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		first := ownDatabase(t, flavor)
		b := layReader(t, first, harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")
		first.Stop()
		mustSay(t, c.AwaitState(40*time.Second, "RECOVERING").Connector.Detail, "the database server")
		second := beds.Start(t, flavor, beds.With("server_id", "2"))
		second.Account(dbUser, dbPassword)
		second.Exec("CREATE DATABASE "+b.database, "CREATE TABLE "+b.database+".t (id INT PRIMARY KEY, v INT)", "INSERT INTO "+b.database+".t VALUES (9, 9)")
		c.Patch(map[string]string{"mysql.port": fmt.Sprint(second.Port)})
		b.mustOffer(c, "snapshot", "now")
	})
}

// TestMySQLFailover: a server that has executed everything that was delivered takes over; the connector goes on there
// by GTID as if nothing had happened.
func TestMySQLFailover(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		first := ownDatabase(t, flavor)
		replica := beds.Start(t, flavor, beds.With("server_id", "2"))
		replica.Follow(first)
		b := layReader(t, first, harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")
		b.exec("INSERT INTO t VALUES (3, 3)")
		b.mustEqual(40*time.Second, "t")
		replica.AwaitExecuted(first)
		first.Stop()
		replica.Promote()
		b.db = replica
		b.exec("INSERT INTO t VALUES (4, 4)", "UPDATE t SET v = 10 WHERE id = 1")
		c.Patch(map[string]string{"mysql.port": fmt.Sprint(replica.Port)})
		mustResendNothing(t, b.mustEqual(60*time.Second, "t"))
		c.AwaitState(30*time.Second, "RUNNING")
	})
}

// TestMySQLGapRowImage: somebody switches the binary log to half rows while the connector runs. It stops instead of
// sending half rows, and says which setting it was.
func TestMySQLGapRowImage(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, ownDatabase(t, flavor), harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT, w INT)", "INSERT INTO t VALUES (1, 1, 1), (2, 2, 2)")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")
		b.exec("SET GLOBAL binlog_row_image = 'MINIMAL'")
		b.exec("UPDATE t SET v = 5 WHERE id = 1")
		s := c.AwaitState(60*time.Second, "GAP", "FAILED")
		mustSay(t, s.Connector.Detail, "binlog_row_image", "row image")
		b.exec("SET GLOBAL binlog_row_image = 'FULL'")
		b.exec("UPDATE t SET v = 6 WHERE id = 2")
		if s.Connector.Detail.State == "GAP" {
			c.Choose("", harness.ReaderPartition, "snapshot", nil)
		} else {
			c.Resume()
		}
		b.mustEqual(60*time.Second, "t")
	})
}
