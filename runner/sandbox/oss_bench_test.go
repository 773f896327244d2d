package sandbox

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"
)

// BenchmarkOSSPut puts objects of 3 MB over one connection, signed by V1, without the SDK's own work. Client and
// stand-in share the process: the stand-in's part of the CPU is what -cpuprofile shows below (*OSS).serve.
func BenchmarkOSSPut(b *testing.B) {
	content := bytes.Repeat([]byte("0123456789abcdef"), 3_000_000/16)
	for name, options := range map[string]OSSOptions{
		"stored":           {},
		"discard":          {Discard: true},
		"discard-skip-crc": {Discard: true, SkipCRC: true},
	} {
		b.Run(name, func(b *testing.B) {
			o := startOSS(b, options)
			b.SetBytes(int64(len(content)))
			for i := range b.N {
				key := fmt.Sprintf("o%06d", i%50)
				request, err := http.NewRequest(http.MethodPut, o.URL()+"/"+DefaultBucket+"/"+key, bytes.NewReader(content))
				must(b, err)
				request.Header.Set("Date", time.Now().UTC().Format(http.TimeFormat))
				request.Header.Set("Authorization", signV1(http.MethodPut, DefaultBucket, key, "", request.Header))
				response, err := http.DefaultClient.Do(request)
				must(b, err)
				_, _ = io.Copy(io.Discard, response.Body)
				_ = response.Body.Close()
				if response.StatusCode != http.StatusOK {
					b.Fatal(response.Status)
				}
			}
		})
	}
}
