package record

import (
	"bytes"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/parquet-go/parquet-go"
)

var compressions = []Compression{None, Gzip, Zstd, Snappy}

// corner are records with every kind of absence and extreme that Kafka allows.
func corner() []Record {
	rs := []Record{
		{Timestamp: 1700000000123, Key: []byte("k"), Value: []byte("v")},
		{Timestamp: -1, Key: nil, Value: nil},
		{Timestamp: 0, Key: []byte{}, Value: []byte{}},
		{Timestamp: 1700000000000, Key: []byte{0xff, 0, 0x80}, Value: []byte("中文 \U0001F600")},
		{Timestamp: 1699999999999, Value: []byte("one header"), Headers: []Header{{Key: "a", Value: []byte("1")}}},
		{Timestamp: 1, Headers: []Header{{Key: "", Value: nil}, {Key: "b", Value: []byte{}}, {Key: "ключ", Value: []byte{0xfe}}}},
		{Timestamp: -62135596800000, Key: bytes.Repeat([]byte("x"), 3000)},
		{Timestamp: 253402300799999, Value: bytes.Repeat([]byte("large "), 300_000)},
		{Timestamp: 1700000000123, Key: []byte("last"), Value: []byte("end")},
	}
	for i := range rs {
		rs[i].Topic, rs[i].Partition, rs[i].Offset = "corner.topic-1", 7, int64(i*i*1000+i)
	}
	rs[len(rs)-1].Offset = math.MaxInt64
	return rs
}

// plenty are n records of 200-byte values, some with headers.
func plenty(n int) []Record {
	rng := rand.New(rand.NewPCG(5, 6))
	rs := make([]Record, n)
	for i := range rs {
		rs[i] = Record{Topic: "orders", Partition: 3, Offset: int64(1000 + i), Timestamp: 1700000000000 + int64(i),
			Key: fmt.Appendf(nil, "key-%06d", rng.IntN(1e6)), Value: benchmarkRecordValue(rng)}
		if i%1000 == 7 {
			rs[i].Headers = []Header{{Key: "trace", Value: []byte("abc")}, {Key: "none"}}
		}
	}
	return rs
}

// largeRecords are some more bytes than one row group of Parquet takes.
func largeRecords() []Record {
	rs := plenty(40)
	for i := range rs {
		rs[i].Value = bytes.Repeat(rs[i].Value, 5000)
	}
	return rs
}

func TestParquetClosesRowGroups(t *testing.T) {
	t.Parallel()
	file := encodeFile(t, FormatParquet, Snappy, arenaOf(t, largeRecords()))
	f, err := parquet.OpenFile(bytes.NewReader(file), int64(len(file)))
	if err != nil || len(f.RowGroups()) != 2 || f.NumRows() != 40 {
		t.Fatalf("%d row groups, %v", len(f.RowGroups()), err)
	}
}

func arenaOf(t testing.TB, rs []Record) *Arena {
	t.Helper()
	a := &Arena{}
	for i := range rs {
		if err := a.Add(&rs[i]); err != nil {
			t.Fatal(err)
		}
	}
	return a
}

func sameRecord(t testing.TB, i int, got, want *Record) {
	t.Helper()
	same := got.Topic == want.Topic && got.Partition == want.Partition && got.Offset == want.Offset && got.Timestamp == want.Timestamp &&
		sameBytes(got.Key, want.Key) && sameBytes(got.Value, want.Value) && len(got.Headers) == len(want.Headers)
	for j := 0; same && j < len(want.Headers); j++ {
		same = got.Headers[j].Key == want.Headers[j].Key && sameBytes(got.Headers[j].Value, want.Headers[j].Value)
	}
	if !same {
		t.Fatalf("record %d:\ngot  %.200q\nwant %.200q", i, fmt.Sprint(*got), fmt.Sprint(*want))
	}
}

// sameBytes tells null from empty.
func sameBytes(a, b []byte) bool { return bytes.Equal(a, b) && (a == nil) == (b == nil) }

func TestArenaGivesBackWhatItTook(t *testing.T) {
	t.Parallel()
	for name, rs := range map[string][]Record{"corner": corner(), "plenty": plenty(20_000)} {
		a := arenaOf(t, rs)
		for round := range 2 {
			i := 0
			for r := range a.All() {
				sameRecord(t, i, r, &rs[i])
				i++
			}
			if i != len(rs) || a.Len() != i {
				t.Fatalf("%s, round %d: %d records of %d", name, round, i, len(rs))
			}
		}
		if a.Size() < a.Bytes() || a.Size() > a.Bytes()*5/4+maxBlock+minBlock+100 {
			t.Fatalf("%s: holds %d for %d", name, a.Size(), a.Bytes())
		}
		var payload int64
		for i := range rs {
			payload += int64(len(rs[i].Key) + len(rs[i].Value))
		}
		if a.Bytes() < payload || a.Bytes() > payload+int64(len(rs))*40+100 {
			t.Fatalf("%s: %d bytes laid out for a payload of %d", name, a.Bytes(), payload)
		}
		a.Reset()
		for range a.All() {
			t.Fatal("a record after Reset")
		}
		if a.Size() != 0 || a.Len() != 0 {
			t.Fatal("Reset kept something")
		}
	}
}

