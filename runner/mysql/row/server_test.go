package row_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// shared are the servers that tests share, each with a database of its own.
var shared = beds.NewShared(sharedMain, func(*beds.Server) {})

var sharedMain = harness.NewMain("row")

func TestMain(m *testing.M) {
	code := m.Run()
	sharedMain.Close()
	os.Exit(code)
}

// counted numbers databases and readers of the log.
var counted atomic.Uint32

// server is a real one with an empty database, in which statements run, and the place in the log where that begins.
type server struct {
	*beds.Server
	from mysql.Position
}

func serverOf(s *beds.Server) *server {
	logs := s.Query("SHOW BINARY LOGS")
	last := logs[len(logs)-1] // name, size
	pos, _ := strconv.ParseUint(*last[1], 10, 32)
	return &server{Server: s.In(fmt.Sprintf("d%d", counted.Add(1))), from: mysql.Position{Name: *last[0], Pos: uint32(pos)}}
}

// ownServer is one that a test may do anything to.
func ownServer(t *testing.T, flavor string, opts ...beds.Option) *server {
	return serverOf(beds.Start(t, flavor, opts...))
}

// flavors runs a test on both real servers, shared with others: see beds.Shared.
func flavors(t *testing.T, test func(t *testing.T, s *server)) {
	each(t, func(t *testing.T, flavor string) { test(t, serverOf(shared.Server(t, flavor))) })
}

// ownFlavors runs a test on two servers of its own.
func ownFlavors(t *testing.T, test func(t *testing.T, s *server), opts ...beds.Option) {
	each(t, func(t *testing.T, flavor string) { test(t, ownServer(t, flavor, opts...)) })
}

func each(t *testing.T, test func(t *testing.T, flavor string)) {
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			test(t, flavor)
		})
	}
}

// logged is what the binary log says of the tables of a database.
type logged struct {
	database string
	tables   map[string]*row.Table // the last definition, by name
	rows     map[string][]row.Row  // after images, by table
	errs     map[string]error      // the first error, by table
	before   map[string][]row.Row
	as       map[string]*row.Table
}

// readLog reads the binary log of a server from where the database begins, up to a marker that it writes.
func readLog(t *testing.T, s *server) *logged {
	t.Helper()
	return readLogAs(t, s, nil)
}

// readLogAs decodes the rows of some tables by definitions other than the log's.
func readLogAs(t *testing.T, s *server, as map[string]*row.Table) *logged {
	t.Helper()
	marker := uint64(time.Now().UnixNano())
	s.Exec("CREATE TABLE IF NOT EXISTS done (id BIGINT PRIMARY KEY)", fmt.Sprintf("INSERT INTO done VALUES (%d)", marker))
	sync := replication.NewBinlogSyncer(replication.BinlogSyncerConfig{
		ServerID: 4711 + counted.Add(1), Logger: slog.New(slog.DiscardHandler), Flavor: s.Flavor, Host: s.Host, Port: uint16(s.Port), User: "root", DisableRetrySync: true,
		RowsEventDecodeFunc: func(*replication.RowsEvent, []byte) error { return nil },
	})
	defer sync.Close()
	stream, err := sync.StartSync(s.from)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	l := &logged{database: s.Database, tables: map[string]*row.Table{}, rows: map[string][]row.Row{}, errs: map[string]error{}, before: map[string][]row.Row{}, as: as}
	var d row.Decoder
	byID := map[uint64]*row.Table{}
	for len(l.rows["done"]) == 0 || l.rows["done"][len(l.rows["done"])-1][0].N != marker {
		e, err := stream.GetEvent(ctx)
		if err != nil {
			t.Fatal(err)
		}
		l.event(t, e, s.Flavor, &d, byID)
	}
	return l
}

// dump writes the bodies of an event for the seeds of fuzzing, when SLUICE_SEEDS names a folder.
func dump(e *replication.BinlogEvent, flavor string, body []byte) {
	if dir := os.Getenv("SLUICE_SEEDS"); dir != "" && len(body) < 4096 {
		_ = os.WriteFile(fmt.Sprintf("%s/%s-%d-%d", dir, flavor, e.Header.LogPos, e.Header.EventType), body, 0o600)
	}
}

func (l *logged) event(t *testing.T, e *replication.BinlogEvent, flavor string, d *row.Decoder, byID map[uint64]*row.Table) {
	t.Helper()
	body, err := row.Body(e, true)
	if err != nil {
		t.Fatal(err)
	}
	switch {
	case e.Header.EventType == replication.TABLE_MAP_EVENT:
		dump(e, flavor, body)
		id, _ := row.TableID(body)
		table, err := row.ParseTableMap(body, flavor)
		delete(byID, id)
		if err == nil && table.Database != l.database {
			return
		}
		if err != nil {
			l.errs[fmt.Sprint(id)] = err
			l.errs[""] = err
			return
		}
		if as := l.as[table.Name]; as != nil && as.Fingerprint == table.Fingerprint {
			table = as
		}
		byID[id], l.tables[table.Name] = table, table
	case row.IsRows(e.Header.EventType):
		dump(e, flavor, body)
		id, _ := row.TableID(body)
		table := byID[id]
		if table == nil {
			return
		}
		err := d.Rows(table, e.Header.EventType, body, func(before, after row.Row) error {
			if before != nil {
				l.before[table.Name] = append(l.before[table.Name], before.Clone())
			}
			if after != nil {
				l.rows[table.Name] = append(l.rows[table.Name], after.Clone())
			}
			return nil
		})
		if err != nil && l.errs[table.Name] == nil {
			l.errs[table.Name] = err
		}
	}
}

// snapshot reads a table's rows in order of its first column, by the text or the binary protocol.
func snapshot(t *testing.T, conn *client.Conn, table *row.Table, binary bool) []row.Row {
	t.Helper()
	query := "SELECT " + table.SelectList() + " FROM " + row.QuoteName(table.Database) + "." + row.QuoteName(table.Name) + " ORDER BY 1"
	var out []row.Row
	var d row.Decoder
	var dst row.Row
	each := func(fields []mysql.FieldValue) error {
		var err error
		if dst, err = d.Fields(table, fields, dst); err == nil {
			out = append(out, dst.Clone())
		}
		return err
	}
	var result mysql.Result
	var err error
	if binary {
		var stmt *client.Stmt
		if stmt, err = conn.Prepare(query); err == nil {
			err = stmt.ExecuteSelectStreaming(&result, each, nil)
			_ = stmt.Close()
		}
	} else {
		err = conn.ExecuteSelectStreaming(query, &result, each, nil)
	}
	if err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return out
}

// session is a connection as a snapshot's.
func session(t *testing.T, s *server) *client.Conn {
	t.Helper()
	conn := s.Connect()
	for _, statement := range row.SnapshotSession {
		if _, err := conn.Execute(statement); err != nil {
			t.Fatalf("%s: %v", statement, err)
		}
	}
	return conn
}

func show(table *row.Table, r row.Row) string {
	var b strings.Builder
	for i := range r {
		c := &table.Columns[i]
		if r[i].IsNull() {
			fmt.Fprintf(&b, "%s=NULL ", c.Name)
			continue
		}
		fmt.Fprintf(&b, "%s=%q ", c.Name, c.AppendText(nil, r[i]))
	}
	return b.String()
}
