package console

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestEffects: what a change does to each table that was read, or is read after it.
func TestEffects(t *testing.T) {
	t.Parallel()
	topic := func(table string, copied, followed bool) connector.SourceTopic {
		return connector.SourceTopic{Name: "p_" + table, From: table, Key: []string{"id"}, Partitions: 6, Copied: copied, Followed: followed}
	}
	type list = []connector.SourceTopic
	for name, tt := range map[string]struct {
		before, after list
		want          string
		same          int
	}{
		"one more":              {list{topic("a", true, true)}, list{topic("a", true, true), topic("b", true, true)}, "+b copied, then followed: p_b, 6 partitions, key id", 1},
		"one less":              {list{topic("a", true, true), topic("b", true, true)}, list{topic("b", true, true)}, "-a not read any more; the topic p_a stays as it is", 1},
		"one more, not copied":  {nil, list{topic("a", false, true)}, "+a followed from now on, not copied: p_a, 6 partitions, key id", 0},
		"one more, copied only": {nil, list{topic("a", true, false)}, "+a copied, not followed: p_a, 6 partitions, key id", 0},
		"followed at last":      {list{topic("a", true, false)}, list{topic("a", false, true)}, "+a copied again, then followed: p_a, 6 partitions, key id", 0},
		"not followed any more": {list{topic("a", false, true)}, list{topic("a", true, false)}, "+a not followed any more: p_a, 6 partitions, key id", 0},
		"nothing":               {list{topic("a", true, true)}, list{topic("a", false, true)}, "", 1},
	} {
		parts, same := effects(context.Background(), tt.before, tt.after)
		var got []string
		for _, p := range parts {
			got = append(got, map[string]string{"plus": "+", "x": "-"}[p.Kind]+p.Name+" "+p.Note)
		}
		if strings.Join(got, "; ") != tt.want || same != tt.same {
			t.Errorf("%s: %q, %d the same", name, got, same)
		}
	}
}

// TestInOrderOf: boxes that are ticked come in the order of the boxes, and change nothing when the same are ticked.
func TestInOrderOf(t *testing.T) {
	t.Parallel()
	picked := connector.Field{Kind: connector.List, Lookup: func(context.Context, connector.Config, connector.Deps) ([]connector.Option, error) { return nil, nil }}
	for _, tt := range []struct{ before, posted, want string }{
		{"orders, customers", "customers,orders,", "orders,customers"},
		{"orders, log_*", "customers,orders, log_*", "orders,log_*,customers"},
		{"b", "a,c", "a,c"},
		{"*", "a,*", "*,a"},
		{"`a,b`,c", "`a,b`,d", "`a,b`,d"},
	} {
		if got := inOrderOf(picked, tt.before, tt.posted); got != tt.want {
			t.Errorf("%q over %q: %q, want %q", tt.posted, tt.before, got, tt.want)
		}
	}
	if !sameValue(picked, "orders, customers", "orders,customers") || sameValue(picked, "a,b", "a") {
		t.Error("lists are compared by their blanks")
	}
	if got := inOrderOf(connector.Field{Kind: connector.List}, "a,b", "b,a"); got != "b,a" {
		t.Errorf("a list that is typed became %q", got)
	}
}
