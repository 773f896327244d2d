package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

func TestTables(t *testing.T) {
	t.Parallel()
	tests := []struct {
		patterns, table string
		fold, want      bool
	}{
		{"orders", "orders", false, true},
		{"orders", "Orders", false, false},
		{"orders", "Orders", true, true},
		{"orders", "orders2", false, false},
		{"a, b ,c", "b", false, true},
		{"*", "anything at all", false, true},
		{"order*", "orders_2024", false, true},
		{"order?", "orders", false, true},
		{"order?", "order", false, false},
		{"?rders", "ärders", false, true},
		{"*_log", "a_log_log", false, true},
		{"*_log", "a_logs", false, false},
		{"a*b*c", "aXbYbZc", false, true},
		{"a*b*c", "aXcYbZ", false, false},
		{"`a,b.c*`", "a,b.c*", false, true},
		{"`a,b.c*`", "a,b.cd", false, false},
		{"`a``b`,c", "a`b", false, true},
	}
	for _, tt := range tests {
		tables, err := ParseTables(tt.patterns)
		if err != nil {
			t.Errorf("%q: %v", tt.patterns, err)
			continue
		}
		if tt.fold {
			tables = tables.Fold()
		}
		if got := tables.Match(tt.table); got != tt.want {
			t.Errorf("%q matches %q: %t, want %t", tt.patterns, tt.table, got, tt.want)
		}
	}
	for _, bad := range []string{"", " , ", "shop.orders"} {
		if _, err := ParseTables(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestWrites: which topics a configuration writes to is known without the server.
func TestWrites(t *testing.T) {
	t.Parallel()
	key, got := writes(connector.Config{keyPrefix: "shop", keyTables: "orders, l*, `a*b`, a b, x?"})
	if want := []string{"shop_orders", "shop_l*", "shop_a_b", "shop_a_b", "shop_x?"}; key != keyPrefix || !slices.Equal(got, want) {
		t.Errorf("%s %q", key, got)
	}
	if _, got := writes(connector.Config{keyTables: "orders"}); got != nil {
		t.Errorf("without a prefix: %q", got)
	}
}

func TestTopic(t *testing.T) {
	t.Parallel()
	s := Settings{Prefix: "shop"}
	for table, want := range map[string]string{"orders": "shop_orders", "a b$c": "shop_a_b_c", "Straße": "shop_Stra_e", "a.b-c": "shop_a.b-c"} {
		if got, err := s.Topic(table); err != nil || got != want {
			t.Errorf("the topic of %q is %q (%v), want %q", table, got, err, want)
		}
	}
	if _, err := s.Topic(strings.Repeat("x", 249)); err == nil {
		t.Error("a topic of 254 characters is taken")
	}
	got := s.Collisions([]string{"a b", "a$b", "a.b", "c"})
	if len(got) != 1 || len(got["shop_a_b"]) != 3 {
		t.Errorf("collisions: %v", got)
	}
}
