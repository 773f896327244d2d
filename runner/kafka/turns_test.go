package kafka

import (
	"math/rand/v2"
	"testing"
)

// fetching is what the fake client of the tests would fetch.
type fetching map[TP]bool

func testTurns(n int, limit int64, share int32) (*turns, []*turn, fetching) {
	on := fetching{}
	t := newTurns(n, limit, share, func(tp TP) { delete(on, tp) }, func(tp TP) { on[tp] = true })
	if t == nil {
		return nil, nil, on
	}
	ps := make([]*turn, n)
	for i := range ps {
		tp := TP{"t", int32(i)}
		on[tp] = true // sarama fetches from the beginning
		ps[i] = t.join(tp)
	}
	return t, ps, on
}

func TestTurnsFewPartitionsNeedNone(t *testing.T) {
	t.Parallel()
	if turns, _, _ := testTurns(fewPartitions, 1, 1<<20); turns != nil {
		t.Error("few partitions take turns")
	}
}

// However records come, what is fetched and not consumed stays near the limit, and
// every partition that wants has its turn.
func TestTurnsBoundWhatIsFetched(t *testing.T) {
	t.Parallel()
	const (
		n      = 80
		limit  = 8 << 20
		brings = 3 << 20 // one fetch, decompressed
	)
	turns, ps, on := testTurns(n, limit, 50<<10)
	if len(on) != 0 {
		t.Fatalf("%d partitions fetch before their turn", len(on))
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	had := make([]int, n)
	for _, p := range ps {
		p.want()
	}
	before := turns.places()
	for round := range 2000 {
		// Turns that were given when fetches seemed small are not taken back.
		if len(on) > max(before, turns.places()) {
			t.Fatalf("round %d: %d fetch, %d did, %d may", round, len(on), before, turns.places())
		}
		before = len(on)
		var able []*turn
		for _, p := range ps {
			if p.has {
				able = append(able, p)
			}
		}
		if len(able) == 0 {
			t.Fatalf("round %d: nobody has a turn, %d wait", round, len(turns.waiting))
		}
		p := able[rnd.IntN(len(able))]
		if rnd.IntN(4) == 0 {
			p.idle(false)
			continue
		}
		for range 3 {
			p.received(brings / 3)
		}
		if on[p.tp] {
			t.Fatalf("round %d: fetches on while it has what it fetched", round)
		}
		had[p.tp.Partition]++
		p.want()
	}
	if got := turns.places(); got != leastTurns {
		t.Errorf("%d places for fetches that bring %d of %d", got, brings, limit)
	}
	for i, times := range had {
		if times == 0 {
			t.Errorf("partition %d never had a turn", i)
		}
	}
}

// Small fetches restrict nobody: all fetch all the time.
func TestTurnsDoNotRestrictSmallFetches(t *testing.T) {
	t.Parallel()
	turns, ps, on := testTurns(20, 8<<20, 200<<10)
	for range 30 {
		for _, p := range ps {
			p.want()
			if p.has {
				p.received(1000)
			}
		}
	}
	for _, p := range ps {
		p.want()
	}
	if len(on) != len(ps) || turns.places() != len(ps) {
		t.Errorf("%d of %d fetch, %d may", len(on), len(ps), turns.places())
	}
}

// A partition that is stopped, or whose claim has ended, leaves its turn to others and
// does not fetch, until it is taken up again.
func TestTurnsParked(t *testing.T) {
	t.Parallel()
	turns, ps, on := testTurns(20, 1, 200<<10)
	for _, p := range ps {
		p.want()
	}
	for _, p := range ps[:18] {
		p.park()
		p.want()
		if on[p.tp] {
			t.Fatalf("%v fetches although it is parked", p.tp)
		}
	}
	if turns.active != 2 || len(on) != 2 || len(turns.waiting) != 0 {
		t.Errorf("%d active, %d fetch, %d wait; two are left", turns.active, len(on), len(turns.waiting))
	}
	ps[19].park()
	ps[0].unpark()
	if !ps[0].has || !on[ps[0].tp] {
		t.Error("taken up again it does not fetch")
	}
}
