package format_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

func number(n uint64) row.Value { return row.Value{State: row.Present, N: n} }
func text(s string) row.Value   { return row.Value{State: row.Present, B: []byte(s)} }
func moment(y, mo, d, h, mi, s, us int) row.Value {
	return number(row.PackDateTime(row.PackDate(y, mo, d), h, mi, s, us))
}

// point is POINT(1,2) as stored: SRID 4326, then WKB.
func point() row.Value {
	b := binary.LittleEndian.AppendUint32(nil, 4326)
	b = append(b, 1, 1, 0, 0, 0)
	b = binary.LittleEndian.AppendUint64(b, math.Float64bits(1))
	return text(string(binary.LittleEndian.AppendUint64(b, math.Float64bits(2.5))))
}

// valueCase is a value of a column and what the two formats make of it.
type valueCase struct {
	name      string
	column    row.Column
	value     row.Value
	dwType    string
	dataWorks string
	debezium  string
}

var negative = func(n int64) uint64 { return uint64(n) }

func valueCases() []valueCase {
	f32 := number(uint64(math.Float32bits(0.1)))
	f64 := func(f float64) row.Value { return number(math.Float64bits(f)) }
	vector := binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(nil, math.Float32bits(1)), math.Float32bits(2.5))
	set := row.Column{Kind: row.Set, Members: []string{"a", "b\"", "c"}}
	enum := row.Column{Kind: row.Enum, Members: []string{"x", "y\""}}
	return []valueCase{
		{"int", row.Column{Kind: row.Int}, number(negative(-9223372036854775808)), "LONG", "-9223372036854775808", "-9223372036854775808"},
		{"bigint unsigned", row.Column{Kind: row.Int, Unsigned: true}, number(math.MaxUint64), "LONG", "18446744073709551615", "18446744073709551615"},
		{"tinyint(1)", row.Column{Kind: row.Int, Length: 1, TinyInt1: true}, number(2), "LONG", "2", "2"},
		{"bit(1)", row.Column{Kind: row.Bit, Length: 1}, number(1), "BOOLEAN", "true", "true"},
		{"bit(10)", row.Column{Kind: row.Bit, Length: 10}, number(513), "LONG", "513", `"AQI="`},
		{"bit(64)", row.Column{Kind: row.Bit, Length: 64}, number(math.MaxUint64), "LONG", "18446744073709551615", `"//////////8="`},
		{"year", row.Column{Kind: row.Year}, number(0), "LONG", "0", "0"},
		{"decimal", row.Column{Kind: row.Decimal, Scale: 2}, text("-123.45"), "DOUBLE", "-123.45", `"z8c="`},
		{"decimal 128", row.Column{Kind: row.Decimal}, text("128"), "DOUBLE", "128", `"AIA="`},
		{"decimal -128", row.Column{Kind: row.Decimal}, text("-128"), "DOUBLE", "-128", `"gA=="`},
		{"decimal(65,30)", row.Column{Kind: row.Decimal, Scale: 30}, text("12345678901234567890123456789012345.123456789012345678901234567890"), "DOUBLE",
			"12345678901234567890123456789012345.123456789012345678901234567890", `"HgK8HpeFi9xsuVBY80JNfTp/7HsD4maOPwrS"`},
		{"negative decimal(65,30)", row.Column{Kind: row.Decimal, Scale: 30}, text("-12345678901234567890123456789012345.123456789012345678901234567890"), "DOUBLE",
			"-12345678901234567890123456789012345.123456789012345678901234567890", `"4f1D4Wh6dCOTRq+nDL2ygsWAE4T8HZlxwPUu"`},
		{"float", row.Column{Kind: row.Float}, f32, "DOUBLE", "0.1", "0.1"},
		{"double", row.Column{Kind: row.Double}, f64(1e300), "DOUBLE", "1e+300", "1.0E300"},
		{"double of seven digits", row.Column{Kind: row.Double}, f64(1234567.5), "DOUBLE", "1234567.5", "1234567.5"},
		{"double of eight digits", row.Column{Kind: row.Double}, f64(12345678.5), "DOUBLE", "12345678.5", "1.23456785E7"},
		{"double 0.001", row.Column{Kind: row.Double}, f64(0.001), "DOUBLE", "0.001", "0.001"},
		{"double below 0.001", row.Column{Kind: row.Double}, f64(-0.0005), "DOUBLE", "-0.0005", "-5.0E-4"},
		{"double -0", row.Column{Kind: row.Double}, f64(math.Copysign(0, -1)), "DOUBLE", "-0", "-0.0"},
		{"double whole", row.Column{Kind: row.Double}, f64(-3), "DOUBLE", "-3", "-3.0"},
		{"date", row.Column{Kind: row.Date}, number(row.PackDate(1970, 1, 2)), "DATE", "57600000", "1"},
		{"date before 1970", row.Column{Kind: row.Date}, number(row.PackDate(1000, 1, 1)), "DATE", "-30610252800000", "-354285"},
		{"zero date", row.Column{Kind: row.Date}, number(0), "DATE", "null", "null"},
		{"partial date", row.Column{Kind: row.Date}, number(row.PackDate(2020, 2, 0)), "DATE", "null", "null"},
		{"no such day", row.Column{Kind: row.Date}, number(row.PackDate(2020, 2, 31)), "DATE", "null", "null"},
		{"leap day", row.Column{Kind: row.Date}, number(row.PackDate(2020, 2, 29)), "DATE", "1582905600000", "18321"},
		{"time", row.Column{Kind: row.Time}, number(negative(-3020399_000000)), "STRING", `"-838:59:59"`, "-3020399000000"},
		{"time(3)", row.Column{Kind: row.Time, FSP: 3}, number(1000), "STRING", `"00:00:00.001"`, "1000"},
		{"datetime", row.Column{Kind: row.DateTime}, moment(2020, 6, 15, 12, 0, 0, 0), "DATE", "1592193600000", "1592222400000"},
		{"datetime(3)", row.Column{Kind: row.DateTime, FSP: 3}, moment(1969, 12, 31, 23, 59, 59, 999000), "DATE", "-28800001", "-1"},
		{"datetime(6)", row.Column{Kind: row.DateTime, FSP: 6}, moment(2020, 6, 15, 12, 0, 0, 123456), "STRING", `"2020-06-15 12:00:00.123456"`, "1592222400123456"},
		{"datetime(4)", row.Column{Kind: row.DateTime, FSP: 4}, moment(2020, 6, 15, 12, 0, 0, 123400), "STRING", `"2020-06-15 12:00:00.1234"`, "1592222400123400"},
		{"zero datetime(6)", row.Column{Kind: row.DateTime, FSP: 6}, number(0), "STRING", "null", "null"},
		{"timestamp", row.Column{Kind: row.Timestamp}, number(1_592_222_400_000_000), "DATE", "1592222400000", `"2020-06-15T12:00:00Z"`},
		{"timestamp(6)", row.Column{Kind: row.Timestamp, FSP: 6}, number(1_592_222_400_000_001), "STRING", `"2020-06-15 20:00:00.000001"`, `"2020-06-15T12:00:00.000001Z"`},
		{"zero timestamp", row.Column{Kind: row.Timestamp}, number(0), "DATE", "null", "null"},
		{"text", row.Column{Kind: row.Text}, text("a\"\\\n\x00日😀"), "STRING", `"a\"\\\n\u0000日😀"`, `"a\"\\\n\u0000日😀"`},
		{"enum", enum, number(2), "STRING", `"y\""`, `"y\""`},
		{"enum without", enum, number(0), "STRING", `""`, `""`},
		{"set", set, number(3), "STRING", `"a,b\""`, `"a,b\""`},
		{"set empty", set, number(0), "STRING", `""`, `""`},
		{"json", row.Column{Kind: row.JSON}, text(`{"a": 1}`), "STRING", `"{\"a\": 1}"`, `"{\"a\": 1}"`},
		{"uuid", row.Column{Kind: row.UUID}, text("123e4567-e89b-12d3-a456-426655440000"), "STRING", `"123e4567-e89b-12d3-a456-426655440000"`, `"123e4567-e89b-12d3-a456-426655440000"`},
		{"bytes", row.Column{Kind: row.Bytes}, text("\x00\xff"), "BYTES", `"AP8="`, `"AP8="`},
		{"bytes empty", row.Column{Kind: row.Bytes}, text(""), "BYTES", `""`, `""`},
		{"point", row.Column{Kind: row.Geometry, Type: "POINT"}, point(), "BYTES", `"5hAAAAEBAAAAAAAAAAAA8D8AAAAAAAAEQA=="`,
			`{"x":1.0,"y":2.5,"wkb":"AQEAAAAAAAAAAADwPwAAAAAAAARA","srid":4326}`},
		{"geometry", row.Column{Kind: row.Geometry, Type: "GEOMETRY"}, text("\x00\x00\x00\x00\x01\x02"), "BYTES", `"AAAAAAEC"`, `{"wkb":"AQI=","srid":null}`},
		{"vector", row.Column{Kind: row.Vector}, text(string(vector)), "BYTES", `"AACAPwAAIEA="`, "[1.0,2.5]"},
		{"null", row.Column{Kind: row.Text}, row.Value{}, "STRING", "null", "null"},
	}
}

