package sandbox

import (
	"bytes"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
)

// BenchmarkODPSReceive is the stand-in's work on uploaded rows of the default table, 200 bytes of value each, apart
// from HTTP: undoing snappy, reading and checking.
func BenchmarkODPSReceive(b *testing.B) {
	const rows = 50_000
	var body bytes.Buffer
	w := s2.NewWriter(&body, s2.WriterSnappyCompat(), s2.WriterConcurrency(1))
	e := newODPSEncoder(w)
	columns := plainColumns(b)
	value := bytes.Repeat([]byte("0123456789abcdef!?"), 11)
	for i := range rows {
		must(b, e.row(columns, []int{0, 1, 2, 3, 4}, []odpsCell{{text: []byte("orders"), set: true}, {num: 3, set: true}, {num: int64(i), set: true}, {text: value[:10], set: true}, {text: value, set: true}}))
	}
	must(b, e.close())
	must(b, w.Close())
	b.ResetTimer()
	began := time.Now()
	for range b.N {
		t := &odpsTee{r: bytes.NewReader(body.Bytes())}
		must(b, t.receive(columns, &odpsBlock{odpsFrameBlock: odpsFrameBlock{Encoding: odpsSnappy}}, false))
	}
	b.ReportMetric(float64(b.N*rows)/time.Since(began).Seconds(), "rows/s")
}
