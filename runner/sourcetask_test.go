package runner

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
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
		time.Sleep(time.Millisecond) // polls, with a deadline
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

// A source task is killed at each step, at its first and its third time: nothing is lost,
// doubled or seen in part.
func TestRule16KilledAtEveryStep(t *testing.T) {
	for _, step := range SourceFaultSteps() {
		for _, nth := range []int{1, 3} {
			t.Run(fmt.Sprintf("%s %d", step, nth), func(t *testing.T) {
				b := newSourceBed(t)
				b.script.Numbers("out", 0, 30, 3, 4)
				kill := runnertest.KillAt(step, nth)
				b.change = func(o *sourceOptions) { o.Faults = kill.Fault }
				r := b.start()
				go func() {
					for n := 30; n < 60; n += 3 { // transactions one after the other
						b.script.Numbers("out", n, n+3, 3, 4)
						time.Sleep(time.Millisecond) // lets some of them end
					}
				}()
				if step == stepSourceOpen || step == stepSourceState || step == stepSourceRun {
					if nth > 1 {
						t.Skip("reached once")
					}
				}
				<-r.done
				if !errors.Is(r.err, runnertest.ErrKilled) {
					t.Fatalf("the task ended with %v", r.err)
				}
				b.change = nil
				b.start()
				b.exactly(60, 3)
			})
		}
	}
}

func simulatedSeeds() int {
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_SEEDS")); err == nil {
		return n
	}
	return 30
}

// Tasks are killed, suspended, fenced and moved, answers are lost, the source fails at any
// fact: what is visible is always a whole beginning of the script, each fact once.
func TestSourceSimulation(t *testing.T) {
	for seed := range simulatedSeeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			b := newSourceBed(t)
			simulateSource(b, rand.New(rand.NewPCG(uint64(seed), 3)))
		})
	}
}

func simulateSource(b *sourceBed, rng *rand.Rand) {
	const facts, records = 400, 3
	var mu sync.Mutex
	chance := func(p float64) bool { mu.Lock(); defer mu.Unlock(); return rng.Float64() < p }
	dice := func(n int) uint64 { mu.Lock(); defer mu.Unlock(); return uint64(rng.IntN(n)) }
	b.cluster.onCommit = func() (bool, error) {
		switch {
		case chance(0.02):
			return true, kafka.ErrUnanswered
		case chance(0.02):
			return false, kafka.ErrUnanswered
		case chance(0.01):
			return false, errors.New("the broker is away")
		}
		return true, nil
	}
	b.script.Before(func(int) error {
		if chance(0.004) {
			return runnertest.ErrScript
		}
		return nil
	})
	b.script.Numbers("out", 0, facts, records, 5)
	for round := 0; b.count() < facts*records; round++ {
		kill := runnertest.KillRandomly(rand.New(rand.NewPCG(uint64(round), dice(1<<30))), 0.01)
		b.change = func(o *sourceOptions) { o.Faults, o.uncommitted = kill.Fault, 200 }
		r := b.start()
		timer := time.NewTimer(time.Duration(1+dice(20)) * time.Millisecond)
		select {
		case <-r.done:
			if !errors.Is(r.err, runnertest.ErrKilled) {
				b.t.Fatalf("the task ended with %v", r.err)
			}
		case <-timer.C:
			switch dice(3) {
			case 0:
				r.stop()
			case 1: // another process begins before this one ends
				b.start()
				r.stop()
			case 2:
				r.leads.denied()
				r.stop()
			}
		}
		b.whole(records)
		if b.t.Failed() {
			return
		}
		if round > 3000 {
			b.t.Fatalf("%d records after %d rounds", b.count(), round)
		}
	}
	b.exactly(facts, records)
}

// whole checks that no fact is visible in part, and none twice. The topic's partitions
// are looked at one after the other, so nothing may run.
func (b *sourceBed) whole(records int) {
	seen := map[int]int{}
	for p := range 3 {
		for _, r := range b.cluster.visible("out", p) {
			seen[parseFact(r)[0]]++
		}
	}
	for n, times := range seen {
		if times > records {
			b.t.Errorf("fact %d has %d records", n, times)
		}
	}
}

