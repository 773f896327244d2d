package mysql

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// beside is another connector of the same database, whose facts are its own.
func (b *bed) beside(installation, name string) *bed {
	other := bedOn(b.t, b.s)
	other.env.Installation = installation
	other.cfg[connector.KeyName] = name
	return other
}

// undisturbed requires that a reader was never interrupted.
func (b *bed) undisturbed() {
	b.t.Helper()
	b.out.mu.Lock()
	defer b.out.mu.Unlock()
	for _, err := range b.out.aways {
		if err != nil {
			b.t.Errorf("the reader %s was interrupted: %v", b.cfg.Get(connector.KeyName), err)
		}
	}
}

// TestReadersOfOneServer: connectors read one server beside each other, also two of one name in two
// installations, and those that are started later disturb nobody.
func TestReadersOfOneServer(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)")
		b.env.Installation = "one"
		all := []*bed{b, b.beside("one", b.s.Database+"-b"), b.beside("other", b.s.Database)}
		for i, x := range all {
			x.run()
			x.equal("a")
			b.s.Exec(fmt.Sprintf("INSERT INTO a VALUES (%d, 1)", 10+i), "UPDATE a SET v = v + 1")
			for _, x := range all[:i+1] {
				x.equal("a")
			}
		}
		b.s.Exec("UPDATE a SET v = v + 1", "DELETE FROM a WHERE id = 10")
		for _, x := range all {
			x.equal("a")
			x.undisturbed()
		}
	})
}

// TestServerIDThatIsTaken: of two connectors with one server ID the second says so and does not start, in a check and when it runs;
// the first reads on. Neither their names nor those of their instances tell them apart.
func TestServerIDThatIsTaken(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)")
		if b.s.Flavor == beds.MariaDB { // shows who reads to nobody without
			b.cfg[keyUser] = "lists" + b.s.Database
			b.s.Exec(fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY 'secret'", b.cfg[keyUser]), fmt.Sprintf("GRANT %s, REPLICATION MASTER ADMIN ON *.* TO %s@'%%'", b.s.Grants(), b.cfg[keyUser]))
		}
		id := fmt.Sprint(derivedServerID("", "", b.s.Database) - 1<<31)
		b.env.Installation, b.cfg[keyServerID] = "one", id
		b.run()
		b.equal("a")
		other := b.beside("other", b.s.Database)
		other.cfg[keyServerID], other.cfg[keyUser] = id, b.cfg[keyUser]
		var wrong *connector.WrongError
		if err := other.run().ends(); !errors.As(err, &wrong) || wrong.Field != keyServerID || !strings.Contains(err.Error(), "sluice-"+b.s.Database) {
			t.Errorf("the second ended with %v", err)
		}
		got := findings(t, resolved(t, b.s, keyServerID, id, keyUser, b.cfg[keyUser]), nil)
		if f := got["Server ID"]; f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "sluice-"+b.s.Database) || !strings.Contains(f.Remedy, keyServerID) {
			t.Errorf("%+v", f)
		}
		b.s.Exec("UPDATE a SET v = 2")
		b.equal("a")
		b.undisturbed()
	})
}

// TestServerIDThatIsTakenUnseen: where the account may not list the readers of a MariaDB server, which ends the older of two
// with one ID, the one that came last gives up, and the first one reads on.
func TestServerIDThatIsTakenUnseen(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MariaDB)
	b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, v INT)", "INSERT INTO a VALUES (1, 1)")
	id := fmt.Sprint(derivedServerID("", "", b.s.Database) - 1<<31)
	b.env.Installation, b.cfg[keyServerID] = "one", id
	b.run()
	b.equal("a")
	pause(comesBackIn) // it has read for long
	other := b.beside("other", b.s.Database)
	other.cfg[keyServerID] = id
	var wrong *connector.WrongError
	if err := other.run().ends(); !errors.As(err, &wrong) || wrong.Field != keyServerID || !strings.Contains(connector.Brief(err), "another reader") {
		t.Errorf("the second ended with %v", err)
	}
	b.s.Exec("UPDATE a SET v = 2")
	b.equal("a")
	once(t, b.out)
}
