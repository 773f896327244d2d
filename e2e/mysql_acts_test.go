//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// TestMySQLSuspendAndResume: what changes while the connector is suspended or stopped comes after it is resumed, once.
func TestMySQLSuspendAndResume(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 500)
	writers := b.db.StartWriters(b.database, 2, 20)
	c := b.deploy(nil)
	for _, act := range []func(){c.Pause, c.StopWork, c.Pause} {
		harness.Pause(harness.Between(300*time.Millisecond, 1500*time.Millisecond))
		act()
		c.AwaitState(30*time.Second, "SUSPENDED", "STOPPED")
		before := writers.Transactions.Load()
		harness.Eventually(t, 20*time.Second, "writers go on", func() (bool, string) {
			return writers.Transactions.Load() > before+10, ""
		})
		c.Resume()
		c.AwaitState(40*time.Second, "RUNNING")
	}
	writers.Stop()
	mustResendNothing(t, b.mustEqual(60*time.Second, beds.LedgerTables()...))
}

// TestMySQLOffsets: the position is shown, refused while it runs, set to an earlier one and then brings the changes
// since then again, and reset so that everything is copied anew.
func TestMySQLOffsets(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, sharedDatabase(t, flavor), harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")
		old := b.logPosition(c)
		b.exec("UPDATE t SET v = 2")
		seen := b.mustEqual(40*time.Second, "t")
		answer, err := b.sluice.Call(http.MethodPatch, c.Path("/offsets"), map[string]any{"offsets": []harness.SourcePosition{old}})
		if err != nil || answer.Status != http.StatusBadRequest {
			t.Errorf("positions of a running connector: %d %s %v, want 400", answer.Status, answer.Body, err)
		}
		c.StopWork()
		c.AwaitState(30*time.Second, "STOPPED")
		answer, err = b.sluice.Call(http.MethodPatch, c.Path("/offsets"), map[string]any{"offsets": []map[string]any{{"partition": old.Partition, "offset": map[string]any{"nonsense": 1}}}})
		if err != nil || answer.Status != http.StatusBadRequest {
			t.Errorf("nonsense as a position: %d %s %v, want 400", answer.Status, answer.Body, err)
		}
		misspelt := map[string]any{"server": b.prefix, "tabel": "t"}
		answer, err = b.sluice.Call(http.MethodPatch, c.Path("/offsets"), map[string]any{"offsets": []map[string]any{{"partition": misspelt, "offset": nil}}})
		if err != nil || answer.Status != http.StatusBadRequest {
			t.Errorf("a partition that is not known: %d %s %v, want 400", answer.Status, answer.Body, err)
		}
		c.SetSourcePositions(harness.SourcePosition{Partition: old.Partition, Offset: map[string]any{"gtid": old.Offset["gtid"]}})
		c.Resume()
		harness.Eventually(t, 40*time.Second, "the update has come again", func() (bool, string) {
			n := b.consume().Ops["UPDATE_AFTER"]
			return n == seen.Ops["UPDATE_AFTER"]+1, fmt.Sprint(n)
		})
		c.StopWork()
		c.AwaitState(30*time.Second, "STOPPED")
		c.ResetSourcePositions()
		if left := c.SourcePositions(); len(left) != 0 {
			t.Errorf("after a reset there are still %v", left)
		}
		c.Resume()
		harness.Eventually(t, 40*time.Second, "the row has been copied again", func() (bool, string) {
			seen := b.consume()
			return seen.Resent == 1, fmt.Sprint(seen.Ops)
		})
		b.removePositions(c, old.Partition)
	})
}

// removePositions: what is changed between a place in the log that is removed and the next start comes all the same, and where it
// would not, the place cannot be removed.
func (b *readerBed) removePositions(c *harness.Connector, log map[string]any) {
	b.t.Helper()
	rows := func(want int) {
		b.t.Helper()
		harness.Eventually(b.t, 40*time.Second, "every row has come", func() (bool, string) {
			n := len(b.consume().Tables["t"])
			return n == want, fmt.Sprint(n)
		})
	}
	c.StopWork()
	c.AwaitState(30*time.Second, "STOPPED")
	b.exec("INSERT INTO t VALUES (2, 2)")
	c.SetSourcePositions(harness.SourcePosition{Partition: log})
	for _, p := range c.SourcePositions() {
		if p.Partition["table"] == nil {
			b.t.Errorf("the place in the log is removed and still shown: %v", p)
		}
	}
	c.Resume()
	rows(2)
	c.StopWork()
	c.AwaitState(30*time.Second, "STOPPED")
	c.Patch(map[string]string{"snapshot.mode": "no_data"})
	answer, err := b.sluice.Call(http.MethodPatch, c.Path("/offsets"), map[string]any{"offsets": []map[string]any{{"partition": log, "offset": nil}}})
	if err != nil || answer.Status != http.StatusBadRequest || !strings.Contains(string(answer.Body), "snapshot.mode=no_data") {
		b.t.Errorf("%d %s %v, want 400 and the way", answer.Status, answer.Body, err)
	}
	b.exec("INSERT INTO t VALUES (3, 3)")
	c.Resume()
	rows(3)
	c.StopWork()
	c.AwaitState(30*time.Second, "STOPPED")
	for range 2 { // as at the first deploy: what the mode leaves out is left out
		c.ResetSourcePositions()
	}
	if left := c.SourcePositions(); len(left) > 0 {
		b.t.Errorf("removed and still shown: %v", left)
	}
	c.Resume()
	b.logPosition(c)
	b.exec("INSERT INTO t VALUES (4, 4)")
	rows(4)
}

