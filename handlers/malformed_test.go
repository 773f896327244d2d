package handlers

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
)

// TestMalformedRequests: what never reaches a handler is answered in the form of the API that was asked all the same.
func TestMalformedRequests(t *testing.T) {
	t.Parallel()
	url, _, _ := start(t, func(ctx context.Context, l net.Listener) error {
		return Serve(ctx, l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "well") }), nil)
	})
	for _, tt := range []struct{ method, path, contentType, body string }{
		{"GET", "/api/v1/instances/a%zz", "application/problem+json", `"status":400`},
		{"POST", "/api/v1/instances/%?x=1", "application/problem+json", `"title":"Bad Request"`},
		{"HEAD", "/api/v1/%zz", "application/problem+json", ""},
		{"GET", "/connect/main/connectors/%zz", "application/json", `"error_code":400`},
		{"GET", "/instances/%zz", "text/plain; charset=utf-8", "400 Bad Request"},
		{"GET", "/api/v1/instances", "text/plain; charset=utf-8", "well"},
	} {
		t.Run(tt.method+tt.path, func(t *testing.T) {
			t.Parallel()
			conn, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			in := bufio.NewReader(conn)
			for _, path := range []string{"/api/v1/well", tt.path} { // the second on a connection that was used
				fmt.Fprintf(conn, "%s %s HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n", tt.method, path)
				answer, err := http.ReadResponse(in, &http.Request{Method: tt.method})
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(answer.Body)
				if err != nil {
					t.Fatal(err)
				}
				if path != tt.path {
					continue
				}
				if answer.Header.Get("Content-Type") != tt.contentType || !strings.Contains(string(body), tt.body) || tt.method == "HEAD" && len(body) > 0 {
					t.Errorf("%s: %v %q", answer.Status, answer.Header, body)
				}
				if strings.Contains(tt.contentType, "json") && tt.method != "HEAD" && !json.Valid(body) {
					t.Errorf("no JSON: %q", body)
				}
				if wrong := answer.StatusCode == http.StatusBadRequest; wrong != strings.Contains(tt.path, "%") {
					t.Errorf("%s", answer.Status)
				}
			}
		})
	}
}
