package beds

import (
	"context"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// LedgerTables are the tables that Writers change: with an integer key, with a key of two columns of which one is
// text, and without a key.
func LedgerTables() []string { return []string{"numbers", "pairs", "bare"} }

// LayLedger makes a database with LedgerTables, so many rows in each.
func (s *Server) LayLedger(database string, rows int) {
	s.t.Helper()
	s.Exec("CREATE DATABASE "+database,
		"CREATE TABLE "+database+".numbers (id BIGINT NOT NULL PRIMARY KEY, v INT NOT NULL, word VARCHAR(60), amount DECIMAL(20,4), at DATETIME(6))",
		"CREATE TABLE "+database+".pairs (a INT NOT NULL, b VARCHAR(20) NOT NULL, v INT NOT NULL, word TEXT, PRIMARY KEY (b, a))",
		"CREATE TABLE "+database+".bare (n INT, word VARCHAR(40))")
	c := s.Connect()
	defer c.Quit()
	for from := 0; from < rows; from += 1000 {
		var numbers, pairs, bare []string
		for i := from; i < min(rows, from+1000); i++ {
			numbers = append(numbers, fmt.Sprintf("(%d, 0, 'wört %d', %d.%04d, '2026-01-02 03:04:05.%06d')", i*10, i, i, i%10000, i%1000000))
			pairs = append(pairs, fmt.Sprintf("(%d, 'k%d', 0, NULL)", i, i%97))
			bare = append(bare, fmt.Sprintf("(%d, 'bare')", i%500))
		}
		for table, values := range map[string][]string{"numbers": numbers, "pairs": pairs, "bare": bare} {
			if _, err := c.Execute("INSERT INTO " + database + "." + table + " VALUES " + strings.Join(values, ",")); err != nil {
				s.t.Fatalf("filling %s: %v", table, err)
			}
		}
	}
}

// Writers change the rows of a ledger's tables at the same time: insert, update, delete, change keys, roll back.
type Writers struct {
	s        *Server
	database string
	stop     context.CancelFunc
	done     sync.WaitGroup
	// Transactions that were committed so far.
	Transactions atomic.Int64
}

// StartWriters starts so many, each with about so many transactions a second, until Stop or the test's end.
func (s *Server) StartWriters(database string, writers, perSecond int) *Writers {
	s.t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	w := &Writers{s: s, database: database, stop: cancel}
	for i := range writers {
		w.done.Go(func() { w.write(ctx, i, time.Second/time.Duration(perSecond)) })
	}
	s.t.Cleanup(w.Stop)
	return w
}

// Stop ends them and returns when the last transaction is committed or rolled back.
func (w *Writers) Stop() {
	w.stop()
	w.done.Wait()
}

// write goes on over everything that a server does to its clients: deadlocks, restarts, kills.
func (w *Writers) write(ctx context.Context, number int, every time.Duration) {
	dice := rand.New(rand.NewPCG(uint64(number), 7))
	tick := time.NewTicker(every)
	defer tick.Stop()
	var conn *client.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		var err error
		if conn == nil {
			if conn, err = w.s.TryConnect(Root, ""); err != nil {
				conn = nil
				continue
			}
			if err = conn.UseDB(w.database); err != nil {
				continue
			}
		}
		if err = w.transaction(conn, dice); err != nil {
			conn.Close()
			conn = nil
		}
	}
}

func (w *Writers) transaction(conn *client.Conn, dice *rand.Rand) error {
	if err := conn.Begin(); err != nil {
		return err
	}
	for range 1 + dice.IntN(12) {
		if _, err := conn.Execute(statement(dice)); err != nil {
			if strings.Contains(err.Error(), "Duplicate entry") {
				continue // a key that is there already: the statement did nothing
			}
			return err // a deadlock has rolled back the transaction
		}
	}
	if dice.IntN(12) == 0 {
		return conn.Rollback()
	}
	if err := conn.Commit(); err != nil {
		return err
	}
	w.Transactions.Add(1)
	return nil
}

// statement is a random change; every update changes something, or it would not be in the binary log.
func statement(dice *rand.Rand) string {
	id := dice.IntN(40_000)
	switch dice.IntN(14) {
	case 0, 1, 2:
		return fmt.Sprintf("INSERT INTO numbers VALUES (%d, 1, 'new %d', %d.5, NOW(6))", id, id, id)
	case 3, 4, 5:
		return fmt.Sprintf("UPDATE numbers SET v = v + 1, word = IF(v %% 5 = 0, NULL, CONCAT('up ', v, ' ''\"\\\\')) WHERE id BETWEEN %d AND %d", id, id+30)
	case 6:
		return fmt.Sprintf("DELETE FROM numbers WHERE id BETWEEN %d AND %d", id, id+10)
	case 7, 8:
		return fmt.Sprintf("UPDATE numbers SET id = id + %d, v = v + 1 WHERE id = %d", 1+dice.IntN(5000), id/10*10)
	case 9:
		return fmt.Sprintf("INSERT INTO pairs VALUES (%d, 'n%d', 1, 'inserted')", id, dice.IntN(97))
	case 10:
		return fmt.Sprintf("UPDATE pairs SET v = v + 1, word = CONCAT('v', v) WHERE b = 'k%d' AND a < %d", dice.IntN(97), id/10)
	case 11:
		return fmt.Sprintf("DELETE FROM pairs WHERE b = 'k%d' AND a = %d", dice.IntN(97), id/10)
	case 12:
		return fmt.Sprintf("INSERT INTO bare VALUES (%d, 'more'), (%d, 'more'), (NULL, NULL)", id%500, id%500)
	default:
		return fmt.Sprintf("UPDATE bare SET n = n + 1000 WHERE n = %d LIMIT 3", id%500)
	}
}
