package runner

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// Budget bounds the bytes of records that this node buffers: chunks that are open,
// waiting or being published, and the consumers' fetch buffers. Over it the largest
// open chunks of the node close first, whosever they are; who holds little goes on.
type Budget struct {
	limit int64
	used  atomic.Int64 // everything
	open  atomic.Int64 // of it: open chunks
	fixed atomic.Int64 // of it: reserved

	mu     sync.Mutex
	shares map[*budgetShare]struct{}
	freed  chan struct{} // closed and made anew when bytes are released
	away   int           // waiters on freed
}

// NewBudget makes a budget of limit bytes.
func NewBudget(limit int64) *Budget {
	return &Budget{limit: limit, shares: map[*budgetShare]struct{}{}, freed: make(chan struct{})}
}

// Used is how many bytes are held now.
func (b *Budget) Used() int64 { return b.used.Load() }

// Limit is how many bytes may be held.
func (b *Budget) Limit() int64 { return b.limit }

// reserve counts n bytes that stay held until release is called, once.
func (b *Budget) reserve(n int64) (release func()) {
	b.used.Add(n)
	b.fixed.Add(n)
	return sync.OnceFunc(func() {
		b.fixed.Add(-n)
		b.release(n)
	})
}

// hold counts n more bytes (fewer when negative) that no chunk can give back: a
// source's transaction that is being filled or committed.
func (b *Budget) hold(n int64) {
	b.fixed.Add(n)
	if n < 0 {
		b.release(-n)
		return
	}
	b.used.Add(n)
}

func (b *Budget) release(n int64) {
	if n == 0 {
		return
	}
	b.used.Add(-n)
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.away > 0 {
		close(b.freed)
		b.freed, b.away = make(chan struct{}), 0
	}
}

// budgetShare is one partition's part: one open chunk, and closed ones behind it.
type budgetShare struct {
	b       *Budget
	open    atomic.Int64
	pressed atomic.Bool   // the open chunk is to be closed
	wake    chan struct{} // of the partition's reading loop
}

// share registers a partition; wake (with room for one) is signalled when its open
// chunk is to be closed.
func (b *Budget) share(wake chan struct{}) *budgetShare {
	s := &budgetShare{b: b, wake: wake}
	b.mu.Lock()
	b.shares[s] = struct{}{}
	b.mu.Unlock()
	return s
}

// leave gives everything of the open chunk back.
func (s *budgetShare) leave() {
	s.b.mu.Lock()
	delete(s.b.shares, s)
	s.b.mu.Unlock()
	s.drop()
}

// set says how much the open chunk holds now, and whether some chunk is to close: the
// node is over its budget, or open chunks take more than half of it, which would leave
// no room for those that are being delivered.
func (s *budgetShare) set(held int64) (over bool) {
	delta := held - s.open.Swap(held)
	s.b.used.Add(delta)
	return s.b.open.Add(delta) > s.b.free()/2 || s.b.over()
}

// drop gives the open chunk's bytes back: it was discarded.
func (s *budgetShare) drop() {
	held := s.open.Swap(0)
	s.pressed.Store(false)
	s.b.open.Add(-held)
	s.b.release(held)
}

// close takes the open chunk's bytes out of the share; the closed chunk releases them
// when it is gone.
func (s *budgetShare) close() (release func()) {
	held := s.open.Swap(0)
	s.pressed.Store(false)
	s.b.open.Add(-held)
	return sync.OnceFunc(func() { s.b.release(held) })
}

// free is what chunks may take: what fetch buffers leave, at least a quarter of the
// budget, because with nothing left every chunk would be tiny.
func (b *Budget) free() int64 { return max(b.limit-b.fixed.Load(), b.limit/4) }

// over tells whether chunks hold more than they may.
func (b *Budget) over() bool { return b.used.Load()-b.fixed.Load() > b.free() }

// least is what a partition may hold although the node is over its budget, so that a
// destination that is away never starves another connector: 1/8 of the budget is
// divided among all partitions.
func (b *Budget) least() int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	return max(b.free()/(8*int64(max(len(b.shares), 1))), 4<<10)
}

// press names the largest open chunk to be closed, as long as open chunks that are not
// closing yet take more than half of the budget.
func (b *Budget) press() {
	b.mu.Lock()
	defer b.mu.Unlock()
	var open, most int64
	var largest *budgetShare
	for s := range b.shares {
		n := s.open.Load()
		if s.pressed.Load() {
			continue // is about to go
		}
		open += n
		if n > most {
			largest, most = s, n
		}
	}
	if largest == nil || open <= b.free()/2 {
		return
	}
	largest.pressed.Store(true)
	select {
	case largest.wake <- struct{}{}:
	default:
	}
}

// relieve is called by a reading loop whose set said over. It returns true when the
// loop is to close its chunk now: because it is the largest, or because nothing was
// freed for a second; false when it may go on.
func (s *budgetShare) relieve(ctx context.Context) bool {
	s.b.press()
	if s.pressed.Load() {
		return true
	}
	if s.open.Load() < s.b.least() {
		return false
	}
	timer := time.NewTimer(time.Second)
	defer timer.Stop()
	for s.b.over() {
		s.b.mu.Lock()
		freed := s.b.freed
		s.b.away++
		s.b.mu.Unlock()
		if !s.b.over() {
			return false
		}
		select {
		case <-freed:
		case <-s.wake:
			if s.pressed.Load() {
				return true
			}
		case <-timer.C:
			return true
		case <-ctx.Done():
			return false
		}
	}
	return s.pressed.Load()
}
