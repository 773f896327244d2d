package mysql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
)

// write changes rows of a table until stop is closed: inserts, updates, deletes, changes of keys.
func (b *bed) write(wg *sync.WaitGroup, stop <-chan struct{}, table string, seed uint64, most int, key func(int) string) {
	wg.Add(1)
	go func() {
		defer wg.Done()
		c := b.s.Connect()
		defer c.Close()
		r := rand.New(rand.NewPCG(seed, 1))
		for {
			select {
			case <-stop:
				return
			case <-time.After(time.Millisecond):
			}
			k, l := key(r.IntN(most)), key(r.IntN(most))
			var q string
			switch r.IntN(5) {
			case 0:
				q = fmt.Sprintf("INSERT IGNORE INTO %s VALUES (%s, %d, 'new')", table, k, r.IntN(1000))
			case 1, 2:
				q = fmt.Sprintf("UPDATE %s SET v = %d WHERE id = %s", table, r.IntN(1000), k)
			case 3:
				q = fmt.Sprintf("DELETE FROM %s WHERE id = %s", table, k)
			case 4:
				q = fmt.Sprintf("UPDATE IGNORE %s SET id = %s, v = v + 1 WHERE id = %s", table, l, k)
			}
			if r.IntN(4) == 0 {
				_, _ = c.Execute("BEGIN")
				_, _ = c.Execute(q)
				_, _ = c.Execute(fmt.Sprintf("UPDATE %s SET note = 'tx' WHERE id = %s", table, l))
				_, _ = c.Execute("COMMIT")
			} else {
				_, _ = c.Execute(q)
			}
		}
	}()
}

// rows of a table in one statement, ids 2, 4, 6, …
func (b *bed) insertMany(table string, n int, key func(int) string) {
	for from := 0; from < n; from += 2000 {
		var q strings.Builder
		fmt.Fprintf(&q, "INSERT INTO %s VALUES ", table)
		for i := from; i < min(from+2000, n); i++ {
			if i > from {
				q.WriteByte(',')
			}
			fmt.Fprintf(&q, "(%s,%d,'row %d')", key(i*2), i, i)
		}
		b.s.Exec(q.String())
	}
}

func number(i int) string { return fmt.Sprint(i) }
func word(i int) string {
	return fmt.Sprintf("'k%s%d'", string(rune('A'+i%7))+string(rune('a'+i%5)), i)
}

// Rule 17: writers change a table while it is copied, chunk by chunk, and the process ends
// now and then: the facts add up to the table, and no key is copied twice.
func TestRule17SnapshotAndStreamAreMerged(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name, column string
		key          func(int) string
	}{{"int", "id INT PRIMARY KEY", number}, {"text", "id VARCHAR(20) PRIMARY KEY", word}, {"both", "PRIMARY KEY (note, id), id INT", number}} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			ownFlavours(t, func(t *testing.T, b *bed) { mergeUnderWriters(t, b, c.column, c.key) })
		})
	}
	t.Run("file", func(t *testing.T) {
		t.Parallel()
		mergeUnderWriters(t, ownBed(t, beds.MySQL, beds.NoGTID()), "id INT PRIMARY KEY", number)
	})
}

func mergeUnderWriters(t *testing.T, b *bed, column string, key func(int) string) {
	const n = 20_000
	b.s.Exec("CREATE TABLE shop.orders (" + column + ", v INT, note VARCHAR(60))")
	b.insertMany("orders", n, key)
	b.cfg[keyChunk] = "500"
	var wg sync.WaitGroup
	stop := make(chan struct{})
	for i := range 3 {
		b.write(&wg, stop, "orders", uint64(i), 2*n, key)
	}
	crashes := 0
	for {
		r := b.run()
		pause(time.Duration(300+rand.IntN(500)) * time.Millisecond)
		if state := tableOf(b.out, "orders").State; state == stateDone || crashes >= 12 {
			break
		}
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		crashes++
	}
	b.waitFor("the copy", func() bool { return tableOf(b.out, "orders").State == stateDone })
	pause(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	b.equal("orders")
	t.Logf("%d crashes, %d facts", crashes, len(b.out.facts))
	once(t, b.out)
}

// Rule 17, roughly: connections are killed, the server is killed, the process ends.
func TestRule17MergeSurvivesKills(t *testing.T) {
	t.Parallel()
	ownFlavours(t, func(t *testing.T, b *bed) {
		const n = 20_000
		b.s.Exec("CREATE TABLE shop.orders (id INT PRIMARY KEY, v INT, note VARCHAR(60))", "CREATE TABLE shop.more (id INT PRIMARY KEY, v INT, note VARCHAR(60))")
		b.insertMany("orders", n, number)
		b.insertMany("more", n/2, number)
		b.cfg[keyChunk] = "300"
		var wg sync.WaitGroup
		stop := make(chan struct{})
		writers := func() {
			for i := range 3 {
				b.write(&wg, stop, []string{"orders", "more"}[i%2], rand.Uint64(), 2*n, number)
			}
		}
		writers()
		r := b.run()
		b.waitFor("a chunk", func() bool { return tableOf(b.out, "more").Rows > 0 })
		for i := range 8 {
			pause(time.Duration(200+rand.IntN(400)) * time.Millisecond)
			switch i % 4 {
			case 0, 2:
				b.s.KillConnections("sluice")
			case 1:
				if err := r.crash(); err != nil {
					t.Fatal(err)
				}
				r = b.run()
			case 3:
				b.s.Kill()
				b.s.Start()
				writers() // the others lost their sessions
			}
		}
		b.waitFor("the copies", func() bool {
			return tableOf(b.out, "orders").State == stateDone && tableOf(b.out, "more").State == stateDone
		})
		close(stop)
		wg.Wait()
		b.equal("orders", "more")
		once(t, b.out)
	})
}

// once checks that no key was inserted while it was there: a row is copied once.
func once(t *testing.T, o *outbox) {
	t.Helper()
	o.mu.Lock()
	defer o.mu.Unlock()
	there := map[string]bool{}
	for _, f := range o.facts {
		for _, w := range f {
			if w.key == "" {
				continue
			}
			switch w.Op {
			case "insert":
				k := w.topic + "\x00" + w.key
				if there[k] {
					t.Errorf("%q was inserted while it was there (snapshot %s)", w.key, w.headers["sluice.snapshot"])
					return
				}
				there[k] = true
			case "delete", "before":
				k := w.topic + "\x00" + w.key
				if !there[k] {
					t.Errorf("%q was changed while it was not there", w.key)
					return
				}
				there[k] = false
			}
		}
	}
}
