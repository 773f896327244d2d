package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// TestRemedyIsTheSetting: where a setting is wrong the first act is to change it; where
// it is none, or one that is fixed, to try again.
func TestRemedyIsTheSetting(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredRunning)
	b := s.as("otto")
	for field, act := range map[string]string{
		"oss.bucket": one + "/modify#f-oss-bucket", "aliyun.access.key.secret": one + "/modify#f-aliyun-access-key-secret", "": "", "name": "", "no.such.key": "", "connector.class": "",
	} {
		st := connector.Status{State: connector.StateFailed, Cause: "It does not work.", Remedy: "Put it right.", Field: field}
		s.told.mu.Lock()
		s.told.m[id] = runner.ConnectorStatus{Status: st}
		s.told.mu.Unlock()
		a := b.get(one).want(http.StatusOK)
		if act == "" {
			a.has(`#connector-head .notice [action="` + one + `/resume"], #connector-head .notice [formaction="` + one + `/resume"], #connector-head .notice [value="` + one + `/resume"]`)
			continue
		}
		a.has(`#connector-head .notice a[href="` + act + `"]`).hasNot(`#connector-head .notice form[action="` + one + `/resume"]`)
	}
	b.get(one + "/modify").want(http.StatusOK).has("#f-oss-bucket").has("#f-aliyun-access-key-secret")
}

// TestRestingConnectorsClaimNothing: how much waits is not known while nobody reads, and
// no page says that nothing does.
func TestRestingConnectorsClaimNothing(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("one", control.DesiredPaused)
	s.connector("two", control.DesiredStopped)
	b := s.as("otto")
	for _, path := range []string{"/", sandbox} {
		a := b.get(path).want(http.StatusOK).says("one", "two")
		if strings.Contains(strings.ToLower(a.text()), "up to date") {
			t.Errorf("%s: %s", path, a.text())
		}
	}
	b.get("/instances/sandbox/connectors/two").want(http.StatusOK)
	id := s.connector("three", control.DesiredPaused)
	if err := s.store.SetDeployed(t.Context(), id, true); err != nil {
		t.Fatal(err)
	}
	b.get("/instances/sandbox/connectors/three").says("not known while nothing reads")
}
