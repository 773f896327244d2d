package mysql

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"
)

// Rule 17: statements that change many rows of a table whose key has text first.
func TestRule17StatementsOverManyRows(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE pairs (a INT NOT NULL, b VARCHAR(20) NOT NULL, v INT NOT NULL, word TEXT, PRIMARY KEY (b, a))")
		var q []string
		for i := range 4000 {
			q = append(q, fmt.Sprintf("(%d, 'k%d', 0, NULL)", i, i%97))
		}
		b.s.Exec("INSERT INTO pairs VALUES " + strings.Join(q, ","))
		b.cfg[keyChunk] = "200"
		stop := make(chan struct{})
		var wg sync.WaitGroup
		for n := range 2 {
			wg.Go(func() {
				c := b.s.Connect()
				defer c.Close()
				dice := rand.New(rand.NewPCG(uint64(n), 7))
				for {
					select {
					case <-stop:
						return
					case <-time.After(25 * time.Millisecond):
					}
					id := dice.IntN(40_000)
					_, _ = c.Execute([]string{
						fmt.Sprintf("INSERT INTO pairs VALUES (%d, 'n%d', 1, 'inserted')", id, dice.IntN(97)),
						fmt.Sprintf("UPDATE pairs SET v = v + 1, word = CONCAT('v', v) WHERE b = 'k%d' AND a < %d", dice.IntN(97), id/10),
						fmt.Sprintf("DELETE FROM pairs WHERE b = 'k%d' AND a = %d", dice.IntN(97), id/10),
					}[dice.IntN(3)])
				}
			})
		}
		b.out.onMark = func() error { pause(15 * time.Millisecond); return nil }
		b.run()
		b.waitFor("the copy", func() bool { return tableOf(b.out, "pairs").State == stateDone })
		close(stop)
		wg.Wait()
		b.equal("pairs")
		once(t, b.out)
	})
}