// TestMySQLAnotherHost: a connector that is made again under its name, and one of another name that is given its position, go on at
// another host where it was; nothing comes twice.
func TestMySQLAnotherHost(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
	c := b.deploy(nil)
	b.mustEqual(40*time.Second, "t")
	other := map[string]string{"mysql.host": "localhost"}
	harness.Eventually(t, 20*time.Second, "the host is fixed", func() (bool, string) {
		answer, err := b.sluice.Call(http.MethodPatch, c.Path("/config"), map[string]string{"mysql.host": "127.0.0.2"})
		return err == nil && answer.Status == http.StatusBadRequest && strings.Contains(string(answer.Body), "keep its topics and groups"), fmt.Sprintf("%d %s %v", answer.Status, answer.Body, err)
	})
	c.Delete("?resources=keep")
	b.exec("INSERT INTO t VALUES (2, 2)", "UPDATE t SET v = 5 WHERE id = 1")
	again := b.sluice.CreateConnector(instance, c.Name, b.config(other))
	mustResendNothing(t, b.mustEqual(60*time.Second, "t"))
	at := b.logPosition(again)
	again.StopWork()
	again.AwaitState(30*time.Second, "STOPPED")
	shown := again.SourcePositions()
	again.Delete("")
	b.exec("INSERT INTO t VALUES (3, 3)", "DELETE FROM t WHERE id = 2")
	next := b.sluice.Connector(instance, own("next"))
	b.sluice.Must(http.StatusCreated, http.MethodPost, "/connect/"+instance+"/connectors", map[string]any{"name": next.Name, "config": b.config(other), "initial_state": "STOPPED"}, nil)
	next.SetSourcePositions(shown...)
	next.Resume()
	mustResendNothing(t, b.mustEqual(60*time.Second, "t"))
	before, _ := at.Offset["sequence"].(float64)
	if now, _ := b.logPosition(next).Offset["sequence"].(float64); now <= before || before == 0 {
		t.Errorf("sequences went back from %v to %v", before, now)
	}
}

// logPosition waits for a position in the binary log and returns it.
func (b *readerBed) logPosition(c *harness.Connector) (out harness.SourcePosition) {
	b.t.Helper()
	harness.Eventually(b.t, 30*time.Second, "a position with GTIDs is shown", func() (bool, string) {
		all := c.SourcePositions()
		for _, p := range all {
			if _, table := p.Partition["table"]; !table && p.Offset["gtid"] != nil && p.Offset["gtid"] != "" {
				out = p
				return true, ""
			}
		}
		text, err := json.Marshal(all)
		return false, fmt.Sprint(string(text), err)
	})
	return out
}

// TestMySQLSnapshotAgain: a table is copied anew on request while changes go on; the others are left alone, and what a
// consumer has is right during it and afterwards, over a kill too.
func TestMySQLSnapshotAgain(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MySQL), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 4000)
	writers := b.db.StartWriters(b.database, 2, 15)
	c := b.deploy(map[string]string{"snapshot.chunk.size": "200"})
	answer, err := b.sluice.Call(http.MethodPost, c.API("/snapshot"), map[string]any{"tables": []string{"nowhere"}})
	if err != nil || answer.Status != http.StatusUnprocessableEntity {
		t.Errorf("an unknown table: %d %s %v, want 422", answer.Status, answer.Body, err)
	}
	harness.Eventually(t, 60*time.Second, "the first copy is done", func() (bool, string) {
		n := len(b.consume().Tables["numbers"])
		return n > 3000, fmt.Sprint(n)
	})
	c.SnapshotAgain("numbers")
	harness.Pause(harness.Between(100*time.Millisecond, time.Second))
	b.sluice.Kill9()
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	var seen *beds.Consumed
	harness.Eventually(t, 60*time.Second, "rows have come again", func() (bool, string) {
		seen = b.consume()
		return seen.Resent > 1000, fmt.Sprint(seen.Resent)
	})
	harness.Pause(time.Second)
	writers.Stop()
	seen = b.mustEqual(60*time.Second, beds.LedgerTables()...)
	t.Logf("%d rows came again", seen.Resent)
}

