package maxcompute

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

func tableOf(of ...string) *table {
	t := &table{partitions: []column{{name: partitionColumn, text: "STRING", kind: kindString}}}
	for i := 0; i < len(of); i += 2 {
		kind, notNull := strings.CutSuffix(of[i+1], " NOT NULL")
		c := parseType(kind)
		c.name, c.notNull = of[i], notNull
		t.columns = append(t.columns, c)
	}
	return t
}

func shapeOf(t testing.TB, cfg connector.Config) *shape {
	t.Helper()
	s := Spec()
	sh, err := newShape(s.Resolve(cfg, connector.Env{}))
	if err != nil {
		t.Fatal(err)
	}
	return sh
}

// mapped is the row that a value becomes, as JSON without blanks; else the error.
func mapped(t testing.TB, sh *shape, tab *table, r *record.Record) (string, *connector.RecordError) {
	t.Helper()
	e := newEncoder(&segments{})
	err := sh.newMapper(tab).row(e, r)
	if err != nil {
		var re *connector.RecordError
		if !errors.As(err, &re) {
			t.Fatalf("%q: an error that is not the record's: %v", r.Value, err)
		}
		if len(e.raw) > 0 || e.rows > 0 {
			t.Errorf("%q: the refused record left %d bytes and %d rows", r.Value, len(e.raw), e.rows)
		}
		return "", re
	}
	got, err := rowJSON(tab, e.raw)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("\n", "", "  ", "").Replace(got), nil
}

