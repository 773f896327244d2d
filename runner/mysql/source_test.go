package mysql

import (
	"testing"
)

// A first copy, and then changes.
func TestSnapshotThenStream(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE orders (id INT PRIMARY KEY, name VARCHAR(40), at DATETIME(3))",
			"INSERT INTO orders VALUES (1,'one','2024-01-01 10:00:00.123'),(2,NULL,NULL),(3,'drei',NULL)")
		r := b.run()
		b.equal("orders")
		b.s.Exec("INSERT INTO orders VALUES (4,'four',NULL)", "UPDATE orders SET name='ONE' WHERE id=1", "DELETE FROM orders WHERE id=2", "UPDATE orders SET id=30 WHERE id=3")
		b.equal("orders")
		if n := b.out.count("p_orders/insert"); n != 3+1+1+1 {
			t.Errorf("%d inserts", n)
		}
		if err := r.crash(); err != nil {
			t.Fatal(err)
		}
		b.s.Exec("INSERT INTO orders VALUES (5,'five',NULL)")
		b.run()
		b.equal("orders")
		if n := b.out.count("p_orders/insert"); n != 3+1+1+1+1 {
			t.Errorf("%d inserts", n)
		}
	})
}