// TestMySQLTableAddedLater: a table that is added to the list is copied while the others are followed, once.
func TestMySQLTableAddedLater(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 2000)
	writers := b.db.StartWriters(b.database, 2, 20)
	c := b.deploy(map[string]string{"mysql.tables": "numbers"})
	harness.Eventually(t, 40*time.Second, "numbers are followed", func() (bool, string) {
		seen := b.consume()
		return seen.Ops["UPDATE_AFTER"] > 0, fmt.Sprint(seen.Ops)
	})
	c.Patch(map[string]string{"mysql.tables": "numbers, pairs, bare"})
	harness.Eventually(t, 60*time.Second, "pairs have come", func() (bool, string) {
		seen := b.consume()
		return len(seen.Tables["pairs"]) > 0, fmt.Sprint(seen.Ops)
	})
	harness.Pause(time.Second)
	writers.Stop()
	mustResendNothing(t, b.mustEqual(60*time.Second, beds.LedgerTables()...))
}

// TestMySQLDelete: a deleted connector leaves the tables' topics and takes its own with it; one of the same name that
// is made anew starts from the beginning.
func TestMySQLDelete(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MySQL), harness.SluiceOptions{})
	b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1), (2, 2)")
	c := b.deploy(nil)
	b.mustEqual(40*time.Second, "t")
	first := b.kafka.ReadAll(b.prefix + "_t")[0]
	var fate struct{ State, Where, Reason string }
	b.sluice.Must(http.StatusOK, http.MethodGet, fmt.Sprintf("/api/v1/instances/%s/topics/%s/records/%d/%d/fate?connector=%s", instance, first.Topic, first.Partition, first.Offset, c.Name), nil, &fate)
	if fate.State != "delivered" || !strings.Contains(fate.Reason, b.database+".t") {
		t.Errorf("the fate of a message of the table's topic: %+v", fate)
	}
	c.Delete("")
	harness.Eventually(t, 30*time.Second, "its own topics are gone, the table's is not", func() (bool, string) {
		topics := b.kafka.Topics()
		_, own := topics["connect-offset-"+c.Name]
		_, table := topics[b.prefix+"_t"]
		return !own && table, fmt.Sprint(own, table)
	})
	again := b.sluice.CreateConnector(instance, c.Name, b.config(nil))
	again.AwaitState(60*time.Second, "RUNNING")
	harness.Eventually(t, 40*time.Second, "the rows were copied anew", func() (bool, string) {
		seen := b.consume()
		return seen.Resent == 2, fmt.Sprint(seen.Ops)
	})
}

// TestRule14TwoProcesses: of two processes on copies of one data folder one reads; the other stays stopped and says
// why. No change comes twice.
func TestRule14TwoProcesses(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MySQL), harness.SluiceOptions{})
	b.db.LayLedger(b.database, 500)
	c := b.deploy(nil)
	b.mustEqual(40*time.Second, beds.LedgerTables()...)
	b.sluice.Stop()
	copied := filepath.Join(t.TempDir(), "data")
	if out, err := exec.Command("cp", "-a", b.sluice.DataDir, copied).CombinedOutput(); err != nil {
		t.Fatalf("copying the data folder: %v: %s", err, out)
	}
	writers := b.db.StartWriters(b.database, 2, 20)
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	c.AwaitState(40*time.Second, "RUNNING")
	twin := suite.StartSluice(t, harness.SluiceOptions{DataDir: copied})
	other := twin.Connector(instance, c.Name)
	harness.Eventually(t, 90*time.Second, "one of the two is stopped and says why", func() (bool, string) {
		one, two := c.Status().Connector.Detail, other.Status().Connector.Detail
		detail := fmt.Sprintf("%s: %s / %s: %s", one.State, one.Cause, two.State, two.Cause)
		for _, d := range []harness.Detail{one, two} {
			if d.State == "FAILED" {
				mustSay(t, d, "another process")
				return true, ""
			}
		}
		return false, detail
	})
	harness.Pause(2 * time.Second)
	writers.Stop()
	mustResendNothing(t, b.mustEqual(60*time.Second, beds.LedgerTables()...))
}

// TestRule15Heartbeat: while only other databases change, the position moves all the same, so that the server's binary
// log may go; after it is gone the connector goes on.
func TestRule15Heartbeat(t *testing.T) {
	t.Parallel()
	b := layReader(t, ownDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
	c := b.deploy(nil)
	b.mustEqual(40*time.Second, "t")
	before := fmt.Sprint(b.logPosition(c).Offset["gtid"])
	b.db.Exec("CREATE DATABASE elsewhere", "CREATE TABLE elsewhere.x (id INT PRIMARY KEY)", "INSERT INTO elsewhere.x VALUES (1), (2)")
	harness.Eventually(t, 30*time.Second, "the position moves", func() (bool, string) {
		now := fmt.Sprint(b.logPosition(c).Offset["gtid"])
		return now != before && now == b.db.Executed(), now
	})
	b.db.PurgeAll()
	b.sluice.Kill9()
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	b.exec("UPDATE t SET v = 2")
	mustResendNothing(t, b.mustEqual(40*time.Second, "t"))
}