// TestJSONToColumn is the table of what a JSON value becomes in a column of each type:
// exactly that, or an error with a code; never a null.
func TestJSONToColumn(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ kind, value, want string }{ // want beginning with ! is a code
		{"BIGINT", `0`, `0`}, {"BIGINT", `-0`, `0`}, {"BIGINT", `42`, `42`}, {"BIGINT", `9223372036854775807`, `9223372036854775807`},
		{"BIGINT", `-9223372036854775807`, `-9223372036854775807`}, {"BIGINT", `-9223372036854775808`, `!range`}, {"BIGINT", `9223372036854775808`, `!range`},
		{"BIGINT", `1e3`, `1000`}, {"BIGINT", `1.50e1`, `15`}, {"BIGINT", `12.0`, `12`}, {"BIGINT", `1.5`, `!type`}, {"BIGINT", `1e-1`, `!type`}, {"BIGINT", `0e999999999999`, `0`},
		{"BIGINT", `1e999999999999`, `!range`}, {"BIGINT", `"1"`, `!type`}, {"BIGINT", `true`, `!type`}, {"BIGINT", `{}`, `!type`}, {"BIGINT", `[1]`, `!type`}, {"BIGINT", `null`, `null`},
		{"INT", `2147483647`, `2147483647`}, {"INT", `2147483648`, `!range`}, {"INT", `-2147483648`, `-2147483648`}, {"INT", `-2147483649`, `!range`},
		{"SMALLINT", `32767`, `32767`}, {"SMALLINT", `-32769`, `!range`}, {"TINYINT", `-128`, `-128`}, {"TINYINT", `128`, `!range`},
		{"DOUBLE", `0.1`, `0.1`}, {"DOUBLE", `1e308`, `1e+308`}, {"DOUBLE", `1e309`, `!range`}, {"DOUBLE", `5e-324`, `5e-324`}, {"DOUBLE", `1e-400`, `!range`}, {"DOUBLE", `0e-400`, `0`}, {"DOUBLE", `"0.1"`, `!type`},
		{"FLOAT", `1.5`, `1.5`}, {"FLOAT", `1e39`, `!range`}, {"FLOAT", `1e-60`, `!range`},
		{"DECIMAL(10,2)", `12345678.91`, `12345678.91`}, {"DECIMAL(10,2)", `123456789`, `!range`}, {"DECIMAL(10,2)", `1.234`, `!range`}, {"DECIMAL(10,2)", `1.230`, `1.23`},
		{"DECIMAL(10,2)", `-0.01`, `-0.01`}, {"DECIMAL(10,2)", `1e7`, `10000000`}, {"DECIMAL(10,2)", `1e8`, `!range`}, {"DECIMAL(10,2)", `0.0`, `0`}, {"DECIMAL(10,2)", `5e-2`, `0.05`}, {"DECIMAL(10,2)", `5e-3`, `!range`},
		{"DECIMAL(10,2)", `"1.5"`, `1.5`}, {"DECIMAL(10,2)", `"x"`, `!type`}, {"DECIMAL(10,2)", `""`, `!type`}, {"DECIMAL(10,2)", `false`, `!type`},
		{"DECIMAL(38,18)", `12345678901234567890.123456789012345678`, `12345678901234567890.123456789012345678`}, {"DECIMAL(38,18)", `123456789012345678901`, `!range`}, {"DECIMAL(2,2)", `0.25`, `0.25`}, {"DECIMAL(2,2)", `1`, `!range`},
		{"BOOLEAN", `true`, `true`}, {"BOOLEAN", `false`, `false`}, {"BOOLEAN", `1`, `!type`}, {"BOOLEAN", `"true"`, `!type`},
		{"STRING", `"a"`, `"a"`}, {"STRING", `""`, `""`}, {"STRING", `"\u00e9\n\"\\\/"`, `"é\n\"\\/"`}, {"STRING", `"\ud83d\ude00"`, `"😀"`}, {"STRING", `"\ud83d"`, `!type`}, {"STRING", `"\ude00\ud83d"`, `!type`}, {"STRING", `"\u0000"`, `"\u0000"`},
		{"STRING", `1`, `!type`}, {"STRING", `{"a":1}`, `!type`}, {"STRING", `true`, `!type`},
		{"VARCHAR(3)", `"äöü"`, `"äöü"`}, {"VARCHAR(3)", `"äöüx"`, `!range`}, {"CHAR(2)", `"ab"`, `"ab"`}, {"CHAR(2)", `"abc"`, `!range`},
		{"BINARY", `"AAH/"`, `"base64: AAH/"`}, {"BINARY", `"no base64!"`, `!type`}, {"BINARY", `1`, `!type`},
		{"DATETIME", `"2026-01-02 03:04:05"`, `"2026-01-01 19:04:05 UTC"`}, {"DATETIME", `"2026-01-02T03:04:05.678Z"`, `"2026-01-02 03:04:05.678 UTC"`}, {"DATETIME", `"2026-01-02T03:04:05+05:30"`, `"2026-01-01 21:34:05 UTC"`},
		{"DATETIME", `"2026-01-02T03:04:05.6789Z"`, `!range`}, {"DATETIME", `"2026-01-02T03:04:05.678000Z"`, `"2026-01-02 03:04:05.678 UTC"`}, {"DATETIME", `1767323045678`, `"2026-01-02 03:04:05.678 UTC"`}, {"DATETIME", `1.5`, `!type`},
		{"DATETIME", `253402300799999`, `"9999-12-31 23:59:59.999 UTC"`}, {"DATETIME", `253402300800000`, `!range`}, {"DATETIME", `"2026-02-29 00:00:00"`, `!type`}, {"DATETIME", `"2024-02-29"`, `"2024-02-28 16:00:00 UTC"`}, {"DATETIME", `"yesterday"`, `!type`}, {"DATETIME", `true`, `!type`},
		{"TIMESTAMP", `"2026-01-02T03:04:05.123456789Z"`, `"2026-01-02 03:04:05.123456789 UTC"`}, {"TIMESTAMP", `-1`, `"1969-12-31 23:59:59.999 UTC"`}, {"TIMESTAMP", `"2026-01-02T03:04:05.1234567891Z"`, `!type`}, {"TIMESTAMP", `"2026-01-02T03:04:60Z"`, `!type`}, {"TIMESTAMP", `"9999-12-31T23:59:59-08:00"`, `!range`}, {"TIMESTAMP", `"0000-01-01T00:00:00+00:01"`, `!range`},
		{"TIMESTAMP_NTZ", `"2026-01-02 03:04:05.5"`, `"2026-01-02 03:04:05.5"`}, {"TIMESTAMP_NTZ", `"2026-01-02T03:04:05Z"`, `!type`}, {"TIMESTAMP_NTZ", `5`, `!type`},
		{"DATE", `"2026-01-02"`, `"2026-01-02"`}, {"DATE", `"0000-01-01"`, `"0000-01-01"`}, {"DATE", `"9999-12-31"`, `"9999-12-31"`}, {"DATE", `"2026-13-01"`, `!type`}, {"DATE", `"2026-01-02 00:00:00"`, `!type`}, {"DATE", `20000`, `!type`},
		{"JSON", `{"a": [1, null]}`, `{"a": [1, null]}`}, {"JSON", `"text\n"`, `"text\n"`}, {"JSON", `1.0`, `1.0`}, {"JSON", `true`, `true`}, {"JSON", `null`, `null`},
		{"ARRAY<STRING>", `[]`, `!type`}, {"ARRAY<STRING>", `"a"`, `!type`}, {"ARRAY<STRING>", `1`, `!type`}, {"ARRAY<STRING>", `null`, `null`},
		{"BIGINT NOT NULL", `null`, `!null`}, {"STRING NOT NULL", `""`, `""`}, {"JSON NOT NULL", `null`, `!null`},
	} {
		t.Run(c.kind+" "+c.value, func(t *testing.T) {
			t.Parallel()
			sh := shapeOf(t, connector.Config{keyMapping: mappingJSON})
			got, re := mapped(t, sh, tableOf("before", "STRING", "col", c.kind, "after", "BIGINT"), &record.Record{Value: fmt.Appendf(nil, `{"x":{"col":7},"after": 5 ,"COL":%s,"before":"b"}`, c.value)})
			if code, bad := strings.CutPrefix(c.want, "!"); bad {
				if re == nil || re.Code != code || !strings.Contains(re.Error(), "column col") || re.Stage != connector.StageValueConverter || re.DeadLetter {
					t.Errorf("got %s, %+v; want the code %s", got, re, code)
				}
				return
			}
			if want := `{"before": "b","col": ` + c.want + `,"after": 5}`; re != nil || got != want {
				t.Errorf("got %s, %v; want %s", got, re, want)
			}
		})
	}
}

