package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// Rule 16: a transaction of more than 16 MiB becomes visible in parts, each with the
// transaction's id; after a crash inside it the rest follows, each row once.
func TestRule16HugeTransactionsInParts(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.big (id INT PRIMARY KEY, v VARCHAR(2000))", "CREATE TABLE shop.other (id INT PRIMARY KEY, v VARCHAR(2000))",
			"CREATE TABLE shop.n (i INT PRIMARY KEY)", "INSERT INTO shop.n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)")
		b.cfg[keyTables] = "big, other"
		r := b.run()
		b.waitFor("the copies", func() bool {
			return tableOf(b.out, "big").State == stateDone && tableOf(b.out, "other").State == stateDone
		})
		crashes := 0
		b.out.mu.Lock()
		b.out.onMark = func() error {
			if p := b.out.position(); p.Partial != nil && p.Partial.Part == crashes+1 && crashes < 2 {
				return errors.New("the power is gone")
			}
			return nil
		}
		b.out.mu.Unlock()
		b.s.Exec("BEGIN", "INSERT INTO shop.big SELECT a.i+10*b.i+100*c.i+1000*d.i, REPEAT('x',1800) FROM shop.n a, shop.n b, shop.n c, shop.n d",
			"UPDATE shop.big SET v = REPEAT('y',1500)", "INSERT INTO shop.other SELECT * FROM shop.big", "COMMIT")
		for range 2 {
			if err := r.ends(); err == nil || err.Error() != "the power is gone" {
				t.Fatal(err)
			}
			crashes++
			r = b.run()
		}
		b.equal("big", "other")
		once(t, b.out)
		if n := b.out.count("p_big/insert") + b.out.count("p_other/insert") + b.out.count("p_big/before"); n != 40_000 {
			t.Errorf("%d changes of rows", n)
		}
		parts, last, id := 0, 0, ""
		for _, f := range b.out.facts {
			h := f[0].headers
			if h["sluice.tx.id"] == "" {
				continue
			}
			parts++
			if h["sluice.tx.part"] != fmt.Sprint(parts) || id != "" && id != h["sluice.tx.id"] {
				t.Errorf("part %d: %v", parts, h)
			}
			id = h["sluice.tx.id"]
			if h["sluice.tx.last"] == "true" {
				last = parts
			}
			size := 0
			for _, w := range f {
				size += w.bytes
			}
			if size > maxFact+1<<20 {
				t.Errorf("a part has %d bytes", size)
			}
		}
		if parts < 3 || last != parts {
			t.Errorf("%d parts, the last is %d", parts, last)
		}
		if b.out.position().Partial != nil {
			t.Error("the position still says part")
		}
	})
}

// The server is killed and comes back, connections are killed: nothing is lost or doubled.
func TestReconnects(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.orders (id INT PRIMARY KEY AUTO_INCREMENT, v INT)")
		b.run()
		for i := range 6 {
			for j := range 50 {
				b.s.Exec(fmt.Sprintf("INSERT INTO shop.orders (v) VALUES (%d),(%d)", i, j))
			}
			switch i {
			case 1, 3:
				b.s.KillConnections("sluice")
			case 4:
				b.s.Restart()
			}
		}
		b.equal("orders")
		once(t, b.out)
		if b.out.count("p_orders/insert") != 600 {
			t.Errorf("%d inserts", b.out.count("p_orders/insert"))
		}
		if len(b.out.aways) == 0 {
			t.Error("nobody was told that the server was away")
		}
	})
}

// Compressed transactions (MySQL) and events (MariaDB), rotation, engines without transactions, XA, CREATE … SELECT; changes
// say which event of the log they are from.
func TestFormsOfTheLog(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v TEXT)", "CREATE TABLE shop.m (id INT PRIMARY KEY, v TEXT) ENGINE=MyISAM")
		if b.s.Flavor == beds.MySQL {
			b.s.Exec("SET GLOBAL binlog_transaction_compression = ON")
		} else {
			b.s.Exec("SET GLOBAL log_bin_compress = ON", "SET GLOBAL log_bin_compress_min_len = 10")
		}
		b.places = &places{}
		b.run()
		b.waitFor("the copy", func() bool { return tableOf(b.out, "m").State == stateDone })
		c := b.s.Connect()
		defer c.Close()
		for i := range 40 {
			for _, q := range []string{
				fmt.Sprintf("INSERT INTO shop.a VALUES (%d, '%s')", i, strings.Repeat("abc", 100)),
				fmt.Sprintf("INSERT INTO shop.m VALUES (%d, '%s'), (%d, 'x')", i, strings.Repeat("xyz", 100), i+1000),
				fmt.Sprintf("UPDATE shop.a SET v = '%d' WHERE id = %d", i, i/2),
				fmt.Sprintf("DELETE FROM shop.m WHERE id = %d", i/3),
			} {
				if _, err := c.Execute(q); err != nil {
					t.Fatal(err)
				}
			}
			if i%15 == 7 {
				b.s.Exec("FLUSH BINARY LOGS")
			}
		}
		b.s.Exec("CREATE TABLE shop.c (PRIMARY KEY (id)) SELECT id, LEFT(v, 10) v FROM shop.a")
		b.prepare("'x'", "INSERT INTO shop.a VALUES (5000, 'xa')")
		b.session("INSERT INTO shop.m VALUES (5000, '')", "XA COMMIT 'x'")
		b.equal("a", "m", "c")
		once(t, b.out)
		samePlaces(b)
	})
}

