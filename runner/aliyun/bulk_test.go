package aliyun

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
)

// counting counts the writes to a connection.
type counting struct {
	net.Conn
	writes *atomic.Int64
}

func (c counting) Write(b []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(b)
}

func TestBulkDialWritesABodyAtOnce(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		got, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		_, _ = w.Write(got) // the client compares
	}))
	t.Cleanup(srv.Close)
	content := bytes.Repeat([]byte("0123456789abcdef"), 256<<10) // 4 MiB
	for name, c := range map[string]struct {
		body   io.Reader
		length int64
		most   int64 // writes, with the one of the headers
	}{
		"in memory":       {bytes.NewReader(content), int64(len(content)), 2},
		"not in memory":   {io.MultiReader(bytes.NewReader(content)), int64(len(content)), 1000},
		"unknown length":  {io.MultiReader(bytes.NewReader(content)), -1, 1000},
		"part of a body":  {bytes.NewReader(content[:10]), 10, 2},
		"nothing to send": {strings.NewReader(""), 0, 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var writes atomic.Int64
			dial := func(ctx context.Context, network, address string) (net.Conn, error) {
				conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
				return counting{conn, &writes}, err
			}
			client := &http.Client{Transport: &http.Transport{DialContext: BulkDial(dial)}}
			defer client.CloseIdleConnections()
			req, err := http.NewRequest(http.MethodPut, srv.URL, io.NopCloser(c.body))
			if err != nil {
				t.Fatal(err)
			}
			req.ContentLength = c.length
			resp, err := client.Do(req)
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			got, err := io.ReadAll(resp.Body)
			want := content
			if c.length >= 0 {
				want = content[:c.length]
			}
			if err != nil || !bytes.Equal(got, want) {
				t.Errorf("%d bytes came back of %d (%v)", len(got), len(want), err)
			}
			if n := writes.Load(); n > c.most {
				t.Errorf("%d writes, want at most %d", n, c.most)
			}
		})
	}
}

// TestBulkDialBodyLongerThanAnnounced: a request never carries more than it announced.
func TestBulkDialBodyLongerThanAnnounced(t *testing.T) {
	t.Parallel()
	srv := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // its end is what the client's error tells
	}))
	defer srv.Close()
	client := &http.Client{Transport: &http.Transport{DialContext: BulkDial((&net.Dialer{}).DialContext)}}
	defer client.CloseIdleConnections()
	req, err := http.NewRequest(http.MethodPut, srv.URL, io.NopCloser(bytes.NewReader(make([]byte, 1<<20))))
	if err != nil {
		t.Fatal(err)
	}
	req.ContentLength = 1 << 19
	resp, err := client.Do(req)
	if err == nil {
		resp.Body.Close()
		t.Fatal("no error for a body longer than its Content-Length")
	}
	if !strings.Contains(err.Error(), "ContentLength=524288") {
		t.Errorf("the error does not tell the length: %v", err)
	}
}
