package mysql

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
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

// rec is one record of a fact.
type rec struct {
	topic     string
	partition int32
	key       string
	plainRow
	headers map[string]string
	bytes   int
}

// outbox is an Outlet that keeps facts, and what they add up to.
type outbox struct {
	t        *testing.T
	mu       sync.Mutex
	open     []rec
	bytes    int64
	facts    [][]rec
	saved    connector.Saved
	content  map[string]map[string]map[string]*string // topic, key, row
	bag      map[string]map[string]int                // topic of a table without key, row, how often
	counts   map[string]int                           // topic/op
	sequence uint64
	aways    []error
	logs     []string
	progress []connector.Progress
	onMark   func() error // after what is marked is visible
	limit    int          // of a value; 0 is none
	diverted int
	drop     bool // keep no facts: only count
}

func newOutbox(t *testing.T) *outbox {
	return &outbox{t: t, saved: connector.Saved{}, content: map[string]map[string]map[string]*string{}, bag: map[string]map[string]int{}, counts: map[string]int{}}
}

func (o *outbox) Write(r *connector.Outgoing) error {
	if o.limit > 0 && len(r.Value) > o.limit {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize", Err: errors.New("too large")}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.bytes += int64(len(r.Key) + len(r.Value) + 64)
	if o.drop {
		o.counts[r.Topic]++
		return nil
	}
	w := rec{topic: r.Topic, partition: r.Partition, key: string(r.Key), headers: map[string]string{}, bytes: len(r.Value)}
	if err := json.Unmarshal(r.Value, &w.plainRow); err != nil {
		return err
	}
	for _, h := range r.Headers {
		w.headers[h.Key] = string(h.Value)
	}
	o.open = append(o.open, w)
	return nil
}

func (o *outbox) Divert(*connector.Outgoing, *connector.RecordError) error { o.diverted++; return nil }

func (o *outbox) Tag(headers ...record.Header) {
	for _, w := range o.open {
		for _, h := range headers {
			w.headers[h.Key] = string(h.Value)
		}
	}
}

func (o *outbox) Drop() { o.open, o.bytes = nil, 0 }

func (o *outbox) Unmarked() int64 { return o.bytes }

func (o *outbox) Mark(ctx context.Context, entries ...connector.Entry) error {
	o.mu.Lock()
	for _, e := range entries {
		if e.Value == nil {
			delete(o.saved, e.Key)
			continue
		}
		if !json.Valid(e.Value) {
			o.t.Errorf("%s is no JSON: %s", e.Key, e.Value)
		}
		o.saved[e.Key] = slices.Clone(e.Value)
	}
	for _, w := range o.open {
		o.apply(w)
	}
	if len(o.open) > 0 {
		o.facts = append(o.facts, o.open)
	}
	o.open, o.bytes = nil, 0
	hook := o.onMark
	o.mu.Unlock()
	if hook != nil {
		if err := hook(); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// apply does what a reader of the topics would.
func (o *outbox) apply(w rec) {
	o.counts[w.topic+"/"+w.Op]++
	if w.Seq < o.sequence {
		o.t.Errorf("sequence went back from %d to %d", o.sequence, w.Seq)
	}
	o.sequence = w.Seq
	if o.content[w.topic] == nil {
		o.content[w.topic], o.bag[w.topic] = map[string]map[string]*string{}, map[string]int{}
	}
	text, _ := json.Marshal(w.Row)
	switch w.Op {
	case "insert":
		if w.key == "" {
			o.bag[w.topic][string(text)]++
			return
		}
		o.content[w.topic][w.key] = w.Row
	case "delete":
		if w.key == "" {
			o.bag[w.topic][string(text)]--
			if o.bag[w.topic][string(text)] < 0 {
				o.t.Errorf("%s: a row was deleted that nobody inserted: %s", w.topic, text)
			}
			return
		}
		delete(o.content[w.topic], w.key)
	case "TRUNCATE", "ERASE":
		clear(o.content[w.topic])
		clear(o.bag[w.topic])
	}
}

func (o *outbox) Flush(context.Context) error { return nil }
func (o *outbox) Away(err error) {
	if err != nil {
		o.mu.Lock()
		o.aways = append(o.aways, err)
		o.mu.Unlock()
	}
}
func (o *outbox) Progress(p []connector.Progress) { o.mu.Lock(); o.progress = p; o.mu.Unlock() }
func (o *outbox) Behind(time.Duration)            {}
func (o *outbox) Log(_ slog.Level, m string, f map[string]string) {
	o.mu.Lock()
	o.logs = append(o.logs, fmt.Sprint(m, f))
	o.mu.Unlock()
}

func (o *outbox) position() position {
	o.mu.Lock()
	defer o.mu.Unlock()
	p, _ := readPosition(o.saved)
	if p == nil {
		return position{}
	}
	return *p
}

// rowsOf are the rows that the facts add up to, as texts.
func (o *outbox) rowsOf(topic string) []string {
	o.mu.Lock()
	defer o.mu.Unlock()
	var out []string
	for _, r := range o.content[topic] {
		b, _ := json.Marshal(r)
		out = append(out, string(b))
	}
	for text, n := range o.bag[topic] {
		for range n {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

func (o *outbox) count(key string) int { o.mu.Lock(); defer o.mu.Unlock(); return o.counts[key] }

// bed is a server with a database, and a connector of it.
type bed struct {
	t   *testing.T
	s   *beds.Server
	cfg connector.Config
	out *outbox
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
	return connector.Deps{Dial: d.DialContext, Connector: "shop", ConnectorID: "0123456789abcdef", Logger: log}
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
		time.Sleep(50 * time.Millisecond)
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
		time.Sleep(20 * time.Millisecond)
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
