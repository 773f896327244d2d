package mysql

import (
	"context"
	"slices"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
)

// TestListedKeysAreTheReaders: the key that lists and checks show is the one that messages get.
func TestListedKeysAreTheReaders(t *testing.T) {
	t.Parallel()
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			s := Database(t, flavor)
			s.Exec("CREATE TABLE p (a INT, b INT, PRIMARY KEY (b, a), UNIQUE (a))", "CREATE TABLE u (a INT NOT NULL, b INT NOT NULL, n INT UNIQUE, UNIQUE (b, a))",
				"CREATE TABLE n (a INT UNIQUE, b VARCHAR(9) NOT NULL, UNIQUE (b(2)))")
			tables, err := listTables(context.Background(), &session{Conn: s.Connect()}, s.Database)
			if err != nil {
				t.Fatal(err)
			}
			want := map[string][]string{"p": {"b", "a"}, "u": {"b", "a"}, "n": nil}
			for _, l := range tables {
				if !slices.Equal(l.key, want[l.name]) {
					t.Errorf("%s: %v, want %v", l.name, l.key, want[l.name])
				}
			}
			if len(tables) != len(want) {
				t.Errorf("%d tables", len(tables))
			}
		})
	}
}
