package runner

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// sourceBed is a cluster in memory, a scripted source, and what outlives a task.
type sourceBed struct {
	t       *testing.T
	cluster *simCluster
	script  *runnertest.Script
	spec    *connector.Spec
	change  func(*sourceOptions)

	mu     sync.Mutex
	logs   []string
	noted  int64
	counts [3]int64
}

const simOffsetTopic = "connect-offset-c"

func newSourceBed(t *testing.T) *sourceBed {
	t.Parallel()
	script := runnertest.NewScript()
	b := &sourceBed{t: t, script: script, spec: runnertest.ScriptSpec(script),
		cluster: newSimCluster(map[string]int{"out": 3, simOffsetTopic: 2, "errors": 1})}
	// Deploying writes the first head.
	o := b.options(newLeadership(time.Second))
	err := commitState(t.Context(), must1(b.cluster.stream(t.Context(), streamOptions{id: "deploy", step: func(string) error { return nil }})), &o, newSourceState("uuid", "c", "connect-config-c"), nil)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func must1[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}

func (b *sourceBed) options(leads *leadership) sourceOptions {
	o := sourceOptions{
		Connector: Connector{Name: "c", UUID: "uuid", Deployed: true}, Spec: b.spec, Config: connector.Config{}, Budget: NewBudget(64 << 20),
		ConfigTopic: "connect-config-c", OffsetTopic: simOffsetTopic, DeadLetterTopic: "errors", AbnormalTopic: "errors",
		Leads: leads, kafka: b.cluster,
		Log: func(level LogLevel, message string, fields map[string]string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.logs = append(b.logs, fmt.Sprintf("%s %s %v", level, message, fields))
		},
		Mirrored: func() int64 { b.mu.Lock(); defer b.mu.Unlock(); return b.noted },
		OnSaved:  func(n int64) { b.mu.Lock(); defer b.mu.Unlock(); b.noted = n },
		OnDelivered: func(records, bytes, diverted int64) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.counts[0] += records
			b.counts[1] += bytes
			b.counts[2] += diverted
		},
	}
	if b.change != nil {
		b.change(&o)
	}
	return o.withDefaults()
}

// sourceRun is a task that runs.
type sourceRun struct {
	b      *sourceBed
	task   *sourceTask
	leads  *leadership
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

// start runs a task that leads.
func (b *sourceBed) start() *sourceRun {
	leads := newLeadership(100 * time.Millisecond)
	leads.won(newSimSession(b.t.Context(), 1))
	return b.startWith(leads)
}

func (b *sourceBed) startWith(leads *leadership) *sourceRun {
	ctx, cancel := context.WithCancelCause(b.t.Context())
	r := &sourceRun{b: b, task: newSourceTask(b.options(leads)), leads: leads, cancel: cancel, done: make(chan struct{})}
	go func() { defer close(r.done); r.err = r.task.Run(ctx) }()
	b.t.Cleanup(func() { r.stop() })
	return r
}

func (r *sourceRun) stop() error {
	r.cancel(errSuspend)
	<-r.done
	return r.err
}

func (b *sourceBed) until(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !ok() {
		if time.Now().After(deadline) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.t.Fatalf("waited 20 s for %s; log:\n%s", what, strings.Join(b.logs, "\n"))
		}
		<-time.After(time.Millisecond) // polls, with a deadline
	}
}

func (r *sourceRun) state(want connector.State) {
	r.b.t.Helper()
	r.b.until(string(want), func() bool { return r.task.Status().State == want })
}

// count is how many facts are visible.
func (b *sourceBed) count() int {
	n := 0
	for p := range 3 {
		n += len(b.cluster.visible("out", p))
	}
	return n
}

// exactly checks that facts of so many records are visible once, whole and in order.
func (b *sourceBed) exactly(facts, records int) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d facts", facts), func() bool { return b.count() >= facts*records })
	seen := map[string]int{}
	for p := range 3 {
		last := map[string][2]int{}
		for _, r := range b.cluster.visible("out", p) {
			seen[string(r.Value)]++
			at := parseFact(r)
			if was, ok := last[string(r.Key)]; ok && (at[0] < was[0] || at[0] == was[0] && at[1] <= was[1]) {
				b.t.Errorf("partition %d: %v comes after %v", p, at, was)
			}
			last[string(r.Key)] = at
		}
	}
	for n := range facts {
		for i := range records {
			if v := fmt.Sprintf("%d/%d", n, i); seen[v] != 1 {
				b.t.Errorf("%s is visible %d times", v, seen[v])
			}
		}
	}
	if len(seen) != facts*records {
		b.t.Errorf("%d different records, want %d", len(seen), facts*records)
	}
}

func parseFact(r record.Record) (at [2]int) {
	_, _ = fmt.Sscanf(string(r.Value), "%d/%d", &at[0], &at[1])
	return at
}
