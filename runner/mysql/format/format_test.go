package format_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// shop is a small table without a server: id INT, name VARCHAR, price DECIMAL(10,2).
func shop() *row.Table {
	return &row.Table{Database: "shop", Name: "orders", Key: []int{0}, Columns: []row.Column{
		{Name: "id", Kind: row.Int, Length: 4}, {Name: "na\"me", Kind: row.Text, Charset: "utf8mb4", Nullable: true},
		{Name: "price", Kind: row.Decimal, Precision: 10, Scale: 2, Nullable: true},
	}}
}

func order(id int, name, price string) row.Row {
	return row.Row{{State: row.Present, N: uint64(id)}, {State: row.Present, B: []byte(name)}, {State: row.Present, B: []byte(price)}}
}

// emitted is a message kept.
type emitted struct{ key, value, headers string }

func collect(out *[]emitted) func(*format.Message) error {
	return func(m *format.Message) error {
		e := emitted{key: "<null>", value: "<null>"}
		if m.Key != nil {
			e.key = string(m.Key)
		}
		if m.Value != nil {
			e.value = string(m.Value)
		}
		for _, h := range m.Headers {
			e.headers += fmt.Sprintf("%s=%s;", h.Key, h.Value)
		}
		*out = append(*out, e)
		return nil
	}
}

func counter() func() uint64 {
	n := uint64(100)
	return func() uint64 { n++; return n }
}

func origin() format.Origin {
	return format.Origin{EventTime: 1_700_000_000_000, EventMicros: 456, ReadTime: 1_700_000_000_123, GTID: "uuid:7", File: "bin.000001", Pos: 4711, RowIndex: 2, ServerID: 9, Thread: 12}
}

func compare(t *testing.T, got, want []emitted) {
	t.Helper()
	for i := range max(len(got), len(want)) {
		var g, w emitted
		if i < len(got) {
			g = got[i]
		}
		if i < len(want) {
			w = want[i]
		}
		if g != w {
			t.Errorf("message %d\ngot  %s\n     %s\n     %s\nwant %s\n     %s\n     %s", i, g.key, g.value, g.headers, w.key, w.value, w.headers)
		}
		if g.value != "<null>" && !json.Valid([]byte(g.value)) || g.key != "<null>" && !json.Valid([]byte(g.key)) {
			t.Errorf("message %d is not JSON", i)
		}
	}
}

const (
	shopSchema = `{"schema":{"dataColumn":[{"name":"id","type":"LONG"},{"name":"na\"me","type":"STRING"},{"name":"price","type":"DOUBLE"}],"primaryKey":["id"],` +
		`"source":{"dbType":"mysql","dbVersion":"9.7.4","dbName":"shop","tableName":"orders"}},"payload":{"before":`
	shopTimes = `"timestamp":{"eventTime":1700000000000,"systemTime":1700000000123,"checkpointTime":1700000000000},"op":`
	first     = `{"dataColumn":{"id":1,"na\"me":"a\n日","price":1.50}}`
	second    = `{"dataColumn":{"id":1,"na\"me":null,"price":-0.05}}`
	moved     = `{"dataColumn":{"id":2,"na\"me":"a\n日","price":1.50}}`
	end       = `,"ddl":null},"version":"0.0.1"}`
)

func changes() []*format.Change {
	changed := order(1, "", "-0.05")
	changed[1] = row.Value{}
	return []*format.Change{
		{Op: format.Insert, After: order(1, "a\n日", "1.50")},
		{Op: format.Insert, After: order(1, "a\n日", "1.50"), Snapshot: true},
		{Op: format.Update, Before: order(1, "a\n日", "1.50"), After: changed},
		{Op: format.Delete, Before: order(1, "a\n日", "1.50")},
		{Op: format.Update, Before: order(1, "a\n日", "1.50"), After: order(2, "a\n日", "1.50")},
	}
}

