package runner_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// simulationSeeds is how many runs a plain test makes; SLUICE_TEST_SEEDS asks for more.
func simulationSeeds() int {
	if n, err := strconv.Atoi(os.Getenv("SLUICE_TEST_SEEDS")); err == nil {
		return n
	}
	return 6
}

// Tasks are killed at random steps, members join and leave, the destination goes away,
// loses answers, refuses records, and shape settings change: every record is visible
// or diverted exactly once, in order.
func TestTaskSimulation(t *testing.T) {
	t.Parallel()
	for seed := range simulationSeeds() {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			t.Parallel()
			simulate(t, rand.New(rand.NewPCG(uint64(seed), 7)))
		})
	}
}

func simulate(t *testing.T, rng *rand.Rand) {
	const partitions = 3
	b := newTaskBed(t, partitions)
	b.useMirror = false // two members mirror in this test; its map is one node's
	weather(b, rng)
	diverted := 0
	next := 0
	write := func() {
		for p := range int32(partitions) {
			var values []string
			for range rng.IntN(40) {
				v := fmt.Sprintf("%d-%06d", p, next)
				switch rng.IntN(40) {
				case 0:
					v, diverted = runnertest.Poison+v, diverted+1
				case 1:
					v, diverted = runnertest.Refused+v, diverted+1
				}
				values = append(values, v)
				next++
			}
			if len(values) > 0 {
				b.put(p, values...)
			}
		}
	}
	for range 12 {
		b.given[connector.KeyFlushSize] = fmt.Sprint(1 + rng.IntN(20))
		b.given[runnertest.KeyPrefix] = fmt.Sprintf("v%d/", rng.IntN(2))
		write()
		k := runnertest.KillRandomly(rand.New(rand.NewPCG(rng.Uint64(), 1)), 0.03)
		r := b.start(withKiller(k))
		var other *running
		if rng.IntN(3) == 0 {
			k2 := runnertest.KillRandomly(rand.New(rand.NewPCG(rng.Uint64(), 1)), 0.03)
			other = b.start(withKiller(k2), func(o *runner.TaskOptions) { o.Task = 1 })
		}
		write()
		select {
		case err := <-r.done:
			if !isKilled(err) {
				b.dump()
				t.Fatalf("Run returned %v", err)
			}
		case <-time.After(time.Duration(rng.IntN(600)) * time.Millisecond):
			r.stop(runner.ErrRestart)
		}
		if other != nil {
			other.stop(runner.ErrSuspend)
		}
	}
	b.dest.Before(nil)
	b.dest.After(nil)
	last := b.start()
	b.until("everything delivered", func() bool {
		if b.dest.Count() < len(b.wrote) {
			return false
		}
		for p := range int32(partitions) {
			if st := last.partition(p); st.Lag > 0 || st.Position < 0 {
				return false
			}
		}
		return true
	})
	b.verify()
	// A killed task's open transaction hides what follows it until its timeout.
	b.until("diverted records to be readable", func() bool { return len(b.diverted()) >= diverted })
	seen := map[string]bool{}
	for _, rec := range b.diverted() {
		if seen[string(rec.Value)] {
			t.Errorf("%s was diverted twice", rec.Value)
		}
		seen[string(rec.Value)] = true
	}
	if len(seen) != diverted {
		t.Errorf("%d diverted, want %d", len(seen), diverted)
	}
	for _, l := range b.logLines() {
		if strings.Contains(l, "is stopped") {
			t.Errorf("a partition stopped: %s", l)
		}
	}
}

// weather makes the destination fail now and then, before and after storing.
func weather(b *taskBed, rng *rand.Rand) {
	own := rand.New(rand.NewPCG(rng.Uint64(), 3)) // the hooks run under the destination's lock
	fail := func(rate float64, what string) func(string) error {
		return func(string) error {
			if own.Float64() < rate {
				return &connector.AwayError{System: "the destination", Err: errors.New(what)}
			}
			return nil
		}
	}
	b.dest.Before(fail(0.05, "refused the connection"))
	b.dest.After(fail(0.1, "lost the answer"))
}