func TestArenaIsACopy(t *testing.T) {
	t.Parallel()
	r := Record{Topic: "t", Key: []byte("key"), Value: []byte("value"), Headers: []Header{{Key: "h", Value: []byte("x")}}}
	a := arenaOf(t, []Record{r})
	copy(r.Key, "XXX")
	copy(r.Value, "XXXXX")
	r.Headers[0].Value[0] = 'X'
	for got := range a.All() {
		sameRecord(t, 0, got, &Record{Topic: "t", Key: []byte("key"), Value: []byte("value"), Headers: []Header{{Key: "h", Value: []byte("x")}}})
	}
	for _, other := range []Record{{Topic: "u"}, {Topic: "t", Partition: 1}} {
		if err := a.Add(&other); err == nil || a.Len() != 1 {
			t.Fatalf("took %+v: %v", other, err)
		}
	}
}

func encodeFile(t testing.TB, f Format, c Compression, a *Arena) []byte {
	t.Helper()
	var out bytes.Buffer
	if err := EncodeFile(&out, f, c, a); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func TestFilesAreDeterministic(t *testing.T) {
	t.Parallel()
	rs := plenty(5000)
	for _, f := range []Format{FormatParquet, FormatAvro} {
		for _, c := range compressions {
			t.Run(f.String()+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				one := encodeFile(t, f, c, arenaOf(t, rs))
				for range 3 {
					if !bytes.Equal(one, encodeFile(t, f, c, arenaOf(t, rs))) {
						t.Fatal("the same records gave other bytes")
					}
				}
				if bytes.Equal(one, encodeFile(t, f, c, arenaOf(t, rs[1:]))) {
					t.Fatal("other records gave the same bytes")
				}
			})
		}
	}
}

func TestAvroReadsBack(t *testing.T) {
	t.Parallel()
	for name, rs := range map[string][]Record{"corner": corner(), "plenty": plenty(5000)} {
		for _, c := range compressions {
			t.Run(name+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				readAvro(t, encodeFile(t, FormatAvro, c, arenaOf(t, rs)), rs)
			})
		}
	}
}

func TestParquetReadsBack(t *testing.T) {
	t.Parallel()
	for name, rs := range map[string][]Record{"corner": corner(), "plenty": plenty(5000)} {
		for _, c := range compressions {
			t.Run(name+"/"+c.String(), func(t *testing.T) {
				t.Parallel()
				file := encodeFile(t, FormatParquet, c, arenaOf(t, rs))
				rows, err := parquet.Read[parquetRow](bytes.NewReader(file), int64(len(file)))
				if err != nil || len(rows) != len(rs) {
					t.Fatalf("%d rows, %v", len(rows), err)
				}
				for i, row := range rows {
					got := Record{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset, Timestamp: row.Timestamp, Key: row.Key, Value: row.Value}
					for _, h := range row.Headers {
						got.Headers = append(got.Headers, Header(h))
					}
					sameRecord(t, i, &got, &rs[i])
				}
			})
		}
	}
}

// limitedWriter fails after some bytes.
type limitedWriter struct{ left int }

func (l *limitedWriter) Write(p []byte) (int, error) {
	if l.left -= len(p); l.left < 0 {
		return 0, io.ErrClosedPipe
	}
	return len(p), nil
}

func TestEncodeFileRefuses(t *testing.T) {
	t.Parallel()
	a := arenaOf(t, plenty(100))
	var out bytes.Buffer
	for name, err := range map[string]error{
		"no records":          EncodeFile(&out, FormatAvro, None, &Arena{}),
		"text":                EncodeFile(&out, FormatJSON, None, a),
		"unknown compression": EncodeFile(&out, FormatParquet, 9, a),
		"unknown codec":       EncodeFile(&out, FormatAvro, 9, a),
	} {
		if err == nil {
			t.Errorf("%s: taken", name)
		}
	}
	if out.Len() != 0 {
		t.Errorf("%d bytes written", out.Len())
	}
	for _, f := range []Format{FormatParquet, FormatAvro} {
		for _, n := range []int{0, 3, 5000} {
			if err := EncodeFile(&limitedWriter{n}, f, None, a); err == nil {
				t.Errorf("%s: an error of the writer after %d bytes was lost", f, n)
			}
		}
	}
}

func BenchmarkEncodeFile(b *testing.B) {
	rs := plenty(100_000)
	a := arenaOf(b, rs)
	for _, f := range []Format{FormatParquet, FormatAvro} {
		for _, c := range compressions {
			b.Run(f.String()+"/"+c.String(), func(b *testing.B) {
				b.ReportAllocs()
				var out bytes.Buffer
				for b.Loop() {
					out.Reset()
					if err := EncodeFile(&out, f, c, a); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(float64(len(rs))*float64(b.N)/b.Elapsed().Seconds()/1000, "krec/s")
				b.ReportMetric(float64(out.Len())/float64(len(rs)), "B/rec")
			})
		}
	}
}

func BenchmarkArenaAdd(b *testing.B) {
	rs := plenty(1000)
	b.SetBytes(200)
	a := &Arena{}
	for i := 0; b.Loop(); i++ {
		if i%100_000 == 0 {
			a.Reset()
		}
		r := &rs[i%1000]
		if err := a.Add(r); err != nil {
			b.Fatal(err)
		}
	}
}
