package sandbox

import (
	"bytes"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/s2"
)

const benchRows = 50_000

// benchBlock is a block of rows of the default table, 198 bytes of value each, compressed by snappy.
func benchBlock(b *testing.B) []byte {
	b.Helper()
	var body bytes.Buffer
	w := s2.NewWriter(&body, s2.WriterSnappyCompat(), s2.WriterConcurrency(1))
	e := newODPSEncoder(w)
	columns := plainColumns(b)
	for i := range benchRows {
		value := []byte(strings.Repeat(fmt.Sprintf("%016x!?", i*2654435761), 11))
		must(b, e.row(columns, []int{0, 1, 2, 3, 4}, []odpsCell{{text: []byte("orders"), set: true}, {num: 3, set: true}, {num: int64(i), set: true}, {text: value[:10], set: true}, {text: value, set: true}}))
	}
	must(b, e.close())
	must(b, w.Close())
	return body.Bytes()
}

func cpuSeconds(b *testing.B) float64 {
	b.Helper()
	var u syscall.Rusage
	must(b, syscall.Getrusage(syscall.RUSAGE_SELF, &u))
	return time.Duration(u.Utime.Nano() + u.Stime.Nano()).Seconds()
}

// report tells rows a second and processor seconds a million rows since the two were noted.
func reportRows(b *testing.B, began time.Time, cpu float64) {
	rows := float64(b.N * benchRows)
	b.ReportMetric(rows/time.Since(began).Seconds(), "rows/s")
	b.ReportMetric((cpuSeconds(b)-cpu)/rows*1e6, "cpu-s/Mrow")
}

// BenchmarkODPSReceive is the stand-in's work on a block apart from HTTP and disk: undoing snappy, reading, checking.
func BenchmarkODPSReceive(b *testing.B) {
	body, columns := benchBlock(b), plainColumns(b)
	b.ResetTimer()
	began, cpu := time.Now(), cpuSeconds(b)
	for range b.N {
		t := &odpsTee{r: bytes.NewReader(body)}
		must(b, t.receive(columns, &odpsBlock{odpsFrameBlock: odpsFrameBlock{Encoding: odpsSnappy}}, false))
	}
	reportRows(b, began, cpu)
}

// BenchmarkODPSUpload is a session, one block and a commit over HTTP, client and all.
func BenchmarkODPSUpload(b *testing.B) {
	body := benchBlock(b)
	for name, discard := range map[string]bool{"disk": false, "discard": true} {
		b.Run(name, func(b *testing.B) {
			o := startODPS(b, ODPSOptions{DDL: []string{plainDDL}, Discard: discard, Limits: ODPSLimits{Sessions: -1, Blocks: -1, Commits: -1}})
			began, cpu := time.Now(), cpuSeconds(b)
			for range b.N {
				created := rawODPS(b, o, "POST", "/projects/sandbox/tables/plain?uploads", nil, "")
				id, _, _ := strings.Cut(strings.TrimPrefix(created.body, `{"UploadID":"`), `"`)
				path := "/projects/sandbox/tables/plain?uploadid=" + id
				if got := benchPut(b, o, path+"&blockid=0", body); got != http.StatusOK {
					b.Fatalf("uploading: %d", got)
				}
				if got := rawODPS(b, o, "POST", path, nil, ""); got.status != http.StatusOK {
					b.Fatalf("committing: %+v", got)
				}
			}
			reportRows(b, began, cpu)
			if stats := o.Stats(); stats.Rows != int64(b.N*benchRows) {
				b.Errorf("%d rows, want %d", stats.Rows, b.N*benchRows)
			}
		})
	}
}

func benchPut(b *testing.B, o *ODPS, path string, body []byte) int {
	b.Helper()
	r, err := http.NewRequestWithContext(b.Context(), http.MethodPut, o.TunnelURL()+path, bytes.NewReader(body))
	must(b, err)
	r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
	r.Header.Set("Content-Encoding", odpsSnappy)
	r.Header.Set("Authorization", "ODPS "+DefaultKey+":"+odpsClaim{}.sign(DefaultKey, odpsStringToSign(r)))
	answer, err := http.DefaultClient.Do(r)
	must(b, err)
	must(b, answer.Body.Close())
	return answer.StatusCode
}
