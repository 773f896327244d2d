package runnertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Outbox is a Kafka in memory that sources write to. It outlives them: what is visible
// stays, what was only written does not. It complains about every breach of the contract
// of connector.Outlet.
type Outbox struct {
	mu       sync.Mutex
	facts    [][]record.Record // visible, in order
	saved    connector.Saved
	breaches []string
	moved    chan struct{}
	parts    []connector.Progress
	aways    int
	limit    int // of a value; 0: none
}

// NewOutbox makes an empty one.
func NewOutbox() *Outbox { return &Outbox{saved: connector.Saved{}, moved: make(chan struct{})} }

// Facts are what is visible: the records of each Mark.
func (b *Outbox) Facts() [][]record.Record {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.facts)
}

// Records are the records of all facts.
func (b *Outbox) Records() []record.Record { return slices.Concat(b.Facts()...) }

// Saved is what was saved with what is visible.
func (b *Outbox) Saved() connector.Saved {
	b.mu.Lock()
	defer b.mu.Unlock()
	return maps.Clone(b.saved)
}

// Limit refuses values of more than n bytes.
func (b *Outbox) Limit(n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.limit = n
}

// Breaches are what a source did that it must not.
func (b *Outbox) Breaches() []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.breaches)
}

// Progress is what was told last.
func (b *Outbox) Progress() []connector.Progress {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.parts)
}

// Aways is how often Away was called with an error.
func (b *Outbox) Aways() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.aways
}

func (b *Outbox) breach(format string, args ...any) {
	if len(b.breaches) < 20 {
		b.breaches = append(b.breaches, fmt.Sprintf(format, args...))
	}
}

// Box is the Outlet of one run.
type Box struct {
	b *Outbox
	// OnMark, when there is one, is asked at every Mark, with its number from 1 on: whether
	// the fact becomes visible, and what Mark returns.
	OnMark func(n int) (visible bool, err error)

	busy    atomic.Bool // a method that is for one goroutine runs
	closed  atomic.Bool
	err     error
	marks   int
	open    []record.Record
	bytes   int64
	largest int64
}

var _ connector.Outlet = (*Box)(nil)

// Open makes the outlet of another run.
func (b *Outbox) Open() *Box { return &Box{b: b} }

// Close ends the run: what is written from now on is a breach.
func (o *Box) Close() { o.closed.Store(true) }

// Largest is the most that was written between two Marks, in bytes.
func (o *Box) Largest() int64 { return o.largest }

// enter checks that one goroutine uses the outlet, while the run lasts. After an error it
// may only be told again.
func (o *Box) enter(what string) func() {
	if !o.busy.CompareAndSwap(false, true) {
		o.complain("%s is called while another call runs", what)
		return func() {}
	}
	if o.closed.Load() {
		o.complain("%s is called after Run has returned", what)
	}
	return func() { o.busy.Store(false) }
}

func (o *Box) complain(format string, args ...any) {
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	o.b.breach(format, args...)
}

// Write implements connector.Outlet.
func (o *Box) Write(r *connector.Outgoing) error { return o.add(r, r.Headers) }

func (o *Box) add(r *connector.Outgoing, headers []record.Header) error {
	defer o.enter("Write")()
	if o.err != nil {
		return o.err
	}
	o.b.mu.Lock()
	limit := o.b.limit
	o.b.mu.Unlock()
	if limit > 0 && len(r.Value) > limit {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize", DeadLetter: true, Err: fmt.Errorf("%d bytes are more than %d", len(r.Value), limit)}
	}
	if r.Topic == "" {
		o.complain("a record without a topic")
	}
	rec := record.Record{Topic: r.Topic, Partition: r.Partition, Timestamp: r.Timestamp, Key: slices.Clone(r.Key), Value: slices.Clone(r.Value)}
	for _, h := range headers {
		rec.Headers = append(rec.Headers, record.Header{Key: h.Key, Value: slices.Clone(h.Value)})
	}
	o.open = append(o.open, rec)
	o.bytes += int64(len(r.Key) + len(r.Value))
	o.largest = max(o.largest, o.bytes)
	return nil
}

// DivertedTopic holds what was diverted; the header "code" says why.
const DivertedTopic = "diverted"

// Divert implements connector.Outlet.
func (o *Box) Divert(r *connector.Outgoing, why *connector.RecordError) error {
	aside := *r
	aside.Topic = DivertedTopic
	defer func(limit int) { o.b.Limit(limit) }(o.b.unlimited())
	return o.add(&aside, append(slices.Clone(r.Headers), record.Header{Key: "code", Value: []byte(why.Code)}))
}

func (b *Outbox) unlimited() (was int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	was, b.limit = b.limit, 0
	return was
}

// Tag implements connector.Outlet.
func (o *Box) Tag(headers ...record.Header) {
	defer o.enter("Tag")()
	for i := range o.open {
		o.open[i].Headers = append(o.open[i].Headers, headers...)
	}
}

// Drop implements connector.Outlet.
func (o *Box) Drop() {
	defer o.enter("Drop")()
	o.open, o.bytes = nil, 0
}

// Unmarked implements connector.Outlet.
func (o *Box) Unmarked() int64 { return o.bytes }

// Mark implements connector.Outlet: a fact is visible at once.
func (o *Box) Mark(ctx context.Context, entries ...connector.Entry) error {
	defer o.enter("Mark")()
	if o.err != nil {
		return o.err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	o.marks++
	visible := true
	if o.OnMark != nil {
		visible, o.err = o.OnMark(o.marks)
	}
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	for _, e := range entries {
		if e.Key == "" || strings.HasPrefix(e.Key, ".") {
			o.b.breach("the key %q is not a source's", e.Key)
		}
		if e.Value != nil && !json.Valid(e.Value) {
			o.b.breach("the value of %q is no JSON: %q", e.Key, e.Value)
		}
	}
	if visible {
		if len(o.open) > 0 {
			o.b.facts = append(o.b.facts, o.open)
		}
		for _, e := range entries {
			if e.Value == nil {
				delete(o.b.saved, e.Key)
			} else {
				o.b.saved[e.Key] = slices.Clone(e.Value)
			}
		}
		close(o.b.moved)
		o.b.moved = make(chan struct{})
	}
	o.open, o.bytes = nil, 0
	return o.err
}

// Flush implements connector.Outlet.
func (o *Box) Flush(context.Context) error {
	defer o.enter("Flush")()
	return o.err
}

// Away implements connector.Outlet.
func (o *Box) Away(err error) {
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	if err != nil {
		o.b.aways++
	}
}

// Progress implements connector.Outlet.
func (o *Box) Progress(parts []connector.Progress) {
	o.b.mu.Lock()
	defer o.b.mu.Unlock()
	o.b.parts = slices.Clone(parts)
}

// Behind implements connector.Outlet.
func (o *Box) Behind(d time.Duration) {
	if d < 0 {
		o.complain("the source is behind by %v", d)
	}
}

// Log implements connector.Outlet.
func (o *Box) Log(slog.Level, string, map[string]string) {}

// ErrBox is what a Mark of the suite's that fails returns.
var ErrBox = errors.New("the outlet takes nothing more")
