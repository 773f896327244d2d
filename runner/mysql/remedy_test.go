package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// TestGrantee: statements in remedies name the account as the server knows it.
func TestGrantee(t *testing.T) {
	t.Parallel()
	tests := []struct{ user, current, want string }{
		{"sluice", "", "'sluice'@'%'"},
		{"sluice", "sluice@%", "'sluice'@'%'"},
		{"sluice", "sluice@10.0.%", "'sluice'@'10.0.%'"},
		{"sluice", "@localhost", "''@'localhost'"}, // signed in as the anonymous account
		{"a@b", "a@b@127.0.0.1", "'a@b'@'127.0.0.1'"},
		{"o'brien", "", "'o''brien'@'%'"},
	}
	for _, tt := range tests {
		s := &Settings{User: tt.user, Database: "shop`s", signedIn: &account{}}
		if tt.current != "" {
			s.signedIn.name.Store(&tt.current)
		}
		if got := s.grantee(); got != tt.want {
			t.Errorf("%q, signed in as %q: %s, want %s", tt.user, tt.current, got, tt.want)
		}
		for _, remedy := range []string{s.grantSelect(), s.grantReplication()} {
			if !strings.Contains(remedy, " TO "+tt.want+";") {
				t.Errorf("remedy %q does not name %s", remedy, tt.want)
			}
		}
	}
	if s := (&Settings{User: "x", Database: "shop`s"}); !strings.Contains(s.grantSelect(), "ON `shop``s`.* TO 'x'@'%'") {
		t.Errorf("remedy %q", s.grantSelect())
	}
}

// TestAwayNamesTheDatabaseServer: what is away is the database server, and its remedy is not about brokers.
func TestAwayNamesTheDatabaseServer(t *testing.T) {
	t.Parallel()
	s := &Settings{Host: "db.example", Port: 3306}
	for _, tt := range []struct {
		err  error
		want string
	}{
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}, "that the database server runs"},
		{&net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.EHOSTUNREACH)}, "network between this machine and the database server"},
		{&net.DNSError{Err: "no such host", Name: "db.example", IsNotFound: true}, "name cannot be resolved"},
		{fmt.Errorf("no answer: %w", context.DeadlineExceeded), "does not answer in time"},
		{io.ErrUnexpectedEOF, "closed the connection"},
		{gomysql.ErrBadConn, "closed the connection"},
		{errors.New("something else"), "database server runs"},
		{&gomysql.MyError{Code: 1040, Message: "Too many connections"}, "max_connections"},
		{&gomysql.MyError{Code: 1053, Message: "Server shutdown in progress"}, "error log of the database server"},
	} {
		err := s.classify("asking", tt.err)
		if connector.CauseOf(err) != connector.CauseAway {
			t.Errorf("%v is %s", tt.err, connector.CauseOf(err))
		}
		if got := connector.Remedy(err); !strings.Contains(got, tt.want) || strings.Contains(got, "broker") {
			t.Errorf("%v: remedy %q lacks %q", tt.err, got, tt.want)
		}
	}
}

// TestSpillFolder: rows of prepared transactions that memory does not hold go to the folder that the process was given.
func TestSpillFolder(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "data", "spill")
	s := &xaStore{dir: dir}
	s.reset()
	defer s.close()
	x := s.begin("a")
	body := make([]byte, 1<<20)
	for i := range 20 {
		body[0] = byte(i)
		if err := x.add(s, &event{kind: replication.WRITE_ROWS_EVENTv2, body: body}); err != nil {
			t.Fatal(err)
		}
	}
	if x.file == nil || filepath.Dir(x.file.Name()) != dir {
		t.Fatalf("20 MiB are held in %v", x.file)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("the folder shows %v, %v: a file with a name outlives the process", left, err)
	}
	n := 0
	if err := x.each(func(e *event) error {
		if e.body[0] != byte(n) {
			return fmt.Errorf("event %d is %d", n, e.body[0])
		}
		n++
		return nil
	}); err != nil || n != 20 {
		t.Errorf("%d events: %v", n, err)
	}
}

// TestSetPositionsNamesTheForm: what is no GTID is refused with the form of the server's kind.
func TestSetPositionsNamesTheForm(t *testing.T) {
	t.Parallel()
	cfg := connector.Config{keyPrefix: "shop"}
	for _, tt := range []struct{ flavor, want, not string }{
		{gomysql.MariaDBFlavor, "0-1-5", "uuid"},
		{gomysql.MySQLFlavor, "uuid:1-5", "0-1-5"},
		{"", "0-1-5 for MariaDB", "domain-server"},
	} {
		saved := connector.Saved{}
		if tt.flavor != "" {
			saved[savedPosition] = appendJSON(nil, &position{Flavor: tt.flavor, Mode: modeGTID})
		}
		_, err := setPositions(cfg, saved, []connector.SourcePosition{{Partition: map[string]any{"server": "shop"}, Offset: map[string]any{"gtid": "nonsense"}}})
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), tt.not) {
			t.Errorf("%q: %v, want %q", tt.flavor, err, tt.want)
		}
	}
}