// samePlaces: changes stand where the log has an event, at the time that it has, on MySQL with microseconds.
func samePlaces(b *bed) {
	begins, micros := map[string]bool{}, 0
	for _, file := range b.s.Binlogs() {
		for _, e := range b.s.Query("SHOW BINLOG EVENTS IN '" + file + "'") { // name, pos, …
			begins[file+":"+*e[1]] = true
		}
	}
	b.places.mu.Lock()
	defer b.places.mu.Unlock()
	for _, o := range b.places.all {
		if place := (filePos{o.File, o.Pos}); !begins[place.String()] {
			b.t.Fatalf("a change of %s is said to be at %s, where no event begins", o.GTID, place)
		}
		micros = max(micros, o.EventMicros)
	}
	if len(b.places.all) == 0 || (micros > 0) != (b.s.Flavor == beds.MySQL) || micros > 999 {
		b.t.Errorf("%d places, up to %d microseconds after the millisecond", len(b.places.all), micros)
	}
}

// Positions move although nothing of ours changes.
func TestPositionMovesOnIdleTables(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY)", "CREATE DATABASE other", "CREATE TABLE other.x (id INT PRIMARY KEY)")
		b.run()
		b.waitFor("a position", func() bool { return b.out.position().GTID != "" })
		before := b.out.position()
		b.s.Exec("INSERT INTO other.x VALUES (1)")
		b.waitFor("the position to move", func() bool { return b.out.position().GTID != before.GTID })
		if len(b.out.facts) != 0 {
			t.Error("something was written")
		}
	})
}

// A row that the topic does not take stops the reader, or goes to the dead letters.
func TestOversize(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MariaDB)
	b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v TEXT)")
	b.out.limit = 5000
	r := b.run()
	b.waitFor("the copy", func() bool { return tableOf(b.out, "a").State == stateDone })
	b.s.Exec("INSERT INTO a VALUES (1,'x'), (2,REPEAT('y',6000)), (3,'z')")
	var w *connector.WrongError
	if err := r.ends(); !errors.As(err, &w) || w.Field != keyOversize {
		t.Fatalf("%v", err)
	}
	b.cfg[keyOversize] = OversizeDLQ
	b.run()
	b.waitFor("the rest", func() bool { return b.out.count("p_a/insert") == 2 })
	if b.out.diverted != 1 {
		t.Errorf("%d diverted", b.out.diverted)
	}
}

// Wrong settings end the reader, and are named with what to do.
func TestWrongSettingsAreNamed(t *testing.T) {
	t.Parallel()
	b := ownBed(t, beds.MariaDB, beds.With("skip_ssl", ""))
	b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY, v TEXT)", "CREATE USER 'poor'@'%' IDENTIFIED BY 'x'", "GRANT SELECT ON shop.* TO 'poor'@'%'", "GRANT BINLOG MONITOR ON *.* TO 'poor'@'%'")
	var w *connector.WrongError
	for _, c := range []struct{ key, value, field, remedy string }{
		{keyPassword, "wrong", keyPassword, "Correct"},
		{keyUser, "poor", keyUser, "REPLICATION SLAVE"},
		{keyTLS, string(TLSRequired), keyTLS, "TLS"},
	} {
		kept := b.cfg.Clone()
		b.cfg[c.key] = c.value
		if c.value == "poor" {
			b.cfg[keyPassword] = "x"
		}
		err := b.run().ends()
		if !errors.As(err, &w) || w.Field != c.field || !strings.Contains(w.Remedy, c.remedy) {
			t.Errorf("%s=%s: %v (%+v)", c.key, c.value, err, w)
		}
		b.cfg = kept
	}
	b.s.Exec("SET GLOBAL binlog_row_image = MINIMAL")
	if err := b.run().ends(); !errors.As(err, &w) || !strings.Contains(w.Remedy, "binlog_row_image") {
		t.Errorf("%v", err)
	}
}
