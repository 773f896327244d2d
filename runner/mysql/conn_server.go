package mysql

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

// server is what a connection's server says about itself.
type server struct {
	Flavor  string // mysql.MySQLFlavor or mysql.MariaDBFlavor
	Version string // as SELECT VERSION() prints it
	Major   int
	Minor   int
	Patch   int
	// Identity tells this server from every other: server_uuid, or what MariaDB has in its place.
	Identity string
	ServerID uint32
	// GTID is true when positions are GTID sets: always with MariaDB, with MySQL when gtid_mode is ON.
	GTID bool
	// LowerCase is lower_case_table_names.
	LowerCase int

	vars map[string]string
}

// serverVariables are read in one go; those a flavour does not have are absent.
var serverVariables = []string{
	"version", "server_id", "server_uuid", "server_uid", "hostname", "port", "datadir", "gtid_mode", "lower_case_table_names", "log_bin",
	"binlog_format", "binlog_row_image", "binlog_row_metadata", "binlog_row_value_options",
	"binlog_expire_logs_seconds", "expire_logs_days", "max_allowed_packet", "gtid_domain_id", "innodb_native_foreign_keys",
}

// describeServer reads flavour, version and settings.
func describeServer(conn *client.Conn) (*server, error) {
	r, err := conn.Execute("SHOW GLOBAL VARIABLES WHERE Variable_name IN ('" + strings.Join(serverVariables, "','") + "')")
	if err != nil {
		return nil, fmt.Errorf("reading the server's settings: %w", err)
	}
	srv := &server{vars: map[string]string{}}
	for i := range r.RowNumber() {
		name, _ := r.GetString(i, 0)
		value, _ := r.GetString(i, 1)
		srv.vars[strings.ToLower(name)] = value
	}
	srv.Version = srv.vars["version"]
	srv.Flavor = mysql.MySQLFlavor
	if strings.Contains(strings.ToLower(srv.Version), "mariadb") {
		srv.Flavor = mysql.MariaDBFlavor
	}
	_, n := parseVersion(srv.Version)
	srv.Major, srv.Minor, srv.Patch = n[0], n[1], n[2]
	id, _ := strconv.ParseUint(srv.vars["server_id"], 10, 32)
	srv.ServerID = uint32(id)
	srv.LowerCase, _ = strconv.Atoi(srv.vars["lower_case_table_names"])
	srv.GTID = srv.MariaDB() || strings.EqualFold(srv.vars["gtid_mode"], "ON")
	srv.Identity = srv.vars["server_uuid"]
	if srv.Identity == "" { // MariaDB before 10.10 has none
		srv.Identity = strings.Join([]string{srv.vars["server_uid"], srv.vars["server_id"], srv.vars["hostname"], srv.vars["port"], srv.vars["datadir"]}, "/")
	}
	return srv, nil
}

func (s *server) MariaDB() bool { return s.Flavor == mysql.MariaDBFlavor }

// atLeast compares versions.
func (s *server) atLeast(major, minor, patch int) bool {
	if s.Major != major {
		return s.Major > major
	}
	if s.Minor != minor {
		return s.Minor > minor
	}
	return s.Patch >= patch
}

// readable is nil when this server's binary log can be read; else a *WrongError that
// names the setting. It is asked at every start and every new connection.
func (s *server) readable() error {
	refuse := func(field, remedy, format string, args ...any) error {
		return &connector.WrongError{Field: field, Remedy: remedy, Err: fmt.Errorf(format, args...)}
	}
	switch {
	case s.MariaDB() && !s.atLeast(10, 5, 0):
		return refuse(keyHost, "Use MariaDB 10.5 or later.", "MariaDB %s does not write the names and types of columns into its binary log", s.Version)
	case !s.MariaDB() && !s.atLeast(8, 0, 1):
		return refuse(keyHost, "Use MySQL 8.0.1 or later.", "MySQL %s does not write the names and types of columns into its binary log", s.Version)
	case !on(s.vars["log_bin"]):
		return refuse(keyHost, "Set log_bin in the server's configuration and start it again (RDS: it is on by default).", "the server writes no binary log: log_bin is %s", s.vars["log_bin"])
	}
	for _, want := range []struct{ name, value string }{{"binlog_format", "ROW"}, {"binlog_row_image", "FULL"}, {"binlog_row_metadata", "FULL"}, {"binlog_row_value_options", ""}} {
		have, known := s.vars[want.name]
		if known && !strings.EqualFold(have, want.value) {
			return refuse(keyHost, fmt.Sprintf("SET GLOBAL %s = '%s'; and in the server's configuration, so that it stays.", want.name, want.value),
				"%s is %q and has to be %q", want.name, have, want.value)
		}
	}
	return nil
}

func on(v string) bool { return strings.EqualFold(v, "ON") || v == "1" }

// filePos is a place in a server's binary log. Files are ordered by the number behind
// their last dot; Pos goes on past 4 GiB, where the events' own positions wrap.
type filePos struct {
	File string `json:"file"`
	Pos  uint64 `json:"pos"`
}

func (p filePos) String() string { return p.File + ":" + strconv.FormatUint(p.Pos, 10) }

// compare orders two places of one server's log.
func (p filePos) compare(o filePos) int {
	if p.File != o.File {
		a, aok := fileNumber(p.File)
		b, bok := fileNumber(o.File)
		switch {
		case aok && bok && a != b:
			return order(a, b)
		default:
			return strings.Compare(p.File, o.File)
		}
	}
	return order(p.Pos, o.Pos)
}

func order(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

func fileNumber(name string) (uint64, bool) {
	at := strings.LastIndexByte(name, '.')
	n, err := strconv.ParseUint(name[at+1:], 10, 64)
	return n, err == nil && at >= 0
}

var errNoBinlog = errors.New("the server writes no binary log")

// endOfLog is where the binary log ends, and the GTIDs executed there (MySQL with GTIDs; else "").
// A transaction whose rows can be seen is never behind it: the log is written before the engine commits.
func (s *server) endOfLog(conn *client.Conn) (filePos, string, error) {
	query := "SHOW MASTER STATUS"
	if !s.MariaDB() && s.atLeast(8, 2, 0) {
		query = "SHOW BINARY LOG STATUS"
	}
	r, err := conn.Execute(query)
	if err != nil {
		return filePos{}, "", fmt.Errorf("reading where the binary log ends: %w", err)
	}
	if r.RowNumber() == 0 {
		return filePos{}, "", &connector.WrongError{Field: keyHost, Remedy: "Set log_bin in the server's configuration and start it again.", Err: errNoBinlog}
	}
	file, _ := r.GetString(0, 0)
	pos, err := r.GetUint(0, 1)
	if err != nil {
		return filePos{}, "", fmt.Errorf("reading where the binary log ends: %w", err)
	}
	executed := ""
	if !s.MariaDB() && r.ColumnNumber() > 4 {
		executed, _ = r.GetString(0, 4)
	}
	return filePos{file, pos}, strings.ReplaceAll(executed, "\n", ""), nil
}

// one runs a query that answers with one value.
func one(conn *client.Conn, query string) (string, error) {
	r, err := conn.Execute(query)
	if err != nil {
		return "", err
	}
	if r.RowNumber() == 0 || r.ColumnNumber() == 0 {
		return "", nil
	}
	return r.GetString(0, 0)
}

// quoteText is a string literal; sessions have no sql_mode.
func quoteText(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `''`).Replace(s) + "'"
}
