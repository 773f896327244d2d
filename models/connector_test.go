package models

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func TestConnectorLife(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 3)
	c := addConnector(t, s, in, "orders")
	if c.ID == 0 || len(c.UUID) != 36 || c.Version != 1 || len(c.Epoch) != 16 || c.Desired != runner.DesiredNotDeployed || c.Instance != "one" || c.CreatedAt.IsZero() {
		t.Fatalf("got %+v", c)
	}
	got, err := s.ConnectorByID(ctx, c.ID)
	must(t, err)
	if !maps.Equal(got.Config, c.Config) || got.UUID != c.UUID {
		t.Errorf("read back %+v", got)
	}
	must(t, s.SetDesired(ctx, c.ID, runner.DesiredRunning))
	must(t, s.SetDeployed(ctx, c.ID, true))
	must(t, s.SetDelivered(ctx, c.ID))
	restart, err := s.RaiseRestart(ctx, c.ID)
	must(t, err)
	epoch, err := s.NewEpoch(ctx, c.ID)
	must(t, err)
	info, err := s.Connector(ctx, "one", "orders")
	must(t, err)
	if info.Desired != runner.DesiredRunning || !info.Deployed || !info.Delivered || info.Restart != 1 || restart != 1 || info.Epoch != epoch || epoch == c.Epoch || info.Region != "cn-hangzhou" {
		t.Errorf("got %+v", info)
	}
	if _, err := s.NewEpoch(ctx, 99); !errors.Is(err, runner.ErrNotFound) {
		t.Errorf("an epoch for nobody: %v", err)
	}
	for what, err := range map[string]error{"desired": s.SetDesired(ctx, 99, runner.DesiredRunning), "delete": s.DeleteConnector(ctx, 99),
		"status": s.SaveTaskStatus(ctx, runner.TaskStatus{ConnectorID: 99}), "totals": s.AddTotals(ctx, 99, 1, 1, 1, c.CreatedAt)} {
		wantErr(t, what, err, runner.ErrNotFound)
	}
	must(t, s.SaveTaskStatus(ctx, runner.TaskStatus{ConnectorID: c.ID}))
	must(t, s.SaveMirrored(ctx, []runner.MirroredPosition{{ConnectorID: c.ID, Topic: "orders"}}))
	must(t, s.DeleteConnector(ctx, c.ID))
	for _, table := range []string{"connectors", "connector_versions", "task_statuses", "mirrored_positions", "totals"} {
		var n int64
		must(t, s.read(ctx).Table(table).Count(&n).Error)
		if n != 0 {
			t.Errorf("%d rows are left in %s", n, table)
		}
	}
	if ts, _ := s.TaskStatuses(ctx, c.ID); len(ts) != 0 {
		t.Error("states are left in memory")
	}
}

func TestConfigVersions(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	c := addConnector(t, s, addInstance(t, s, "one", 3), "orders")
	next := connector.Config{"name": "orders", "topics": "orders,more", "description": "Neu", secretKey: connector.Masked}
	v, err := s.UpdateConfig(ctx, c.ID, 1, next, "h2", "bob")
	must(t, err)
	if v != 2 {
		t.Errorf("version %d", v)
	}
	_, err = s.UpdateConfig(ctx, c.ID, 1, next, "h3", "eve")
	wantErr(t, "a stale version", err, ErrVersionConflict)
	got, err := s.ConnectorByID(ctx, c.ID)
	must(t, err)
	if got.Version != 2 || got.Hash != "h2" || got.Config[secretKey] != "geheim-orders" || got.Config["topics"] != "orders,more" {
		t.Errorf("got %+v", got)
	}
	var invalid *InvalidError
	_, err = s.UpdateConfig(ctx, c.ID, 0, connector.Config{"other.password": connector.Masked}, "h", "bob")
	if !errors.As(err, &invalid) || invalid.Field != "other.password" {
		t.Errorf("a mask of nothing: %v", err)
	}
	vs, err := s.Versions(ctx, c.ID)
	must(t, err)
	if len(vs) != 2 || vs[0].Version != 2 || vs[0].Author != "bob" || vs[1].Author != "alice" || vs[1].Config["topics"] != "orders" || vs[1].Config[secretKey] != "geheim-orders" {
		t.Errorf("versions %+v", vs)
	}
	_, err = s.Versions(ctx, 99)
	wantErr(t, "versions of nobody", err, runner.ErrNotFound)
}