// valueOf encodes one value and cuts it, and its type, out of the message.
func valueOf(t *testing.T, name string, o format.Options, column row.Column, v row.Value) (value, typ string) {
	t.Helper()
	e, err := format.New(name, o)
	if err != nil {
		t.Fatal(err)
	}
	column.Name = "v"
	table := &row.Table{Database: "d", Name: "t", Columns: []row.Column{column}}
	var got []emitted
	c := &format.Change{Table: table, Op: format.Insert, After: row.Row{v}, Sequence: counter()}
	if err := e.Encode(c, collect(&got)); err != nil {
		return err.Error(), ""
	}
	_, rest, _ := strings.Cut(got[0].value, `"after":{`)
	rest = strings.TrimPrefix(rest, `"dataColumn":{`)
	value, _, _ = strings.Cut(strings.TrimPrefix(rest, `"v":`), `}}`)
	if name == format.Debezium {
		value, _, _ = strings.Cut(strings.TrimPrefix(rest, `"v":`), `},"source"`)
	}
	_, typ, _ = strings.Cut(got[0].value, `"type":"`)
	typ, _, _ = strings.Cut(typ, `"`)
	return value, typ
}

func TestValues(t *testing.T) {
	t.Parallel()
	zone := format.Options{Zone: time.FixedZone("GMT+08:00", 8*3600)}
	for _, c := range valueCases() {
		got, typ := valueOf(t, format.DataWorks, zone, c.column, c.value)
		if got != c.dataWorks || typ != c.dwType {
			t.Errorf("%s in dataworks: %s %s, want %s %s", c.name, typ, got, c.dwType, c.dataWorks)
		}
		if got, _ := valueOf(t, format.Debezium, zone, c.column, c.value); got != c.debezium {
			t.Errorf("%s in debezium: %s, want %s", c.name, got, c.debezium)
		}
	}
}

