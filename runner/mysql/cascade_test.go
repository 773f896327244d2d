package mysql

import (
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestCascades: tables whose rows change without the binary log are told before anybody relies on
// them, by the checks and in the connector's log; a server that logs such changes is believed, and does.
func TestCascades(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE parent (id INT PRIMARY KEY)", "CREATE TABLE child (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (id) ON DELETE CASCADE)",
			"CREATE TABLE strict (id INT PRIMARY KEY, p INT COMMENT 'ON DELETE CASCADE', FOREIGN KEY (p) REFERENCES parent (id) ON DELETE RESTRICT)",
			"INSERT INTO parent VALUES (1), (2)", "INSERT INTO child VALUES (1, 1), (2, 2)")
		// Constraints are seen with the right to read alone.
		user := "reading" + b.s.Database
		b.s.Exec("CREATE USER "+user+"@'127.0.0.1' IDENTIFIED BY 'secret'", "GRANT SELECT ON * TO "+user+"@'127.0.0.1'")
		f := findings(t, resolved(t, b.s, keyUser, user), nil)["Foreign keys"]
		b.run()
		b.equal("parent", "child")
		b.s.Exec("DELETE FROM parent WHERE id = 1")
		b.equal("parent")
		if logs := b.s.Value("SHOW GLOBAL VARIABLES LIKE 'innodb_native_foreign_keys'") != ""; logs {
			b.equal("child")
			if f.Status != connector.FindingOK || !strings.Contains(f.Detail, "The server logs") || b.out.logged("foreign keys") != "" {
				t.Errorf("%+v, %q", f, b.out.logged("foreign keys"))
			}
			return
		}
		if f.Status != connector.FindingSkipped || !strings.Contains(f.Detail, "changes of child are never told") || f.Remedy == "" {
			t.Errorf("%+v", f)
		}
		if said := b.out.logged("foreign keys"); !strings.Contains(said, "changes of child are") {
			t.Errorf("the log says %q", said)
		}
	})
}

// logged is the first line of the log that holds a text.
func (o *outbox) logged(text string) string {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, line := range o.logs {
		if strings.Contains(line, text) {
			return line
		}
	}
	return ""
}
