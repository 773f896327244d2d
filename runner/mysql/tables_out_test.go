package mysql

import "testing"

// TestTableThatComesBack: a table that the settings left out for a while is copied again when they name it
// again, also one that was being copied, since nobody read what changed meanwhile. Readers end with its rows.
func TestTableThatComesBack(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT, note VARCHAR(60))", "CREATE TABLE b (id INT PRIMARY KEY, v INT)", "CREATE TABLE bare (v INT)", "CREATE TABLE gone (id INT PRIMARY KEY)",
			"INSERT INTO b VALUES (1, 1), (2, 2)", "INSERT INTO bare VALUES (1)")
		b.insertMany("a", 300, number)
		r := b.run()
		b.equal("a", "b")
		tables := func(patterns string) {
			t.Helper()
			if err := r.crash(); err != nil {
				t.Fatal(err)
			}
			b.cfg[keyTables] = patterns
			r = b.run()
		}
		tables("a")
		b.waitFor("the others are let go", func() bool {
			return tableOf(b.out, "b").Out && tableOf(b.out, "bare").Out && tableOf(b.out, "gone").Out
		})
		b.s.Exec("UPDATE b SET v = 20 WHERE id = 2", "INSERT INTO b VALUES (3, 3)", "INSERT INTO bare VALUES (2)", "DROP TABLE gone", "INSERT INTO a VALUES (1001, 1, '')")
		b.equal("a")
		if n := b.out.count("p_b/insert"); n != 2 {
			t.Errorf("%d rows of a table that is not named", n)
		}
		tables("a,b,bare")
		b.equal("a", "b")
		b.waitFor("the table without a key", func() bool { s := tableOf(b.out, "bare"); return s.State == stateDone && s.Run == 2 && !s.Out })
		b.s.Exec("UPDATE b SET v = 30 WHERE id = 3", "DELETE FROM b WHERE id = 1")
		b.equal("a", "b")
		if n := b.out.count("p_a/insert"); n != 301 {
			t.Errorf("%d rows of the table that stayed", n)
		}
	})
}

// TestInitialOnlyThenFollowed: what was changed while tables were copied and not followed comes with a copy
// when they are followed later.
func TestInitialOnlyThenFollowed(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1), (2, 2)")
		b.cfg[keySnapshot] = string(SnapshotInitialOnly)
		r := b.run()
		b.equal("a")
		b.s.Exec("UPDATE a SET v = 20 WHERE id = 2", "INSERT INTO a VALUES (3, 3)")
		executed := b.s.Executed()
		b.waitFor("the log is read", func() bool { return b.read(executed) })
		if n := b.out.count("p_a/insert"); n != 2 {
			t.Errorf("%d rows, although nothing is followed", n)
		}
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.cfg[keySnapshot] = string(SnapshotInitial)
		r = b.run()
		b.equal("a")
		b.s.Exec("DELETE FROM a WHERE id = 1")
		b.equal("a")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		before := b.out.count("p_a/insert")
		b.run()
		b.s.Exec("INSERT INTO a VALUES (4, 4)")
		b.equal("a")
		if n := b.out.count("p_a/insert"); n != before+1 {
			t.Errorf("%d rows came again at a start that changed nothing", n-before-1)
		}
	})
}

// read tells whether the position holds these GTIDs; the shared server executes those of other tests meanwhile.
func (b *bed) read(executed string) bool {
	at := b.out.position().GTID
	if my, err := parseGTIDSet(executed); err == nil {
		done, err := parseGTIDSet(at)
		return err == nil && len(my.minus(done).by) == 0
	}
	maria, err := parseMariaSet(executed)
	done, err2 := parseMariaSet(at)
	return err == nil && err2 == nil && done.contains(maria)
}