// Two tasks on copies of one data directory: the one whose seat was taken stays stopped,
// saying why, and the other goes on.
func TestRule14AnotherProcess(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 10, 1, 3)
	a := b.start()
	b.exactly(10, 1)
	b.cluster.heartbeat = func(m kafka.Member) error {
		if m.ID == "m1" {
			return fmt.Errorf("%w: the seat is taken", kafka.ErrFenced)
		}
		return nil
	}
	leads := newLeadership(100 * time.Millisecond)
	leads.won(newSimSession(t.Context(), 2))
	other := b.startWith(leads)
	b.until("the other's start", func() bool { return len(b.script.Starts()) == 2 })
	b.script.Numbers("out", 10, 20, 1, 3)
	<-a.done
	if st := a.task.Status(); st.State != connector.StateFailed || !strings.Contains(st.Cause, "nother process runs this connector") || st.Remedy == "" {
		t.Errorf("%+v", st.Status)
	}
	if a.task.Retry() {
		t.Error("a task that has failed can be retried")
	}
	if a.leads.fenced() == nil {
		t.Error("the leader may join again")
	}
	b.exactly(20, 1)
	b.script.Numbers("out", 20, 30, 1, 3)
	b.exactly(30, 1)
	other.stop()
}

// A producer that is fenced although nobody else is there goes on with a new one; at the
// third time within ten minutes it gives up.
func TestRule14FencedByItself(t *testing.T) {
	b := newSourceBed(t)
	var asked []kafka.Member
	b.cluster.heartbeat = func(m kafka.Member) error { asked = append(asked, m); return nil }
	r := b.start()
	for n := range 3 {
		b.script.Numbers("out", n*10, n*10+5, 1, 3)
		b.exactlyOf(n*10 + 5 - 5*min(n, 0))
		b.cluster.fence(transactionalID(simOffsetTopic, "c"))
		b.script.Numbers("out", n*10+5, n*10+10, 1, 3)
		if n < 2 {
			b.exactly(n*10+10, 1)
		}
	}
	<-r.done
	if st := r.task.Status(); st.State != connector.StateFailed || !strings.Contains(st.Cause, "nother process") {
		t.Errorf("%+v", st.Status)
	}
	if len(asked) != 2 || asked[0].ID != "m1" || asked[0].Generation != 1 || asked[0].InstanceID != "node-c" || asked[0].Group != "connect-cluster-c" {
		t.Errorf("heartbeats of %+v", asked)
	}
	b.exactly(25, 1)
}

func (b *sourceBed) exactlyOf(facts int) { b.exactly(facts, 1) }

// A member that the group no longer knows joins anew, and the reader with it.
func TestRule14JoinsAnew(t *testing.T) {
	b := newSourceBed(t)
	b.cluster.heartbeat = func(m kafka.Member) error {
		if m.ID == "m1" {
			return kafka.ErrRebalance
		}
		return nil
	}
	r := b.start()
	b.script.Numbers("out", 0, 10, 1, 3)
	b.exactly(10, 1)
	b.cluster.fence(transactionalID(simOffsetTopic, "c"))
	b.script.Numbers("out", 10, 20, 1, 3)
	b.until("the resignation", func() bool { return !r.leads.leading() })
	if b.count() != 10 {
		t.Errorf("%d records", b.count())
	}
	r.leads.won(newSimSession(t.Context(), 2))
	b.exactly(20, 1)
}

// The reader runs only where the connector is led; a session that is followed by another
// of the same node within the grace interrupts nothing.
func TestRule14ReadsOnlyWhileItLeads(t *testing.T) {
	b := newSourceBed(t)
	leads := newLeadership(time.Hour)
	r := b.startWith(leads)
	b.script.Numbers("out", 0, 10, 1, 3)
	if st := r.task.Status(); st.State != connector.StateRunning || st.Cause == "" {
		t.Errorf("%+v", st.Status)
	}
	one := newSimSession(t.Context(), 1)
	leads.won(one)
	b.exactly(10, 1)
	leads.left(one)
	leads.won(newSimSession(t.Context(), 2))
	b.script.Numbers("out", 10, 20, 1, 3)
	b.exactly(20, 1)
	if n := len(b.script.Starts()); n != 1 {
		t.Errorf("%d runs", n)
	}
	leads.denied()
	b.until("the end of the reader", func() bool { r.task.mu.Lock(); defer r.task.mu.Unlock(); return r.task.running == nil })
	b.script.Numbers("out", 20, 30, 1, 3)
	leads.won(newSimSession(t.Context(), 3))
	b.exactly(30, 1)
	if n := len(b.script.Starts()); n != 2 {
		t.Errorf("%d runs", n)
	}
}

