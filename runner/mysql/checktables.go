package mysql

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// checkedTables bounds how many tables are looked at one by one.
const checkedTables = 500

// looked is a table and what its rows are made of.
type looked struct {
	listed
	table *row.Table
}

func (c *checking) database(context.Context) (found, error) {
	there, err := databaseExists(c.x, c.s.Database)
	if err != nil {
		return found{}, c.s.classify("looking for the database", err)
	}
	if !there {
		return found{}, &connector.WrongError{Field: keyDatabase, Err: fmt.Errorf("there is no database %s, or the account may not see it", c.s.Database),
			Remedy: "Correct " + keyDatabase + " (upper and lower case count). " + c.s.grantSelect()}
	}
	return found{detail: c.s.Database + " exists."}, nil
}

// found looks for the tables that the settings name.
func (c *checking) found(ctx context.Context) (found, error) {
	all, err := listTables(ctx, c.x, c.s.Database)
	if err != nil {
		return found{}, c.s.classify("listing tables", err)
	}
	patterns := c.sv.tables(c.s)
	var missing []string
	for _, p := range patterns.patterns {
		if !slices.ContainsFunc(all, func(t listed) bool { return matchPattern(p, t.name, patterns.fold) }) {
			missing = append(missing, p)
		}
	}
	for _, t := range all {
		if patterns.Match(t.name) {
			t.topic, _ = c.s.Topic(t.name) // a name that is too long is told with the topics
			c.tables = append(c.tables, t)
		}
	}
	named := slices.DeleteFunc(slices.Clone(missing), func(p string) bool { return strings.ContainsAny(p, "*?") && !strings.HasPrefix(p, "`") })
	if len(c.tables) == 0 || len(named) > 0 {
		what := named
		if len(what) == 0 {
			what = missing
		}
		return found{}, &connector.WrongError{Field: keyTables, Err: fmt.Errorf("the database %s has no table %s, or the account may not see it", c.s.Database, list(what, 5)),
			Remedy: "Correct " + keyTables + " (views are not read). " + c.s.grantSelect()}
	}
	names := make([]string, len(c.tables))
	for i, t := range c.tables {
		names[i] = t.name
	}
	detail := fmt.Sprintf("%s: %s.", plural(len(names), "table", "tables"), list(names, 10))
	if len(missing) > 0 {
		detail += " Nothing matches " + list(missing, 5) + " yet."
	}
	return found{detail: detail}, nil
}

// readable reads no row of each table, which takes the right to.
func (c *checking) readable(ctx context.Context) (found, error) {
	var denied []string
	for _, t := range c.tables[:min(len(c.tables), checkedTables)] {
		if err := ctx.Err(); err != nil {
			return found{}, err
		}
		r, err := c.x.Execute("SELECT * FROM " + quoteName(c.s.Database) + "." + quoteName(t.name) + " LIMIT 0")
		switch serverCode(err) {
		case codeTableDenied, codeColumnDenied, codeDatabaseDenied:
			denied = append(denied, t.name)
			continue
		}
		if err != nil {
			return found{}, c.s.classify("reading "+t.name, err)
		}
		r.Close()
	}
	if len(denied) > 0 {
		return found{}, &connector.WrongError{Field: keyUser, Err: fmt.Errorf("the account may not read %s", list(denied, 10)), Remedy: c.s.grantSelect()}
	}
	return found{detail: "The account may read every table."}, nil
}

// columns looks whether every column can be told exactly.
func (c *checking) columns(ctx context.Context) (found, error) {
	var bad []string
	n := 0
	for _, t := range c.tables[:min(len(c.tables), checkedTables)] {
		if err := ctx.Err(); err != nil {
			return found{}, err
		}
		table, err := row.Describe(ctx, c.x, c.s.Database, t.name)
		switch {
		case errors.Is(err, row.ErrNoTable): // dropped meanwhile
		case err != nil && (serverCode(err) != 0 || connector.CauseOf(err) == connector.CauseAway):
			return found{}, c.s.classify("reading the columns of "+t.name, err)
		case err != nil:
			bad = append(bad, strings.TrimSuffix(err.Error(), "."))
		default:
			n += len(table.Columns)
			c.looked = append(c.looked, looked{t, table})
		}
	}
	if len(bad) > 0 {
		return found{}, &connector.WrongError{Field: keyTables, Err: errors.New(list(bad, 5)), Remedy: "Leave these tables out of " + keyTables + ", or change the columns."}
	}
	return found{detail: fmt.Sprintf("%s of types that are read exactly.", plural(n, "column", "columns"))}, nil
}

// keys tells how each table is copied: in chunks by its key, or else as one view.
func (c *checking) keys(context.Context) (found, error) {
	var without, view, lock []string
	for _, t := range c.tables {
		if len(t.key) == 0 {
			without = append(without, t.name)
		}
	}
	for _, t := range c.looked {
		if chunkable(t.table) {
			continue
		}
		if len(t.key) > 0 {
			view = append(view, t.name)
		}
		lockless := c.sv.MariaDB || strings.EqualFold(c.sv.vars["gtid_mode"], "ON")
		if !lockless || !transactional(t.engine) {
			lock = append(lock, t.name)
		}
	}
	if len(without)+len(view) == 0 {
		return found{detail: "Every table has one: a row's changes stay in order, and a snapshot goes on where it was interrupted."}, nil
	}
	f := found{skipped: true}
	if len(without) > 0 {
		f.detail = fmt.Sprintf("Without one: %s. Their messages have no key and go to one partition; a snapshot of them that is interrupted begins again.", list(without, 10))
		f.remedy = "Give each a primary key where you can: ALTER TABLE … ADD PRIMARY KEY (…);"
	}
	if len(view) > 0 {
		f.detail = strings.TrimSpace(f.detail + fmt.Sprintf(" With one that gives no order to copy by (of FLOAT, JSON or part of a column): %s. A snapshot of them that is interrupted begins again.", list(view, 10)))
	}
	if len(lock) > 0 && c.s.Snapshot != SnapshotNoData {
		if may, known := c.mayLock(); known && !may {
			return found{}, &connector.WrongError{Field: keyUser, Err: fmt.Errorf("these tables are copied from a view that takes a read lock of less than a second, and the account may not lock: %s", list(lock, 10)),
				Remedy: fmt.Sprintf("Run as an administrator: GRANT LOCK TABLES ON %s.* TO %s;", quoteName(c.s.Database), c.s.grantee())}
		}
	}
	return f, nil
}

// mayLock tells whether the account has LOCK TABLES on the database; it is not known of
// rights that come with a role.
func (c *checking) mayLock() (may, known bool) {
	rows, err := c.x.rows("SHOW GRANTS")
	if err != nil {
		return false, false
	}
	known = true
	for _, r := range rows {
		what, on, isPrivilege := strings.Cut(r[0], " ON ")
		if !isPrivilege {
			known = false // a role
			continue
		}
		here := strings.HasPrefix(on, "*.*") || strings.HasPrefix(on, quoteName(c.s.Database)+".*") || strings.HasPrefix(on, quoteName(strings.ReplaceAll(c.s.Database, "_", `\_`))+".*")
		if here && (strings.Contains(what, "LOCK TABLES") || strings.Contains(what, "ALL PRIVILEGES")) {
			return true, true
		}
	}
	return false, known
}