// TestJSONValues is the table of whole values.
func TestJSONValues(t *testing.T) {
	t.Parallel()
	tab := tableOf("a", "BIGINT", "B", "STRING")
	for _, c := range []struct {
		value string
		code  string
		dead  bool
	}{
		{`{}`, "", false}, {` { "a" : 1 } `, "", false}, {`{"A":1,"b":"x","c":[{}, [[]], "\u1234", -1.5E+2, null]}`, "", false}, {`{"\u0061":1}`, "", false},
		{`null`, "json", false}, {`[]`, "json", false}, {`[{"a":1}]`, "json", false}, {`1`, "json", false}, {`"a"`, "json", false},
		{``, "json", true}, {` `, "json", true}, {`{`, "json", true}, {`{"a"}`, "json", true}, {`{"a":}`, "json", true}, {`{"a":1,}`, "json", true}, {`{"a":1}}`, "json", true}, {`{"a":1} x`, "json", true}, {`{"a":01}`, "json", true},
		{`{"a":1.}`, "json", true}, {`{"a":+1}`, "json", true}, {`{"a":.5}`, "json", true}, {`{"a":1e}`, "json", true}, {`{"a":tru}`, "json", true}, {`{"c":"` + "\x01" + `"}`, "json", true}, {`{"c":"\x"}`, "json", true}, {`{"c":"\u12"}`, "json", true},
		{`{'a':1}`, "json", true}, {`{"a":1 "b":2}`, "json", true}, {`[1`, "json", true}, {`{"c":[1 2]}`, "json", true}, {"{\"a\":1}\x00", "json", true}, {`{"c":` + strings.Repeat("[", 600) + strings.Repeat("]", 600) + `}`, "json", true},
		{"{\"c\":\"\xff\"}", "binary", true}, {`{"a":1,"A":2}`, "json", false}, {`{"a":null,"a":2}`, "json", false}, {`{"c":1,"c":2}`, "", false},
	} {
		sh := shapeOf(t, connector.Config{keyMapping: mappingJSON})
		got, re := mapped(t, sh, tab, &record.Record{Value: []byte(c.value)})
		if (re == nil) != (c.code == "") || re != nil && (re.Code != c.code || re.DeadLetter != c.dead) {
			t.Errorf("%.60q: got %s, %+v; want code %q, dead letter %t", c.value, got, re, c.code, c.dead)
		}
		if valid := json.Valid([]byte(c.value)); c.dead && valid && !strings.Contains(c.value, "[[[") && c.code != "binary" || !c.dead && !valid {
			t.Errorf("%.60q: the table is wrong", c.value)
		}
	}
	if _, re := mapped(t, shapeOf(t, connector.Config{keyMapping: mappingJSON}), tab, &record.Record{}); re == nil || re.Code != "null" {
		t.Errorf("a null value: %v", re)
	}
}