func TestPolicies(t *testing.T) {
	t.Parallel()
	invalid := row.Value{State: row.Invalid, B: []byte("a\xff")}
	latin := row.Column{Kind: row.Text, Charset: "utf8mb4"}
	for _, c := range []struct {
		name   string
		o      format.Options
		column row.Column
		value  row.Value
		want   string
	}{
		{"zero date as text", format.Options{ZeroDate: format.PolicyString}, row.Column{Kind: row.Date}, number(0), `"0000-00-00"`},
		{"member as base64", format.Options{InvalidText: format.PolicyBase64}, row.Column{Kind: row.Enum, Charset: "utf8mb4", Members: []string{"\ufffd"}}, row.Value{State: row.Invalid, N: 1, B: []byte("\xe9")}, `"6Q=="`},
		{"partial datetime as text", format.Options{ZeroDate: format.PolicyString}, row.Column{Kind: row.DateTime, FSP: 3}, moment(2020, 0, 0, 1, 2, 3, 4000), `"2020-00-00 01:02:03.004"`},
		{"zero timestamp as text", format.Options{ZeroDate: format.PolicyString}, row.Column{Kind: row.Timestamp, FSP: 6}, number(0), `"0000-00-00 00:00:00.000000"`},
		{"invalid text in base64", format.Options{InvalidText: format.PolicyBase64}, latin, invalid, `"Yf8="`},
		{"invalid text replaced", format.Options{InvalidText: format.PolicyReplace}, latin, invalid, `"a` + "\ufffd" + `"`},
		{"tinyint(1) as boolean", format.Options{TinyInt1Boolean: true}, row.Column{Kind: row.Int, TinyInt1: true}, number(1), "true"},
		{"tinyint(4) stays a number", format.Options{TinyInt1Boolean: true}, row.Column{Kind: row.Int, Length: 1}, number(1), "1"},
	} {
		for _, name := range []string{format.DataWorks, format.Debezium} {
			if got, _ := valueOf(t, name, c.o, c.column, c.value); got != c.want {
				t.Errorf("%s in %s: %s, want %s", c.name, name, got, c.want)
			}
		}
	}
}