func encodeAll(t *testing.T, name string) []emitted {
	t.Helper()
	e, err := format.New(name, format.Options{Version: "9.7.4", Name: "pre"})
	if err != nil {
		t.Fatal(err)
	}
	var got []emitted
	table, next := shop(), counter()
	for _, c := range changes() {
		c.Table, c.Sequence, c.Origin = table, next, origin()
		if err := e.Encode(c, collect(&got)); err != nil {
			t.Fatal(err)
		}
	}
	return got
}

func TestDataWorksChanges(t *testing.T) {
	t.Parallel()
	message := func(before, after string, sequence int, op string) string {
		return shopSchema + before + `,"after":` + after + fmt.Sprintf(`,"sequenceId":"%d",`, sequence) + shopTimes + `"` + op + `"` + end
	}
	compare(t, encodeAll(t, format.DataWorks), []emitted{
		{`{"id":1}`, message("null", first, 101, "INSERT"), ""},
		{`{"id":1}`, message("null", first, 102, "INSERT"), "sluice.snapshot=true;"},
		{`{"id":1}`, message(first, "null", 103, "UPDATE_BEFOR"), ""},
		{`{"id":1}`, message("null", second, 104, "UPDATE_AFTER"), ""},
		{`{"id":1}`, message(first, "null", 105, "DELETE"), ""},
		{`{"id":1}`, message(first, "null", 106, "DELETE"), ""},
		{`{"id":2}`, message("null", moved, 107, "INSERT"), ""},
	})
}

func TestDebeziumChanges(t *testing.T) {
	t.Parallel()
	source := `,"source":{"version":"sluice","connector":"mysql","name":"pre","ts_ms":1700000000000,"snapshot":"%s","db":"shop","sequence":null,` +
		`"ts_us":1700000000000456,"ts_ns":1700000000000456000,"table":"orders","server_id":%s,"gtid":"uuid:7","file":"bin.000001","pos":4711,"row":2,"thread":12,"query":null},` +
		`"transaction":null,"op":"%s","ts_ms":1700000000123,"ts_us":1700000000123000,"ts_ns":1700000000123000000}`
	message := func(before, after, snapshot, op string) string {
		server := "9"
		if op == "r" {
			server = "0"
		}
		return `{"before":` + before + `,"after":` + after + fmt.Sprintf(source, snapshot, server, op)
	}
	first, second, moved := `{"id":1,"na\"me":"a\n日","price":"AJY="}`, `{"id":1,"na\"me":null,"price":"+w=="}`, `{"id":2,"na\"me":"a\n日","price":"AJY="}`
	compare(t, encodeAll(t, format.Debezium), []emitted{
		{`{"id":1}`, message("null", first, "false", "c"), ""},
		{`{"id":1}`, message("null", first, "true", "r"), "sluice.snapshot=true;"},
		{`{"id":1}`, message(first, second, "false", "u"), ""},
		{`{"id":1}`, message(first, "null", "false", "d"), ""},
		{`{"id":1}`, "<null>", ""},
		{`{"id":1}`, message(first, "null", "false", "d"), `__debezium.newkey={"id":2};`},
		{`{"id":1}`, "<null>", `__debezium.newkey={"id":2};`},
		{`{"id":2}`, message("null", moved, "false", "c"), `__debezium.oldkey={"id":1};`},
	})
}