// TestCSV is the table of CSV rows.
func TestCSV(t *testing.T) {
	t.Parallel()
	tab := tableOf("a", "STRING", "b", "BIGINT", "c", "BOOLEAN", "d", "DECIMAL(5,1)")
	for _, c := range []struct{ value, want string }{
		{"x,1,true,1.5", `"x" 1 true 1.5`}, {"x,1,TRUE,1.5\r\n", `"x" 1 true 1.5`}, {"x,1,false,1.5\n", `"x" 1 false 1.5`}, {",,,", `null null null null`}, {`"",,,`, `"" null null null`},
		{`"a,b",1,,`, `"a,b" 1 null null`}, {`"a""b""",1,,`, `"a\"b\"" 1 null null`}, {"\"a\r\nb\",1,,", `"a\r\nb" 1 null null`}, {`"""",1,,`, `"\"" 1 null null`}, {`"x","1","true","1.5"`, `"x" 1 true 1.5`},
		{"ä,-007,,+2", `"ä" -7 null 2`},
		{"", "!csv_width"}, {"x,1,true", "!csv_width"}, {"x,1,true,1.5,", "!csv_width"}, {"x,1,true,1.5\nx,1,true,1.5", "!csv"}, {`x"y,1,,`, "!csv"}, {`"x,1,,`, "!csv"}, {`"x"y,1,,`, "!csv"}, {"a\rb,1,,", "!csv"},
		{"x,1.5,,", "!type"}, {"x, 1,,", "!type"}, {`x,"",,`, "!type"}, {"x,99999999999999999999,,", "!range"}, {"x,1,yes,", "!type"}, {"x,1,,1.55", "!range"}, {"x,1,,99999", "!range"}, {"x,1,,NaN", "!type"}, {"x,0x1,,", "!type"},
	} {
		sh := shapeOf(t, connector.Config{keyMode: modeValue, keyFormat: formatCSV})
		got, re := mapped(t, sh, tab, &record.Record{Value: []byte(c.value)})
		if code, bad := strings.CutPrefix(c.want, "!"); bad {
			if re == nil || re.Code != code || re.DeadLetter {
				t.Errorf("%q: got %s, %+v; want the code %s", c.value, got, re, code)
			}
			continue
		}
		for _, name := range []string{`{"a": `, `,"b":`, `,"c":`, `,"d":`} {
			got = strings.Replace(got, name, "", 1)
		}
		if got = strings.TrimSuffix(got, "}"); re != nil || got != c.want {
			t.Errorf("%q: got %s, %v; want %s", c.value, got, re, c.want)
		}
	}
	for name, r := range map[string]record.Record{"null": {}, "binary": {Value: []byte("\xff,1,,")}} {
		sh := shapeOf(t, connector.Config{keyMode: modeValue, keyFormat: formatCSV, keyBinary: binaryDLQ})
		if _, re := mapped(t, sh, tab, &r); re == nil || re.Code != name {
			t.Errorf("%s: %v", name, re)
		}
	}
	if got, re := mapped(t, shapeOf(t, connector.Config{keyMode: modeKey, keyFormat: formatCSV}), tableOf("b", "BINARY", "j", "JSON"), &record.Record{Key: []byte("\xff,\"{\"\"a\"\":1}\"")}); re != nil || got != `{"b": "base64: /w==","j": {"a":1}}` {
		t.Errorf("the key as CSV: %s, %v", got, re)
	}
	if _, re := mapped(t, shapeOf(t, connector.Config{keyMode: modeKey, keyFormat: formatCSV}), tableOf("j", "JSON"), &record.Record{Key: []byte("{")}); re == nil || re.Stage != connector.StageKeyConverter {
		t.Errorf("bad JSON in CSV: %v", re)
	}
}

