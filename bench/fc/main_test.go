package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
	"github.com/sluice-io/sluice/runner/sandbox"
)

func TestParse(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name    string
		args    string
		records int64
		batches int
		problem string
	}{
		{name: "defaults", records: 3_000_000, batches: 2},
		{name: "rounded up", args: "-records 1 -batches 100", records: 60_000, batches: 1},
		{name: "no whole batches", args: "-batches 300", problem: "does not divide"},
		{name: "no number", args: "-batches x", problem: "does not divide"},
		{name: "unknown value", args: "-value xml", problem: "use log, json or plain"},
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
			if err != nil || o.Records != tt.records || len(o.batches) != tt.batches {
				t.Errorf("%d records, batches %v, error %v", o.Records, o.batches, err)
			}
		})
	}
}

// TestPost: the bare HTTP client's requests are accepted and hold the records that it counts.
func TestPost(t *testing.T) {
	t.Parallel()
	fc, err := sandbox.StartFC(t.Context(), sandbox.FCOptions{Addr: "127.0.0.1:0", Discard: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = fc.Close() })
	var out bytes.Buffer
	if err := post(strings.Fields("-url "+fc.URL()+" -records 1200 -batch 20 -bytes 200 -value json -connections 3"), &out); err != nil {
		t.Fatal(err)
	}
	var m kit.Measured
	if err := json.Unmarshal(out.Bytes(), &m); err != nil || m.Seconds <= 0 || m.Peak <= 0 {
		t.Errorf("figures %s, %v", out.String(), err)
	}
	if stats := fc.Stats(); stats.Records != 1200 || stats.Invocations != 60 || stats.Failed != 0 {
		t.Errorf("the function got %+v", stats)
	}
	err = post(strings.Fields("-url "+fc.URL()+"/"+harness.FCService+" -records 20 -batch 20 -bytes 200 -value log"), &out)
	if err == nil || !strings.Contains(err.Error(), "invoking: 4") {
		t.Errorf("a refused request: %v", err)
	}
}