// TestSetPositionsRefuses: a partition that is not exactly one of the connector's changes nothing. A
// misspelt "table" with a null offset would else take the position in the log away.
func TestSetPositionsRefuses(t *testing.T) {
	t.Parallel()
	cfg := connector.Config{keyPrefix: "shop", keyTables: "orders, cust_*"}
	saved := connector.Saved{savedPosition: appendJSON(nil, &position{Flavor: gomysql.MariaDBFlavor, Mode: modeGTID, GTID: "0-1-5"}), savedTable + "gone": []byte(`{"state":"copying"}`)}
	done := map[string]any{"state": stateDone}
	for _, tt := range []struct {
		partition, offset map[string]any
		key, want         string
	}{
		{map[string]any{"server": "shop"}, nil, savedPosition + " " + savedTable + "gone", ""}, // which was read, and is copied again
		{map[string]any{"server": "shop", "table": "orders"}, nil, savedTable + "orders", ""},
		{map[string]any{"server": "shop", "table": "cust_1"}, done, savedTable + "cust_1", ""},
		{map[string]any{"server": "shop", "table": "gone"}, done, savedTable + "gone", ""},
		{map[string]any{"server": "shop", "table": "other"}, done, "", `does not name the table "other"`},
		{map[string]any{"server": "shop", "tabel": "orders"}, nil, "", `not "tabel"`},
		{map[string]any{"server": "shop", "table": 5.0}, nil, "", "name of a table"},
		{map[string]any{"server": "shop", "table": nil}, nil, "", "name of a table"},
		{map[string]any{"server": "shop", "table": ""}, nil, "", "name of a table"},
		{map[string]any{"server": "stop"}, nil, "", `has to be "shop"`},
		{map[string]any{"table": "orders"}, nil, "", `has to be "shop"`},
	} {
		got, err := setPositions(cfg, saved, []connector.SourcePosition{{Partition: tt.partition, Offset: tt.offset}})
		if tt.want != "" {
			if err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), "offsets[0]") {
				t.Errorf("%v: %v, want %q", tt.partition, err, tt.want)
			}
			continue
		}
		keys := make([]string, len(got))
		for i := range got {
			keys[i] = got[i].Key
		}
		if err != nil || strings.Join(keys, " ") != tt.key {
			t.Errorf("%v: %v, %v", tt.partition, keys, err)
		}
	}
}

// TestSetFilePosition: a place in the log that is given before anything was read is of whichever server comes.
func TestSetFilePosition(t *testing.T) {
	t.Parallel()
	got, err := setPositions(connector.Config{keyPrefix: "shop"}, connector.Saved{}, []connector.SourcePosition{
		{Partition: map[string]any{"server": "shop"}, Offset: map[string]any{"file": "binlog.000002", "pos": 4.0}}})
	if err != nil {
		t.Fatal(err)
	}
	p, err := readPosition(connector.Saved{got[0].Key: got[0].Value})
	if err != nil {
		t.Fatal(err)
	}
	for _, flavor := range []string{gomysql.MariaDBFlavor, gomysql.MySQLFlavor} {
		if g, err := p.resume(&server{Flavor: flavor}); err != nil || g.flavor != flavor || g.at != (filePos{"binlog.000002", 4}) {
			t.Errorf("%s: %+v, %v", flavor, g, err)
		}
	}
}

// TestTableThatCannotBeRead: a definition that cannot be read is told with the table and what to do; the server is not away.
func TestTableThatCannotBeRead(t *testing.T) {
	t.Parallel()
	b := newBed(t, beds.MariaDB)
	b.s.Exec("CREATE TABLE fine (id INT PRIMARY KEY)", "CREATE TABLE history (id INT PRIMARY KEY) WITH SYSTEM VERSIONING")
	err := b.run().ends()
	if connector.CauseOf(err) != connector.CauseWrong || !strings.Contains(connector.Brief(err), "history") || !strings.Contains(connector.Remedy(err), keyTables) {
		t.Errorf("%v, remedy %q", err, connector.Remedy(err))
	}
}

// TestRowThatCannotBeCopied: a value that the server tells in two ways stops the reader with a remedy; it was
// asked for again and again, as if the server were away.
func TestRowThatCannotBeCopied(t *testing.T) {
	t.Parallel()
	flavours(t, func(t *testing.T, b *bed) {
		b.s.Exec("CREATE TABLE a (id INT PRIMARY KEY, e ENUM('😀', 'x') CHARACTER SET utf8mb4)", "INSERT INTO a VALUES (1, 1)")
		var wrong *connector.WrongError
		if err := b.run().ends(); !errors.As(err, &wrong) || wrong.Field != keyTables || wrong.Remedy == "" || !strings.Contains(wrong.Brief, "column e") {
			t.Errorf("%+v", err)
		}
	})
}
