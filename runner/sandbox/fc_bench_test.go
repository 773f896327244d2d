package sandbox

import (
	"bytes"
	"crypto/md5"
	"encoding/hex"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// BenchmarkFCDiscard posts batches of records as a connector would; cpu-us/op is the whole process's, client included.
//
//	go test ./runner/sandbox -run '^$' -bench FCDiscard
func BenchmarkFCDiscard(b *testing.B) {
	record := `{"key":"key-000000000001","offset":1234567,"overflowFlag":false,"partition":3,"timestamp":1795382167452,"topic":"bench","value":"` + strings.Repeat("v", 200) + `","valueSize":200}`
	for _, size := range []int{20, 500} {
		event := []byte("[" + strings.Repeat(record+",", size-1) + record + "]")
		b.Run(fmt.Sprintf("records=%d", size), func(b *testing.B) {
			f := startFC(b, FCOptions{Discard: true, SkipChecks: true})
			sum := md5.Sum(event)
			client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true, WriteBufferSize: 64 << 10}}
			var ids atomic.Int64
			before := processorTime()
			b.SetBytes(int64(len(event)))
			b.SetParallelism(8)
			b.RunParallel(func(pb *testing.PB) {
				for pb.Next() {
					r, err := http.NewRequest(http.MethodPost, f.URL()+"/2016-08-15/services/sandbox/functions/echo/invocations", bytes.NewReader(event))
					must(b, err)
					r.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
					r.Header.Set("Content-MD5", hex.EncodeToString(sum[:]))
					if size == 20 {
						r.Header.Set("X-Fc-Invocation-Type", "Async")
						r.Header.Set("X-Fc-Stateful-Async-Invocation-Id", fmt.Sprintf("s_%d", ids.Add(1)))
					}
					signFC(r)
					response, err := client.Do(r)
					must(b, err)
					_, _ = io.Copy(io.Discard, response.Body)
					response.Body.Close()
					if response.StatusCode > 202 {
						b.Fatal(response.Status)
					}
				}
			})
			b.StopTimer()
			b.ReportMetric(float64(processorTime()-before)/float64(time.Microsecond)/float64(b.N), "cpu-us/op")
			b.ReportMetric(float64(b.N*size)/b.Elapsed().Seconds(), "records/s")
			if n := f.Stats().Records; n < int64(b.N*size) {
				b.Errorf("%d records were counted", n)
			}
		})
	}
}

func processorTime() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // cannot fail for the own process
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
