package format_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/format/formattest"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// TestRealDebezium compares with what Debezium's own connectors wrote of the same rows of real servers
// (e2e/setup/debezium.sh): keys byte for byte, values member by member, tombstones and headers.
func TestRealDebezium(t *testing.T) {
	t.Parallel()
	for _, server := range []string{"mysql", "mariadb"} {
		t.Run(server, func(t *testing.T) {
			t.Parallel()
			lines, err := formattest.Read(filepath.Join("testdata", "debezium-"+server+".jsonl"))
			if err != nil {
				t.Fatal(err)
			}
			ours, theirs := byTable(t, lines, server == "mariadb")
			for table, want := range theirs {
				compareReal(t, table, ours[table], want)
			}
			for table, got := range ours {
				if len(theirs[table]) == 0 {
					t.Errorf("%s: %d messages that Debezium has not", table, len(got))
				}
			}
		})
	}
}

// real is a message of either side; table is the definition that ours was made of.
type real struct {
	formattest.Message
	table *row.Table
}

// byTable are the messages of both sides by the table's name, in order.
func byTable(t *testing.T, lines []formattest.Line, maria bool) (ours, theirs map[string][]real) {
	t.Helper()
	e, err := format.New(format.Debezium, format.Options{Name: "p", MariaDB: maria})
	if err != nil {
		t.Fatal(err)
	}
	ours, theirs = map[string][]real{}, map[string][]real{}
	var tables []*row.Table
	for _, l := range lines {
		switch {
		case l.Table != nil:
			tables = append(tables, l.Table)
		case l.Message != nil:
			name := strings.TrimPrefix(l.Message.Topic, "p.shop.")
			theirs[name] = append(theirs[name], real{Message: *l.Message})
		case l.Change != nil:
			table := tables[l.Change.Table]
			c, err := l.Change.Format(table)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Encode(c, func(m *format.Message) error {
				name := strings.ReplaceAll(table.Name, " ", "_") // as in the name of a topic
				ours[name] = append(ours[name], real{messageOf(m), table})
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
	}
	return ours, theirs
}

func messageOf(m *format.Message) (out formattest.Message) {
	if m.Key != nil {
		key := string(m.Key)
		out.Key = &key
	}
	if m.Value != nil {
		out.Value = bytes.Clone(m.Value)
	}
	out.Headers = map[string]*string{}
	for _, h := range m.Headers {
		text := string(h.Value)
		out.Headers[h.Key] = &text
	}
	return out
}

func compareReal(t *testing.T, table string, got, want []real) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s: %d messages, Debezium has %d", table, len(got), len(want))
	}
	keys := map[string]bool{} // of ours
	for _, g := range got {
		keys[show(g.Key)] = true
	}
	snapshot := false
	for i := range min(len(got), len(want)) {
		where := fmt.Sprintf("%s, message %d", table, i)
		g, w := got[i], want[i]
		gotNull, wantNull := len(g.Value) == 0, len(w.Value) == 0 || string(w.Value) == "null"
		if gotNull != wantNull {
			t.Errorf("%s: got %s, want %s", where, g.Value, w.Value)
			continue
		}
		snapshot = !wantNull && bytes.Contains(w.Value, []byte(`"op":"r"`))
		compareHeaders(t, where, keys, g.Headers, w.Headers)
		compareKeys(t, where, &g, &w, snapshot)
		if !wantNull {
			c := comparison{t: t, where: where, table: g.table, snapshot: snapshot}
			c.members("", parse(t, g.Value), parse(t, w.Value))
		}
	}
}

// compareHeaders: those of a change of the key have the other message's key, which Debezium's show as Kafka
// Connect's default converter prints it. That is JSON only as long as no text has control characters, and
// has decimals as numbers.
func compareHeaders(t *testing.T, where string, keys map[string]bool, got, want map[string]*string) {
	t.Helper()
	for name, text := range want {
		if g := got[name]; show(g) != show(text) && (g == nil || !keys[show(g)] || keys[show(text)]) {
			t.Errorf("%s, header %s\ngot  %s\nwant %s", where, name, show(g), show(text))
		}
	}
	for name, text := range got {
		if want[name] == nil && name != format.SnapshotHeader {
			t.Errorf("%s: header %s: %s, which Debezium has not", where, name, show(text))
		}
	}
}

// compareKeys: the same bytes, but where a member's value is excused.
func compareKeys(t *testing.T, where string, g, w *real, snapshot bool) {
	t.Helper()
	if show(g.Key) == show(w.Key) {
		return
	}
	c := comparison{t: t, where: where, table: g.table, snapshot: snapshot, strict: true}
	if g.Key != nil && w.Key != nil {
		c.members("key", parse(t, []byte(*g.Key)), parse(t, []byte(*w.Key)))
	}
	if c.excuses == 0 {
		t.Errorf("%s, key\ngot  %s\nwant %s", where, show(g.Key), show(w.Key))
	}
}

func show(s *string) string {
	if s == nil {
		return "null"
	}
	return fmt.Sprintf("%q", *s)
}

// member is one of an object's, in order; a value is of any JSON type, objects being []member.
type member struct {
	name  string
	value any
}

// parse reads JSON, keeping the order of members and the digits of numbers.
func parse(t *testing.T, text []byte) any {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	v, err := parseValue(d)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return v
}

func parseValue(d *json.Decoder) (any, error) {
	token, err := d.Token()
	if err != nil {
		return nil, err
	}
	switch token {
	case json.Delim('{'):
		out := []member{}
		for d.More() {
			name, err := d.Token()
			if err != nil {
				return nil, err
			}
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			out = append(out, member{name.(string), v})
		}
		_, err = d.Token()
		return out, err
	case json.Delim('['):
		out := []any{}
		for d.More() {
			v, err := parseValue(d)
			if err != nil {
				return nil, err
			}
			out = append(out, v)
		}
		_, err = d.Token()
		return out, err
	}
	return token, nil
}

// comparison is of two values of one message.
type comparison struct {
	t        *testing.T
	where    string
	table    *row.Table
	snapshot bool // Debezium read it by SELECT
	strict   bool // numbers are compared as text
	excuses  int  // differences that were excused
}

func (c *comparison) members(path string, got, want any) {
	c.t.Helper()
	g, gOK := got.([]member)
	w, wOK := want.([]member)
	if !gOK || !wOK {
		c.value(path, got, want)
		return
	}
	if names(g) != names(w) {
		c.t.Errorf("%s, %s has members\n     %s\nwant %s", c.where, path, names(g), names(w))
		return
	}
	for i := range g {
		c.members(strings.TrimPrefix(path+"."+g[i].name, "."), g[i].value, w[i].value)
	}
}

func names(m []member) string {
	var out []string
	for i := range m {
		out = append(out, m[i].name)
	}
	return strings.Join(out, ", ")
}

func (c *comparison) value(path string, got, want any) {
	c.t.Helper()
	if typed(got) == typed(want) || !c.strict && sameNumber(got, want) {
		return
	}
	var column *row.Column
	if side, name, ok := strings.Cut(path, "."); ok && side != "source" {
		column = &c.table.Columns[c.table.Column(name)]
	}
	if c.excused(path, column, got, want) {
		c.excuses++
		return
	}
	c.t.Errorf("%s, %s: %s, want %s", c.where, path, typed(got), typed(want))
}

// typed is a value with its type.
func typed(v any) string { return fmt.Sprintf("%T %v", v, v) }

// sameNumber: 1.50 and 1.5, but not 1 and 1.0.
func sameNumber(got, want any) bool {
	g, gOK := got.(json.Number)
	w, wOK := want.(json.Number)
	if !gOK || !wOK || !isFloat(g) || !isFloat(w) {
		return false
	}
	a, errA := g.Float64()
	b, errB := w.Float64()
	return errA == nil && errB == nil && a == b
}

func isFloat(n json.Number) bool { return strings.ContainsAny(n.String(), ".eE") }

// excused are the differences that docs/mysql.md names.
func (c *comparison) excused(path string, column *row.Column, got, want any) bool {
	if column == nil {
		return c.excusedOrigin(path, got, want)
	}
	g, w := typed(got), typed(want)
	switch column.Kind {
	case row.Int:
		n, err := strconv.ParseUint(fmt.Sprint(got), 10, 64)
		if column.Unsigned && err == nil {
			return fmt.Sprint(want) == strconv.FormatInt(int64(n), 10)
		}
		if isBool, ok := want.(bool); ok { // the statement said BOOLEAN
			return column.Type == "TINYINT" && isBool == (g != "json.Number 0")
		}
	case row.Year:
		return g == "json.Number 0" && (w == "json.Number 1900" || w == "json.Number 2000")
	case row.Float, row.Double:
		return c.excusedFloat(column, got, want)
	case row.Bit:
		return c.snapshot && reversed(got) == fmt.Sprint(want)
	case row.Enum:
		return fmt.Sprint(want) == strings.NewReplacer(`\`, `\\`, `,`, `\,`).Replace(fmt.Sprint(got))
	case row.JSON:
		return !c.snapshot && strings.HasPrefix(g, "string") && strings.HasPrefix(w, "string")
	case row.UUID:
		return !c.snapshot && w == "string 0000123e-4567-e89b-12d3-a45642665544"
	case row.Date, row.DateTime:
		if c.excusedDay(column, got, want) {
			return true
		}
	case row.Timestamp:
		if s, ok := got.(string); ok && c.snapshot {
			return strings.TrimRight(strings.TrimRight(strings.TrimSuffix(s, "Z"), "0"), ".")+"Z" == want
		}
	}
	if got != nil {
		return false
	}
	switch c.table.Name {
	case "defaults": // NULL, for which Kafka's converter puts the default
		return true
	case "zeros", "types_log": // a zero date
		return w == "json.Number 0" || w == "string 1970-01-01T00:00:00Z"
	}
	return false
}

// excusedOrigin is of what is not a column's.
func (c *comparison) excusedOrigin(path string, got, want any) bool {
	_, isNumber := got.(json.Number)
	_, wantsNumber := want.(json.Number)
	switch path {
	case "ts_ms", "ts_us", "ts_ns": // when it was read
		return isNumber && wantsNumber
	case "source.ts_ms", "source.ts_us", "source.ts_ns": // of a SELECT
		return isNumber && wantsNumber && c.snapshot
	case "source.version":
		return true
	case "source.snapshot":
		return c.snapshot && got == "true" && slices.Contains([]any{"first", "first_in_data_collection", "last_in_data_collection", "last"}, want)
	case "source.thread":
		return c.table.Name == "cts" && isNumber && want == nil
	}
	return false
}

// excusedFloat: FLOAT(7,3) has the digits of a FLOAT and not of the DOUBLE that Debezium makes of it, a REAL those
// of a DOUBLE; and the text that a SELECT returns has six digits of a FLOAT.
func (c *comparison) excusedFloat(column *row.Column, got, want any) bool {
	g, errG := strconv.ParseFloat(fmt.Sprint(got), 64)
	w, errW := strconv.ParseFloat(fmt.Sprint(want), 64)
	if errG != nil || errW != nil {
		return false
	}
	switch {
	case column.Kind == row.Double:
		return !c.snapshot && float32(g) == float32(w)
	case float64(float32(g)) == w:
		return true
	}
	return c.snapshot && math.Abs(g-w) < 1e-5*math.Abs(g)
}

// excusedDay: years before 100 stay as they are, and so do days before the Gregorian calendar.
func (c *comparison) excusedDay(column *row.Column, got, want any) bool {
	g, err := strconv.ParseInt(fmt.Sprint(got), 10, 64)
	if err != nil {
		return false
	}
	if column.Kind == row.Date {
		return g == -719162 && typed(want) == "json.Number 11323" // 0001-01-01 and 2001-01-01
	}
	return c.snapshot && g == -12219724800000 && typed(want) == "json.Number -12218860800000" // 1582-10-10 and 1582-10-20
}

// reversed is base64 of the same bytes in the other order.
func reversed(v any) string {
	b, _ := base64.StdEncoding.DecodeString(fmt.Sprint(v))
	slices.Reverse(b)
	return base64.StdEncoding.EncodeToString(b)
}
