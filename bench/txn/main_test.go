package main

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	o, err := parse(strings.Fields("-bytes 100 -partitions 1,3 -records 10"))
	if err != nil || !slices.Equal(o.sizes, []int{100}) || !slices.Equal(o.partitions, []int{1, 3}) || o.records != 10 {
		t.Errorf("%+v, %v", o, err)
	}
	for _, args := range []string{"-bytes 0", "-partitions x", "-records 0", "-transaction 0", "-runs 0", "-unknown"} {
		if _, err := parse(strings.Fields(args)); err == nil {
			t.Errorf("%s was taken", args)
		}
	}
}

func TestMessages(t *testing.T) {
	t.Parallel()
	all := messages(300)
	for n, m := range all {
		if len(m) != 300 || n > 0 && bytes.Equal(m, all[n-1]) {
			t.Fatalf("message %d: %d bytes", n, len(m))
		}
	}
}
