package mysql

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// plain is an encoder for tests: op, sequence and the row as a line. It is no JSON because the tests with much data
// would spend most of their time in it.
type plain struct{ *places }

type plainRow struct {
	Op  string
	Row string // see appendLine
	Seq uint64
}

func (p plainRow) bytes() []byte { return fmt.Appendf(nil, "%s %d\n%s", p.Op, p.Seq, p.Row) }

func parsePlain(b []byte) (p plainRow, err error) {
	head, row, _ := bytes.Cut(b, []byte("\n"))
	_, err = fmt.Sscan(string(head), &p.Op, &p.Seq)
	p.Row = string(row)
	return p, err
}

// places are the origins of changes that came from the log; a nil one notes none.
type places struct {
	mu  sync.Mutex
	all []format.Origin
}

func (p *places) note(c *format.Change) {
	if p != nil && !c.Snapshot {
		p.mu.Lock()
		p.all = append(p.all, c.Origin)
		p.mu.Unlock()
	}
}

// appendLine writes a row, columns in order of their names; the length is there because a value may look like the next column.
func appendLine(dst []byte, columns []string, value func(i int) (text []byte, null bool)) []byte {
	order := make([]int, len(columns))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return strings.Compare(columns[i], columns[j]) })
	for _, i := range order {
		dst = append(append(dst, columns[i]...), '=')
		text, null := value(i)
		if null {
			dst = append(dst, "NULL "...)
			continue
		}
		dst = append(append(append(strconv.AppendInt(dst, int64(len(text)), 10), '"'), text...), '"', ' ')
	}
	return dst
}

func (p plain) Encode(c *format.Change, emit func(*format.Message) error) error {
	p.note(c)
	columns := make([]string, len(c.Table.Columns))
	for i := range columns {
		columns[i] = c.Table.Columns[i].Name
	}
	var text []byte
	one := func(op string, r row.Row) error {
		m := &format.Message{Timestamp: c.EventTime}
		if c.Table.Key != nil {
			m.Key = c.Table.AppendKey(nil, r)
		}
		m.Value = appendLine(plainRow{Op: op, Seq: c.Sequence()}.bytes(), columns, func(i int) ([]byte, bool) {
			if r[i].IsNull() {
				return nil, true
			}
			text = c.Table.Columns[i].AppendText(text[:0], r[i])
			return text, false
		})
		if c.Snapshot {
			m.Headers = []record.Header{{Key: "sluice.snapshot", Value: []byte("true")}}
		}
		return emit(m)
	}
	if c.Before != nil {
		op := "delete"
		if c.After != nil && string(c.Table.AppendKey(nil, c.Before)) == string(c.Table.AppendKey(nil, c.After)) && c.Table.Key != nil {
			op = "before"
		}
		if err := one(op, c.Before); err != nil {
			return err
		}
	}
	if c.After != nil {
		return one("insert", c.After)
	}
	return nil
}

func (plain) DDL(d *format.DDL, emit func(*format.Message) error) error {
	return emit(&format.Message{Value: plainRow{Op: string(d.Kind), Row: d.Statement, Seq: d.Sequence()}.bytes()})
}

func (plain) Heartbeat(*format.Origin, func() uint64, func(*format.Message) error) error { return nil }

// shared are the servers that tests share, each with a database of its own.
var shared = beds.NewShared(sharedMain, func(s *beds.Server) { s.Account("sluice", "secret") })

var sharedMain = harness.NewMain("mysql")

func TestMain(m *testing.M) {
	code := m.Run()
	sharedMain.Close()
	os.Exit(code)
}

// databases counts the databases on shared servers.
var databases atomic.Int32

// Database is a new one on the shared server of a flavor, whose account is sluice with the password secret.
func Database(t *testing.T, flavor string) *beds.Server {
	t.Helper()
	return shared.Server(t, flavor).In(fmt.Sprintf("shop%d", databases.Add(1)))
}

// bed is a server with a database, and a connector of it.
type bed struct {
	t   *testing.T
	s   *beds.Server
	cfg connector.Config
	env connector.Env
	out *outbox
	// cluster is nil where topics do not matter.
	cluster *shapes
	// places is nil where nobody asks where in the log changes are.
	places *places
}

// flavours runs a test on both servers, shared with others: what a test may not do there (see beds.Shared) is for ownFlavours.
func flavours(t *testing.T, f func(t *testing.T, b *bed)) {
	each(t, func(t *testing.T, flavor string) { f(t, newBed(t, flavor)) })
}

// ownFlavours runs a test on two servers of its own.
func ownFlavours(t *testing.T, f func(t *testing.T, b *bed)) {
	each(t, func(t *testing.T, flavor string) { f(t, ownBed(t, flavor)) })
}

func each(t *testing.T, f func(t *testing.T, flavor string)) {
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			f(t, flavor)
		})
	}
}

// newBed is a bed on a shared server.
func newBed(t *testing.T, flavor string) *bed { return bedOn(t, Database(t, flavor)) }

// ownBed is a bed on a server that nobody else uses.
func ownBed(t *testing.T, flavor string, opts ...beds.Option) *bed {
	s := beds.Start(t, flavor, opts...)
	s.Account("sluice", "secret")
	return bedOn(t, s.In("shop"))
}

