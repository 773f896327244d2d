//go:build e2e

package e2e

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// TestMySQLSchemaChanges: columns come and go, a table is emptied, renamed and swapped as migration tools do it, one
// is made while the connector runs, statements come that no parser knows. A consumer has the tables' content after
// each.
func TestMySQLSchemaChanges(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		b := layReader(t, sharedDatabase(t, flavor), harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(20))", "INSERT INTO t VALUES (1, 'one'), (2, 'two')")
		c := b.deploy(nil)
		b.mustEqual(40*time.Second, "t")
		b.exec("ALTER TABLE t ADD COLUMN b INT DEFAULT 7 FIRST", "INSERT INTO t VALUES (8, 3, 'three')", "UPDATE t SET a = 'x' WHERE id = 1",
			"ALTER TABLE t DROP COLUMN a, ADD COLUMN d DECIMAL(10,3)", "UPDATE t SET b = 9, d = 1.5", "DELETE FROM t WHERE id = 2")
		// A consumer has a row with the columns that it had when it last changed: all of them change.
		seen := b.mustEqual(40*time.Second, "t")
		if seen.Ops["ALTER"] != 2 {
			t.Errorf("%d messages ALTER, want 2: %v", seen.Ops["ALTER"], seen.Ops)
		}

		// What a migration tool does: a copy, filled, then both names in one statement.
		b.exec("CREATE TABLE _t_gho (id INT PRIMARY KEY, b INT, d DECIMAL(10,3), fresh VARCHAR(10) NOT NULL DEFAULT 'new')",
			"INSERT INTO _t_gho (id, b, d) SELECT id, b, d FROM t", "RENAME TABLE t TO _t_del, _t_gho TO t", "DROP TABLE _t_del",
			"UPDATE t SET b = b + 1", "INSERT INTO t VALUES (50, 1, 2, 'last')")
		b.afterSwap(c)

		b.exec("TRUNCATE TABLE t", "INSERT INTO t VALUES (1, 1, 1, 'again')")
		seen = b.mustEqual(40*time.Second, "t")
		if seen.Ops["TRUNCATE"] != 1 {
			t.Errorf("%d messages TRUNCATE, want 1", seen.Ops["TRUNCATE"])
		}
		b.exec("CREATE TABLE later (id INT PRIMARY KEY, v TEXT)", "INSERT INTO later VALUES (1, 'made while running')",
			"CREATE TABLE taken AS SELECT * FROM t", "ALTER TABLE later COMMENT 'nothing'", "INSERT INTO later VALUES (2, 'still there')")
		seen = b.mustEqual(60*time.Second, "t", "later", "taken")
		if n := seen.Partitions[b.prefix+"_taken"]; n != 1 {
			t.Errorf("the topic of a table without a key has %d partitions", n)
		}
		if n := seen.Partitions[b.prefix+"_later"]; n != 6 {
			t.Errorf("the topic of a table with a key has %d partitions", n)
		}
	})
}

// afterSwap waits until what was changed after a swap has come. Rows that came in with the swapped table are as the
// old table had them, as far as a consumer knows, until they change: all of them do.
func (b *readerBed) afterSwap(c *harness.Connector) {
	b.t.Helper()
	harness.Eventually(b.t, 40*time.Second, "the swapped table is followed", func() (bool, string) {
		seen := b.consume()
		for _, row := range seen.Tables["t"] {
			if id := row["id"]; id != nil && *id == "50" {
				return row["fresh"] != nil && *row["fresh"] == "last", fmt.Sprint(seen.Faults)
			}
		}
		d := c.Status().Connector.Detail
		return false, fmt.Sprintf("row 50 has not come; %s %s", d.State, d.Cause)
	})
}

// TestRule18XA: rows of an XA transaction come when it is committed and never when it is rolled back, also when the
// program dies between PREPARE and the decision; a connector that is deployed while one is undecided loses nothing.
func TestRule18XA(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, flavor string) {
		db := ownDatabase(t, flavor)
		b := layReader(t, db, harness.SluiceOptions{})
		b.exec("CREATE TABLE t (id INT PRIMARY KEY, v INT)", "INSERT INTO t VALUES (1, 1)")
		// Undecided while the connector starts.
		b.xa("early", "INSERT INTO t VALUES (100, 1)")
		c := b.sluice.CreateConnector(instance, own("xa"), b.config(nil))
		harness.Eventually(t, 30*time.Second, "the connector waits for the undecided transaction and names it", func() (bool, string) {
			answer := fmt.Sprint(c.Status())
			return strings.Contains(answer, "XA") || strings.Contains(answer, "early"), answer
		})
		b.decide("XA COMMIT 'early'")
		c.AwaitState(60*time.Second, "RUNNING")
		b.mustEqual(60*time.Second, "t")

		b.xa("kept", "INSERT INTO t VALUES (2, 2)", "UPDATE t SET v = 10 WHERE id = 1")
		b.xa("dropped", "INSERT INTO t VALUES (3, 3)")
		b.exec("INSERT INTO t VALUES (4, 4)")
		harness.Eventually(t, 30*time.Second, "what was committed meanwhile has come", func() (bool, string) {
			n := len(b.consume().Tables["t"])
			return n == 3, fmt.Sprintf("%d rows", n) // 1, 100 and 4
		})
		b.sluice.Kill9()
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
		b.decide("XA COMMIT 'kept'")
		b.decide("XA ROLLBACK 'dropped'")
		b.exec("INSERT INTO t VALUES (5, 5)")
		mustResendNothing(t, b.mustEqual(60*time.Second, "t"))
		b.xa("last", "DELETE FROM t WHERE id = 5")
		b.decide("XA COMMIT 'last'")
		mustResendNothing(t, b.mustEqual(60*time.Second, "t"))
	})
}

