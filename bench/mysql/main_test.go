package main

import (
	"strings"
	"testing"
)

// TestRows: rows are of the size that is said, and no two are equal.
func TestRows(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	sum := 0
	for n := range int64(2000) {
		row := rowOf(n * 997)
		if seen[row] {
			t.Fatalf("row %d is there twice: %s", n, row)
		}
		seen[row] = true
		sum += len(row)
	}
	if mean := sum / len(seen); mean < 200 || mean > 260 {
		t.Errorf("a row is %d bytes of text, want 200 to 260", mean)
	}
}

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse([]string{"-flavors", "mysql,mariadb", "-only", "stream"})
	if err != nil || len(o.flavors) != 2 || !o.does("stream") || o.does("singles") || o.rows != 2_000_000 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"-flavors oracle", "-rows 0", "-rate 0", "-huge -1"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s is accepted", args)
		}
	}
}