// bedOn is a bed of a server's database. The name, of which the server ID is derived, is the database's.
func bedOn(t *testing.T, s *beds.Server) *bed {
	return &bed{t: t, s: s, out: newOutbox(t), cfg: connector.Config{
		connector.KeyName: s.Database, keyHost: s.Host, keyPort: fmt.Sprint(s.Port), keyUser: "sluice", keyPassword: "secret", keyDatabase: s.Database, keyTables: "*",
		keySnapshot: string(SnapshotInitial), keyPrefix: "p", keyFormat: FormatDataWorks, keyTimezone: "UTC", keyTLS: string(TLSPreferred), keyOversize: OversizeFail,
	}}
}

// moved is the bed's connector with another server, which has an empty database of the same name and is nobody else's.
func (b *bed) moved(opts ...beds.Option) *bed {
	s := beds.Start(b.t, b.s.Flavor, opts...)
	s.Account("sluice", "secret")
	other := bedOn(b.t, s.In(b.s.Database))
	other.out, other.cfg = b.out, b.cfg.Clone()
	other.cfg[keyPort] = fmt.Sprint(s.Port)
	return other
}

func (b *bed) deps() connector.Deps {
	d := &net.Dialer{}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	deps := connector.Deps{Env: b.env, Dial: d.DialContext, Connector: "shop", ConnectorID: "0123456789abcdef", Logger: log}
	if b.cluster != nil {
		deps.Cluster = b.cluster
	}
	return deps
}

// running is a Run under way.
type running struct {
	b      *bed
	src    connector.Source
	cancel context.CancelFunc
	done   chan error
}

// run starts the connector from what is saved.
func (b *bed) run(choice ...string) *running {
	b.t.Helper()
	src, err := newSource(b.t.Context(), b.cfg, b.deps())
	if err != nil {
		b.t.Fatal(err)
	}
	src.(*source).encoder = func(*Settings, *server) (format.Encoder, error) { return plain{b.places}, nil }
	ctx, cancel := context.WithCancel(b.t.Context())
	r := &running{b: b, src: src, cancel: cancel, done: make(chan error, 1)}
	start := connector.Start{Saved: maps.Clone(b.out.saved)}
	if len(choice) > 0 {
		start.Choice = choice[0]
	}
	go func() { r.done <- src.Run(ctx, start, b.out) }()
	b.t.Cleanup(func() { cancel() })
	return r
}

// crash ends a Run as a crash would: what is not marked is lost.
func (r *running) crash() error {
	r.cancel()
	select {
	case err := <-r.done:
		r.b.out.Drop()
		return err
	case <-time.After(20 * time.Second):
		r.b.t.Fatal("Run does not end")
		return nil
	}
}

// ends waits for a Run to end by itself.
func (r *running) ends() error {
	r.b.t.Helper()
	select {
	case err := <-r.done:
		r.b.out.Drop()
		return err
	case <-time.After(30 * time.Second):
		r.b.t.Fatalf("Run does not end; away: %v", r.b.out.aways)
		return nil
	}
}

// rows are a table's rows as the server prints them.
func (b *bed) rows(table string) []string {
	var names []string
	for _, c := range b.s.Query("SELECT column_name FROM information_schema.columns WHERE table_schema=DATABASE() AND table_name='" + table + "' ORDER BY ordinal_position") {
		names = append(names, *c[0])
	}
	var out []string
	for _, r := range b.s.Query("SELECT * FROM `" + table + "`") {
		out = append(out, string(appendLine(nil, names, func(i int) ([]byte, bool) {
			if r[i] == nil {
				return nil, true
			}
			return []byte(*r[i]), false
		})))
	}
	slices.Sort(out)
	return out
}

// equal waits until the facts add up to the tables.
func (b *bed) equal(tables ...string) {
	b.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		began, wrong := time.Now(), ""
		for _, table := range tables {
			want, got := b.rows(table), b.out.rowsOf("p_"+table)
			if !slices.Equal(want, got) {
				wrong += diff(table, want, got)
			}
		}
		if wrong == "" {
			return
		}
		if time.Now().After(deadline) {
			b.t.Fatalf("the facts do not add up to the tables:\n%s\naway: %v\nlog: %s\nposition: %s", wrong, b.out.aways, strings.Join(b.out.logs, "\n"), b.out.saved[savedPosition])
		}
		pause(max(50*time.Millisecond, time.Since(began))) // looking at much takes long
	}
}

func diff(table string, want, got []string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %d rows in the table, %d by the facts\n", table, len(want), len(got))
	n := 0
	for _, w := range want {
		if _, ok := slices.BinarySearch(got, w); !ok && n < 5 {
			fmt.Fprintf(&b, "  missing %s\n", w)
			n++
		}
	}
	for _, g := range got {
		if _, ok := slices.BinarySearch(want, g); !ok && n < 10 {
			fmt.Fprintf(&b, "  too much %s\n", g)
			n++
		}
	}
	return b.String()
}

// waitFor polls until something holds.
func (b *bed) waitFor(what string, holds func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for !holds() {
		if time.Now().After(deadline) {
			b.t.Fatalf("waited too long for %s; away: %v\nlog: %s", what, b.out.aways, strings.Join(b.out.logs, "\n"))
		}
		pause(20 * time.Millisecond)
	}
}

// tableOf is a table's state as it is saved.
func tableOf(o *outbox, name string) tableState {
	o.mu.Lock()
	defer o.mu.Unlock()
	var s tableState
	_ = json.Unmarshal(o.saved[savedTable+name], &s)
	return s
}

// pause lets writers and readers work for a while.
func pause(d time.Duration) { <-time.After(d) }
