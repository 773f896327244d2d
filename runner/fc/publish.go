package fc

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// unit is a batch, or a part of one that failed, as it is sent.
type unit struct {
	first, last int64
	count       int
	body        []byte
	attempts    int
	part        bool
	parts       []unit // of a batch that was split
	done        bool   // taken, or refused for good
}

// Publish sends the batches that have not been taken yet. With order, a batch that may
// still pass stops those behind it.
func (c *chunk) Publish(ctx context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	var waiting []connector.Refusal
	var err error
	if c.s.inflight > 1 {
		waiting, err = c.publishTogether(ctx, guard)
	} else {
		waiting, err = c.publishInOrder(ctx, guard)
	}
	if err != nil {
		return nil, err
	}
	return append(slices.Clone(c.refused), waiting...), nil
}

func (c *chunk) publishInOrder(ctx context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	s := c.sender(ctx, guard)
	defer s.close()
	for i := range c.units {
		waiting, err := s.deliver(&c.units[i])
		if err != nil || waiting != nil || s.stopped() {
			return waiting, err
		}
	}
	return nil, nil
}

// stopped tells that nothing more is sent: the partition stops at what was refused, and
// its intent stays. A redo may be under another policy by now than its settings say, so
// it sends everything.
func (s *sender) stopped() bool { return s.c.s.stops && !s.c.redo && len(s.refused) > 0 }

