package mysql

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// plain is an encoder for tests: op, and the row's values as the server prints them.
type plain struct{ maria bool }

type plainRow struct {
	Op  string             `json:"op"`
	Row map[string]*string `json:"row,omitempty"`
	DDL string             `json:"ddl,omitempty"`
	Seq uint64             `json:"seq"`
}

func plainValues(t *row.Table, r row.Row) map[string]*string {
	out := map[string]*string{}
	for i := range t.Columns {
		if r[i].IsNull() {
			out[t.Columns[i].Name] = nil
			continue
		}
		s := string(t.Columns[i].AppendText(nil, r[i]))
		out[t.Columns[i].Name] = &s
	}
	return out
}

func (plain) Encode(c *format.Change, emit func(*format.Message) error) error {
	one := func(op string, r row.Row) error {
		m := &format.Message{Timestamp: c.EventTime}
		if c.Table.Key != nil {
			m.Key = c.Table.AppendKey(nil, r)
		}
		m.Value, _ = json.Marshal(plainRow{Op: op, Row: plainValues(c.Table, r), Seq: c.Sequence()})
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
	v, _ := json.Marshal(plainRow{Op: string(d.Kind), DDL: d.Statement, Seq: d.Sequence()})
	return emit(&format.Message{Value: v})
}

func (plain) Heartbeat(*format.Origin, func() uint64, func(*format.Message) error) error { return nil }

// bed is a server with a database, and a connector of it.
type bed struct {
	t   *testing.T
	s   *beds.Server
	cfg connector.Config
	out *outbox
	// cluster is nil where topics do not matter.
	cluster *shapes
}

// flavours runs a test on both servers.
func flavours(t *testing.T, f func(t *testing.T, b *bed), opts ...beds.Option) {
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			f(t, newBed(t, flavor, opts...))
		})
	}
}

func newBed(t *testing.T, flavor string, opts ...beds.Option) *bed {
	s := beds.Start(t, flavor, opts...)
	s.Account("sluice", "secret")
	if flavor == beds.MySQL {
		s.Exec("GRANT XA_RECOVER_ADMIN ON *.* TO 'sluice'@'%'")
	}
	s.Exec("CREATE DATABASE shop")
	return &bed{t: t, s: s, out: newOutbox(t), cfg: connector.Config{
		connector.KeyName: "shop", keyHost: s.Host, keyPort: fmt.Sprint(s.Port), keyUser: "sluice", keyPassword: "secret", keyDatabase: "shop", keyTables: "*",
		keySnapshot: string(SnapshotInitial), keyPrefix: "p", keyFormat: FormatDataWorks, keyTimezone: "UTC", keyTLS: string(TLSPreferred), keyOversize: OversizeFail,
	}}
}

func (b *bed) deps() connector.Deps {
	d := &net.Dialer{}
	log := slog.New(slog.DiscardHandler)
	if os.Getenv("SLUICE_TEST_LOG") != "" {
		log = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelDebug}))
	}
	deps := connector.Deps{Dial: d.DialContext, Connector: "shop", ConnectorID: "0123456789abcdef", Logger: log}
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
	src.(*source).encoder = func(_ *Settings, srv *server) (format.Encoder, error) { return plain{srv.MariaDB()}, nil }
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
	for _, c := range b.s.Query("SELECT column_name FROM information_schema.columns WHERE table_schema='shop' AND table_name='" + table + "' ORDER BY ordinal_position") {
		names = append(names, *c[0])
	}
	var out []string
	for _, r := range b.s.Query("SELECT * FROM shop.`" + table + "`") {
		m := map[string]*string{}
		for i, v := range r {
			m[names[i]] = v
		}
		text, _ := json.Marshal(m)
		out = append(out, string(text))
	}
	slices.Sort(out)
	return out
}

// equal waits until the facts add up to the tables.
func (b *bed) equal(tables ...string) {
	b.t.Helper()
	deadline := time.Now().Add(40 * time.Second)
	for {
		wrong := ""
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
		pause(50 * time.Millisecond)
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
