package runner_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/oss"
)

// another is an installation of its own, with its own data directory, on the same
// broker and the same object store.
func (w *world) another() *world {
	w.t.Helper()
	spec := oss.Spec()
	store, err := models.Open(w.t.Context(), models.Options{DataDir: w.t.TempDir(), AdminPassword: "not-used-here", SecretKeys: func(string) []string { return spec.SecretKeys() }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { store.Close() })
	o := &world{t: w.t, store: store, kafka: w.kafka, oss: w.oss, cluster: w.cluster}
	o.in = runner.Instance{Name: "same", Region: "self-hosted", BootstrapServers: w.kafka.Addr(), SecurityProtocol: "PLAINTEXT", Quota: 10, Enabled: true}
	if err := store.CreateInstance(w.t.Context(), &o.in); err != nil {
		w.t.Fatal(err)
	}
	o.start()
	return o
}

func (w *world) status(c runner.Connector) runner.ConnectorStatus {
	w.t.Helper()
	st, err := w.sup.Status(w.t.Context(), c.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	return st
}

func (w *world) says(c runner.Connector, installation string, words ...string) {
	w.t.Helper()
	w.until("it fails and says "+words[0], func() bool {
		st := w.status(c)
		return st.State == connector.StateFailed && strings.Contains(st.Cause, words[0])
	})
	st := w.status(c)
	for _, word := range append(words, installation) {
		if !strings.Contains(st.Cause+" "+st.Remedy, word) {
			w.t.Errorf("it does not say %q: %s %s", word, st.Cause, st.Remedy)
		}
	}
	if st.Claimant != installation || st.Field != connector.KeyConfigTopic {
		w.t.Errorf("claimant %q, field %q", st.Claimant, st.Field)
	}
}

// TestTakeOver: a second installation is refused with the cause, takes the connector over
// while the first still runs, and goes on where that one was; the first stops and says
// why, and can take it back.
func TestTakeOver(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("oss-test-input", 0, 90)
	first := w.create("shared", nil)
	w.exactly(90)
	ours := w.store.InstallationID()
	if err := w.sup.TakeOver(t.Context(), first.ID, "nobody"); !errors.Is(err, runner.ErrNotClaimed) {
		t.Errorf("taking over one's own: %v", err)
	}
	w.state(first, connector.StateRunning)

	o := w.another()
	theirs := o.store.InstallationID()
	second := o.create("shared", nil)
	o.says(second, ours, "another installation", "take it over here")
	claim, err := o.sup.Claim(t.Context(), second.ID)
	if err != nil || claim.Installation != ours || claim.Ours || claim.Name != "shared" || claim.Class != "KAFKA2OSS" || claim.Members != 1 || claim.Since.IsZero() {
		t.Errorf("claim %+v, %v", claim, err)
	}
	if err := o.sup.TakeOver(t.Context(), second.ID, "somebody-else"); !errors.Is(err, runner.ErrClaimChanged) {
		t.Errorf("from somebody else: %v", err)
	}
	if err := o.sup.TakeOver(t.Context(), second.ID, ours); err != nil {
		t.Fatal(err)
	}
	w.says(first, theirs, "took the connector over", "take it back")
	o.state(second, connector.StateRunning)
	w.send("oss-test-input", 90, 180)
	w.exactly(180)
	if claim, err := w.sup.Claim(t.Context(), first.ID); err != nil || claim.Installation != theirs || claim.Ours || claim.Members != 1 {
		t.Errorf("claim %+v, %v", claim, err)
	}
	w.restart(first)
	w.says(first, theirs, "runs it")

	// Back again, after the second was stopped as its page asks for.
	o.desire(second, runner.DesiredPaused)
	o.state(second, connector.StateSuspended)
	if err := w.sup.TakeOver(t.Context(), first.ID, theirs); err != nil {
		t.Fatal(err)
	}
	w.state(first, connector.StateRunning)
	w.send("oss-test-input", 180, 240)
	w.exactly(240)
	o.desire(second, runner.DesiredRunning)
	o.says(second, ours, "another installation")
	lines, err := w.store.QueryLogs(t.Context(), runner.LogQuery{ConnectorID: first.ID, Limit: 1000})
	if err != nil || !slices.ContainsFunc(lines.Lines, func(l runner.LogLine) bool {
		return strings.HasPrefix(l.Message, "Taken over") && l.Fields["installation"] == theirs
	}) {
		t.Errorf("the log does not tell: %v", err)
	}
}

func (w *world) restart(c runner.Connector) {
	w.t.Helper()
	if _, err := w.store.RaiseRestart(w.t.Context(), c.ID); err != nil {
		w.t.Fatal(err)
	}
	w.sup.Notify(c.ID)
}

// TestTakeOverWhenTheOtherIsGone: nobody stops in order, and an intent may be pending.
func TestTakeOverWhenTheOtherIsGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.send("oss-test-input", 0, 60)
	w.create("left", nil)
	w.exactly(60)
	ours := w.store.InstallationID()
	w.stop()
	w.send("oss-test-input", 60, 120)
	o := w.another()
	second := o.create("left", nil)
	o.says(second, ours, "another installation")
	if err := o.sup.TakeOver(context.Background(), second.ID, ours); err != nil {
		t.Fatal(err)
	}
	o.exactly(120)
}
