package beds

import (
	"fmt"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Addr is host:port.
func (s *Server) Addr() string { return fmt.Sprintf("%s:%d", s.Host, s.Port) }

// TryConnect opens a connection, in UTC and utf8mb4, the administrator's in Database and others without one.
func (s *Server) TryConnect(user, password string) (*client.Conn, error) {
	database := ""
	if user == Root {
		database = s.Database
	}
	c, err := client.Connect(s.Addr(), user, password, database)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", s.Flavor, err)
	}
	if _, err := c.Execute("SET NAMES utf8mb4, time_zone = '+00:00'"); err != nil {
		c.Quit()
		return nil, fmt.Errorf("preparing a connection to %s: %w", s.Flavor, err)
	}
	return c, nil
}

// Connect opens a connection of the administrator's, closed when the test ends.
func (s *Server) Connect() *client.Conn {
	s.t.Helper()
	c, err := s.TryConnect(Root, "")
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	s.t.Cleanup(func() { c.Quit() })
	return c
}

// Exec runs statements one after the other on one connection of the administrator's.
func (s *Server) Exec(statements ...string) {
	s.t.Helper()
	if err := s.TryExec(statements...); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// TryExec is Exec with its error.
func (s *Server) TryExec(statements ...string) error {
	c, err := s.TryConnect(Root, "")
	if err != nil {
		return err
	}
	defer c.Quit()
	for _, statement := range statements {
		if _, err := c.Execute(statement); err != nil {
			return fmt.Errorf("%s: %.200s: %w", s.Flavor, statement, err)
		}
	}
	return nil
}

// Query returns the rows of a statement as the server prints them; NULL is nil.
func (s *Server) Query(statement string) [][]*string {
	s.t.Helper()
	c, err := s.TryConnect(Root, "")
	if err != nil {
		s.t.Fatalf("%v", err)
	}
	defer c.Quit()
	r, err := c.Execute(statement)
	if err != nil {
		s.t.Fatalf("%s: %.200s: %v", s.Flavor, statement, err)
	}
	defer r.Close()
	out := make([][]*string, r.RowNumber())
	for i, row := range r.Values {
		for j := range row {
			out[i] = append(out[i], text(r, i, j))
		}
	}
	return out
}

func text(r *mysql.Result, row, column int) *string {
	if null, err := r.IsNull(row, column); err != nil || null {
		return nil
	}
	v, err := r.GetString(row, column)
	if err != nil {
		return nil
	}
	v = strings.Clone(v) // it lies in memory that the library uses again
	return &v
}

// Value is the first column of the first row, "" when there is none or it is NULL.
func (s *Server) Value(statement string) string {
	s.t.Helper()
	rows := s.Query(statement)
	if len(rows) == 0 || len(rows[0]) == 0 || rows[0][0] == nil {
		return ""
	}
	return *rows[0][0]
}

// Grants are what the connector's account needs, all databases readable.
func (s *Server) Grants() string {
	if s.Flavor == MariaDB {
		return "SELECT, RELOAD, LOCK TABLES, REPLICATION SLAVE, BINLOG MONITOR, REPLICATION SLAVE ADMIN"
	}
	return "SELECT, RELOAD, LOCK TABLES, REPLICATION SLAVE, REPLICATION CLIENT, XA_RECOVER_ADMIN"
}

// Account makes an account with Grants on everything.
func (s *Server) Account(user, password string) {
	s.t.Helper()
	s.Exec(fmt.Sprintf("CREATE USER %s@'%%' IDENTIFIED BY '%s'", user, password),
		fmt.Sprintf("GRANT %s ON *.* TO %s@'%%'", s.Grants(), user))
}

// DSN is user:password@tcp(host:port)/database, as Go's driver writes it.
func (s *Server) DSN(user, password, database string) string {
	return fmt.Sprintf("%s:%s@tcp(%s)/%s", user, password, s.Addr(), database)
}

// Binlogs are the names of the binary logs, oldest first.
func (s *Server) Binlogs() []string {
	s.t.Helper()
	var out []string
	for _, row := range s.Query("SHOW BINARY LOGS") {
		out = append(out, *row[0])
	}
	return out
}

// Executed is the set of transactions that the server has executed: @@gtid_binlog_pos or @@gtid_executed.
func (s *Server) Executed() string {
	s.t.Helper()
	if s.Flavor == MariaDB {
		return s.Value("SELECT @@gtid_binlog_pos")
	}
	return strings.ReplaceAll(s.Value("SELECT @@gtid_executed"), "\n", "")
}

// PurgeAll starts a new binary log and removes all older ones. MariaDB keeps one that the storage engine may still
// need for its recovery, and tells nobody: it is asked again until none is left.
func (s *Server) PurgeAll() {
	s.t.Helper()
	s.Exec("FLUSH BINARY LOGS")
	harness.Eventually(s.t, 20*time.Second, "the older binary logs are gone", func() (bool, string) {
		logs := s.Binlogs()
		s.Exec("PURGE BINARY LOGS TO '" + logs[len(logs)-1] + "'")
		logs = s.Binlogs()
		return len(logs) == 1, strings.Join(logs, ", ")
	})
}

// KillConnections ends the connections of an account as KILL does, and tells how many there were.
func (s *Server) KillConnections(user string) int {
	s.t.Helper()
	n := 0
	for _, row := range s.Query("SELECT ID FROM information_schema.PROCESSLIST WHERE USER = '" + user + "'") {
		if s.TryExec("KILL "+*row[0]) == nil { // it may have ended by itself meanwhile
			n++
		}
	}
	return n
}

// Follow makes the server a replica of another one, by GTID.
func (s *Server) Follow(source *Server) {
	s.t.Helper()
	source.Exec("CREATE USER replica@'%' IDENTIFIED BY 'replica'", "GRANT REPLICATION SLAVE ON *.* TO replica@'%'")
	if s.Flavor == MariaDB {
		s.Exec(fmt.Sprintf("CHANGE MASTER TO MASTER_HOST='%s', MASTER_PORT=%d, MASTER_USER='replica', MASTER_PASSWORD='replica', MASTER_USE_GTID=slave_pos", source.Host, source.Port), "START SLAVE")
		return
	}
	s.Exec(fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_HOST='%s', SOURCE_PORT=%d, SOURCE_USER='replica', SOURCE_PASSWORD='replica', SOURCE_AUTO_POSITION=1, GET_SOURCE_PUBLIC_KEY=1",
		source.Host, source.Port), "START REPLICA")
}

// AwaitExecuted waits until a replica has executed what its source has.
func (s *Server) AwaitExecuted(source *Server) {
	s.t.Helper()
	harness.Eventually(s.t, 30*time.Second, "the replica has executed everything", func() (bool, string) {
		want, got := source.Executed(), s.Executed()
		return want == got, got + " of " + want
	})
}

// Promote ends a server's being a replica.
func (s *Server) Promote() {
	s.t.Helper()
	if s.Flavor == MariaDB {
		s.Exec("STOP SLAVE", "RESET SLAVE ALL")
		return
	}
	s.Exec("STOP REPLICA", "RESET REPLICA ALL")
}
