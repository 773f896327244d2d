package fc

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// sinkhole answers every request with 200 and does as little as it can.
func sinkhole(b *testing.B) (url string) {
	b.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go swallow(conn)
		}
	}()
	return "http://" + l.Addr().String()
}

func swallow(conn net.Conn) {
	defer conn.Close()
	r := bufio.NewReaderSize(conn, 64<<10)
	name, answer := []byte("Content-Length: "), []byte("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
	for {
		n := 0
		for {
			line, err := r.ReadSlice('\n')
			if err != nil {
				return
			}
			if len(line) == 2 {
				break
			}
			if rest, ok := bytes.CutPrefix(line, name); ok {
				n, _ = strconv.Atoi(string(bytes.TrimSpace(rest)))
			}
		}
		if _, err := r.Discard(n); err != nil {
			return
		}
		if _, err := conn.Write(answer); err != nil {
			return
		}
	}
}

// BenchmarkPublish encodes records of 200 bytes and invokes synchronously; an operation is
// a record. BenchmarkBare posts bodies of the same size with net/http alone.
func BenchmarkPublish(b *testing.B) {
	for _, version := range []string{"2.0", "3.0"} {
		for _, size := range []int{20, 500} {
			b.Run(fmt.Sprint(version, "/", size), func(b *testing.B) {
				cfg := connector.Config{keyEndpoint: sinkhole(b), keyService: "s", keyFunction: "f", keyMode: "sync", keyBatchSize: fmt.Sprint(size),
					keyBatchBytes: fmt.Sprint(usualSyncBytes), keyBinary: "base64", "aliyun.access.key.id": testKey, "aliyun.access.key.secret": testSecret}
				if version == "3.0" {
					delete(cfg, keyService)
				}
				s, err := newSink(b.Context(), cfg, connector.Deps{Dial: (&net.Dialer{}).DialContext, ConnectorID: "uuid"})
				if err != nil {
					b.Fatal(err)
				}
				defer s.Close()
				b.ReportAllocs()
				b.ResetTimer()
				publishMany(b, s)
			})
		}
	}
}

func publishMany(b *testing.B, s connector.Sink) {
	r := record.Record{Topic: "orders", Partition: 1, Timestamp: 1_700_000_000_000, Key: []byte("k"), Value: []byte(strings.Repeat("some text, ", 18))}
	for n := 0; n < b.N; {
		c, err := s.Begin(b.Context(), connector.Range{Topic: "orders", Partition: 1, First: int64(n)}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for ; n < b.N && !c.Full(); n++ {
			r.Offset = int64(n)
			if err := c.Add(b.Context(), &r); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := c.Prepare(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Publish(b.Context(), free); err != nil {
			b.Fatal(err)
		}
		c.Discard()
	}
}

func BenchmarkBare(b *testing.B) {
	for _, size := range []int{20, 500} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			url := sinkhole(b)
			body := bytes.Repeat([]byte("x"), size*326)
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += size {
				res, err := http.Post(url, "application/octet-stream", bytes.NewReader(body))
				if err != nil {
					b.Fatal(err)
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
}