// xa prepares a transaction and leaves it.
func (b *readerBed) xa(xid string, statements ...string) {
	b.t.Helper()
	all := append([]string{"XA START '" + xid + "'"}, statements...)
	b.exec(append(all, "XA END '"+xid+"'", "XA PREPARE '"+xid+"'")...)
}

// decide commits or rolls back a prepared transaction. The server knows it for other sessions only when it has noticed
// that its own has ended.
func (b *readerBed) decide(statement string) {
	b.t.Helper()
	harness.Eventually(b.t, 20*time.Second, statement, func() (bool, string) {
		err := b.db.TryExec(statement)
		return err == nil, fmt.Sprint(err)
	})
}

// TestRule16LargeTransaction: a transaction of more than 16 MiB becomes visible in parts that say so, the smaller ones
// whole; a kill in the middle neither loses nor doubles a row.
func TestRule16LargeTransaction(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MySQL), harness.SluiceOptions{})
	b.exec("CREATE TABLE wide (id INT PRIMARY KEY, v INT NOT NULL, filler VARCHAR(2000))", "CREATE TABLE small (id INT PRIMARY KEY, v INT)", "INSERT INTO small VALUES (1, 1)")
	b.deploy(nil)
	b.mustEqual(40*time.Second, "small", "wide")
	rows := harness.Choose(20_000, 100_000) // of about 2 KiB each
	var digits []string
	for i := range 10 {
		digits = append(digits, fmt.Sprintf("SELECT %d AS d", i))
	}
	ten := "(" + strings.Join(digits, " UNION ALL ") + ")"
	b.exec(fmt.Sprintf("INSERT INTO wide SELECT n, 0, REPEAT('x', 1000) FROM (SELECT a.d + 10*b.d + 100*c.d + 1000*e.d + 10000*f.d AS n FROM %[1]s a, %[1]s b, %[1]s c, %[1]s e, %[1]s f) k WHERE n < %[2]d", ten, rows))
	harness.Pause(harness.Between(300*time.Millisecond, 1500*time.Millisecond))
	b.sluice.Kill9()
	b.exec("UPDATE small SET v = 2")
	b.sluice.Start()
	b.sluice.AwaitReady(30 * time.Second)
	mustResendNothing(t, b.mustEqual(90*time.Second, "small", "wide"))
	parts, records := map[string]string{}, 0
	for _, m := range b.kafka.ReadAll(b.prefix + "_wide") {
		var id, part, last string
		for _, h := range m.Headers {
			switch string(h.Key) {
			case "sluice.tx.id":
				id = string(h.Value)
			case "sluice.tx.part":
				part = string(h.Value)
			case "sluice.tx.last":
				last = string(h.Value)
			}
		}
		if id != "" {
			parts[id+" "+part] = last
			records++
		}
	}
	if len(parts) < 2 || records != rows {
		t.Errorf("%d records of the large transaction say to which part they belong, in %d parts %v; want all %d", records, len(parts), parts, rows)
	}
}

// TestRule17TableWithoutKey: a table without a primary key is copied in one view; when that is interrupted it is sent
// again whole, marked so, and changes after it fit.
func TestRule17TableWithoutKey(t *testing.T) {
	t.Parallel()
	b := layReader(t, sharedDatabase(t, beds.MariaDB), harness.SluiceOptions{})
	b.db.LayLedger(b.database, harness.Choose(20_000, 200_000))
	writers := b.db.StartWriters(b.database, 2, 20)
	b.sluice.CreateConnector(instance, own("keyless"), b.config(map[string]string{"mysql.tables": "bare"}))
	for range 3 {
		harness.Pause(harness.Between(100*time.Millisecond, 1500*time.Millisecond))
		b.sluice.Kill9()
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
	}
	harness.Pause(time.Second)
	writers.Stop()
	seen := b.mustEqual(60*time.Second, "bare")
	t.Logf("runs %v, %d messages", seen.Runs, seen.Messages)
}