// Nobody resends: after an answer that was lost the position decides.
func TestRule16LostAnswers(t *testing.T) {
	for _, took := range []bool{true, false} {
		t.Run(fmt.Sprint(took), func(t *testing.T) {
			b := newSourceBed(t)
			once := sync.OnceValue(func() bool { return true })
			done := false
			b.cluster.onCommit = func() (bool, error) {
				if once() && !done {
					done = true
					return took, kafka.ErrUnanswered
				}
				return true, nil
			}
			b.script.Numbers("out", 0, 10, 2, 3)
			b.start()
			b.exactly(10, 2)
			b.until("two runs", func() bool { return len(b.script.Starts()) == 2 })
		})
	}
}

// While a transaction waits the source may go on up to a bound, and what it then wrote
// becomes visible as one.
func TestRule16BackPressure(t *testing.T) {
	b := newSourceBed(t)
	slow := make(chan struct{})
	b.cluster.slow = slow
	b.change = func(o *sourceOptions) { o.uncommitted = 10_000 }
	r := b.start()
	var facts []runnertest.Fact
	for n := range 1000 {
		facts = append(facts, runnertest.Fact{Records: []connector.Outgoing{{Topic: "out", Partition: -1, Key: []byte("k"), Value: fmt.Appendf(nil, "%d/0 %090d", n, 0)}}})
	}
	var most int64
	var written int
	b.script.Before(func(n int) error {
		written = n
		most = max(most, r.task.o.Budget.Used())
		return nil
	})
	b.script.Add(facts...)
	var used int64
	b.until("the source to wait", func() bool {
		before := used
		time.Sleep(20 * time.Millisecond)
		used = r.task.o.Budget.Used()
		return used >= 10_000 && used == before
	})
	if used > 22_000 {
		t.Errorf("%d bytes are held, the bound is 10,000 for each of two batches", used)
	}
	close(slow)
	b.until("all of it", func() bool { return b.count() == 1000 })
	r.stop()
	if most > 22_000 || written != 999 {
		t.Errorf("at most %d bytes were held; %d written", most, written)
	}
	if n := r.task.o.Budget.Used(); n != 0 {
		t.Errorf("%d bytes are still counted", n)
	}
	if b.cluster.commits < 2 || b.cluster.commits > 100 {
		t.Errorf("%d transactions for 1000 facts", b.cluster.commits)
	}
}

// One fact is never split, however large.
func TestRule16LargeFact(t *testing.T) {
	b := newSourceBed(t)
	b.change = func(o *sourceOptions) { o.uncommitted = 100 }
	b.script.Numbers("out", 0, 1, 5000, 3)
	b.start()
	b.until("a part of it", func() bool { return b.count() > 0 })
	if n := b.count(); n != 5000 {
		t.Errorf("%d of 5000 records are visible", n)
	}
}

