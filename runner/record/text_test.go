package record

import (
	"bytes"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"
)

var update = flag.Bool("update", false, "write the golden files anew")

// encodeText writes records as one object.
func encodeText(t testing.TB, f Format, binary Binary, rs []Record) []byte {
	t.Helper()
	enc, err := NewText(f, binary)
	if err != nil {
		t.Fatal(err)
	}
	out := enc.Begin(nil)
	for i := range rs {
		if out, err = enc.Append(out, &rs[i], i == 0); err != nil {
			t.Fatal(err)
		}
	}
	return enc.End(out)
}

// golden are records small enough to be looked at in a golden file.
func golden() []Record {
	rs := []Record{
		{Timestamp: 1700000000123, Key: []byte("plain"), Value: []byte("text")},
		{Timestamp: -1, Key: nil, Value: nil},
		{Timestamp: 0, Key: []byte{}, Value: []byte{}},
		{Timestamp: 1, Key: []byte(`a "quoted" key`), Value: []byte(`{"a":1,"b":["x, y"],"c":"back\\slash"}`)},
		{Timestamp: 2, Key: []byte("line\nfeed"), Value: []byte("carriage\r\nreturn")},
		{Timestamp: 3, Key: []byte("中文"), Value: []byte("é\u2028😀\x00\x1f\t")},
		{Timestamp: 4, Key: []byte{0xff, 0xfe}, Value: []byte("only the key is not text")},
		{Timestamp: 5, Key: []byte("only the value"), Value: []byte("a,\x80\"b")},
		{Timestamp: 6, Value: []byte(" spaces stay "), Headers: []Header{{Key: "h", Value: []byte("not shown")}}},
		{Timestamp: 7, Key: []byte("base64"), Value: []byte("null")},
	}
	for i := range rs {
		rs[i].Topic, rs[i].Partition, rs[i].Offset = "orders.eu-1", 3, int64(100+i)
	}
	return rs
}

func TestTextGolden(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{FormatJSON, FormatJSONL, FormatCSV, FormatRaw} {
		for _, binary := range []Binary{BinaryBase64, BinaryLossy} {
			name := filepath.Join("testdata", f.String()+"-"+binary.String()+".golden")
			got := encodeText(t, f, binary, golden())
			if *update {
				if err := os.WriteFile(name, got, 0o644); err != nil {
					t.Fatal(err)
				}
				continue
			}
			want, err := os.ReadFile(name)
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s differs (%v):\n%s", name, err, got)
			}
		}
	}
}

func TestTextRefusesLeavingItsInput(t *testing.T) {
	t.Parallel()
	for _, f := range []Format{FormatJSON, FormatJSONL, FormatCSV} {
		enc, _ := NewText(f, BinaryDLQ)
		for _, r := range []Record{{Topic: "t", Key: []byte("ok\xff")}, {Topic: "t", Key: []byte("k"), Value: []byte("\xc3")}} {
			for _, first := range []bool{true, false} {
				out, err := enc.Append([]byte("before"), &r, first)
				var te *TextError
				if !errors.As(err, &te) || string(out) != "before" {
					t.Errorf("%s: %q, %v", f, out, err)
				}
			}
		}
		if out, err := enc.Append(nil, &Record{Topic: "t", Value: []byte("é")}, true); err != nil || len(out) == 0 {
			t.Errorf("%s refuses text: %v", f, err)
		}
	}
	for _, f := range []Format{FormatParquet, FormatAvro, 0, 99} {
		if enc, err := NewText(f, BinaryBase64); err == nil || enc != nil {
			t.Errorf("%s is taken as text", f)
		}
	}
}

func TestJSONArrayReadsBack(t *testing.T) {
	t.Parallel()
	rs := append(golden(), plenty(50)...)
	for n := range 3 {
		var rows []json.RawMessage
		out := encodeText(t, FormatJSON, BinaryBase64, rs[:n*n*15])
		if err := json.Unmarshal(out, &rows); err != nil || len(rows) != n*n*15 {
			t.Fatalf("%d rows, %v", len(rows), err)
		}
		for i := range rows {
			checkJSON(t, rows[i], &rs[i], BinaryBase64)
		}
	}
	lines := bytes.Split(encodeText(t, FormatJSONL, BinaryBase64, rs), []byte("\n"))
	if len(lines) != len(rs)+1 || len(lines[len(rs)]) != 0 {
		t.Fatalf("%d lines", len(lines))
	}
	for i := range rs {
		checkJSON(t, lines[i], &rs[i], BinaryBase64)
	}
}