// publishTogether sends several batches at once; none waits for one that failed.
func (c *chunk) publishTogether(ctx context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	var (
		wg      sync.WaitGroup
		next    atomic.Int64
		mu      sync.Mutex
		waiting []connector.Refusal
		failure error
	)
	lanes := min(c.s.inflight, len(c.units))
	senders := make([]*sender, lanes)
	for n := range senders {
		senders[n] = c.sender(ctx, guard)
		s := senders[n]
		wg.Go(func() {
			for {
				i := int(next.Add(1) - 1)
				mu.Lock()
				over := failure != nil
				mu.Unlock()
				if over || i >= len(c.units) {
					return
				}
				w, err := s.deliver(&c.units[i])
				mu.Lock()
				waiting = append(waiting, w...)
				if failure == nil {
					failure = err
				}
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, s := range senders {
		s.close()
	}
	slices.SortFunc(c.refused, func(a, b connector.Refusal) int { return int(a.Offset - b.Offset) })
	return waiting, failure
}

// sender delivers units one after the other.
type sender struct {
	c       *chunk
	lane    *lane
	guard   connector.Guard
	refused []connector.Refusal
}

func (c *chunk) sender(ctx context.Context, guard connector.Guard) *sender {
	return &sender{c: c, lane: c.s.client.open(ctx), guard: guard}
}

func (s *sender) close() {
	s.c.refused = append(s.c.refused, s.refused...)
	s.c.loud = s.c.loud || !s.lane.quiet()
	s.lane.release()
}

// deliver sends a unit, in parts where it must be. What it returns failed and may pass.
func (s *sender) deliver(u *unit) ([]connector.Refusal, error) {
	if u.done {
		return nil, nil
	}
	for i := range u.parts {
		waiting, err := s.deliver(&u.parts[i])
		if err != nil || waiting != nil || s.stopped() {
			return waiting, err
		}
	}
	if u.parts != nil {
		u.done = true
		return nil, nil
	}
	err := s.send(u)
	var re *connector.RecordError
	if !errors.As(err, &re) {
		u.done = err == nil
		return nil, err
	}
	u.attempts++
	if re.Retry && u.attempts <= s.attempts(u) {
		return u.refusals(re)
	}
	if s.c.s.split && u.count > 1 {
		if err := u.halve(); err != nil {
			return nil, err
		}
		return s.deliver(u)
	}
	final := *re
	final.Retry = false
	if u.count > 1 {
		final.Err = fmt.Errorf("the batch of %d records, offsets %d to %d, is refused: %w", u.count, u.first, u.last, re.Err)
	}
	refused, err := u.refusals(&final)
	if err == nil {
		s.refused = append(s.refused, refused...)
		u.done = true
	}
	return nil, err
}

// attempts is how many more the unit may have: parts of a batch that stand for several
// records only tell where the failing one is.
func (s *sender) attempts(u *unit) int {
	if u.part && u.count > 1 {
		return 0
	}
	return s.c.s.retries
}

// Among many requests some fail alone. What follows one that was taken is tried again
// quickTries times, after a pause that doubles from quickPause on and is at most
// mostQuick; only what fails after that is an outage, for which the runner's pauses grow.
const (
	quickTries = 3
	quickPause = 100 * time.Millisecond
	mostQuick  = time.Second
)

// send makes the invocation, some more times where others were just taken.
func (s *sender) send(u *unit) error {
	flowing := &s.c.s.flowing
	for try := range quickTries + 1 {
		err := s.invoke(u)
		if err == nil {
			if !flowing.Load() {
				flowing.Store(true)
			}
			return nil
		}
		var away *connector.AwayError
		if !errors.As(err, &away) {
			return err
		}
		pause := max(quickPause<<try, away.After)
		if try == quickTries || pause > mostQuick || !flowing.Load() {
			flowing.Store(false)
			return err
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-s.lane.parent.Done():
			timer.Stop()
			return context.Cause(s.lane.parent)
		}
	}
	return nil // the last try has returned
}

// invoke makes the invocation.
func (s *sender) invoke(u *unit) error {
	sink := s.c.s
	k, limit := sink.client.invocation(u.body, "Async"), requestTime(len(u.body))
	if sink.sync {
		k.kind, limit = "Sync", functionTime
		k.tail = u.attempts > 0 || u.part || sink.retries == 0
	}
	if sink.dedup {
		k.id = invocationID(sink.id, &s.c.at, u.first, u.last)
	}
	began := time.Now()
	a, err := s.lane.do(k, limit, s.guard)
	if err == nil && a.ok() {
		sink.classify.fine()
		sink.took(time.Since(began))
		return nil
	}
	doing := fmt.Sprintf("invoking function %s with offsets %d to %d", sink.client.name(), u.first, u.last)
	if err != nil {
		return sink.classify.failed(doing, err)
	}
	return sink.classify.invoked(doing, &a, sink.dedup)
}

// entry is what a refusal or a split needs of a record in a body.
type entry struct {
	offset   int64
	from, to int // in the body
}

// entries reads the records of a body: only those of batches that failed, so that the
// others carry nothing for it.
func (u *unit) entries() ([]entry, error) {
	d := json.NewDecoder(bytes.NewReader(u.body))
	if _, err := d.Token(); err != nil {
		return nil, fmt.Errorf("reading a batch that failed: %w", err)
	}
	out := make([]entry, 0, u.count)
	for d.More() {
		var e struct {
			Offset int64 `json:"offset"`
		}
		if err := d.Decode(&e); err != nil {
			return nil, fmt.Errorf("reading a batch that failed: %w", err)
		}
		from := 1
		if n := len(out); n > 0 {
			from = out[n-1].to + 1
		}
		out = append(out, entry{offset: e.Offset, from: from, to: int(d.InputOffset())})
	}
	return out, nil
}

// refusals names every record of the unit.
func (u *unit) refusals(re *connector.RecordError) ([]connector.Refusal, error) {
	es, err := u.entries()
	if err != nil {
		return nil, err
	}
	out := make([]connector.Refusal, len(es))
	for i, e := range es {
		out[i] = connector.Refusal{Offset: e.offset, Err: re}
	}
	return out, nil
}

// halve makes two bodies of one.
func (u *unit) halve() error {
	es, err := u.entries()
	if err != nil {
		return err
	}
	half := func(es []entry) unit {
		first, last := es[0], es[len(es)-1]
		body := make([]byte, 0, last.to-first.from+2)
		body = append(append(append(body, '['), u.body[first.from:last.to]...), ']')
		return unit{first: first.offset, last: last.offset, count: len(es), body: body, part: true}
	}
	u.parts = []unit{half(es[:len(es)/2]), half(es[len(es)/2:])}
	return nil
}
