package mysql

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
)

// session runs statements of one session that ends afterwards: a prepared transaction is
// then nobody's.
func (b *bed) session(statements ...string) {
	b.t.Helper()
	c := b.s.Connect()
	defer c.Close()
	for _, q := range statements {
		_, err := c.Execute(q)
		// The server knows a prepared transaction for other sessions only when it has noticed that its own has ended.
		for until := time.Now().Add(20 * time.Second); serverCode(err) == 1397 && time.Now().Before(until); { // XAER_NOTA
			pause(10 * time.Millisecond)
			_, err = c.Execute(q)
		}
		if err != nil {
			b.t.Fatalf("%s: %v", q, err)
		}
	}
}

func (b *bed) prepare(xid string, statements ...string) {
	b.t.Helper()
	all := append([]string{"XA START " + xid}, statements...)
	b.session(append(all, "XA END "+xid, "XA PREPARE "+xid)...)
}

// Rule 18: rows of a prepared transaction come with its COMMIT and never with its ROLLBACK,
// through crashes before, between and after, and among other transactions.
func TestRule18XATransactions(t *testing.T) {
	t.Parallel()
	run := func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(3000))", "CREATE TABLE shop.n (i INT PRIMARY KEY)", "INSERT INTO shop.n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
		b.cfg[keyTables] = "a"
		r := b.run()
		b.waitFor("the copy", func() bool { return tableOf(b.out, "a").State == stateDone })
		again := func() {
			t.Helper()
			if err := r.crash(); err != nil {
				t.Fatal(err)
			}
			r = b.run()
		}
		b.prepare("'one'", "INSERT INTO shop.a VALUES (1,'one')")
		b.prepare("'two','b',7", "INSERT INTO shop.a SELECT 1000+a.i+10*b.i+100*c.i+1000*d.i, REPEAT('x',2500) FROM shop.n a, shop.n b, shop.n c, shop.n d") // over what memory holds
		b.prepare("'three'", "INSERT INTO shop.a VALUES (3,'three')")
		b.s.Exec("INSERT INTO shop.a VALUES (10,'ten')")
		b.waitFor("ten", func() bool { return b.out.count("p_a/insert") == 1 && len(b.out.position().Open) == 3 })
		again()
		b.s.Exec("INSERT INTO shop.a VALUES (11,'eleven')", "XA COMMIT 'one'")
		b.waitFor("one", func() bool { return b.out.count("p_a/insert") == 3 && len(b.out.position().Open) == 2 })
		again()
		b.s.Exec("XA ROLLBACK 'three'", "INSERT INTO shop.a VALUES (12,'twelve')")
		b.waitFor("twelve", func() bool { return b.out.count("p_a/insert") == 4 && len(b.out.position().Open) == 1 })
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.s.Exec("XA COMMIT 'two','b',7")
		r = b.run()
		b.equal("a")
		b.waitFor("no open one", func() bool { p := b.out.position(); return len(p.Open) == 0 && p.From == nil })
		again()
		b.session("XA START 'quick'", "INSERT INTO shop.a VALUES (13,'thirteen')", "XA END 'quick'", "XA COMMIT 'quick' ONE PHASE")
		b.equal("a")
		once(t, b.out)
		if n := b.out.count("p_a/insert"); n != 10_005 {
			t.Errorf("%d inserts", n)
		}
	}
	ownFlavours(t, run)
	t.Run("file", func(t *testing.T) { t.Parallel(); run(t, ownBed(t, beds.MySQL, beds.NoGTID())) })
}

// Rule 18: no start point behind an undecided PREPARE; who waits for it says for which.
func TestRule18StartWaitsForPrepared(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(3000))")
		b.prepare("'early'", "INSERT INTO shop.a VALUES (1,'one')")
		b.run()
		b.waitFor("the reason", func() bool {
			b.out.mu.Lock()
			defer b.out.mu.Unlock()
			return len(b.out.aways) > 0 && (strings.Contains(b.out.aways[0].Error(), "early") || strings.Contains(b.out.aways[0].Error(), "6561726C79"))
		})
		b.s.Exec("XA COMMIT 'early'")
		b.equal("a")
	})
}

// Rule 17 and 18: a transaction that is prepared while a table is copied.
func TestRule18PreparedDuringCopy(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v INT, note VARCHAR(60))")
		b.insertMany("a", 6000, number)
		b.cfg[keyChunk] = "200"
		stop := make(chan struct{})
		b.out.onMark = func() error { pause(10 * time.Millisecond); return nil }
		b.run()
		go func() {
			defer close(stop)
			for i := range 12 {
				x := fmt.Sprintf("'x%d'", i)
				b.prepare(x, fmt.Sprintf("UPDATE shop.a SET v = -1 WHERE id = %d", i*900), fmt.Sprintf("INSERT INTO shop.a VALUES (%d, %d, 'xa')", 100_001+i, i), fmt.Sprintf("INSERT INTO shop.a VALUES (%d, %d, 'xa')", 1+i*1000, i))
				pause(30 * time.Millisecond)
				b.session([]string{"XA COMMIT " + x, "XA ROLLBACK " + x}[i%2])
			}
		}()
		<-stop
		b.waitFor("the copy", func() bool { return tableOf(b.out, "a").State == stateDone })
		b.equal("a")
		once(t, b.out)
	})
}

// Rule 18: an account that may not list prepared transactions is served; the COMMIT of
// one that was prepared before the start is a Gap, never a silent loss.
func TestRule18WithoutXARecover(t *testing.T) {
	t.Parallel()
	b := ownBed(t, beds.MySQL)
	b.s.Exec("REVOKE XA_RECOVER_ADMIN ON *.* FROM 'sluice'@'%'", "CREATE TABLE shop.a (id INT PRIMARY KEY, v VARCHAR(3000))", "CREATE DATABASE other", "CREATE TABLE other.o (id INT PRIMARY KEY)")
	b.prepare("'early'", "INSERT INTO shop.a VALUES (1,'one')")
	b.prepare("'dropped'", "INSERT INTO shop.a VALUES (5,'five')")
	r := b.run()
	b.waitFor("the copy", func() bool { return tableOf(b.out, "a").State == stateDone })
	b.prepare("'mine'", "INSERT INTO shop.a VALUES (2,'two')")
	b.prepare("'theirs'", "INSERT INTO other.o VALUES (1)")
	b.session("XA START 'nothing'", "SELECT 1", "XA END 'nothing'", "XA PREPARE 'nothing'", "XA COMMIT 'nothing'")
	b.s.Exec("XA ROLLBACK 'dropped'")
	b.waitFor("two open ones", func() bool { return len(b.out.position().Open) == 2 })
	if err := r.crash(); err != nil {
		t.Fatal(err)
	}
	r = b.run()
	b.s.Exec("XA COMMIT 'theirs'", "XA COMMIT 'mine'")
	b.waitFor("mine", func() bool { return b.out.count("p_a/insert") == 1 && len(b.out.position().Open) == 0 })
	b.s.Exec("XA COMMIT 'early'")
	b.gap(r.ends(), "6561726c79")
	b.run(choiceSnapshot)
	b.equal("a")
}