func TestSourceDivertsAndTags(t *testing.T) {
	b := newSourceBed(t)
	b.script.Add(runnertest.Fact{
		Records: []connector.Outgoing{
			{Topic: "out", Partition: 1, Key: []byte("a"), Value: []byte("0/0"), Headers: []record.Header{{Key: "x", Value: []byte("y")}}},
			{Topic: "out", Partition: -1, Key: []byte("b"), Value: []byte("bad")},
		},
		Divert: &connector.RecordError{Stage: connector.StageValueConverter, Code: "oversize", DeadLetter: true, Err: errors.New("too long")},
		Tags:   []record.Header{{Key: "sluice.tx.part", Value: []byte("1")}},
	})
	r := b.start()
	b.until("the fact", func() bool { return b.count() == 1 })
	got := b.cluster.visible("out", 1)
	if len(got) != 1 || len(got[0].Headers) != 2 || got[0].Headers[1].Key != "sluice.tx.part" {
		t.Errorf("%+v", got)
	}
	aside := b.cluster.visible("errors", 0)
	if len(aside) != 1 {
		t.Fatalf("%d diverted", len(aside))
	}
	heads := map[string]string{}
	for _, h := range aside[0].Headers {
		heads[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{headTopic: "out", headConnector: "c", headClass: runnertest.ScriptClass, headStage: "VALUE_CONVERTER", headException: "RecordError/oversize", headMessage: "too long"} {
		if heads[key] != want {
			t.Errorf("header %s is %q, want %q", key, heads[key], want)
		}
	}
	b.until("the counts", func() bool { st := r.task.Status().Partitions[0]; return st.Delivered == 1 && st.Diverted == 1 })
}

// What a topic does not take is told before anything is written.
func TestSourceRefusals(t *testing.T) {
	big := strings.Repeat("x", 2<<20)
	for name, c := range map[string]struct {
		record connector.Outgoing
		want   string
	}{
		"oversize":     {connector.Outgoing{Topic: "out", Partition: -1, Value: []byte(big)}, "max.message.bytes"},
		"no topic":     {connector.Outgoing{Topic: "missing", Partition: -1}, "missing does not exist"},
		"no partition": {connector.Outgoing{Topic: "out", Partition: 7}, "no partition 7"},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSourceBed(t)
			b.script.Add(runnertest.Fact{Records: []connector.Outgoing{c.record}})
			r := b.start()
			b.until("the cause", func() bool { return strings.Contains(r.task.Status().Cause, c.want) })
			if n := b.count(); n != 0 {
				t.Errorf("%d records are visible", n)
			}
		})
	}
}

// A gap waits for a person; the choice comes with every start until something is saved.
func TestSourceGap(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	r := b.start()
	b.exactly(5, 1)
	r.stop()
	b.script.Gap(&connector.GapError{Lost: "the log was purged", Choices: []connector.Choice{{Choice: "now", Title: "Go on from now"}}})
	r = b.start()
	r.state(connector.StateGap)
	st := r.task.Status().Partitions[0]
	if st.Lost != "the log was purged" || len(st.Choices) != 2 || st.Choices[1].Choice != "stay" || st.Partition != readerPartition {
		t.Errorf("%+v", st)
	}
	if err := r.task.Choose(t.Context(), kafka.TP{}, "snapshot", -1); err == nil {
		t.Error("what is not offered was taken")
	}
	if err := r.task.Choose(t.Context(), kafka.TP{}, "stay", -1); err != nil || r.task.Status().State != connector.StateGap {
		t.Errorf("stay: %v, %v", err, r.task.Status().State)
	}
	failed := false
	b.script.Before(func(int) error {
		if !failed {
			failed = true
			return runnertest.ErrScript
		}
		return nil
	})
	if err := r.task.Choose(t.Context(), kafka.TP{}, "now", -1); err != nil {
		t.Fatal(err)
	}
	b.until("two starts with the choice", func() bool { return len(b.script.Starts()) == 4 })
	b.until("the choice to be forgotten", func() bool { return r.task.choiceMade() == "" })
	b.script.Numbers("out", 5, 6, 1, 3)
	b.exactly(6, 1)
	starts := b.script.Starts()
	if len(starts) != 4 || starts[2].Choice != "now" || starts[3].Choice != "now" {
		t.Errorf("%+v", starts)
	}
}

