package maxcompute_test

import (
	"fmt"
	"log/slog"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/maxcompute"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// bed is a stand-in with a sink before it.
type bed struct {
	t     testing.TB
	odps  *sandbox.ODPS
	spec  connector.Spec
	cfg   connector.Config
	deps  connector.Deps
	table string
}

const (
	textDDL   = sandbox.DefaultODPSDDL
	binaryDDL = "CREATE TABLE binaries (topic STRING, `partition` BIGINT, `offset` BIGINT, key BINARY, value BINARY) PARTITIONED BY (pt STRING)"
	csvDDL    = "CREATE TABLE fields (t STRING, p BIGINT, o BIGINT) PARTITIONED BY (pt STRING)"
	jsonDDL   = "CREATE TABLE objects (t STRING, p BIGINT, o BIGINT, n INT, pad STRING) PARTITIONED BY (pt STRING)"
)

func newBed(t testing.TB, change connector.Config, options ...func(*sandbox.ODPSOptions)) *bed {
	t.Helper()
	o := sandbox.ODPSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir(), FaultSeed: 7, DDL: []string{textDDL, binaryDDL, csvDDL, jsonDDL}}
	for _, f := range options {
		f(&o)
	}
	stand, err := sandbox.StartODPS(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stand.Close() })
	b := &bed{t: t, odps: stand, spec: maxcompute.Spec()}
	env := connector.Env{Instance: "sandbox", Region: "self-hosted"}
	given := connector.Config{
		"name": "to-odps", "connector.class": "KAFKA2ODPS", "topics": "orders",
		"odps.project": sandbox.DefaultODPSProject, "odps.table": sandbox.DefaultODPSTable, "odps.endpoint": stand.URL(),
		"aliyun.access.key.id": sandbox.DefaultKey, "aliyun.access.key.secret": sandbox.DefaultKey,
	}
	for k, v := range change {
		given[k] = v
	}
	b.cfg = b.spec.Resolve(given, env)
	if problems := b.spec.Problems(b.cfg, env); len(problems) > 0 {
		t.Fatalf("the configuration is refused: %v", problems)
	}
	b.table = b.cfg["odps.table"]
	b.deps = connector.Deps{Env: env, Logger: slog.New(slog.DiscardHandler), Connector: "to-odps", ConnectorID: "uuid", Dial: (&net.Dialer{}).DialContext}
	return b
}

func (b *bed) sink() connector.Sink {
	b.t.Helper()
	s, err := b.spec.NewSink(b.t.Context(), b.cfg, b.deps)
	if err != nil {
		b.t.Fatal(err)
	}
	b.t.Cleanup(func() { s.Close() })
	return s
}

func (b *bed) fault(f sandbox.Fault) {
	b.t.Helper()
	if errs := b.odps.Faults.Set(f); errs != nil {
		b.t.Fatal(errs)
	}
}

func (b *bed) noFault() {
	b.t.Helper()
	if errs := b.odps.Faults.Set(); errs != nil {
		b.t.Fatal(errs)
	}
}

// rows are the table's rows by partition, each "value|value|…" with ∅ for null.
func (b *bed) rows() map[string][]string {
	b.t.Helper()
	out := map[string][]string{}
	err := b.odps.EachRow(b.t.Context(), b.table, func(r sandbox.ODPSRow) error {
		values := make([]string, len(r.Values))
		for i, v := range r.Values {
			if values[i] = v.Text; v.Null {
				values[i] = "∅"
			}
		}
		out[r.Partition] = append(out[r.Partition], strings.Join(values, "|"))
		return nil
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func (b *bed) count() int {
	b.t.Helper()
	n := 0
	for _, rows := range b.rows() {
		n += len(rows)
	}
	return n
}

// offsets are the offsets of a partition that are in the table, whose first three columns
// are topic, partition and offset.
func (b *bed) offsets(topic string, partition int32) []int64 {
	b.t.Helper()
	var out []int64
	err := b.odps.EachRow(b.t.Context(), b.table, func(r sandbox.ODPSRow) error {
		if r.Values[0].Text != topic || r.Values[1].Text != strconv.Itoa(int(partition)) {
			return nil
		}
		offset, err := strconv.ParseInt(r.Values[2].Text, 10, 64)
		out = append(out, offset)
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

// at is 2026-01-02 03:04:05 UTC plus n minutes, in ms.
func at(n int) int64 {
	return time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC).Add(time.Duration(n) * time.Minute).UnixMilli()
}

func rec(offset int64, minute int, value string) *record.Record {
	return &record.Record{Topic: "orders", Partition: 1, Offset: offset, Timestamp: at(minute), Key: []byte("k"), Value: []byte(value)}
}

var orders = connector.Range{Topic: "orders", Partition: 1, First: 10, TopicID: "topic-id", Epoch: "epoch"}

func free() error { return nil }

// fill opens a chunk of the records and prepares it; the intent is as the runner would
// write it.
func fill(t testing.TB, s connector.Sink, redo *connector.Intent, records ...*record.Record) (connector.Chunk, connector.Intent) {
	t.Helper()
	c, err := s.Begin(t.Context(), orders, redo)
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range records {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	return c, prepared(t, c, records[len(records)-1].Offset+1, len(records))
}

func prepared(t testing.TB, c connector.Chunk, next int64, count int) connector.Intent {
	t.Helper()
	payload, err := c.Prepare(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if len(payload) > connector.MaxPayload {
		t.Fatalf("payload of %d bytes, at most %d", len(payload), connector.MaxPayload)
	}
	in := connector.Intent{Range: orders, Count: int64(count), Payload: payload}
	in.Next = next
	return in
}

func publish(t testing.TB, c connector.Chunk) {
	t.Helper()
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
}

func expect(t testing.TB, s connector.Sink, in connector.Intent, want connector.OutcomeKind) connector.Outcome {
	t.Helper()
	got, err := s.Resolve(t.Context(), in, free)
	if err != nil || got.Kind != want {
		t.Fatalf("resolve: %+v, %v; want %s", got, err, want)
	}
	return got
}

// session is the latest upload session of a table partition.
func (b *bed) session(pt string) sandbox.ODPSSession {
	b.t.Helper()
	for _, s := range b.odps.Sessions() {
		if s.Partition == "pt="+pt {
			return s
		}
	}
	b.t.Fatalf("no session of %s: %+v", pt, b.odps.Sessions())
	return sandbox.ODPSSession{}
}

func (b *bed) setSession(pt, status string) {
	b.t.Helper()
	if err := b.odps.SetSession(b.session(pt).ID, status); err != nil {
		b.t.Fatal(err)
	}
}

// hour is the value of pt of the nth hour behind 11 o'clock.
func hour(n int) string { return fmt.Sprintf("01-02-2026 %02d", 11+n) }