// TestWallTimeInZones compares the remembered offset with the library's own arithmetic, around changes of the
// offset and far from them.
func TestWallTimeInZones(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"Asia/Shanghai", "Europe/Berlin", "America/New_York", "UTC", "Asia/Kathmandu"} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		e, err := format.New(format.DataWorks, format.Options{Zone: zone})
		if err != nil {
			t.Fatal(err)
		}
		table := &row.Table{Columns: []row.Column{{Name: "v", Kind: row.DateTime}}}
		at := time.Date(1940, 1, 1, 0, 30, 0, 0, time.UTC)
		for at.Year() < 2040 {
			at = at.Add(7*time.Hour + 13*time.Minute)
			r := row.Row{moment(at.Year(), int(at.Month()), at.Day(), at.Hour(), at.Minute(), at.Second(), 0)}
			want := time.Date(at.Year(), at.Month(), at.Day(), at.Hour(), at.Minute(), at.Second(), 0, zone).UnixMilli()
			err := e.Encode(&format.Change{Table: table, Op: format.Insert, After: r, Sequence: counter()}, func(m *format.Message) error {
				if !strings.Contains(string(m.Value), `"v":`+format64(want)+"}") {
					t.Fatalf("%s, %v: %s, want %d", name, at, m.Value, want)
				}
				return nil
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func format64(n int64) string { return strconv.FormatInt(n, 10) }

// TestPoliciesAreTold: what a policy makes of a value can be told from what the column has: by its type in
// the schema of the same message, and in messages without a schema by a header.
func TestPoliciesAreTold(t *testing.T) {
	t.Parallel()
	table := shop()
	table.Columns = append(table.Columns, row.Column{Name: "day", Kind: row.Date})
	o := format.Options{ZeroDate: format.PolicyString, InvalidText: format.PolicyBase64}
	day := func(r row.Row, d uint64) row.Row { return append(r, row.Value{State: row.Present, N: d}) }
	good := day(order(1, "a", "1.00"), row.PackDate(2020, 1, 2))
	bad := day(order(1, "a", "1.00"), row.PackDate(2020, 0, 2))
	bad[1] = row.Value{State: row.Invalid, B: []byte("a\xff")}
	moved := slices.Clone(bad)
	moved[0] = order(2, "a", "1.00")[0]
	types := func(value string) string {
		schema, _, _ := strings.Cut(value, `],"primaryKey"`)
		var out []string
		for _, part := range strings.Split(schema, `"type":"`)[1:] {
			typ, _, _ := strings.Cut(part, `"`)
			out = append(out, typ)
		}
		return strings.Join(out, " ")
	}
	const plain, other = "LONG STRING DOUBLE DATE", "LONG BYTES DOUBLE STRING"
	for _, tt := range []struct {
		name          string
		op            format.Op
		before, after row.Row
		types         []string
		headers       []string // sluice.base64 of each message, of Debezium's
	}{
		{"insert", format.Insert, nil, bad, []string{other}, []string{`after.na"me`}},
		{"update to", format.Update, good, bad, []string{plain, other}, []string{`after.na"me`}},
		{"update from", format.Update, bad, good, []string{other, plain}, []string{`before.na"me`}},
		{"update both", format.Update, bad, bad, []string{other, other}, []string{`before.na"me,after.na"me`}},
		{"move", format.Update, good, moved, []string{plain, other}, []string{"", "", `after.na"me`}},
		{"move from", format.Update, moved, good, []string{other, plain}, []string{`before.na"me`, `before.na"me`, ""}},
		{"delete", format.Delete, bad, nil, []string{other}, []string{`before.na"me`, `before.na"me`}},
		{"nothing", format.Update, good, good, []string{plain, plain}, []string{""}},
	} {
		var gotTypes, gotHeaders []string
		c := &format.Change{Table: table, Op: tt.op, Before: tt.before, After: tt.after, Sequence: counter()}
		for _, name := range []string{format.DataWorks, format.Debezium} {
			e, err := format.New(name, o)
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Encode(c, func(m *format.Message) error {
				if name == format.DataWorks {
					if !json.Valid(m.Value) {
						t.Errorf("%s: %s", tt.name, m.Value)
					}
					gotTypes = append(gotTypes, types(string(m.Value)))
					return nil
				}
				told := ""
				for _, h := range m.Headers {
					if h.Key == format.CodedHeader {
						told += string(h.Value)
					}
				}
				gotHeaders = append(gotHeaders, told)
				return nil
			}); err != nil {
				t.Fatal(err)
			}
		}
		if !slices.Equal(gotTypes, tt.types) || !slices.Equal(gotHeaders, tt.headers) {
			t.Errorf("%s: types %q, headers %q; want %q, %q", tt.name, gotTypes, gotHeaders, tt.types, tt.headers)
		}
	}
}

// Policies that make one value of many do not do so in keys: rows of which only such a column differs would
// be one row for whoever reads.
func TestKeysOfDifferentRowsStayDifferent(t *testing.T) {
	t.Parallel()
	table := &row.Table{Database: "d", Name: "t", Key: []int{0, 1, 2, 3}, Columns: []row.Column{
		{Name: "day", Kind: row.Date}, {Name: "at", Kind: row.Timestamp}, {Name: "name", Kind: row.Text, Charset: "ascii"}, {Name: "is", Kind: row.Int, Length: 1, TinyInt1: true}}}
	text := func(b string, s row.State) row.Value { return row.Value{State: s, B: []byte(b)} }
	o := format.Options{ZeroDate: format.PolicyNull, InvalidText: format.PolicyReplace, TinyInt1Boolean: true}
	for _, name := range []string{format.DataWorks, format.Debezium} {
		e, err := format.New(name, o)
		if err != nil {
			t.Fatal(err)
		}
		var out []emitted
		for _, after := range []row.Row{
			{number(0), number(0), text("\x81", row.Invalid), number(2)},
			{number(row.PackDate(2020, 2, 31)), number(0), text("\x82", row.Invalid), number(0)},
			{number(row.PackDate(2020, 2, 28)), number(1_600_000_000_000_000), text("a", row.Present), number(1)},
		} {
			if err := e.Encode(&format.Change{Table: table, Op: format.Insert, After: after, Sequence: counter()}, collect(&out)); err != nil {
				t.Fatal(err)
			}
		}
		want := []string{`{"day":"0000-00-00","at":"0000-00-00 00:00:00","name":"gQ==","is":2}`, `{"day":"2020-02-31","at":"0000-00-00 00:00:00","name":"gg==","is":false}`,
			map[string]string{format.DataWorks: `{"day":1582848000000,"at":1600000000000,"name":"a","is":true}`, format.Debezium: `{"day":18320,"at":"2020-09-13T12:26:40Z","name":"a","is":true}`}[name]}
		for i, m := range out {
			if m.key != want[i] {
				t.Errorf("%s: key %s, want %s", name, m.key, want[i])
			}
		}
		if len(out) != len(want) || !strings.Contains(out[0].value, `"day":null`) {
			t.Errorf("%s: %v", name, out)
		}
	}
}
