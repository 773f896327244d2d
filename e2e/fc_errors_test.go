//go:build e2e

package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestFunctionErrors: the function fails on one record of a batch of ten. Whole: all ten are abnormal data; split: the
// one record alone, and its neighbours are delivered. Either way the function's message is told, and what follows goes
// on.
func TestFunctionErrors(t *testing.T) {
	t.Parallel()
	b := layFC(t, 1, harness.SluiceOptions{})
	b.produce(0, 15, 1)
	poison := b.kafka.Send(b.topic, 0, nil, []byte(`{"poison":true}`))
	b.produce(15, 29, 1)
	for policy, diverted := range map[string][]int64{"whole": {10, 20}, "split": {poison, poison + 1}} {
		c := b.deploy("fc-poison-"+policy, map[string]string{
			"fc.mode": "sync", "fc.function": "poison", "fc.batch.size": "10", "fc.batch.on.error": policy, "errors.retry.limit": "1",
			"fc.service": map[string]string{"whole": harness.FCService, "split": ""}[policy],
		})
		c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
		var offsets, want []int64
		for offset := diverted[0]; offset < diverted[1]; offset++ {
			want = append(want, offset)
		}
		for _, m := range b.kafka.ReadAll("connect-error-" + c.Name) {
			headers := map[string]string{}
			for _, h := range m.Headers {
				headers[strings.TrimPrefix(string(h.Key), "__connect.errors.")] = string(h.Value)
			}
			offset, err := strconv.ParseInt(headers["offset"], 10, 64)
			if err != nil || !strings.Contains(headers["exception.message"], `the event contains "poison"`) {
				t.Errorf("%s: a diverted record has headers %v", policy, headers)
			}
			offsets = append(offsets, offset)
		}
		if slices.Sort(offsets); !slices.Equal(offsets, want) {
			t.Errorf("%s: offsets %v were diverted, want %v", policy, offsets, want)
		}
		var ours []harness.Invocation
		for _, inv := range b.fc.Invocations() {
			if (inv.Service != "") == (policy == "whole") {
				ours = append(ours, inv)
			}
		}
		v := harness.JudgeThese(b.ledger, ours)
		lost := slices.DeleteFunc(v.Missing, func(n int64) bool { return policy == "whole" && n >= 10 && n < 19 })
		if v.Missing = lost; !v.OK() {
			t.Errorf("%s: what was invoked is not what was produced: %s", policy, v)
		}
		c.AwaitState(30*time.Second, "RUNNING")
	}
}

// TestFunctionRefusesEverything: every batch of runs as long as they may be is refused. All of a run's records go to
// the abnormal data topic with the position in one transaction: each is there once, in spite of kills.
func TestFunctionRefusesEverything(t *testing.T) {
	t.Parallel()
	const records = 50_000
	b := layFC(t, 1, harness.SluiceOptions{})
	b.produce(0, records, 1)
	c := b.deploy("fc-refuses", map[string]string{"fc.mode": "sync", "fc.function": "fails", "fc.batch.size": "10000", "errors.retry.limit": "0", "tasks.max": "1"})
	for range 2 {
		harness.Pause(harness.Between(300*time.Millisecond, time.Second))
		b.sluice.Kill9()
		b.sluice.Start()
		b.sluice.AwaitReady(30 * time.Second)
	}
	c.AwaitDelivered(b.kafka, b.topic, 90*time.Second)
	times := map[string]int{}
	for _, m := range b.kafka.ReadAll("connect-error-" + c.Name) {
		for _, h := range m.Headers {
			if string(h.Key) == "__connect.errors.offset" {
				times[string(h.Value)]++
			}
		}
	}
	doubled := 0
	for _, n := range times {
		if n > 1 {
			doubled++
		}
	}
	if len(times) != records || doubled > 0 {
		t.Errorf("%d records are in the abnormal data topic, %d of them more than once; want each of %d once", len(times), doubled, records)
	}
	c.AwaitState(30*time.Second, "RUNNING")
}

// TestWrongFCSettings: what only a person can put right fails the connector with a sentence that names it and a
// remedy, diverts nothing, and everything is delivered once it is right and resumed.
func TestWrongFCSettings(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		wrong  map[string]string
		right  map[string]string
		faults []harness.Fault
		says   []string // any of these in cause or remedy
	}{
		{name: "function", wrong: map[string]string{"fc.function": "no-such-function"}, right: map[string]string{"fc.function": "echo"}, says: []string{"no-such-function"}},
		{name: "service", wrong: map[string]string{"fc.service": "no-such-service"}, right: map[string]string{"fc.service": harness.FCService}, says: []string{"no-such-service"}},
		{name: "qualifier", wrong: map[string]string{"fc.qualifier": "no-such-alias"}, right: map[string]string{"fc.qualifier": "prod"}, says: []string{"no-such-alias"}},
		{name: "secret", wrong: map[string]string{"aliyun.access.key.secret": "wrong"}, right: map[string]string{"aliyun.access.key.secret": harness.OSSKeySecret}, says: []string{"secret", "signature"}},
		{name: "key", wrong: map[string]string{"aliyun.access.key.id": "nobody"}, right: map[string]string{"aliyun.access.key.id": harness.OSSKeyID}, says: []string{"key"}},
		{name: "permission", faults: []harness.Fault{{Operation: "InvokeFunction", Status: 403, Code: "AccessDenied"}}, says: []string{"fc:InvokeFunction"}},
		{name: "clock", faults: []harness.Fault{{SkewSeconds: 3600}}, says: []string{"clock", "time"}},
	}
	// One node and one stand-in: the connectors take turns.
	b := layFC(t, 3, harness.SluiceOptions{})
	b.produce(0, 300, 3)
	for _, tt := range tests {
		b.fc.SetFaults(tt.faults...)
		c := b.sluice.CreateConnector(instance, own("fc-wrong-"+tt.name), harness.FCConfig(b.fc, b.topic, tt.wrong))
		d := c.AwaitState(60*time.Second, "FAILED").Connector.Detail
		mustSay(t, d, tt.says...)
		t.Logf("%s: %s %s", tt.name, d.Cause, d.Remedy)
		b.fc.SetFaults()
		if tt.right != nil {
			c.Patch(tt.right)
		}
		c.Resume()
		c.AwaitState(60*time.Second, "RUNNING")
		c.AwaitDelivered(b.kafka, b.topic, 60*time.Second)
		b.mustDivertNothing(c)
		c.Delete("")
	}
	// Each connector delivered the whole topic once.
	if stats := b.fc.FCStats(); stats.Records != int64(300*len(tests)) {
		t.Errorf("%d records were accepted of %d connectors with 300 each", stats.Records, len(tests))
	}
}
