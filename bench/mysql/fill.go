package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/e2e/beds"
)

// createTable makes a table of the measured shape: nine columns of the usual types, about 200 bytes a row.
func (b *bed) createTable(name string) {
	b.db.Exec("CREATE TABLE " + database + "." + name + ` (id BIGINT NOT NULL PRIMARY KEY, customer INT UNSIGNED NOT NULL, status VARCHAR(16) NOT NULL,
		amount DECIMAL(12,2) NOT NULL, rate DOUBLE NOT NULL, created DATETIME NOT NULL, changed DATETIME(6) NOT NULL, address VARCHAR(120) NOT NULL, note VARCHAR(80))`)
}

// rowOf is row n as VALUES takes it. No two are equal.
func rowOf(n int64) string {
	status := []string{"created", "paid", "shipped", "cancelled"}[n%4]
	return fmt.Sprintf("(%d,%d,'%s',%d.%02d,%d.5,'2026-%02d-%02d %02d:%02d:%02d','2026-03-04 05:06:%02d.%06d','%s %d, %d Some Town, in the province of the north','order \"%d\" of %x')",
		n, n*7919%4_000_000_000, status, n%100_000, n%100, n%1000, 1+n%12, 1+n%28, n%24, n%60, n*7%60, n%60, n%1_000_000,
		"A street with a long name that goes on", n%900, 10_000+n%90_000, n, n*2_654_435_761)
}

// fillers is how many connections write at once.
const fillers = 4

// fill writes rows in transactions of so many.
func (b *bed) fill(table string, rows, batch int64) {
	share := (rows/batch + fillers - 1) / fillers * batch
	var done sync.WaitGroup
	failed := make(chan error, fillers)
	for from := int64(0); from < rows; from += share {
		done.Go(func() {
			if err := b.fillRange(table, from, min(from+share, rows), batch); err != nil {
				failed <- err
			}
		})
	}
	done.Wait()
	select {
	case err := <-failed:
		b.Fatalf("filling %s: %v", table, err)
	default:
	}
}

func (b *bed) fillRange(table string, from, to, batch int64) error {
	conn, err := b.db.TryConnect(beds.Root, "")
	if err != nil {
		return err
	}
	defer conn.Quit()
	for ; from < to; from += batch {
		if err := insert(conn, table, from, min(from+batch, to)); err != nil {
			return err
		}
	}
	return nil
}

// insert writes rows [from, to) in one statement.
func insert(conn *client.Conn, table string, from, to int64) error {
	var q strings.Builder
	q.WriteString("INSERT INTO " + database + "." + table + " VALUES ")
	for n := from; n < to; n++ {
		if n > from {
			q.WriteByte(',')
		}
		q.WriteString(rowOf(n))
	}
	_, err := conn.Execute(q.String())
	return err
}

// fillAtOnce writes rows in one transaction.
func (b *bed) fillAtOnce(table string, rows int64) {
	conn, err := b.db.TryConnect(beds.Root, "")
	if err != nil {
		b.Fatalf("%v", err)
	}
	defer conn.Quit()
	if err := conn.Begin(); err != nil {
		b.Fatalf("%v", err)
	}
	for from := int64(0); from < rows; from += 5000 {
		if err := insert(conn, table, from, min(from+5000, rows)); err != nil {
			b.Fatalf("filling %s: %v", table, err)
		}
	}
	if err := conn.Commit(); err != nil {
		b.Fatalf("filling %s: %v", table, err)
	}
}

// place is one in the binary log.
type place struct{ file, pos string }

// position is where the binary log ends.
func (b *bed) position() place {
	statement := "SHOW BINARY LOG STATUS"
	if b.db.Flavor == beds.MariaDB {
		statement = "SHOW MASTER STATUS"
	}
	row := b.db.Query(statement)[0]
	return place{*row[0], *row[1]}
}