// Of parallel creates of one name, also through two instances of one cluster, one wins.
func TestCreateRace(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a, b := addInstance(t, s, "a", 100), addInstance(t, s, "b", 100)
	for _, in := range []runner.Instance{a, b} {
		must(t, s.SaveProbe(ctx, in.ID, Probe{ClusterID: "same", Status: runner.InstanceRunning}))
	}
	var wg sync.WaitGroup
	results := make(chan error, 16)
	for i := range 16 {
		wg.Go(func() {
			c := runner.Connector{InstanceID: []int64{a.ID, b.ID}[i%2], Name: "wanted", Class: "KAFKA2OSS"}
			results <- s.CreateConnector(ctx, &c, "alice")
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		var taken *NameTakenError
		switch {
		case err == nil:
			won++
		case !errors.As(err, &taken):
			t.Errorf("a loser got %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d of 16 creates won", won)
	}
	var taken *NameTakenError
	other := runner.Connector{InstanceID: a.ID, Name: "wanted"}
	list, err := s.Connectors(ctx)
	must(t, err)
	if list[0].InstanceID == a.ID {
		other.InstanceID = b.ID
	}
	if err := s.CreateConnector(ctx, &other, ""); !errors.As(err, &taken) || taken.Instance != list[0].Instance {
		t.Errorf("through the other instance: %v", err)
	}
}

func TestQuotaRace(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 3)
	var wg sync.WaitGroup
	results := make(chan error, 12)
	for i := range 12 {
		wg.Go(func() {
			c := runner.Connector{InstanceID: in.ID, Name: names(i), Class: "KAFKA2OSS"}
			results <- s.CreateConnector(ctx, &c, "alice")
		})
	}
	wg.Wait()
	close(results)
	won := 0
	for err := range results {
		var quota *QuotaError
		if err == nil {
			won++
		} else if !errors.As(err, &quota) || quota.Quota != 3 || !strings.Contains(err.Error(), "connector.quota") {
			t.Errorf("got %v", err)
		}
	}
	if won != 3 {
		t.Errorf("%d connectors under a quota of 3", won)
	}
	info, err := s.InstanceInfo(ctx, "one")
	must(t, err)
	if info.Connectors != 3 || info.Running != 0 {
		t.Errorf("counted %d, %d running", info.Connectors, info.Running)
	}
}

func TestSameNames(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	a, b := addInstance(t, s, "a", 9), addInstance(t, s, "b", 9)
	addConnector(t, s, a, "x")
	addConnector(t, s, b, "x")
	addConnector(t, s, b, "y")
	must(t, s.SaveProbe(ctx, a.ID, Probe{ClusterID: "same"}))
	if got, err := s.SameNames(ctx, a.ID); err != nil || len(got) != 0 {
		t.Errorf("got %v, %v", got, err)
	}
	must(t, s.SaveProbe(ctx, b.ID, Probe{ClusterID: "same"}))
	if got, err := s.SameNames(ctx, a.ID); err != nil || len(got) != 1 || got[0] != "x" {
		t.Errorf("got %v, %v", got, err)
	}
}

// No file of the data directory holds a secret in the clear.
func TestNothingSecretOnDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s, ctx := openStore(t, options(dir)), t.Context()
	in := runner.Instance{Name: "one", SASLPassword: "geheim-kafka", Quota: 9}
	must(t, s.CreateInstance(ctx, &in))
	c := addConnector(t, s, in, "orders")
	_, err := s.UpdateConfig(ctx, c.ID, 0, connector.Config{secretKey: "geheim-two", "my.password": "geheim-three", "note": "visible"}, "h", "a")
	must(t, err)
	d := Draft{InstanceID: in.ID, Class: "KAFKA2OSS", Values: connector.Config{secretKey: "geheim-draft"}}
	must(t, s.CreateDraft(ctx, &d))
	must(t, s.Audit(ctx, AuditEntry{Actor: "a", Act: "x", Detail: map[string]string{"sasl.password": "geheim-audit"}}))
	_, err = s.CreateUser(ctx, "bob", "geheim-user", RoleViewer)
	must(t, err)
	secret, err := s.NewSession(ctx, 1, "10.0.0.1", "agent")
	must(t, err)
	must(t, s.Close())
	entries, err := os.ReadDir(dir)
	must(t, err)
	seen := ""
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		must(t, err)
		seen += string(b)
		for _, word := range []string{"geheim", "admin-password", secret} {
			if strings.Contains(string(b), word) {
				t.Errorf("%s holds %q", e.Name(), word)
			}
		}
	}
	if !strings.Contains(seen, "visible") {
		t.Error("the test did not read what was written")
	}
}
