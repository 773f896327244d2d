package mysql

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/connector"
)

// counter is an Outlet that only counts: what is left is the reader itself.
type counter struct {
	*outbox
	records, marks int
	unmarked       int64
	bytes          int64
	until          int
	full           chan struct{}
	state          map[string]string
}

func (c *counter) Write(r *connector.Outgoing) error {
	c.records++
	c.unmarked += int64(len(r.Key) + len(r.Value) + 64)
	c.bytes += int64(len(r.Value))
	return nil
}
func (c *counter) Unmarked() int64 { return c.unmarked }
func (c *counter) Drop()           { c.unmarked = 0 }
func (c *counter) Mark(_ context.Context, entries ...connector.Entry) error {
	c.marks++
	c.unmarked = 0
	for _, e := range entries {
		if e.Key != savedPosition {
			c.state[e.Key] = string(e.Value)
		}
	}
	if c.records >= c.until && c.full != nil {
		close(c.full)
		c.full = nil
	}
	return nil
}

// BenchmarkReader measures snapshot and stream against a real server, without Kafka.
func BenchmarkReader(b *testing.B) {
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		b.Run(flavor, func(b *testing.B) { benchReader(b, flavor) })
	}
}

func benchReader(b *testing.B, flavor string) {
	s := beds.Start(b, flavor, beds.Without("loose_innodb_flush_method"), beds.With("innodb_buffer_pool_size", "1G"), beds.With("max_binlog_size", "1G"))
	s.Account("sluice", "secret")
	s.Exec("CREATE DATABASE shop", "CREATE TABLE shop.n (i INT PRIMARY KEY)", "INSERT INTO shop.n VALUES (0),(1),(2),(3),(4),(5),(6),(7),(8),(9)",
		"CREATE TABLE shop.a (id INT PRIMARY KEY, a VARCHAR(60), b VARCHAR(60), c BIGINT, d DATETIME, e DECIMAL(12,2), f VARCHAR(40))",
		"CREATE TABLE shop.b LIKE shop.a", "CREATE TABLE shop.single LIKE shop.a", "CREATE TABLE shop.huge LIKE shop.a")
	const thousand = "SELECT %d + a.i+10*b.i+100*c.i, REPEAT('x',50), REPEAT('y',40), a.i*1000000007, NOW(), 12345.67, 'something' FROM shop.n a, shop.n b, shop.n c"
	const rows = 500_000
	for i := range rows / 1000 {
		s.Exec("INSERT INTO shop.a " + fmt.Sprintf(thousand, i*1000))
	}
	cfg := connector.Config{connector.KeyName: "shop", keyHost: s.Host, keyPort: fmt.Sprint(s.Port), keyUser: "root", keyPassword: "", keyDatabase: "shop", keyTables: "a",
		keySnapshot: string(SnapshotInitial), keyPrefix: "p", keyFormat: FormatDataWorks, keyTimezone: "UTC", keyTLS: string(TLSDisabled), keyOversize: OversizeFail}
	bd := &bed{s: s, cfg: cfg}
	out := &counter{outbox: newOutbox(nil), state: map[string]string{}}
	measure := func(what string, n int, f func()) {
		out.records, out.until, out.bytes, out.marks = 0, n, 0, 0
		full := make(chan struct{})
		out.full = full
		src, err := newSource(b.Context(), cfg, bd.deps())
		if err != nil {
			b.Fatal(err)
		}
		ctx, cancel := context.WithCancel(b.Context())
		done := make(chan error, 1)
		start := connector.Start{Saved: connector.Saved{}}
		for k, v := range out.state {
			start.Saved[k] = []byte(v)
		}
		if p := out.outbox.saved[savedPosition]; p != nil {
			start.Saved[savedPosition] = p
		}
		stop := make(chan struct{})
		var peak uint64
		go func() {
			for {
				select {
				case <-stop:
					return
				case <-time.After(50 * time.Millisecond):
					var m runtime.MemStats
					runtime.ReadMemStats(&m)
					peak = max(peak, m.HeapInuse)
				}
			}
		}()
		began := time.Now()
		go func() { done <- src.Run(ctx, start, out) }()
		select {
		case <-full:
		case err := <-done:
			b.Fatal(err)
		case <-time.After(3 * time.Minute):
			b.Fatalf("%s: %d of %d", what, out.records, n)
		}
		took := time.Since(began)
		cancel()
		<-done
		close(stop)
		b.Logf("%s %s: %d records in %s, %.0f/s, %.0f MB/s, %d marks, heap peak %d MiB", flavor, what, out.records, took.Round(time.Millisecond), float64(out.records)/took.Seconds(), float64(out.bytes)/1e6/took.Seconds(), out.marks, peak>>20)
	}
	measure("snapshot", rows, nil)
	position := func() {
		c, err := s.TryConnect("root", "")
		if err != nil {
			b.Fatal(err)
		}
		defer c.Close()
		srv, err := describeServer(c)
		if err != nil {
			b.Fatal(err)
		}
		at, executed, err := srv.endOfLog(c)
		if err != nil {
			b.Fatal(err)
		}
		p := position{Flavor: srv.Flavor, Server: srv.Identity, Mode: modeGTID, GTID: executed, File: at.File, Pos: at.Pos}
		if srv.MariaDB() {
			p.GTID, _ = one(c, fmt.Sprintf("SELECT BINLOG_GTID_POS('%s', %d)", at.File, at.Pos))
		}
		out.outbox.saved[savedPosition] = appendJSON(nil, p)
	}
	cfg[keySnapshot] = string(SnapshotNoData)
	cfg[keyTables] = "b"
	position()
	for i := range rows / 1000 {
		s.Exec("INSERT INTO shop.b " + fmt.Sprintf(thousand, i*1000))
	}
	measure("stream of 1,000 rows a transaction", rows, nil)
	cfg[keyTables] = "single"
	position()
	var list []string
	for i := range 100_000 {
		list = append(list, fmt.Sprintf("INSERT INTO shop.single VALUES (%d,'aaaaaaaaaaaaaaaaaaaaaaaaaaaaa','bbbbbbbbbbbbb',%d,NOW(),1.5,'%s')", i, i, strings.Repeat("z", 20)))
	}
	s.Exec(list...)
	measure("stream of single rows", 100_000, nil)
	cfg[keyTables] = "huge"
	position()
	s.Exec("BEGIN", "INSERT INTO shop.huge SELECT * FROM shop.a", "INSERT INTO shop.huge SELECT id+1000000,a,b,c,d,e,f FROM shop.a", "COMMIT")
	measure("stream of one transaction", 2*rows, nil)
}
