package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/runner/sandbox"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		args    string
		records int64
		ways    string
		problem string
	}{
		{name: "defaults", records: 6_000_000, ways: "text"},
		{name: "rounded up", args: "-records 1 -flush 10 -partitions 3 -ways binary,text", records: 30, ways: "binary text"},
		{name: "json", args: "-ways json -value json", records: 6_000_000, ways: "json"},
		{name: "json of no JSON", args: "-ways json", problem: "-value json"},
		{name: "unknown way", args: "-ways arrow", problem: "there are binary, json, text, value"},
		{name: "no flush", args: "-flush 0", problem: "at least 1"},
		{name: "no records", args: "-records 0", problem: "at least 1"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			o, err := parse(strings.Fields(tt.args))
			if tt.problem != "" {
				if err == nil || !strings.Contains(err.Error(), tt.problem) {
					t.Errorf("error = %v, want %q", err, tt.problem)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if o.Records != tt.records || strings.Join(o.ways, " ") != tt.ways {
				t.Errorf("records %d, ways %q, want %d, %q", o.Records, o.ways, tt.records, tt.ways)
			}
		})
	}
}

// TestUpload: the loop uploads every row once.
func TestUpload(t *testing.T) {
	t.Parallel()
	o, err := sandbox.StartODPS(t.Context(), sandbox.ODPSOptions{Addr: "127.0.0.1:0", Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	var out bytes.Buffer
	if err := upload([]string{"-endpoint", o.URL(), "-records", "2500", "-flush", "1000", "-bytes", "50"}, &out); err != nil {
		t.Fatal(err)
	}
	var m kit.Measured
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || m.Seconds <= 0 {
		t.Errorf("figures %s, %v", &out, err)
	}
	seen := map[string]bool{}
	if err := o.EachRow(t.Context(), sandbox.DefaultODPSTable, func(r sandbox.ODPSRow) error { seen[r.Values[2].Text] = true; return nil }); err != nil {
		t.Fatal(err)
	}
	if stats := o.Stats(); len(seen) != 2500 || stats.Rows != 2500 || stats.Commits != 3 {
		t.Errorf("%d offsets in %d rows by %d sessions, want 2500 in 2500 by 3", len(seen), stats.Rows, stats.Commits)
	}
}
