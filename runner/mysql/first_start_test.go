package mysql

import (
	"errors"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// A connector that would never read a row says so at its first start instead of running.
func TestFirstStartWithNothingToRead(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		user  string // that it reads with; "" is the bed's
		set   connector.Config
		field string
	}{
		"no such database":     {"", connector.Config{keyDatabase: "nope"}, keyDatabase},
		"nothing may be seen":  {"blind", connector.Config{}, keyDatabase},
		"no such table":        {"", connector.Config{keyTables: "a,`no*pe`"}, keyTables},
		"a view is no table":   {"", connector.Config{keyTables: "v"}, keyTables},
		"not allowed to see b": {"halfblind", connector.Config{keyTables: "a,b"}, keyTables},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, beds.MariaDB)
			b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY)", "CREATE TABLE b (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT id FROM a")
			if c.user != "" {
				b.cfg[keyUser] = c.user + b.s.Database
				account := b.cfg[keyUser] + "@'127.0.0.1'"
				b.s.Exec("CREATE USER "+account+" IDENTIFIED BY 'secret'", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO "+account)
				if c.user == "halfblind" {
					b.s.Exec("GRANT SELECT ON a TO " + account)
				}
			}
			for k, v := range c.set {
				b.cfg[k] = v
			}
			var wrong *connector.WrongError
			if err := b.run().ends(); !errors.As(err, &wrong) || wrong.Field != c.field || wrong.Remedy == "" {
				t.Fatalf("the reader ended with %v; want a wrong %s with its remedy", err, c.field)
			}
		})
	}
}

// The right that is missing is the one that the remedy names.
func TestLockThatIsNotAllowed(t *testing.T) {
	t.Parallel()
	b := ownBed(t, beds.MySQL, beds.NoGTID())
	b.s.Exec("CREATE TABLE shop.bare (a INT)", "INSERT INTO shop.bare VALUES (1)", "CREATE USER locked@'127.0.0.1' IDENTIFIED BY 'secret'",
		"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO locked@'127.0.0.1'")
	b.cfg[keyUser] = "locked"
	var wrong *connector.WrongError
	if err := b.run().ends(); !errors.As(err, &wrong) || wrong.Field != keyUser || !strings.Contains(wrong.Remedy, "LOCK TABLES") {
		t.Fatalf("the reader ended with %v; want that the account lacks LOCK TABLES", err)
	}
}
