package handlers_test

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/control"
)

// TestRegionsAreKnown: with Internet access a bucket may stand in another region, but in
// one that is known now, whatever was known when the program started.
func TestRegionsAreKnown(t *testing.T) {
	t.Parallel()
	s := newServer(t)
	internet := `"internet.access":"true",`
	body := func(name, access, region string) string {
		return `{"name":"` + name + `","initial_state":"STOPPED","config":{` + access + config + `,"oss.region":"` + region + `"}}`
	}
	refused := func(a answer, says ...string) {
		t.Helper()
		for _, w := range append(says, "oss.region") {
			if a.status != 400 || !strings.Contains(a.body, w) {
				t.Errorf("%d without %q: %s", a.status, w, a.body)
			}
		}
	}
	for _, access := range []string{internet, ""} {
		refused(s.call("POST", connectors, body("a", access, "cn-hangzou")), "There is no region", "Did you mean cn-hangzhou?", "cn-shanghai", "self-hosted")
		refused(s.call("POST", connectors, body("a", access, "my-region")), "There is no region", "cn-shanghai")
	}
	refused(s.call("POST", connectors, body("a", "", "cn-hangzhou")), "needs Internet access")
	s.must(201, "POST", connectors, body("a", internet, "cn-hangzhou"))

	if _, err := s.svc.AddRegion(admin(t), "my-region", "Ours"); err != nil {
		t.Fatal(err)
	}
	s.must(201, "POST", connectors, body("b", internet, "my-region"))
	if err := s.svc.DeleteRegion(admin(t), "my-region"); err != nil {
		t.Fatal(err)
	}
	// What has the region keeps it; nothing else gets it any more, and what was never
	// deployed is checked once more.
	s.must(200, "PATCH", connectors+"/b/config", `{"description":"still there"}`)
	refused(s.call("PATCH", connectors+"/a/config", `{"oss.region":"my-region"}`), "There is no region")
	refused(s.call("PUT", connectors+"/b/resume", ""), "There is no region")
	a := s.must(200, "PUT", "/connect/sandbox/connector-plugins/KAFKA2OSS/config/validate", `{"name":"c",`+internet+config+`,"oss.region":"my-region"}`)
	if !strings.Contains(a.body, `There is no region`) {
		t.Errorf("validate: %s", a.body)
	}
	if a := s.call("POST", "/api/v1/instances/sandbox/checks", `{"config":{"name":"c",`+internet+config+`,"oss.region":"my-region"}}`); a.status != 422 || !strings.Contains(a.body, `"oss.region"`) {
		t.Errorf("checks: %d %s", a.status, a.body)
	}
}

// admin is a context in which everything is allowed.
func admin(t *testing.T) context.Context { return control.WithActor(t.Context(), control.System()) }