// TestRecordMapping: columns by name wherever they stand, nulls, limits and the policy for
// bytes.
func TestRecordMapping(t *testing.T) {
	t.Parallel()
	plain := tableOf("topic", "STRING", "partition", "BIGINT", "offset", "BIGINT", "key", "STRING", "value", "STRING")
	mixed := tableOf("extra", "DOUBLE", "VALUE", "STRING", "offset", "BIGINT", "topic", "STRING", "Partition", "BIGINT", "key", "STRING NOT NULL")
	r := record.Record{Topic: "t", Partition: 3, Offset: 1 << 60, Key: []byte{}, Value: []byte("v")}
	for _, c := range []struct {
		name   string
		cfg    connector.Config
		table  *table
		change func(*record.Record)
		want   string
	}{
		{"plain", nil, plain, nil, `{"topic": "t","partition": 3,"offset": 1152921504606846976,"key": "","value": "v"}`},
		{"nulls", nil, plain, func(r *record.Record) { r.Key, r.Value = nil, nil }, `{"topic": "t","partition": 3,"offset": 1152921504606846976,"key": null,"value": null}`},
		{"other order", nil, mixed, nil, `{"extra": null,"VALUE": "v","offset": 1152921504606846976,"topic": "t","Partition": 3,"key": ""}`},
		{"not null", nil, mixed, func(r *record.Record) { r.Key = nil }, `!null`},
		{"raw bytes", nil, plain, func(r *record.Record) { r.Value = []byte("\xff") }, `{"topic": "t","partition": 3,"offset": 1152921504606846976,"key": "","value": "base64: /w=="}`},
		{"refused bytes", connector.Config{keyBinary: binaryDLQ}, plain, func(r *record.Record) { r.Key = []byte("\xff") }, `!binary`},
		{"only the key", connector.Config{keyMode: modeKey}, tableOf("topic", "STRING", "partition", "BIGINT", "offset", "BIGINT", "key", "STRING"), nil, `{"topic": "t","partition": 3,"offset": 1152921504606846976,"key": ""}`},
		{"oversize", nil, plain, func(r *record.Record) { r.Value = make([]byte, maxField+1) }, `!oversize`},
	} {
		r := r
		if c.change != nil {
			c.change(&r)
		}
		got, re := mapped(t, shapeOf(t, c.cfg), c.table, &r)
		if code, bad := strings.CutPrefix(c.want, "!"); bad {
			if re == nil || re.Code != code || re.DeadLetter != (code != "null") {
				t.Errorf("%s: got %s, %+v; want %s", c.name, got, re, code)
			}
		} else if re != nil || got != c.want {
			t.Errorf("%s: got %s, %v; want %s", c.name, got, re, c.want)
		}
	}
}

