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
		set   connector.Config
		field string
	}{
		"no such database":     {connector.Config{keyDatabase: "nope"}, keyDatabase},
		"nothing may be seen":  {connector.Config{keyUser: "blind"}, keyDatabase},
		"no such table":        {connector.Config{keyTables: "a,`no*pe`"}, keyTables},
		"a view is no table":   {connector.Config{keyTables: "v"}, keyTables},
		"not allowed to see b": {connector.Config{keyUser: "halfblind", keyTables: "a,b"}, keyTables},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, beds.MariaDB)
			b.s.Exec("CREATE TABLE shop.a (id INT PRIMARY KEY)", "CREATE TABLE shop.b (id INT PRIMARY KEY)", "CREATE VIEW shop.v AS SELECT id FROM shop.a",
				"CREATE USER blind@'127.0.0.1' IDENTIFIED BY 'secret'", "CREATE USER halfblind@'127.0.0.1' IDENTIFIED BY 'secret'",
				"GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO blind@'127.0.0.1'", "GRANT REPLICATION SLAVE, BINLOG MONITOR ON *.* TO halfblind@'127.0.0.1'",
				"GRANT SELECT ON shop.a TO halfblind@'127.0.0.1'")
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
	b := newBed(t, beds.MySQL, beds.NoGTID())
	b.s.Exec("CREATE TABLE shop.bare (a INT)", "INSERT INTO shop.bare VALUES (1)", "CREATE USER locked@'127.0.0.1' IDENTIFIED BY 'secret'",
		"GRANT SELECT, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO locked@'127.0.0.1'")
	b.cfg[keyUser] = "locked"
	var wrong *connector.WrongError
	if err := b.run().ends(); !errors.As(err, &wrong) || wrong.Field != keyUser || !strings.Contains(wrong.Remedy, "LOCK TABLES") {
		t.Fatalf("the reader ended with %v; want that the account lacks LOCK TABLES", err)
	}
}
