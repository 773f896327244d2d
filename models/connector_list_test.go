package models

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func TestListConnectors(t *testing.T) {
	t.Parallel()
	s, clock := clocked(t)
	ctx := t.Context()
	one, two := addInstance(t, s, "one", 10), addInstance(t, s, "two", 10)
	state := func(c runner.Connector, task int, st connector.State, stalled bool, lag int64) {
		t.Helper()
		must(t, s.SaveTaskStatus(ctx, runner.TaskStatus{ConnectorID: c.ID, Task: task, Node: "n1", Status: connector.Status{State: st, Cause: "because", Stalled: stalled},
			Partitions: []runner.PartitionStatus{{Topic: "orders", Partition: int32(task), Lag: lag, LagMillis: lag * 10}}}))
	}
	var all []runner.Connector
	for i, name := range []string{"fine", "failed", "stalled", "paused", "fresh", "half"} {
		c := addConnector(t, s, []runner.Instance{one, two}[i%2], name)
		all = append(all, c)
		if name != "fresh" {
			must(t, s.SetDesired(ctx, c.ID, runner.DesiredRunning))
		}
	}
	state(all[0], 0, connector.StateRunning, false, 5)
	state(all[0], 1, connector.StateRunning, false, 6)
	state(all[1], 0, connector.StateFailed, false, 100)
	state(all[2], 0, connector.StateRunning, true, 50)
	must(t, s.SetDesired(ctx, all[3].ID, runner.DesiredPaused))
	state(all[5], 0, connector.StateRunning, false, 0)
	state(all[5], 1, connector.StateFailed, false, 0)
	must(t, s.AddTotals(ctx, all[0].ID, 10, 100, 1, clock.now()))
	must(t, s.AddTotals(ctx, all[0].ID, 5, 50, 0, time.Time{}))
	must(t, s.AppendPoints(ctx, []runner.Point{{ConnectorID: all[0].ID, Time: clock.now().Add(-10 * time.Second)}, {ConnectorID: all[0].ID, Time: clock.now(), Records: 100, Bytes: 1000}}))

	for name, c := range map[string]struct {
		q    ConnectorQuery
		want string
	}{
		"trouble first": {ConnectorQuery{}, "failed half stalled fine fresh paused"},
		"reversed":      {ConnectorQuery{Reverse: true}, "fine fresh paused stalled half failed"},
		"by name":       {ConnectorQuery{Sort: SortName}, "failed fine fresh half paused stalled"},
		"by lag":        {ConnectorQuery{Sort: SortLag}, "failed stalled fine fresh half paused"},
		"by rate":       {ConnectorQuery{Sort: SortRate, Limit: 1}, "fine"},
		"second page":   {ConnectorQuery{Sort: SortName, Limit: 2, Offset: 2}, "fresh half"},
		"beyond":        {ConnectorQuery{Offset: 99}, ""},
		"instance":      {ConnectorQuery{Instance: "two", Sort: SortName}, "failed half paused"},
		"no instance":   {ConnectorQuery{Instance: "none"}, ""},
		"text":          {ConnectorQuery{Text: " FA "}, "failed"},
		"text instance": {ConnectorQuery{Text: "two", Sort: SortName}, "failed half paused"},
		"state":         {ConnectorQuery{States: []connector.State{connector.StateFailed, connector.StateDegraded}}, "failed half"},
		"stalled":       {ConnectorQuery{Stalled: true}, "stalled"},
		"class":         {ConnectorQuery{Classes: []string{"KAFKA2FC"}}, ""},
	} {
		list, err := s.ListConnectors(ctx, c.q)
		must(t, err)
		var got []string
		for _, r := range list.Rows {
			got = append(got, r.Name)
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
	list, err := s.ListConnectors(ctx, ConnectorQuery{States: []connector.State{connector.StateRunning}, Limit: 1})
	must(t, err)
	if list.Total != 2 || list.Stalled != 1 || list.Counts[connector.StateRunning] != 2 || list.Counts[connector.StateDegraded] != 1 || list.Counts[connector.StateNotDeployed] != 1 || list.Counts[connector.StateSuspended] != 1 {
		t.Errorf("total %d, stalled %d, counts %v", list.Total, list.Stalled, list.Counts)
	}
	info, err := s.Connector(ctx, "one", "fine")
	must(t, err)
	st := info.Status
	if st.Delivered != 15 || st.Bytes != 150 || st.Diverted != 1 || st.Waiting != 11 || st.LagMillis != 60 || st.RecordsRate != 10 || st.BytesRate != 100 || len(st.Tasks) != 2 || st.Worker != "n1" || !st.LastDelivery.Equal(clock.now()) {
		t.Errorf("status %+v", st)
	}
	clock.move(2 * staleRate)
	if info, err = s.Connector(ctx, "one", "fine"); err != nil || info.Status.RecordsRate != 0 {
		t.Errorf("a rate of long ago: %v, %v", info.Status.RecordsRate, err)
	}
	must(t, s.DeleteTaskStatus(ctx, all[0].ID, 1))
	ts, err := s.TaskStatuses(ctx, all[0].ID)
	if err != nil || len(ts) != 1 {
		t.Errorf("%d tasks are left, %v", len(ts), err)
	}
}

func TestMirrored(t *testing.T) {
	t.Parallel()
	s, ctx := newStore(t), t.Context()
	c := addConnector(t, s, addInstance(t, s, "one", 3), "orders")
	var ps []runner.MirroredPosition
	for i := range 1200 {
		ps = append(ps, runner.MirroredPosition{ConnectorID: c.ID, Topic: "orders", Partition: int32(i), Offset: int64(i), Metadata: "m", TopicID: "id"})
	}
	must(t, s.SaveMirrored(ctx, ps))
	ps[7].Offset = 4711
	must(t, s.SaveMirrored(ctx, ps[:100]))
	must(t, s.SaveMirrored(ctx, nil))
	got, err := s.Mirrored(ctx, c.ID)
	must(t, err)
	if len(got) != 1200 || got[7].Offset != 4711 || got[7].Metadata != "m" || got[7].UpdatedAt.IsZero() || got[1199].Offset != 1199 {
		t.Errorf("%d positions, %+v", len(got), got[7])
	}
	bad := append([]runner.MirroredPosition{{ConnectorID: c.ID, Topic: "new"}}, runner.MirroredPosition{ConnectorID: 99, Topic: "x"})
	wantErr(t, "of nobody", s.SaveMirrored(ctx, bad), runner.ErrNotFound)
	if got, err := s.Mirrored(ctx, c.ID); err != nil || len(got) != 1200 {
		t.Errorf("half of a refused batch is there: %d, %v", len(got), err)
	}
	must(t, s.DeleteMirrored(ctx, c.ID))
	if got, err := s.Mirrored(ctx, c.ID); err != nil || len(got) != 0 {
		t.Errorf("%d are left, %v", len(got), err)
	}
}

// BenchmarkListConnectors lists 900 connectors on 300 instances, six tasks each.
func BenchmarkListConnectors(b *testing.B) {
	s := newStore(b)
	for i := range 300 {
		in := addInstance(b, s, fmt.Sprintf("instance-%03d", i), 3)
		for j := range 3 {
			c := addConnector(b, s, in, names(i*3+j))
			must(b, s.SetDesired(b.Context(), c.ID, runner.DesiredRunning))
			for task := range 6 {
				must(b, s.SaveTaskStatus(b.Context(), runner.TaskStatus{ConnectorID: c.ID, Task: task, Status: connector.Status{State: connector.StateRunning}, Partitions: make([]runner.PartitionStatus, 6)}))
			}
		}
	}
	b.Run("connectors", func(b *testing.B) {
		for b.Loop() {
			list, err := s.ListConnectors(b.Context(), ConnectorQuery{Limit: 100})
			if err != nil || list.Total != 900 {
				b.Fatal(list.Total, err)
			}
		}
	})
	b.Run("instances", func(b *testing.B) {
		for b.Loop() {
			list, err := s.Instances(b.Context())
			if err != nil || len(list) != 300 {
				b.Fatal(len(list), err)
			}
		}
	})
}
