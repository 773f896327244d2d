package handlers_test

import (
	"net/http"
	"strings"
	"testing"
)

// TestOtherSitesChangeNothing: a request that a browser sends for another site's page
// is refused by every surface, in its own form, also with credentials.
func TestOtherSitesChangeNothing(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	for path, want := range map[string][2]string{
		"/api/v1/instances":            {"application/problem+json", `"status":403`},
		"/api/v1/instances/x/enable":   {"application/problem+json", `"status":403`},
		"/connect/sandbox/connectors":  {"application/json", `"error_code":403`},
		"/connect/sandbox/connectors/": {"application/json", `"error_code":403`},
		"/nowhere":                     {"application/problem+json", `"status":403`}, // without pages
	} {
		for header, value := range map[string]string{"Sec-Fetch-Site": "cross-site", "Origin": "http://evil.example"} {
			req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+path, strings.NewReader("{}"))
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set("Content-Type", "application/json")
			req.Header.Set(header, value)
			req.SetBasicAuth("admin", adminPassword)
			a := s.send(req)
			if a.status != http.StatusForbidden || a.header.Get("Content-Type") != want[0] || !strings.Contains(a.body, want[1]) {
				t.Errorf("%s with %s: %d %s %s", path, header, a.status, a.header.Get("Content-Type"), a.body)
			}
			req, err = http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/instances", nil)
			if err != nil {
				t.Fatal(err)
			}
			req.Header.Set(header, value)
			req.SetBasicAuth("admin", adminPassword)
			if a := s.send(req); a.status != http.StatusOK {
				t.Errorf("reading with %s: %d", header, a.status)
			}
		}
	}
}
