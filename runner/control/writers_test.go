package control

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

func TestPatternsMeet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"shop_a", "shop_a", true}, {"shop_a", "shop_b", false}, {"shop_A", "shop_a", true}, {"shop_*", "shop_orders", true}, {"shop_*", "shop_", true}, {"shop_*", "stop_a", false},
		{"shop_?", "shop_ab", false}, {"shop_??", "shop_?b", true}, {"*a", "b*", true}, {"a*b*c", "abbc", true}, {"a*b", "a*c", false}, {"a*b", "*c*", true}, {"*", "*", true}, {"", "*", true}, {"", "?", false},
		{"a?*", "a", false}, {"*?", "a*", true},
	} {
		if got := patternsMeet(c.a, c.b); got != c.want {
			t.Errorf("%q and %q: %v", c.a, c.b, got)
		}
		if got := patternsMeet(c.b, c.a); got != c.want {
			t.Errorf("%q and %q: %v", c.b, c.a, got)
		}
	}
}

// stored are connectors of a Store that has nothing else.
type stored struct {
	Store
	rows []runner.Connector
}

func (s stored) Connectors(context.Context) ([]runner.Connector, error) { return s.rows, nil }

type noDeps struct{ noCluster }

func (noDeps) Deps(runner.Instance, string, string, connector.Config) connector.Deps {
	return connector.Deps{}
}

// TestOtherWriters: who writes the topics of a source already is named, whether it runs or not; nothing is refused for it.
func TestOtherWriters(t *testing.T) {
	t.Parallel()
	reader := connector.Spec{Class: "READER", Kind: connector.KindSource,
		Writes: func(cfg connector.Config) (string, []string) { return "prefix", cfg.List("writes") },
		Topics: func(_ context.Context, cfg connector.Config, _ connector.Deps) ([]connector.SourceTopic, error) {
			var out []connector.SourceTopic
			for _, name := range cfg.List("writes") {
				out = append(out, connector.SourceTopic{Name: name})
			}
			return out, nil
		}}
	row := func(id int64, name, class, topics string, desired runner.Desired) runner.Connector {
		cfg := resources(name, connector.Config{connector.KeyClass: class, "writes": topics})
		return runner.Connector{ID: id, InstanceID: 1, Name: name, Class: class, Config: cfg, Desired: desired}
	}
	elsewhere := row(9, "elsewhere", "READER", "*", runner.DesiredRunning)
	elsewhere.InstanceID = 2
	s := &Service{sup: noDeps{}, specs: []connector.Spec{reader, {Class: "WRITER", Kind: connector.KindSink}}, now: New(Options{}).now, store: stored{rows: []runner.Connector{
		row(1, "one", "READER", "shop_orders, shop_l*", runner.DesiredRunning), row(2, "two", "READER", "shop_orders", runner.DesiredNotDeployed),
		row(3, "going", "READER", "shop_orders", runner.DesiredDeleting), row(4, "sink", "WRITER", "", runner.DesiredRunning), elsewhere}}}
	for _, tt := range []struct {
		self   int64
		topics string
		status connector.FindingStatus
		says   string
		warned int
	}{
		{0, "shop_orders", connector.FindingSkipped, "shop_orders: the connector one; shop_orders: the connector two.", 2},
		{1, "shop_orders", connector.FindingSkipped, "shop_orders: the connector two.", 1},
		{2, "shop_lines", connector.FindingSkipped, "shop_lines: the connector one.", 1},
		{0, "shop_customers", connector.FindingOK, "No other connector", 0},
		{0, "connect-config-sink", connector.FindingFailed, "connect-config-sink is config.storage.topic of the connector sink", 0},
		{0, "connect-error-new", connector.FindingFailed, "of the connector new", 0},
	} {
		c := &candidate{instance: runner.Instance{ID: 1}, spec: &s.specs[0], resolved: resources("new", connector.Config{"writes": tt.topics})}
		var got []connector.Finding
		s.checkWriters(t.Context(), c, runner.Connector{ID: tt.self, Name: "new"}, func(f connector.Finding) { got = append(got, f) })
		if len(got) != 1 || got[0].Status != tt.status || !strings.Contains(got[0].Detail, tt.says) || (got[0].Remedy == "") != (tt.status == connector.FindingOK) {
			t.Errorf("%s: %+v", tt.topics, got)
		}
		if w := s.writerWarnings(t.Context(), c, tt.self); len(w) != tt.warned || len(w) > 0 && w[0].Field != "prefix" {
			t.Errorf("%s: warned of %v", tt.topics, w)
		}
	}
	writers, err := s.writersBeside(t.Context(), &candidate{instance: runner.Instance{ID: 1}}, 0)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(alsoBy(writers, "shop_orders"), " "); got != "one two" {
		t.Errorf("the preview names %q", got)
	}
	var f connector.Finding
	if checkOwnTopic(writers, &f, "shop_lines"); f.Status != connector.FindingFailed || !strings.Contains(f.Detail, "one") {
		t.Errorf("a topic of a sink's own that a source writes to: %+v", f)
	}
}
