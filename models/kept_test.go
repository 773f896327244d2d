package models

import (
	"errors"
	"sync"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Whoever reads a list after a write sees the write, whatever the lists keep in memory.
func TestListsAfterWrites(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	in := addInstance(t, s, "one", 10)
	c := addConnector(t, s, in, "first")
	listed := func() ConnectorInfo {
		t.Helper()
		list, err := s.ListConnectors(ctx, ConnectorQuery{})
		must(t, err)
		if len(list.Rows) != 1 {
			t.Fatalf("%d rows", len(list.Rows))
		}
		return list.Rows[0]
	}
	instance := func() InstanceInfo {
		t.Helper()
		list, err := s.Instances(ctx)
		must(t, err)
		if len(list) != 1 {
			t.Fatalf("%d instances", len(list))
		}
		return list[0]
	}
	listed() // so that the lists are in memory
	instance()
	renamed := in
	renamed.Name, renamed.Region = "other", "cn-beijing"
	for _, step := range []struct {
		what string
		act  func() error
		seen func() bool
	}{
		{"desired", func() error { return s.SetDesired(ctx, c.ID, runner.DesiredRunning) }, func() bool { return listed().Desired == runner.DesiredRunning && instance().Running == 1 }},
		{"deployed", func() error { return s.SetDeployed(ctx, c.ID, true) }, func() bool { return listed().Deployed }},
		{"delivered", func() error { return s.SetDelivered(ctx, c.ID) }, func() bool { return listed().Delivered }},
		{"epoch", func() error { _, err := s.NewEpoch(ctx, c.ID); return err }, func() bool { return listed().Epoch != c.Epoch }},
		{"restart", func() error { _, err := s.RaiseRestart(ctx, c.ID); return err }, func() bool { return listed().Restart == c.Restart+1 }},
		{"configuration", func() error {
			_, err := s.UpdateConfig(ctx, c.ID, 0, connector.Config{"name": "first", connector.KeyDescription: "new"}, "h2", "bob")
			return err
		}, func() bool {
			all, err := s.Connectors(ctx)
			return listed().Version == 2 && listed().Description == "new" && err == nil && all[0].Config[connector.KeyDescription] == "new"
		}},
		{"totals", func() error { return s.AddTotals(ctx, c.ID, 3, 30, 1, s.o.Now()) }, func() bool { st := listed().Status; return st.Delivered == 3 && st.Bytes == 30 && st.Diverted == 1 }},
		{"instance", func() error { return s.UpdateInstance(ctx, renamed) }, func() bool {
			return instance().Name == "other" && listed().Instance == "other" && listed().Region == "cn-beijing"
		}},
		{"disabled", func() error { return s.SetInstanceEnabled(ctx, in.ID, false) }, func() bool { return !instance().Enabled }},
		{"probe", func() error { return s.SaveProbe(ctx, in.ID, Probe{Status: runner.InstanceRunning, Version: "4.0"}) }, func() bool { return instance().Status == runner.InstanceRunning && instance().Version == "4.0" }},
	} {
		must(t, step.act())
		if !step.seen() {
			t.Errorf("%s: the list does not show it; %+v; %+v", step.what, listed(), instance())
		}
	}
	must(t, s.DeleteConnector(ctx, c.ID))
	if list, err := s.ListConnectors(ctx, ConnectorQuery{}); err != nil || len(list.Rows) != 0 || instance().Connectors != 0 {
		t.Errorf("after deleting: %+v, %v", list.Rows, err)
	}
	must(t, s.DeleteInstance(ctx, in.ID))
	if all, err := s.Instances(ctx); err != nil || len(all) != 0 {
		t.Errorf("after deleting: %+v, %v", all, err)
	}
}

// A configuration from Connectors is the caller's own.
func TestConnectorsAreCopies(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	addConnector(t, s, addInstance(t, s, "one", 10), "first")
	all, err := s.Connectors(ctx)
	must(t, err)
	all[0].Config["topics"] = "changed"
	if again, err := s.Connectors(ctx); err != nil || again[0].Config["topics"] != "orders" || again[0].Config[secretKey] != "geheim-first" {
		t.Errorf("configuration %v, %v", again[0].Config, err)
	}
}

func TestTotalsAreKept(t *testing.T) {
	t.Parallel()
	dir, ctx := t.TempDir(), t.Context()
	s := openStore(t, options(dir))
	c := addConnector(t, s, addInstance(t, s, "one", 10), "first")
	must(t, s.AddTotals(ctx, c.ID, 7, 70, 1, s.o.Now()))
	must(t, s.Close())
	s = openStore(t, options(dir))
	must(t, s.AddTotals(ctx, c.ID, 1, 10, 0, s.o.Now()))
	if got, err := s.Totals(ctx, c.ID); err != nil || got.Records != 8 || got.Bytes != 80 || got.Diverted != 1 || got.Last.IsZero() {
		t.Errorf("totals %+v, %v", got, err)
	}
	wantErr(t, "totals of nothing", s.AddTotals(ctx, c.ID+1, 1, 1, 1, s.o.Now()), runner.ErrNotFound)
	if got, err := s.Totals(ctx, c.ID+1); err != nil || got.Records != 0 {
		t.Errorf("totals of nothing %+v, %v", got, err)
	}
}

// kept never answers with rows older than the last write that ended before the call.
func TestKept(t *testing.T) {
	t.Parallel()
	var (
		k     kept[int]
		mu    sync.Mutex
		value int
		wg    sync.WaitGroup
	)
	read := func() ([]int, error) {
		mu.Lock()
		defer mu.Unlock()
		return []int{value}, nil
	}
	if _, err := k.all(func() ([]int, error) { return nil, errors.New("away") }); err == nil {
		t.Error("a failed reading was kept")
	}
	for range 4 {
		wg.Go(func() {
			for range 500 {
				mu.Lock()
				value++
				mine := value
				mu.Unlock()
				k.written()
				if rows, err := k.all(read); err != nil || rows[0] < mine {
					t.Errorf("read %v after writing %d, %v", rows, mine, err)
					return
				}
			}
		})
	}
	wg.Wait()
	calls := 0
	for range 3 {
		_, _ = k.all(func() ([]int, error) { calls++; return nil, nil })
	}
	if calls > 1 {
		t.Errorf("read %d times without a write", calls)
	}
}