// A position that is lost, in whole or in part, or that went back, is a gap.
func TestRule15LostPosition(t *testing.T) {
	for name, lose := range map[string]func(*sourceBed){
		"all": func(b *sourceBed) {
			w, _ := b.cluster.marks(kafka.TP{Topic: simOffsetTopic})
			b.cluster.truncate(simOffsetTopic, 0, w.End)
		},
		"a key": func(b *sourceBed) {
			t := b.cluster.topics[simOffsetTopic]
			t.logs[0] = slices.DeleteFunc(t.logs[0], func(r simRecord) bool { return strings.HasSuffix(string(r.Key), "/position") })
		},
		"the last transactions": func(b *sourceBed) {
			t := b.cluster.topics[simOffsetTopic]
			t.logs[0] = t.logs[0][:len(t.logs[0])-4]
		},
	} {
		t.Run(name, func(t *testing.T) {
			b := newSourceBed(t)
			r := b.start()
			for n := range 5 {
				b.script.Numbers("out", n, n+1, 1, 3)
				b.exactly(n+1, 1)
			}
			r.stop()
			b.noted = r.task.sequence.Load()
			lose(b)
			r = b.start()
			r.state(connector.StateGap)
			var offered []string
			for _, c := range r.task.Status().Partitions[0].Choices {
				offered = append(offered, c.Choice)
			}
			if !slices.Equal(offered, []string{"snapshot", "now", "stay"}) {
				t.Errorf("offered %v", offered)
			}
			if err := r.task.Choose(t.Context(), kafka.TP{}, "now", -1); err != nil {
				t.Fatal(err)
			}
			b.until("the next start", func() bool { return len(b.script.Starts()) == 2 })
			if s := b.script.Starts()[1]; len(s.Saved) != 0 || s.Choice != "now" {
				t.Errorf("%+v", s)
			}
			b.script.Numbers("out", 5, 8, 1, 3)
			b.exactly(8, 1)
			r.stop()
			b.script.Numbers("out", 8, 9, 1, 3)
			b.start()
			b.exactly(9, 1)
		})
	}
}

// The position is found near the end however long the log is, keys that never change too,
// and the highest sequence counts.
func TestRule15SearchIsBounded(t *testing.T) {
	b := newSourceBed(t)
	r := b.start()
	keys := []connector.Entry{}
	for i := range 40 {
		keys = append(keys, connector.Entry{Key: fmt.Sprintf("table/%d", i), Value: []byte(`{"done":true}`)})
	}
	b.script.Add(runnertest.Fact{Keys: keys})
	const facts = 5000
	next := 0
	b.script.Before(func(int) error { // one transaction a fact
		next++
		return nil
	})
	o := b.options(r.leads)
	b.until("the first keys", func() bool { return r.task.sequence.Load() > 0 })
	r.stop()
	stream := must1(b.cluster.stream(t.Context(), streamOptions{id: transactionalID(simOffsetTopic, "c"), step: func(string) error { return nil }}))
	c := &sourceClients{stream: stream, offsets: simOffsets{b.cluster}, reader: &countingReader{simReader: simReader{b.cluster}}}
	state := must1(c.load(t.Context(), &o, func(string, string) {}))
	for i := range facts {
		if err := commitState(t.Context(), stream, &o, state, []connector.Entry{{Key: "position", Value: strconv.AppendInt(nil, int64(i), 10)}}); err != nil {
			t.Fatal(err)
		}
	}
	reader := &countingReader{simReader: simReader{b.cluster}}
	c.reader = reader
	found := must1(c.load(t.Context(), &o, func(string, string) {}))
	if len(found.saved()) != 41 || string(found.saved()["position"]) != strconv.Itoa(facts-1) || found.seq != state.seq {
		t.Errorf("%d keys, position %s, sequence %d", len(found.saved()), found.saved()["position"], found.seq)
	}
	w, _ := b.cluster.marks(kafka.TP{Topic: simOffsetTopic})
	if reader.read > 3*rewriteAfter*2 || w.End < 2*facts {
		t.Errorf("%d of %d offsets were read", reader.read, w.End)
	}
}

type countingReader struct {
	simReader
	read int64
}

func (r *countingReader) Fetch(ctx context.Context, tp kafka.TP, offset int64, maxBytes int32, wait time.Duration) (kafka.Page, error) {
	p, err := r.simReader.Fetch(ctx, tp, offset, maxBytes, wait)
	r.read += p.Next - offset
	return p, err
}