// checkCSVRow reads one row back with encoding/csv and compares it with r.
func checkCSVRow(t testing.TB, row []byte, r *Record, binary Binary) {
	t.Helper()
	body, ok := bytes.CutSuffix(row, []byte("\r\n"))
	if !ok || !utf8.Valid(row) {
		t.Fatalf("row %q", row)
	}
	// encoding/csv reads CR LF inside a quoted field as LF; a stand-in keeps them.
	reader := csv.NewReader(strings.NewReader(strings.ReplaceAll(string(body), "\r", "\uE000")))
	fields, err := reader.Read()
	if err != nil {
		t.Fatalf("%v in %q", err, row)
	}
	if _, err := reader.Read(); err == nil {
		t.Fatalf("more than one row in %q", row)
	}
	columns := 6
	if binary == BinaryBase64 {
		columns = 8
	}
	if len(fields) != columns || fields[0] != r.Topic || fields[1] != strconv.Itoa(int(r.Partition)) ||
		fields[2] != strconv.FormatInt(r.Offset, 10) || fields[3] != strconv.FormatInt(r.Timestamp, 10) {
		t.Fatalf("%q is not %+v", fields, r)
	}
	for i, want := range [][]byte{r.Key, r.Value} {
		got := strings.ReplaceAll(fields[4+i], "\uE000", "\r")
		if binary == BinaryBase64 && fields[6+i] != "" {
			b, err := base64.StdEncoding.DecodeString(got)
			if err != nil || fields[6+i] != "base64" || utf8.Valid(want) {
				t.Fatalf("%q: %v", fields, err)
			}
			got = string(b)
		} else if binary == BinaryLossy {
			want = []byte(string([]rune(string(want))))
		}
		// The stand-in itself may stand in a record.
		if got != strings.ReplaceAll(string(want), "\uE000", "\r") {
			t.Fatalf("field %d: %q, want %q", 4+i, got, want)
		}
	}
}

func TestCSVReadsBack(t *testing.T) {
	t.Parallel()
	for _, binary := range []Binary{BinaryBase64, BinaryLossy} {
		enc, _ := NewText(FormatCSV, binary)
		for _, r := range golden() {
			row, err := enc.Append(nil, &r, false)
			if err != nil {
				t.Fatal(err)
			}
			checkCSVRow(t, row, &r, binary)
		}
	}
}

func TestCSVTellsNullFromEmpty(t *testing.T) {
	t.Parallel()
	enc, _ := NewText(FormatCSV, BinaryDLQ)
	for want, r := range map[string]Record{
		"t,0,0,0,,\r\n":     {Topic: "t"},
		"t,0,0,0,\"\",\r\n": {Topic: "t", Key: []byte{}},
		"t,0,0,0,,\"\"\r\n": {Topic: "t", Value: []byte{}},
	} {
		if got, _ := enc.Append(nil, &r, true); string(got) != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func FuzzCSV(f *testing.F) {
	f.Add([]byte("key"), []byte("a,b"), uint8(0))
	f.Add([]byte("\"quo\"ted\""), []byte("lines\r\nand\rlines\n"), uint8(1))
	f.Add([]byte{}, []byte("12345678,\xff"), uint8(2))
	f.Add([]byte("1234567\r"), []byte("\u00a7\u012c\u0122 no comma"), uint8(0))
	f.Fuzz(func(t *testing.T, key, value []byte, policy uint8) {
		r := Record{Topic: "t", Offset: 7, Key: key, Value: value}
		binary := Binary(policy % 3)
		enc, _ := NewText(FormatCSV, binary)
		out, err := enc.Append([]byte("<"), &r, true)
		if err != nil {
			if binary != BinaryDLQ || Textual(&r) == nil || string(out) != "<" {
				t.Fatalf("%q, %v", out, err)
			}
			return
		}
		checkCSVRow(t, out[1:], &r, binary)
	})
}

func BenchmarkCSV(b *testing.B) {
	for _, kind := range []string{"ascii", "json", "chinese", "binary"} {
		b.Run(kind, func(b *testing.B) {
			enc, _ := NewText(FormatCSV, BinaryBase64)
			r := Record{Topic: "bench-topic", Partition: 3, Offset: 123456789, Timestamp: 1700000000123, Key: []byte("key-000123"), Value: benchmarkValue(kind)}
			b.SetBytes(int64(len(r.Value)))
			dst := make([]byte, 0, 4096)
			for b.Loop() {
				dst, _ = enc.Append(dst[:0], &r, false)
			}
		})
	}
}
