package record

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unicode/utf8"
)

// jsonRecord is the JSON record as a reader sees it.
type jsonRecord struct {
	Key           *string `json:"key"`
	KeyEncoding   string  `json:"keyEncoding"`
	Offset        int64   `json:"offset"`
	OverflowFlag  *bool   `json:"overflowFlag"`
	Partition     int32   `json:"partition"`
	Timestamp     int64   `json:"timestamp"`
	Topic         string  `json:"topic"`
	Value         *string `json:"value"`
	ValueEncoding string  `json:"valueEncoding"`
	ValueSize     *int    `json:"valueSize"`
}

func TestAppendJSONExact(t *testing.T) {
	t.Parallel()
	base := Record{Topic: "orders", Partition: 3, Offset: 42, Timestamp: 1700000000123}
	with := func(key, value []byte) Record {
		r := base
		r.Key, r.Value = key, value
		return r
	}
	const middle = `"offset":42,"overflowFlag":false,"partition":3,"timestamp":1700000000123,"topic":"orders"`
	cases := []struct {
		name   string
		record Record
		binary Binary
		want   string
	}{
		{"text", with([]byte("k"), []byte("hello")), BinaryBase64, `{"key":"k",` + middle + `,"value":"hello","valueSize":5}`},
		{"null key", with(nil, []byte("v")), BinaryBase64, `{` + middle + `,"value":"v","valueSize":1}`},
		{"null value", with([]byte("k"), nil), BinaryBase64, `{"key":"k",` + middle + `,"valueSize":0}`},
		{"both null", with(nil, nil), BinaryBase64, `{` + middle + `,"valueSize":0}`},
		{"both empty", with([]byte{}, []byte{}), BinaryBase64, `{"key":"",` + middle + `,"value":"","valueSize":0}`},
		{"escapes", with([]byte(`"\`), []byte("\b\t\n\f\r\x00\x1f\x7f/<>&")), BinaryBase64, `{"key":"\"\\",` + middle + `,"value":"\b\t\n\f\r\u0000\u001f` + "\x7f" + `/<>&","valueSize":12}`},
		{"unicode stays", with(nil, []byte("é中😀\u2028\u2029")), BinaryBase64, `{` + middle + `,"value":"é中😀` + "\u2028\u2029" + `","valueSize":15}`},
		{"base64 of both", with([]byte{0xff}, []byte{'a', 0x80}), BinaryBase64, `{"key":"/w==","keyEncoding":"base64",` + middle + `,"value":"YYA=","valueEncoding":"base64","valueSize":2}`},
		{"base64 of one", with([]byte("k"), []byte{0xc0, 0x80}), BinaryBase64, `{"key":"k",` + middle + `,"value":"wIA=","valueEncoding":"base64","valueSize":2}`},
		{"lossy", with([]byte{0xff}, []byte("a\x80\xed\xa0\x80b")), BinaryLossy, `{"key":"` + "\uFFFD" + `",` + middle + `,"value":"a` + strings.Repeat("\uFFFD", 4) + `b","valueSize":6}`},
		{"dlq takes text", with([]byte("k"), []byte("é")), BinaryDLQ, `{"key":"k",` + middle + `,"value":"é","valueSize":2}`},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			got, err := AppendJSON([]byte("before"), &c.record, c.binary)
			if err != nil || string(got) != "before"+c.want {
				t.Fatalf("got  %s (%v)\nwant before%s", got, err, c.want)
			}
		})
	}
}

func TestAppendJSONRefuses(t *testing.T) {
	t.Parallel()
	r := Record{Topic: "t", Key: []byte("k"), Value: []byte("ab\xffcd")}
	got, err := AppendJSON([]byte("[x"), &r, BinaryDLQ)
	var te *TextError
	if !errors.As(err, &te) || *te != (TextError{"value", 2, 0xff}) || string(got) != "[x" {
		t.Fatalf("got %q, %v", got, err)
	}
	if err := Textual(&r); !errors.As(err, &te) || te.Field != "value" {
		t.Fatalf("Textual: %v", err)
	}
	over, err := AppendOverflowJSON(nil, &r, BinaryDLQ)
	const want = `{"key":"k","offset":0,"overflowFlag":true,"partition":0,"timestamp":0,"topic":"t","valueSize":5}`
	if err != nil || string(over) != want {
		t.Fatalf("overflow: %s %v", over, err)
	}
	r.Key = []byte("\xc3")
	if got, err := AppendOverflowJSON([]byte("["), &r, BinaryDLQ); !errors.As(err, &te) || te.Field != "key" || string(got) != "[" {
		t.Fatalf("overflow: %q %v", got, err)
	}
	if err := Textual(&Record{}); err != nil {
		t.Fatal(err)
	}
}

func TestAppendJSONExtremes(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{math.MinInt64, -1, 0, math.MaxInt64} {
		r := Record{Topic: "t", Partition: math.MaxInt32, Offset: n, Timestamp: n}
		out, err := AppendJSON(nil, &r, BinaryBase64)
		if err != nil {
			t.Fatal(err)
		}
		checkJSON(t, out, &r, BinaryBase64)
	}
}

// TestEscapeEveryByteAtEveryPlace puts each byte value, alone and in front of each
// kind of neighbour, at each place of words and tails.
func TestEscapeEveryByteAtEveryPlace(t *testing.T) {
	t.Parallel()
	for _, fill := range []string{"a", "é", "\"", "\x01"} {
		for size := 0; size < 28; size++ {
			for c := 0; c < 256; c++ {
				s := []byte(strings.Repeat(fill, size))
				at := (c * 7) % (len(s) + 1)
				s = append(s[:at:at], append([]byte{byte(c)}, s[at:]...)...)
				r := Record{Topic: "t", Value: s}
				out, err := AppendJSON(nil, &r, BinaryBase64)
				if err != nil {
					t.Fatal(err)
				}
				checkJSON(t, out, &r, BinaryBase64)
				out, _ = AppendJSON(nil, &r, BinaryLossy)
				checkJSON(t, out, &r, BinaryLossy)
			}
		}
	}
}

// checkJSON reads out back with encoding/json and compares it with r.
func checkJSON(t testing.TB, out []byte, r *Record, binary Binary) {
	t.Helper()
	if !utf8.Valid(out) {
		t.Fatalf("not UTF-8: %q", out)
	}
	d := json.NewDecoder(bytes.NewReader(out))
	d.DisallowUnknownFields()
	var got jsonRecord
	if err := d.Decode(&got); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	if d.More() || d.InputOffset() != int64(len(out)) {
		t.Fatalf("more than one value in %q", out)
	}
	if got.Offset != r.Offset || got.Partition != r.Partition || got.Timestamp != r.Timestamp || got.Topic != r.Topic ||
		got.ValueSize == nil || *got.ValueSize != len(r.Value) || got.OverflowFlag == nil || *got.OverflowFlag {
		t.Fatalf("%q is not %+v", out, r)
	}
	checkJSONBytes(t, "key", got.Key, got.KeyEncoding, r.Key, binary)
	checkJSONBytes(t, "value", got.Value, got.ValueEncoding, r.Value, binary)
}

func checkJSONBytes(t testing.TB, field string, got *string, encoding string, want []byte, binary Binary) {
	t.Helper()
	if got == nil || want == nil {
		if got != nil || want != nil || encoding != "" {
			t.Fatalf("%s: got %v %q, want %q", field, got, encoding, want)
		}
		return
	}
	text := *got
	if encoding != "" {
		if encoding != "base64" || binary != BinaryBase64 || utf8.Valid(want) {
			t.Fatalf("%s: encoding %q for %q", field, encoding, want)
		}
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	} else if binary == BinaryLossy {
		want = []byte(string([]rune(string(want))))
	}
	if text != string(want) {
		t.Fatalf("%s: got %q, want %q", field, text, want)
	}
}

func FuzzAppendJSON(f *testing.F) {
	f.Add([]byte("key"), []byte("{\"a\":\"b\",\"c\":[1,2]}"), uint8(0))
	f.Add([]byte{}, []byte("\xe4\xb8\xad\xe6\x96\x87\xff"), uint8(1))
	f.Add([]byte("\xed\xa0\x80"), []byte("\xf0\x9f\x98\x80\xf4\x90\x80\x80"), uint8(2))
	f.Add([]byte("\xe0\x9f\xbf\xe0\xa0\x80"), []byte("\xc1\xbf\xc2\x80 12345678\x00"), uint8(0))
	f.Fuzz(func(t *testing.T, key, value []byte, policy uint8) {
		r := Record{Topic: "t", Offset: 7, Key: key, Value: value}
		binary := Binary(policy % 3)
		out, err := AppendJSON([]byte("<"), &r, binary)
		if err != nil {
			if binary != BinaryDLQ || Textual(&r) == nil || string(out) != "<" {
				t.Fatalf("%q, %v", out, err)
			}
			return
		}
		if binary == BinaryDLQ && Textual(&r) != nil {
			t.Fatalf("took %+v", r)
		}
		checkJSON(t, out[1:], &r, binary)
	})
}

func benchmarkValue(kind string) []byte {
	switch kind {
	case "ascii":
		return bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog. "), 5)[:200]
	case "json":
		return []byte(`{"order_id":81234567,"customer":"Mueller","items":[{"sku":"A-1234","quantity":3,"price":"19.99"},{"sku":"B-77","quantity":1,"price":"5.00"}],"currency":"EUR","created":"2024-05-01T12:34:56Z","ok":true}`)[:200]
	case "chinese":
		return []byte(strings.Repeat("消息队列连接器把数据写入对象存储服务", 4))[:198]
	}
	b := bytes.Repeat([]byte{0xff, 0x00, 'a', 0x80}, 50)
	return b
}

func BenchmarkAppendJSON(b *testing.B) {
	for _, kind := range []string{"ascii", "json", "chinese", "binary"} {
		b.Run(kind, func(b *testing.B) {
			r := Record{Topic: "bench-topic", Partition: 3, Offset: 123456789, Timestamp: 1700000000123, Key: []byte("key-000123"), Value: benchmarkValue(kind)}
			b.SetBytes(int64(len(r.Value)))
			dst := make([]byte, 0, 1<<20)
			for b.Loop() {
				if len(dst) > 1<<20-2000 {
					dst = dst[:0]
				}
				dst, _ = AppendJSON(dst, &r, BinaryBase64)
			}
		})
	}
}

func BenchmarkEscape(b *testing.B) {
	for _, kind := range []string{"ascii", "json", "chinese"} {
		b.Run(kind, func(b *testing.B) {
			v := benchmarkValue(kind)
			b.SetBytes(int64(len(v)))
			dst := make([]byte, 0, 4096)
			for b.Loop() {
				dst, _ = appendEscaped(dst[:0], v, false)
			}
		})
	}
}
