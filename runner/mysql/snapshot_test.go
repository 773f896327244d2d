package mysql

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
)

// Rule 17: tables without a key are copied as one view; what changes meanwhile follows it, and
// after a crash the table is sent again, marked as another run.
func TestRule17TablesWithoutKey(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE log (v INT, note VARCHAR(200))", "CREATE TABLE k (id INT PRIMARY KEY, v INT, note VARCHAR(10))")
		for i := range 20 {
			b.s.Exec("INSERT INTO log VALUES " + strings.TrimSuffix(strings.Repeat(fmt.Sprintf("(%d,'%s'),", i, strings.Repeat("x", 100)), 2000), ","))
		}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		b.write(&wg, stop, "k", 1, 100, number)
		b.writeKeyless(&wg, stop, 20)
		r := b.run()
		b.waitFor("a part of the view", func() bool { s := tableOf(b.out, "log"); return s.Rows > 0 || s.State == stateDone })
		first := tableOf(b.out, "log")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		interrupted := tableOf(b.out, "log").State != stateDone
		t.Log("interrupted:", interrupted, first)
		if interrupted { // a reader that goes by the run throws the first one away
			clear(b.out.bag["p_log"])
		}
		b.run()
		b.waitFor("the copies", func() bool { return tableOf(b.out, "log").State == stateDone && tableOf(b.out, "k").State == stateDone })
		pause(200 * time.Millisecond)
		close(stop)
		wg.Wait()
		b.equal("log", "k")
		runs := map[string]int{}
		for _, f := range b.out.facts {
			for _, w := range f {
				if w.topic == "p_log" && w.headers["sluice.snapshot"] != "" {
					runs[w.headers["sluice.snapshot.run"]]++
				}
			}
		}
		if interrupted && (runs["1"] == 0 || runs["2"] == 0) || !interrupted && runs["1"] == 0 {
			t.Errorf("runs: %v", runs)
		}
	})
}

// writeKeyless inserts into the table log and deletes from it, of whose rows v is below values, until stop is closed.
func (b *bed) writeKeyless(wg *sync.WaitGroup, stop chan struct{}, values int) {
	wg.Go(func() {
		c := b.s.Connect()
		defer c.Close()
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(2 * time.Millisecond):
			}
			_, _ = c.Execute(fmt.Sprintf("INSERT INTO log VALUES (%d,'new')", i%7))
			_, _ = c.Execute(fmt.Sprintf("DELETE FROM log WHERE v = %d LIMIT 1", rand.IntN(values)))
		}
	})
}

// An account that may not lock tables copies one without a key all the same (MySQL).
func TestRule17TablesWithoutKeyAndLocks(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MySQL)
	user := b.s.Database // on a shared server no other test has an account of this name
	b.cfg[keyUser] = user
	b.s.Exec("CREATE USER "+user+"@'%' IDENTIFIED BY 'secret'", "GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO "+user+"@'%'",
		"CREATE TABLE log (v INT, note VARCHAR(200))", "CREATE TABLE k (id INT PRIMARY KEY, v INT, note VARCHAR(10))", "INSERT INTO log VALUES (1,'a'),(1,'a'),(2,'b')")
	var wg sync.WaitGroup
	stop := make(chan struct{})
	b.write(&wg, stop, "k", 1, 100, number)
	b.writeKeyless(&wg, stop, 7)
	b.run()
	b.waitFor("the copies", func() bool { return tableOf(b.out, "log").State == stateDone && tableOf(b.out, "k").State == stateDone })
	close(stop)
	wg.Wait()
	b.equal("log", "k")
}

// A table that comes later gets a topic and a copy while the others are followed; one
// is copied again when that is asked for, with what was deleted meanwhile taken back.
func TestTablesLaterAndAgain(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT, note VARCHAR(60))", "CREATE TABLE late (id INT PRIMARY KEY, v INT, note VARCHAR(60))")
		b.insertMany("a", 3000, number)
		b.insertMany("late", 3000, number)
		b.cfg[keyTables], b.cfg[keyChunk] = "a", "300"
		r := b.run()
		b.equal("a")
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		stop := make(chan struct{})
		b.write(&wg, stop, "a", 1, 6000, number)
		b.write(&wg, stop, "late", 2, 6000, number)
		b.cfg[keyTables] = "a, late, fresh"
		r = b.run()
		b.waitFor("the copy of late", func() bool { return tableOf(b.out, "late").State == stateDone })
		b.s.Exec("CREATE TABLE fresh (id INT PRIMARY KEY, v INT)", "INSERT INTO fresh VALUES (1,1),(2,2)")
		b.waitFor("the copy of fresh", func() bool { return tableOf(b.out, "fresh").State == stateDone })
		if err := r.src.(interface {
			Snapshot(ctx context.Context, parts []string) error
		}).Snapshot(t.Context(), []string{b.s.Database + ".a"}); err != nil {
			t.Fatal(err)
		}
		if s := tableOf(b.out, "a"); s.Run != 2 {
			t.Errorf("the request is not saved: %+v", s)
		}
		b.waitFor("the second copy of a", func() bool { return tableOf(b.out, "a").State == stateDone })
		close(stop)
		wg.Wait()
		b.equal("a", "late", "fresh")
		if err := r.src.(*source).Snapshot(t.Context(), []string{"nix"}); err == nil || !strings.Contains(err.Error(), "nix") {
			t.Error(err)
		}
	})
}

// Modes without a copy, and with nothing else.
func TestSnapshotModes(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MariaDB)
	b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
	b.cfg[keySnapshot] = string(SnapshotNoData)
	r := b.run()
	b.waitFor("a position", func() bool { return b.out.position().GTID != "" })
	b.s.Exec("INSERT INTO a VALUES (2,2)")
	b.waitFor("two", func() bool { return b.out.count("p_a/insert") == 1 })
	if err := r.crash(); err != nil {
		t.Fatal(err)
	}
	c := newBed(t, beds.MySQL)
	c.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1,1)")
	c.cfg[keySnapshot] = string(SnapshotInitialOnly)
	c.run()
	c.equal("a")
	c.s.Exec("INSERT INTO a VALUES (2,2)")
	pause(500 * time.Millisecond)
	if c.out.count("p_a/insert") != 1 {
		t.Error("it follows changes")
	}
}
