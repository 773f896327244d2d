package mysql

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// facts are what a session's server says about itself.
type facts struct {
	MariaDB bool
	Version string // as SELECT VERSION() prints it
	number  [3]int // major, minor, patch
	id      string // @@server_id
	vars    map[string]string
}

// variables that checks look at; those that a server does not have are missing from vars.
var variables = []string{
	"log_bin", "binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_row_value_options", "binlog_expire_logs_seconds", "binlog_expire_logs_auto_purge",
	"expire_logs_days", "max_binlog_total_size", "binlog_space_limit", "gtid_mode", "enforce_gtid_consistency", "gtid_strict_mode", "server_id", "server_uuid",
	"innodb_native_foreign_keys", "lower_case_table_names", "log_slave_updates", "log_replica_updates", "max_allowed_packet",
}

// readFacts asks the server of a session about itself.
func readFacts(x *session) (*facts, error) {
	got, err := x.rows("SELECT VERSION()")
	if err != nil {
		return nil, err
	}
	sv := &facts{vars: map[string]string{}}
	if len(got) != 1 || len(got[0]) != 1 {
		return nil, errors.New("SELECT VERSION() gave no row")
	}
	sv.Version = got[0][0]
	sv.MariaDB, sv.number = parseVersion(sv.Version)
	list := make([]string, len(variables))
	for i, v := range variables {
		list[i] = "'" + v + "'"
	}
	got, err = x.rows("SHOW GLOBAL VARIABLES WHERE Variable_name IN (" + strings.Join(list, ",") + ")")
	if err != nil {
		return nil, err
	}
	for _, r := range got {
		sv.vars[strings.ToLower(r[0])] = r[1]
	}
	sv.id = sv.vars["server_id"]
	return sv, nil
}

var versionRule = regexp.MustCompile(`^(\d+)\.(\d+)(?:\.(\d+))?`)

// parseVersion reads "8.0.36", "9.7.0-log", "10.11.6-MariaDB-0+deb12u1".
func parseVersion(s string) (mariadb bool, number [3]int) {
	for i, part := range versionRule.FindStringSubmatch(s) {
		if i > 0 {
			number[i-1], _ = strconv.Atoi(part) // a missing patch is 0
		}
	}
	return strings.Contains(strings.ToLower(s), "mariadb"), number
}

// supported is nil for MySQL 8.0.1 and later and MariaDB 10.5 and later.
func (sv *facts) supported() error {
	name, oldest, least := "MySQL", "8.0.1", [3]int{8, 0, 1}
	if sv.MariaDB {
		name, oldest, least = "MariaDB", "10.5", [3]int{10, 5, 0}
	}
	if strings.Contains(sv.Version, "TiDB") {
		return &connector.WrongError{Field: keyHost, Err: fmt.Errorf("the server is TiDB (%s), which has no binary log of MySQL's kind", sv.Version), Remedy: "Choose a MySQL or MariaDB server."}
	}
	for i := range least {
		if sv.number[i] != least[i] {
			if sv.number[i] > least[i] {
				return nil
			}
			return &connector.WrongError{Field: keyHost, Err: fmt.Errorf("the server is %s %s; its binary log does not name columns, signs and character sets (binlog_row_metadata), so that rows could not be told exactly after a change of the table", name, sv.Version),
				Remedy: fmt.Sprintf("Upgrade the server to %s %s or later.", name, oldest)}
		}
	}
	return nil
}

// name is "MySQL 8.0.36" or "MariaDB 10.11.6-MariaDB".
func (sv *facts) name() string {
	if sv.MariaDB {
		return "MariaDB " + strings.TrimSuffix(strings.Split(sv.Version, "-")[0], "-log")
	}
	return "MySQL " + sv.Version
}

// tables are the settings' patterns as this server compares names.
func (sv *facts) tables(s *Settings) Tables {
	if v := sv.vars["lower_case_table_names"]; v != "" && v != "0" {
		return s.Tables.Fold()
	}
	return s.Tables
}

// isOn reads a boolean variable.
func (sv *facts) isOn(name string) bool {
	switch strings.ToUpper(sv.vars[name]) {
	case "ON", "1", "TRUE", "YES":
		return true
	}
	return false
}

// listed is a table of the database as information_schema knows it.
type listed struct {
	name     string
	engine   string
	rows     int64 // estimated
	bytes    int64 // of data, estimated
	rowBytes int64 // on average, estimated
	key      []string
	topic    string
}

// listTables are the base tables of the database that the account may see, by name,
// with their primary keys.
func listTables(ctx context.Context, x *session, database string) ([]listed, error) {
	r, err := x.Execute("SELECT TABLE_NAME, COALESCE(ENGINE, ''), COALESCE(TABLE_ROWS, 0), COALESCE(DATA_LENGTH, 0), COALESCE(AVG_ROW_LENGTH, 0)"+
		" FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_TYPE IN ('BASE TABLE', 'SYSTEM VERSIONED') ORDER BY TABLE_NAME", database)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	out := make([]listed, r.RowNumber())
	at := map[string]*listed{}
	for i := range out {
		t := &out[i]
		if t.name, err = textAt(r, i, 0); err != nil {
			return nil, err
		}
		t.engine, _ = textAt(r, i, 1) // estimates and names of engines are for people: what cannot be read is left out
		t.rows, _ = r.GetInt(i, 2)
		t.bytes, _ = r.GetInt(i, 3)
		t.rowBytes, _ = r.GetInt(i, 4)
		at[t.name] = t
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	k, err := x.Execute("SELECT TABLE_NAME, COLUMN_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND INDEX_NAME = 'PRIMARY' ORDER BY TABLE_NAME, SEQ_IN_INDEX", database)
	if err != nil {
		return nil, err
	}
	defer k.Close()
	for i := range k.RowNumber() {
		name, err := textAt(k, i, 0)
		if err != nil {
			return nil, err
		}
		column, err := textAt(k, i, 1)
		if err != nil {
			return nil, err
		}
		if t := at[name]; t != nil {
			t.key = append(t.key, column)
		}
	}
	return out, addUniqueKeys(ctx, x, database, at)
}

// addUniqueKeys adds the keys of tables without a primary key: the servers take a unique
// index for one, and so does the reader.
func addUniqueKeys(ctx context.Context, x *session, database string, at map[string]*listed) error {
	r, err := x.Execute("SELECT DISTINCT TABLE_NAME FROM information_schema.STATISTICS WHERE TABLE_SCHEMA = ? AND NON_UNIQUE = 0", database)
	if err != nil {
		return err
	}
	var names []string
	for i := range r.RowNumber() {
		if name, err := textAt(r, i, 0); err == nil && at[name] != nil && len(at[name].key) == 0 {
			names = append(names, name)
		}
	}
	r.Close()
	for _, name := range names {
		def, err := row.Describe(ctx, x, database, name)
		if err != nil {
			if wrong := (*row.DefinitionError)(nil); errors.As(err, &wrong) || errors.Is(err, row.ErrNoTable) {
				continue // what cannot be read has a check of its own
			}
			return err
		}
		for _, i := range def.Key {
			at[name].key = append(at[name].key, def.Columns[i].Name)
		}
	}
	return nil
}

// databaseExists tells whether the account sees the database.
func databaseExists(x *session, database string) (bool, error) {
	r, err := x.Execute("SELECT 1 FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = ?", database)
	if err != nil {
		return false, err
	}
	defer r.Close()
	return r.RowNumber() > 0, nil
}

// quoteName makes an identifier of a name.
func quoteName(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }
