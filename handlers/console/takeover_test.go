package console_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// claims answers who runs a connector.
type claims struct {
	mu sync.Mutex
	runner.Claim
}

func (c *claims) set(claim runner.Claim) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.Claim = claim
}

func (t *told) Claim(context.Context, int64) (runner.Claim, error) {
	t.claims.mu.Lock()
	defer t.claims.mu.Unlock()
	return t.claims.Claim, nil
}

func (t *told) TakeOver(_ context.Context, _ int64, from string) error {
	t.claims.mu.Lock()
	defer t.claims.mu.Unlock()
	if from != t.claims.Installation {
		return runner.ErrClaimChanged
	}
	t.claims.Ours = true
	return nil
}

// TestTakeOverPage: the connector's page leads to it, it says what it means, and asks.
func TestTakeOverPage(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	id := s.connector("one", control.DesiredRunning)
	s.told.mu.Lock()
	s.told.m[id] = runner.ConnectorStatus{Status: connector.Status{State: connector.StateFailed, Cause: "Another installation (other-id) runs it.", Remedy: "Stop it there.",
		Field: connector.KeyConfigTopic, Claimant: "other-id"}}
	s.told.mu.Unlock()
	s.told.claims.set(runner.Claim{Installation: "other-id", Name: "one", Class: "KAFKA2OSS", Version: 4, Since: time.Now(), Members: 2})
	b := s.as("otto")
	b.get(one).want(http.StatusOK).has(`#connector-head a[href="` + one + `/take-over"]`).hasNot(`#connector-head form[action="` + one + `/resume"]`)
	s.as("vera").get(one).hasNot(`a[href="` + one + `/take-over"]`)
	s.as("vera").get(one + "/take-over").want(http.StatusForbidden)
	page := b.get(one+"/take-over").want(http.StatusOK).says("Take one over", "other-id", "version 4", "2 members", "It still runs there")
	b.fill(page, `form[action$="/take-over"]`, "confirm", "two").want(http.StatusUnprocessableEntity).says("Type one to confirm.").has(`#f-confirm[aria-invalid=true]`)
	s.told.claims.set(runner.Claim{Installation: "third-id", Name: "one", Class: "KAFKA2OSS", Version: 5})
	again := b.fill(page, `form[action$="/take-over"]`, "confirm", "one").want(http.StatusConflict).says("another installation that runs the connector by now", "third-id", "Nothing of it runs there")
	b.follow(b.fill(again, `form[action$="/take-over"]`, "confirm", "one")).says("Connector one is taken over")
	b.get(one + "/take-over").want(http.StatusOK).says("No other installation runs this connector").hasNot("form.confirm")

	entries, err := s.store.AuditEntries(t.Context(), models.AuditQuery{Limit: 10})
	if err != nil || len(entries) == 0 || entries[0].Act != "connector.take_over" || entries[0].Object != "sandbox/one" {
		t.Errorf("audit %+v, %v", entries, err)
	}
}
