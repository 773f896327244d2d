package sandbox

import (
	"context"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// What the writer keeps of the shop: older rows are deleted, so that it does not grow for ever.
const (
	keptOrders = 20_000
	keptViews  = 24 * time.Hour
)

// write changes the shop until it is told to stop: every second or so a customer does something.
func (m *MySQL) write(ctx context.Context) {
	dice := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	var conn *client.Conn
	defer func() {
		if conn != nil {
			conn.Close()
		}
	}()
	failing := false
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Duration((0.5 + dice.Float64()) * float64(m.options.WriteInterval))):
		}
		err := error(nil)
		if conn == nil {
			conn, err = m.connect(ctx)
		}
		if err == nil {
			if err = m.change(conn, dice); err != nil {
				conn.Close()
				conn = nil
			}
		}
		if err != nil && !failing && ctx.Err() == nil {
			m.log.Warn("the shop's writer cannot write; it goes on trying", slog.Any("error", err))
		}
		failing = err != nil
	}
}

// change does one thing that happens in a shop, in one transaction.
func (m *MySQL) change(conn *client.Conn, dice *rand.Rand) error {
	if err := conn.Begin(); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	changed, err := happen(conn, dice)
	if err != nil {
		_ = conn.Rollback()
		return fmt.Errorf("changing the shop: %w", err)
	}
	if err := conn.Commit(); err != nil {
		return fmt.Errorf("committing: %w", err)
	}
	m.changes.Add(changed)
	return nil
}

// happen throws the dice for what happens, and tells how many rows it changed.
func happen(conn *client.Conn, dice *rand.Rand) (int64, error) {
	now := time.Now().UTC()
	customer := 1 + dice.IntN(shopCustomers)
	statements := []string{fmt.Sprintf("INSERT INTO page_views VALUES ('%s', %d, '/product/%s', %.2f)", now.Format("2006-01-02 15:04:05.000000"), customer,
		catalogue()[dice.IntN(len(catalogue()))].sku, 3+dice.ExpFloat64()*20)}
	changed := int64(0)
	switch dice.IntN(10) {
	case 0, 1, 2, 3:
		n, err := placeOrder(conn, dice, customer, now)
		if err != nil {
			return 0, err
		}
		changed += n
	case 4, 5, 6: // an order goes on
		statements = append(statements, "UPDATE orders SET status = IF(status = 'created', 'paid', 'shipped') WHERE status IN ('created', 'paid') ORDER BY id DESC LIMIT 1")
	case 7: // one is cancelled, its items go
		statements = append(statements,
			"DELETE FROM order_items WHERE order_id = (SELECT id FROM (SELECT MAX(id) AS id FROM orders WHERE status = 'created') AS o)",
			"UPDATE orders SET status = 'cancelled' WHERE status = 'created' ORDER BY id DESC LIMIT 1")
	case 8:
		statements = append(statements, fmt.Sprintf("UPDATE products SET stock = stock + %d ORDER BY stock LIMIT 1", 1+dice.IntN(50)))
	case 9:
		statements = append(statements, fmt.Sprintf("UPDATE customers SET credit = credit + %d.%02d WHERE id = %d", dice.IntN(40), dice.IntN(100), customer),
			fmt.Sprintf("DELETE FROM page_views WHERE at < '%s' ORDER BY at LIMIT 100", now.Add(-keptViews).Format("2006-01-02 15:04:05")),
			fmt.Sprintf("DELETE FROM order_items WHERE order_id + %d < (SELECT MAX(id) FROM orders) ORDER BY order_id, line LIMIT 40", keptOrders),
			fmt.Sprintf("DELETE FROM orders WHERE id + %d < (SELECT id FROM (SELECT MAX(id) AS id FROM orders) AS o) ORDER BY id LIMIT 10", keptOrders))
	}
	for _, statement := range statements {
		r, err := conn.Execute(statement)
		if err != nil {
			return 0, err
		}
		changed += int64(r.AffectedRows)
		r.Close()
	}
	return changed, nil
}
