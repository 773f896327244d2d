package kafka

import (
	"sync"
	"time"
)

const (
	// fewPartitions: so many partitions of one client need no turns.
	fewPartitions = 8
	// leastTurns is how many partitions fetch at least at the same time.
	leastTurns = 2
	// turnTime is how long a partition that is read to its end keeps its turn while
	// others wait, longTurns how many times that one keeps it of which it is not known:
	// a fetch may take that long.
	turnTime  = 100 * time.Millisecond
	longTurns = 30
)

// turns bounds what the partitions of a session hold fetched and not yet consumed. A
// fetch is bounded by the bytes on the wire; what a compressed batch becomes is not,
// and sarama decodes an answer whole. So where there are many partitions, only as many
// fetch at once as will hold limit bytes by what fetches brought lately; the others
// are paused. One that has consumed what its fetch brought goes behind those that wait.
type turns struct {
	limit  int64
	least  int64 // burst is never taken to be smaller
	n      int
	pause  func(TP)
	resume func(TP)

	mu      sync.Mutex
	burst   int64 // bytes that one fetch of a partition brings
	active  int
	waiting []*turn
}

// turn is one partition's part. Its claim's goroutine owns got.
type turn struct {
	t       *turns
	tp      TP
	granted chan struct{} // signalled when the turn begins
	got     int64         // bytes received in this turn

	// Under t.mu.
	has, queued, paused, parked bool
	idled                       int // times of turnTime without a record in this turn
}

// newTurns is nil where n partitions are few.
func newTurns(n int, limit int64, share int32, pause, resume func(TP)) *turns {
	if n <= fewPartitions {
		return nil
	}
	// Nothing is known at first, so as few as may be begin.
	return &turns{limit: limit, least: int64(share), n: n, pause: pause, resume: resume, burst: limit / leastTurns}
}

// join registers a partition, which does not fetch before its turn.
func (t *turns) join(tp TP) *turn {
	p := &turn{t: t, tp: tp, granted: make(chan struct{}, 1)}
	t.mu.Lock()
	defer t.mu.Unlock()
	p.halt()
	return p
}

func (p *turn) halt() {
	if !p.paused {
		p.paused = true
		p.t.pause(p.tp)
	}
}

func (p *turn) goOn() {
	if p.paused && !p.parked {
		p.paused = false
		p.t.resume(p.tp)
	}
}

// note takes in what a turn has brought: more counts at once, less by and by.
func (t *turns) note(got int64) { t.burst = max(got, (9*t.burst+got)/10, t.least) }

// places is how many may fetch at once.
func (t *turns) places() int { return int(min(max(t.limit/max(t.burst, 1), leastTurns), int64(t.n))) }

// received counts a record. With the first of a turn the fetching ends until all that
// came with it is consumed.
func (p *turn) received(n int64) {
	if p.got == 0 {
		p.t.mu.Lock()
		if p.t.places() < p.t.n {
			p.halt()
		}
		p.t.mu.Unlock()
	}
	p.got += n
}

// want is called when nothing is there for the partition: a turn that has brought
// something is over, and the next is asked for.
func (p *turn) want() {
	t := p.t
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.parked || p.queued {
		return
	}
	if p.has {
		if p.got == 0 {
			return
		}
		t.note(p.got)
		p.got = 0
		p.has = false
		t.active--
	}
	p.queued = true
	t.waiting = append(t.waiting, p)
	t.grant()
}

// idle is called after each turnTime without a record. It ends a turn that has brought
// nothing for its time, where others wait.
func (p *turn) idle(caughtUp bool) {
	t := p.t
	t.mu.Lock()
	defer t.mu.Unlock()
	p.idled++
	if !p.has || p.parked || !caughtUp && p.idled < longTurns {
		return
	}
	if caughtUp {
		t.note(0)
	}
	if len(t.waiting) == 0 {
		return
	}
	p.has, p.queued = false, true
	t.active--
	p.halt()
	t.waiting = append(t.waiting, p)
	t.grant()
}

// grant gives turns to those that wait longest. t.mu is held.
func (t *turns) grant() {
	for t.active < t.places() && len(t.waiting) > 0 {
		p := t.waiting[0]
		t.waiting = t.waiting[1:]
		p.queued, p.has, p.idled = false, true, 0
		t.active++
		p.goOn()
		select {
		case p.granted <- struct{}{}:
		default:
		}
	}
}

// park takes the partition out for good or until unpark: it is stopped, or its claim
// has ended.
func (p *turn) park() {
	t := p.t
	t.mu.Lock()
	defer t.mu.Unlock()
	p.parked = true
	p.halt()
	if p.queued {
		p.queued = false
		for i, w := range t.waiting {
			if w == p {
				t.waiting = append(t.waiting[:i:i], t.waiting[i+1:]...)
				break
			}
		}
	}
	if p.has {
		p.has = false
		t.active--
	}
	t.grant()
}

// unpark queues the partition again.
func (p *turn) unpark() {
	p.t.mu.Lock()
	defer p.t.mu.Unlock()
	if p.parked {
		p.parked, p.queued = false, true
		p.t.waiting = append(p.t.waiting, p)
		p.t.grant()
	}
}
