package record

import (
	"bytes"
	stdgzip "compress/gzip"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"testing"

	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// decompress reads compressed text back with readers that are not our writers.
func decompress(t testing.TB, c Compression, b []byte) []byte {
	t.Helper()
	var r io.Reader = bytes.NewReader(b)
	switch c {
	case Gzip:
		g, err := stdgzip.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		if !g.ModTime.IsZero() && g.ModTime.Unix() != 0 || g.Name != "" {
			t.Fatalf("gzip header names a time or a file: %+v", g.Header)
		}
		r = g
	case Zstd:
		z, err := zstd.NewReader(r, zstd.WithDecoderMaxWindow(zstdWindow))
		if err != nil {
			t.Fatal(err)
		}
		defer z.Close()
		r = z
	case Snappy:
		r = s2.NewReader(r, s2.ReaderMaxBlockSize(64<<10))
	}
	out, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("%s: %v", c, err)
	}
	return out
}

func textOfSize(n int) []byte {
	rng := rand.New(rand.NewPCG(1, uint64(n)))
	enc, _ := NewText(FormatJSONL, BinaryBase64)
	var b []byte
	for i := int64(0); len(b) < n; i++ {
		r := Record{Topic: "orders", Partition: 1, Offset: i, Timestamp: 1700000000000 + i,
			Key: fmt.Appendf(nil, "key-%06d", rng.IntN(1e6)), Value: benchmarkRecordValue(rng)}
		b, _ = enc.Append(b, &r, i == 0)
	}
	return b[:n]
}

// benchmarkRecordValue is 200 bytes of which a part is random, as payloads are.
func benchmarkRecordValue(rng *rand.Rand) []byte {
	b := fmt.Appendf(make([]byte, 0, 256), `{"order_id":%d,"customer":"%x","items":[{"sku":"A-%d","quantity":%d}],"currency":"EUR","created":"2024-05-01T12:%02d:%02dZ","note":"`,
		rng.IntN(1e9), rng.Uint64(), rng.IntN(1e4), rng.IntN(9), rng.IntN(60), rng.IntN(60))
	for len(b) < 198 {
		b = append(b, 'a'+byte(rng.IntN(26)))
	}
	return append(b[:198], `"}`...)
}

func TestCompressRoundTrip(t *testing.T) {
	t.Parallel()
	inputs := map[string][]byte{"empty": {}, "one": []byte("x"), "text": textOfSize(3 << 20), "block": textOfSize(64 << 10), "block and one": textOfSize(64<<10 + 1), "noise": noise(200_000)}
	p := NewCompressors(2)
	for _, c := range []Compression{None, Gzip, Zstd, Snappy} {
		for name, in := range inputs {
			t.Run(c.String()+"/"+name, func(t *testing.T) {
				t.Parallel()
				out, err := p.Append(c, []byte("head"), in)
				if err != nil || string(out[:4]) != "head" {
					t.Fatalf("%v", err)
				}
				if got := decompress(t, c, out[4:]); !bytes.Equal(got, in) {
					t.Fatalf("%d bytes came back as %d others", len(in), len(got))
				}
				again, _ := NewCompressors(1).Append(c, nil, in)
				if !bytes.Equal(again, out[4:]) {
					t.Fatal("a second pool makes other bytes")
				}
				both, _ := p.Append(c, out[4:], in)
				if got := decompress(t, c, both); !bytes.Equal(got, append(bytes.Clone(in), in...)) {
					t.Fatal("two members do not read as one content")
				}
			})
		}
	}
}

func TestCompressorsAreBoundedAndShared(t *testing.T) {
	t.Parallel()
	p := NewCompressors(2)
	in := textOfSize(100_000)
	want := map[Compression][]byte{}
	for _, c := range []Compression{Gzip, Zstd, Snappy} {
		want[c], _ = p.Append(c, nil, in)
	}
	var wg sync.WaitGroup
	for range 8 {
		for c, w := range want {
			wg.Go(func() {
				for range 3 {
					if out, err := p.Append(c, nil, in); err != nil || !bytes.Equal(out, w) {
						t.Errorf("%s: other bytes under concurrency (%v)", c, err)
					}
				}
			})
		}
	}
	wg.Wait()
	if len(p.gzips) != 2 {
		t.Fatalf("%d gzip encoders came back of 2", len(p.gzips))
	}
}

func TestParseNames(t *testing.T) {
	t.Parallel()
	for c := None; c <= Snappy; c++ {
		if got, err := ParseCompression(c.String()); err != nil || got != c {
			t.Errorf("%s: %v %v", c, got, err)
		}
	}
	for f := FormatJSON; f <= FormatAvro; f++ {
		if got, err := ParseFormat(f.String()); err != nil || got != f {
			t.Errorf("%s: %v %v", f, got, err)
		}
	}
	for b := BinaryBase64; b <= BinaryLossy; b++ {
		if got, err := ParseBinary(b.String()); err != nil || got != b {
			t.Errorf("%s: %v %v", b, got, err)
		}
	}
	for _, bad := range []string{"", "JSON", "lz4", "compression(9)"} {
		_, e1 := ParseCompression(bad)
		_, e2 := ParseFormat(bad)
		_, e3 := ParseBinary(bad)
		if e1 == nil || e2 == nil || e3 == nil {
			t.Errorf("%q was taken", bad)
		}
	}
	exts := []struct {
		f    Format
		c    Compression
		want string
		kind string
	}{
		{FormatJSON, None, "json", "application/json"}, {FormatJSONL, Zstd, "jsonl.zst", "application/zstd"},
		{FormatCSV, Gzip, "csv.gz", "application/gzip"}, {FormatRaw, Snappy, "raw.sz", "application/x-snappy-framed"},
		{FormatParquet, Snappy, "parquet", "application/vnd.apache.parquet"}, {FormatAvro, Gzip, "avro", "application/avro"},
		{FormatCSV, None, "csv", "text/csv; charset=utf-8"}, {FormatJSONL, None, "jsonl", "application/x-ndjson"}, {FormatRaw, None, "raw", "application/octet-stream"},
	}
	for _, e := range exts {
		if got := e.f.Ext(e.c); got != e.want || e.f.ContentType(e.c) != e.kind {
			t.Errorf("%s %s: %q %q", e.f, e.c, got, e.f.ContentType(e.c))
		}
	}
}

func BenchmarkCompress(b *testing.B) {
	in := textOfSize(8 << 20)
	p := NewCompressors(1)
	for _, c := range []Compression{Gzip, Zstd, Snappy} {
		b.Run(c.String(), func(b *testing.B) {
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			var out []byte
			for b.Loop() {
				out, _ = p.Append(c, out[:0], in)
			}
			b.ReportMetric(float64(len(in))/float64(len(out)), "ratio")
		})
	}
}
