package runner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

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