// TestWithoutAKey: of tables without a key Debezium has tombstones too.
func TestWithoutAKey(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]int{format.DataWorks: 1, format.Debezium: 2} {
		e, err := format.New(name, format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		table := shop()
		table.Key = nil
		var got []emitted
		c := &format.Change{Table: table, Op: format.Delete, Before: order(1, "a", "1.00"), Sequence: counter()}
		if err := e.Encode(c, collect(&got)); err != nil {
			t.Fatal(err)
		}
		if len(got) != want || got[0].key != "<null>" || want == 2 && got[1] != (emitted{"<null>", "<null>", ""}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

func TestDataWorksStatementsAndHeartbeats(t *testing.T) {
	t.Parallel()
	e, err := format.New(format.DataWorks, format.Options{Version: "9.7.4"})
	if err != nil {
		t.Fatal(err)
	}
	var got []emitted
	next := counter()
	for _, d := range []*format.DDL{
		{Kind: format.DDLAlter, Database: "shop", Table: "orders", After: shop(), Statement: "ALTER TABLE orders ADD x INT COMMENT \"q\"", Origin: origin(), Sequence: next},
		{Kind: format.DDLErase, Database: "shop", Table: "orders", Statement: "DROP TABLE orders", Origin: origin(), Sequence: next},
	} {
		if err := e.DDL(d, collect(&got)); err != nil {
			t.Fatal(err)
		}
	}
	o := origin()
	if err := e.Heartbeat(&o, next, collect(&got)); err != nil {
		t.Fatal(err)
	}
	compare(t, got, []emitted{
		{"<null>", shopSchema + `null,"after":null,"sequenceId":"101",` + shopTimes + `"ALTER","ddl":"ALTER TABLE orders ADD x INT COMMENT \"q\""},"version":"0.0.1"}`, ""},
		{"<null>", `{"schema":{"dataColumn":[],"primaryKey":[],"source":{"dbType":"mysql","dbVersion":"9.7.4","dbName":"shop","tableName":"orders"}},"payload":{"before":` +
			`null,"after":null,"sequenceId":"102",` + shopTimes + `"ERASE","ddl":"DROP TABLE orders"},"version":"0.0.1"}`, ""},
		{"<null>", `{"schema":{"dataColumn":null,"primaryKey":null,"source":null},"payload":{"before":null,"after":null,"sequenceId":"103",` + shopTimes + `"MHEARTBEAT"` + end, ""},
	})
}

func TestARefusedRowEmitsNothing(t *testing.T) {
	t.Parallel()
	table := shop()
	table.Columns = append(table.Columns, row.Column{Name: "day", Kind: row.Date})
	bad := append(order(1, "a", "1.00"), row.Value{State: row.Present, N: row.PackDate(2020, 0, 0)})
	invalid := append(order(1, "a", "1.00"), row.Value{})
	invalid[1] = row.Value{State: row.Invalid, B: []byte{0xFF, 0xFE}}
	good := append(order(1, "a", "1.00"), row.Value{})
	for _, name := range []string{format.DataWorks, format.Debezium} {
		e, err := format.New(name, format.Options{ZeroDate: format.PolicyFail})
		if err != nil {
			t.Fatal(err)
		}
		for setting, r := range map[string]row.Row{format.SettingZeroDate: bad, format.SettingInvalidText: invalid} {
			var got []emitted
			c := &format.Change{Table: table, Op: format.Update, Before: good, After: r, Sequence: counter()}
			var refused *format.RefusedError
			if err := e.Encode(c, collect(&got)); !errors.As(err, &refused) || refused.Setting() != setting || len(got) > 0 {
				t.Errorf("%s: %v, %d messages", name, err, len(got))
			}
		}
	}
}

func TestNewRefusesWhatDoesNotExist(t *testing.T) {
	t.Parallel()
	for _, o := range []format.Options{{ZeroDate: "replace"}, {InvalidText: "null"}} {
		if _, err := format.New(format.DataWorks, o); err == nil {
			t.Errorf("%+v: no error", o)
		}
	}
	if _, err := format.New("avro", format.Options{}); err == nil || !strings.Contains(err.Error(), "avro") {
		t.Errorf("an unknown format: %v", err)
	}
}

// TestEmitErrorsPass proves that an error of emit ends the change and comes back as it is.
func TestEmitErrorsPass(t *testing.T) {
	t.Parallel()
	stop := errors.New("stop")
	for _, name := range []string{format.DataWorks, format.Debezium} {
		e, err := format.New(name, format.Options{Zone: time.FixedZone("", 8*3600)})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		c := changes()[4]
		c.Table, c.Sequence = shop(), counter()
		if err := e.Encode(c, func(*format.Message) error { n++; return stop }); err != stop || n != 1 {
			t.Errorf("%s: %v after %d messages", name, err, n)
		}
	}
}