// FuzzDecimal compares with arithmetic of any precision.
func FuzzDecimal(f *testing.F) {
	for _, s := range []string{"0", "-0.00", "1e2", "12.340e-3", "+.5", "9999999999.99999", "1e-20", "x", "1e", "00012.", "-1e+5"} {
		f.Add(s)
	}
	col := parseType("DECIMAL(20,6)")
	limit := new(big.Rat).SetInt(new(big.Int).Exp(big.NewInt(10), big.NewInt(14), nil))
	million := big.NewRat(1_000_000, 1)
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > 60 {
			return
		}
		d, ok := split([]byte(s))
		if ok && (d.exponent > 1000 || d.exponent < -1000) {
			return
		}
		want, known := new(big.Rat).SetString(s)
		if ok != (known && !strings.ContainsAny(s, "/_xXoObBpP")) {
			t.Fatalf("%q: taken apart %t, is a number %t", s, ok, known)
		}
		if !ok {
			return
		}
		e, m := newEncoder(&segments{}), &typed{}
		e.mark()
		err := m.decimal(e, 1, &col, []byte(s))
		fits := new(big.Rat).Abs(want).Cmp(limit) < 0 && new(big.Rat).Mul(want, million).IsInt()
		if (err == nil) != fits {
			t.Fatalf("%q: %v, fits %t", s, err, fits)
		}
		if err != nil {
			return
		}
		got, _ := new(big.Rat).SetString(string(m.scratch))
		if got == nil || got.Cmp(want) != 0 || strings.ContainsAny(string(m.scratch), "eE+") {
			t.Fatalf("%q became %q", s, m.scratch)
		}
		if v, err := integer([]byte(s)); (err == nil) != (want.IsInt() && want.Num().IsInt64()) || err == nil && v != want.Num().Int64() {
			t.Fatalf("%q as a whole number: %d, %v", s, v, err)
		}
	})
}

// FuzzJSON: what the scanner takes is what the standard library takes, and strings come
// out the same.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{`{"a":1}`, `{"s":"\u00e9\ud83d\ude00"}`, `{"s":"x","a":-1.5e3,"b":[true,{"c":null}]}`, `{"a":1}x`, `{"s":"\ud800"}`, ` {} `, `[1,2]`} {
		f.Add([]byte(s))
	}
	sh := shapeOf(f, connector.Config{keyMapping: mappingJSON})
	tab := tableOf("s", "STRING", "a", "DOUBLE", "j", "JSON")
	f.Fuzz(func(t *testing.T, b []byte) {
		e := newEncoder(&segments{})
		err := sh.newMapper(tab).row(e, &record.Record{Value: b})
		var re *connector.RecordError
		if err != nil && !errors.As(err, &re) {
			t.Fatalf("%q: %v", b, err)
		}
		if err == nil && !json.Valid(b) {
			t.Fatalf("%q is not JSON and was taken", b)
		}
		if re != nil && re.Code == "json" && re.DeadLetter && json.Valid(b) && !strings.Contains(re.Error(), "nested") {
			t.Fatalf("%q is JSON and was refused: %v", b, re)
		}
		var fields struct{ S *string }
		if err != nil || strings.Count(strings.ToLower(string(b)), `"s"`) != 1 || strings.Contains(string(b), `\u`) && strings.Contains(string(b), `\ud`) || json.Unmarshal(b, &fields) != nil {
			return
		}
		row, err := rowJSON(tab, e.raw)
		if err != nil {
			t.Fatal(err)
		}
		if fields.S != nil && len(b) < 1000 {
			want, _ := json.Marshal(*fields.S)
			if !strings.Contains(row, `"s": `+string(want)) {
				t.Fatalf("%q became %s", b, row)
			}
		}
	})
}