// An open transaction of somebody else hides the position: it is named, with the remedy,
// and waited for.
func TestRule15HangingTransaction(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	before := b.start()
	b.exactly(5, 1)
	before.stop()
	hanging := &simTxn{}
	b.cluster.mu.Lock()
	b.cluster.add(kafka.TP{Topic: simOffsetTopic}, record.Record{Key: []byte("x")}, hanging)
	b.cluster.mu.Unlock()
	at := time.Now()
	r := b.start()
	b.until("the cause", func() bool {
		st := r.task.Status()
		return st.State == connector.StateRecovering && strings.Contains(st.Remedy, "kafka-transactions.sh") && strings.Contains(st.Cause, simOffsetTopic)
	})
	if d := time.Since(at); d < markerPatience {
		t.Errorf("named after %v", d)
	}
	b.cluster.mu.Lock()
	hanging.decided = true
	b.cluster.mu.Unlock()
	b.script.Numbers("out", 5, 10, 1, 3)
	b.exactly(10, 1)
	r.state(connector.StateRunning)
}

// An offset topic that another connector uses is refused; one that the same configuration
// topic's owner left is taken over.
func TestRule15AnothersOffsetTopic(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 5, 1, 3)
	first := b.start()
	b.exactly(5, 1)
	b.change = func(o *sourceOptions) {
		o.Connector.UUID, o.Connector.Name, o.ConfigTopic = "other", "d", "connect-config-d"
	}
	r := b.start()
	<-r.done
	if st := r.task.Status(); st.State != connector.StateFailed || st.Field != connector.KeyOffsetTopic || !strings.Contains(st.Cause, "another connector, c") {
		t.Errorf("%+v", st.Status)
	}
	first.stop()
	b.change = func(o *sourceOptions) { o.Connector.UUID = "heir" }
	b.script.Numbers("out", 5, 10, 1, 3)
	heir := b.start()
	b.exactly(10, 1)
	heir.stop()
	b.start()
	b.script.Numbers("out", 10, 15, 1, 3)
	b.exactly(15, 1)
	last := map[string]string{}
	for _, r := range b.cluster.visible(simOffsetTopic, 0) {
		last[string(r.Key)] = string(r.Value)
	}
	if last["uuid/position"] != "" || last["uuid/.head"] != "" || !strings.Contains(last["heir/position"], `"value":15`) {
		t.Errorf("the log holds %v", last)
	}
}

// A topic that got more partitions keeps the order of its keys.
func TestRule19MorePartitions(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 20, 1, 20)
	r := b.start()
	b.exactly(20, 1)
	r.stop()
	b.cluster.mu.Lock()
	top := b.cluster.topics["out"]
	top.logs, top.start = append(top.logs, nil, nil), append(top.start, 0, 0)
	b.cluster.mu.Unlock()
	b.script.Numbers("out", 20, 40, 1, 20)
	b.start()
	b.exactly(40, 1)
	b.mu.Lock()
	defer b.mu.Unlock()
	if !slices.ContainsFunc(b.logs, func(l string) bool { return strings.Contains(l, "WARN") && strings.Contains(l, "5 partitions now") }) {
		t.Error("nobody was warned")
	}
}

// A node that cannot join the group says so.
func TestSourceCannotJoin(t *testing.T) {
	b := newSourceBed(t)
	leads := newLeadership(time.Second)
	r := b.startWith(leads)
	leads.troubled(errors.New("the coordinator is away"))
	r.state(connector.StateRecovering)
	leads.won(newSimSession(t.Context(), 1))
	b.script.Numbers("out", 0, 5, 1, 3)
	b.exactly(5, 1)
	r.state(connector.StateRunning)
}

// What was read before the source's system went away does not hide that it is away.
func TestSourceIsAway(t *testing.T) {
	b := newSourceBed(t)
	slow := make(chan struct{})
	b.cluster.slow = slow
	r := b.start()
	b.script.Numbers("out", 0, 1, 1, 3)
	b.until("the run", func() bool { return len(b.script.Starts()) == 1 })
	b.until("the fact", func() bool { return r.task.o.Budget.Used() > 0 })
	r.task.away(&connector.AwayError{System: "the script", Err: errors.New("it is gone")}, 1)
	close(slow)
	b.exactly(1, 1)
	b.until("the count", func() bool { return r.task.Status().Partitions[0].Delivered == 1 })
	if st := r.task.Status(); st.State != connector.StateRecovering || !strings.Contains(st.Cause, "he script is away") {
		t.Errorf("%+v", st.Status)
	}
	b.script.Numbers("out", 1, 2, 1, 3)
	r.state(connector.StateRunning)
}
