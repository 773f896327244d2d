package handlers_test

import (
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
)

// TestTakeOverByREST: who runs it is told, taking it over needs that name and a role,
// and is written down.
func TestTakeOverByREST(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.create("a", "STOPPED")
	const one = "/api/v1/instances/sandbox/connectors/a"
	if a := s.must(200, "GET", one+"/claim", ""); a.body != `{"installation":""}` {
		t.Errorf("nobody: %s", a.body)
	}
	s.must(409, "POST", one+"/take-over", `{"installation":"x"}`)
	s.sup.mu.Lock()
	s.sup.claim = runner.Claim{Installation: "other", Name: "a", Class: "KAFKA2OSS", Version: 3, Since: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Members: 6}
	s.sup.mu.Unlock()
	if a := s.must(200, "GET", one+"/claim", ""); a.body != `{"installation":"other","ours":false,"name":"a","class":"KAFKA2OSS","version":3,"since":"2026-01-02T03:04:05Z","members":6}` {
		t.Errorf("other: %s", a.body)
	}
	for body, status := range map[string]int{`{}`: 422, `{"installation":""}`: 422, `{"installation":7}`: 422, `{"installation":null}`: 422, `{"installation":"x","force":true}`: 422, `[]`: 400, `{`: 400, `{"installation":"third"}`: 409} {
		if a := s.call("POST", one+"/take-over", body); a.status != status || status == 422 && !strings.Contains(a.body, "installation") && !strings.Contains(a.body, "force") {
			t.Errorf("%s: %d %s", body, a.status, a.body)
		}
	}
	if a := s.do(request{method: "POST", path: one + "/take-over", body: `{"installation":"other"}`, user: "vera"}); a.status != 403 {
		t.Errorf("a viewer: %d", a.status)
	}
	s.must(404, "GET", "/api/v1/instances/sandbox/connectors/none/claim", "")
	s.must(202, "POST", one+"/take-over", `{"installation":"other"}`)
	entries, err := s.store.AuditEntries(t.Context(), models.AuditQuery{Act: "connector.take_over"})
	if err != nil || len(entries) != 1 || entries[0].Detail["from"] != "other" {
		t.Errorf("audit %+v, %v", entries, err)
	}
}

// TestParametersAreKnown: one that is written wrong is named, not passed over.
func TestParametersAreKnown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	s.create("a", "STOPPED")
	for path, names := range map[string]string{
		oneLogs + "?since=2026-01-01T00:00:00Z": "since", oneLogs + "?Level=INFO": "Level", oneLogs + "?limit=1&limit=2": "limit", oneLogs + "?q=%zz": "query",
		instances + "?limit=1&page=2": "page", instances + "/sandbox?x=": "x", instances + "/sandbox/connectors/a/versions?limit=1": "limit",
	} {
		if a := s.call("GET", path, ""); a.status != 400 || !strings.Contains(a.body, names) {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s.must(200, "GET", oneLogs+"?level=INFO&task=-1&from=2026-01-01T00:00:00Z&limit=1&q=x&follow=false", "")
	for _, path := range []string{connectors + "/a?force=yes", connectors + "/a/offsets?force=1"} {
		if a := s.call("DELETE", path, ""); a.status != 400 || !strings.Contains(a.body, "force") {
			t.Errorf("%s: %d %s", path, a.status, a.body)
		}
	}
	s.must(204, "DELETE", connectors+"/a?force=TRUE", "")
}

// TestOneQuotaRequestAtATime: a second one is refused while the first waits.
func TestOneQuotaRequestAtATime(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	const path = "/api/v1/instances/sandbox/quota-requests"
	s.must(201, "POST", path, `{"wanted":20,"reason":"more"}`)
	if a := s.call("POST", path, `{"wanted":30,"reason":"still more"}`); a.status != 409 || !strings.Contains(a.body, "asked for 20 connectors") || !strings.Contains(a.body, "admin") {
		t.Errorf("second: %d %s", a.status, a.body)
	}
	open, err := s.svc.QuotaRequests(admin(t), true)
	if err != nil || len(open) != 1 {
		t.Fatalf("open: %+v, %v", open, err)
	}
	if err := s.svc.DecideQuota(admin(t), open[0].ID, false, 0, "no"); err != nil {
		t.Fatal(err)
	}
	s.must(201, "POST", path, `{"wanted":30,"reason":"again"}`)
}
