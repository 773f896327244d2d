package mysql

import (
	"context"
	"fmt"
	"log/slog"
	"regexp"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
)

// What a foreign key does by itself to the rows of the table that has it (ON DELETE CASCADE, SET
// NULL, ON UPDATE …) is done by the storage engine and is not in the binary log, except
// in MySQL 9.6 and later, which does it by statements of its own (MySQL Reference Manual,
// innodb_native_foreign_keys). Nothing tells a reader of such a change, so that it can
// only be said beforehand.

// cascading finds a foreign key with such an act in what SHOW CREATE TABLE prints, one
// constraint a line. information_schema hides constraints from accounts that have SELECT only.
var cascading = regexp.MustCompile("(?m)^ *CONSTRAINT .* FOREIGN KEY .* ON (DELETE|UPDATE) (CASCADE|SET NULL|SET DEFAULT)")

// logsCascades tells whether a server with these variables logs such changes.
func logsCascades(vars map[string]string) bool {
	native, known := vars["innodb_native_foreign_keys"]
	return known && !on(native)
}

// cascades names the tables of a database whose rows change so. Tables that are gone are left out.
func cascades(ctx context.Context, conn *client.Conn, database string, tables []string) ([]string, error) {
	var out []string
	for _, name := range tables[:min(len(tables), checkedTables)] {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		r, err := conn.Execute("SHOW CREATE TABLE " + quoteName(database) + "." + quoteName(name))
		if serverCode(err) == codeNoTable {
			continue
		}
		if err != nil {
			return nil, err
		}
		if r.RowNumber() > 0 && r.ColumnNumber() > 1 {
			text, err := textAt(r, 0, 1)
			if err == nil && cascading.MatchString(text) {
				out = append(out, name)
			}
		}
		r.Close()
	}
	return out, nil
}

func cascadeWords(tables []string) string {
	return fmt.Sprintf("The server does not log what foreign keys do by themselves (ON DELETE CASCADE, SET NULL and the like): such changes of %s are never told.", list(tables, 10))
}

const cascadeRemedy = "Change these rows by statements of your own, before those of the table that they refer to; or copy the tables again from time to time. MySQL 9.6 and later logs such changes."

// foreignKeys looks for tables whose rows change without the log.
func (c *checking) foreignKeys(ctx context.Context) (found, error) {
	if logsCascades(c.sv.vars) {
		return found{detail: "The server logs what foreign keys do by themselves."}, nil
	}
	names := make([]string, len(c.tables))
	for i, t := range c.tables {
		names[i] = t.name
	}
	tables, err := cascades(ctx, c.x.Conn, c.s.Database, names)
	if err != nil {
		return found{}, c.s.classify("looking at foreign keys", err)
	}
	if len(tables) == 0 {
		return found{detail: "None changes rows by itself."}, nil
	}
	return found{detail: cascadeWords(tables), skipped: true, remedy: cascadeRemedy}, nil
}

// warnOfCascades says once a run which tables' changes the log leaves out.
func (r *reader) warnOfCascades(ctx context.Context) error {
	if r.cascadesTold || logsCascades(r.srv.vars) || r.set.Snapshot == SnapshotInitialOnly {
		return nil
	}
	var tables []string
	err := r.ask(ctx, "looking at foreign keys", func(c *client.Conn) (err error) {
		tables, err = cascades(ctx, c, r.set.Database, r.names)
		return err
	})
	if err != nil && serverCode(err) == 0 {
		return err
	}
	r.cascadesTold = true // also where the server does not let itself be asked
	if len(tables) > 0 {
		r.out.Log(slog.LevelWarn, cascadeWords(tables)+" "+cascadeRemedy, map[string]string{"tables": strings.Join(tables, ", ")})
	}
	return nil
}
