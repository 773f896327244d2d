package mysql

import "testing"

// TestRowsAheadOfTheCopy: how many rows the tables have that wait for their copy is known before their turn comes, so that
// how far the whole copy is is no share of one table.
func TestRowsAheadOfTheCopy(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT, note VARCHAR(60))", "CREATE TABLE b (id INT PRIMARY KEY, v INT, note VARCHAR(60))")
		b.insertMany("a", 400, number)
		b.insertMany("b", 400, number)
		b.s.Exec("ANALYZE TABLE a, b")
		b.run()
		b.equal("a", "b")
		if n := b.out.rowsAhead(); n < 200 {
			t.Errorf("tables that waited for their copy were shown with %d rows at most", n)
		}
	})
}
