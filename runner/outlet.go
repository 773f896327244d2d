package runner

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const (
	// mostUncommitted is how many bytes are collected while a transaction is under way,
	// until Mark waits. A fact is never split, so that one may be longer.
	mostUncommitted = 8 << 20
	// leastUncommitted is the same while the node is over its budget.
	leastUncommitted = 512 << 10
	// expansion is how many times as long the same may be before it is compressed: what
	// compresses better closes a transaction earlier, since who reads it has it in memory whole.
	expansion = 8
	// commitPatience is how long a transaction may take until that is shown.
	commitPatience = 5 * time.Second
)

// outlet collects a source's facts into transactions: one batch is filled while the
// other is being committed. A transaction begins as soon as the last has ended and a
// fact is complete, so it holds as many facts as came meanwhile: one when little
// happens, thousands when much does.
type outlet struct {
	t      *sourceTask
	ctx    context.Context // of the source's run; ends when nothing more can be written
	stop   context.CancelCauseFunc
	commit context.Context // of transactions; ends later
	stream sourceStream
	state  *sourceState // the committer's; others under mu
	topics map[string]*outTopic
	recent *outTopic // the last of Write
	open   bool      // of the source's goroutine: a fact has begun

	mu      sync.Mutex
	writing bool        // a fact has begun, fill is the source's
	fill    sourceBatch // what is being filled
	spare   sourceBatch // the other, nil while it is being committed
	pending outPending  // what belongs to fill
	marked  int64       // facts so far
	visible int64       // of them visible
	held    int64       // bytes counted in the node's budget
	filled  int64       // bytes in fill as of the last Mark
	raw     int64       // the same before they are compressed
	flying  int64       // of them in the transaction that is under way
	err     error       // why nothing more can be written
	closing bool        // the source has ended

	wake  chan struct{} // of the committer, room for one
	moved chan struct{} // closed and made anew when a batch was taken or became visible; under mu
	done  chan struct{} // the committer has ended
}

// outPending is what belongs to a batch beside its records.
type outPending struct {
	entries  []connector.Entry // in order; a later one of the same key replaces an earlier
	index    map[string]int
	facts    int64 // that are marked
	upTo     int64 // the last of them, counted from the beginning of the run
	diverted int64
	open     int64 // diverted in the fact that is open
}

func (p *outPending) set(e connector.Entry) {
	if i, ok := p.index[e.Key]; ok {
		p.entries[i].Value = copied(p.entries[i].Value, e.Value)
		return
	}
	if p.index == nil {
		p.index = map[string]int{}
	}
	p.index[e.Key] = len(p.entries)
	p.entries = append(p.entries, connector.Entry{Key: e.Key, Value: copied(nil, e.Value)})
}

// copied is a copy of value, in the memory of old where it fits.
func copied(old, value []byte) []byte {
	if value == nil {
		return nil
	}
	if old == nil {
		old = make([]byte, 0, len(value)+len(value)/4)
	}
	return append(old[:0], value...)
}

// newOutlet starts the committer. commit bounds its transactions.
func newOutlet(run, commit context.Context, t *sourceTask, stream sourceStream, state *sourceState) *outlet {
	ctx, stop := context.WithCancelCause(run)
	o := &outlet{
		t: t, ctx: ctx, stop: stop, commit: commit, stream: stream, state: state,
		topics: map[string]*outTopic{}, fill: stream.NewBatch(), spare: stream.NewBatch(),
		wake: make(chan struct{}, 1), moved: make(chan struct{}), done: make(chan struct{}),
	}
	go o.run()
	return o
}

// begin opens a fact: until Mark the batch is the source's.
func (o *outlet) begin() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	o.writing, o.open = true, true
	return nil
}

// Unmarked implements connector.Outlet.
func (o *outlet) Unmarked() int64 {
	if !o.open {
		return 0
	}
	return o.fill.Unmarked()
}

// Drop implements connector.Outlet.
func (o *outlet) Drop() {
	if !o.open {
		return
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	o.fill.Drop()
	o.writing, o.open, o.pending.open = false, false, 0
	o.nudge()
}

// Mark implements connector.Outlet.
func (o *outlet) Mark(ctx context.Context, entries ...connector.Entry) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return o.err
	}
	if !o.writing && len(entries) == 0 {
		return nil
	}
	for _, e := range entries {
		if err := checkKey(e.Key); err != nil {
			return err
		}
		o.pending.set(e)
	}
	o.raw += o.fill.Unmarked()
	o.fill.Mark()
	o.writing, o.open = false, false
	o.marked++
	o.pending.facts++
	o.pending.upTo = o.marked
	o.pending.diverted += o.pending.open
	o.pending.open = 0
	o.filled = o.fill.Bytes()
	o.count()
	o.nudge()
	for o.err == nil && o.full() {
		if err := o.wait(ctx); err != nil {
			return err
		}
	}
	return o.err
}

// Flush implements connector.Outlet.
func (o *outlet) Flush(ctx context.Context) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for upTo := o.marked; o.err == nil && o.visible < upTo; {
		if err := o.wait(ctx); err != nil {
			return err
		}
	}
	return o.err
}

// wait lets go of mu until something has moved.
func (o *outlet) wait(ctx context.Context) error {
	moved := o.moved
	o.mu.Unlock()
	defer o.mu.Lock()
	select {
	case <-moved:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-o.ctx.Done():
		return context.Cause(o.ctx)
	}
}

// full tells whether no more may be collected for now. The caller holds mu.
func (o *outlet) full() bool {
	room := o.t.o.uncommitted
	if o.t.o.Budget.over() {
		room = min(room, leastUncommitted)
	}
	return o.filled >= room || o.raw >= room*expansion
}

// count tells the node's budget what is held. The caller holds mu.
func (o *outlet) count() {
	held := o.filled + o.flying
	o.t.o.Budget.hold(held - o.held)
	o.held = held
}

func (o *outlet) nudge() {
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// tell wakes who waits for something to move. The caller holds mu.
func (o *outlet) tell() {
	close(o.moved)
	o.moved = make(chan struct{})
}

// run commits until the source has ended and everything that it marked is visible, or
// until a transaction fails.
func (o *outlet) run() {
	defer close(o.done)
	for {
		batch, pending, ok := o.take()
		if !ok {
			return
		}
		err := o.write(batch, &pending)
		o.mu.Lock()
		o.flying = 0
		if err != nil {
			o.err = err
		} else {
			batch.Reset()
			o.spare = batch
			o.visible += pending.facts
		}
		o.count()
		o.tell()
		o.mu.Unlock()
		if err != nil {
			o.stop(err)
			return
		}
	}
}

// take waits for complete facts and gives the batch that holds them.
func (o *outlet) take() (sourceBatch, outPending, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for {
		if o.closing && o.writing { // the source ended in the middle of a fact
			o.fill.Drop()
			o.writing, o.pending.open = false, 0
		}
		if o.pending.facts > 0 && !o.writing {
			batch, pending := o.fill, o.pending
			o.fill, o.spare, o.pending = o.spare, nil, outPending{}
			o.flying, o.filled, o.raw = batch.Bytes(), 0, 0
			o.tell()
			return batch, pending, true
		}
		if o.closing {
			return nil, outPending{}, false
		}
		o.mu.Unlock()
		select {
		case <-o.wake:
		case <-o.commit.Done():
			o.mu.Lock()
			if o.err == nil {
				o.err = context.Cause(o.commit)
			}
			return nil, outPending{}, false
		}
		o.mu.Lock()
	}
}

// write commits one batch.
func (o *outlet) write(batch sourceBatch, p *outPending) error {
	records := int64(batch.Records()) - p.diverted
	bytes := batch.Bytes()
	var change stateChange
	if len(p.entries) > 0 {
		if err := checkValues(p.entries); err != nil {
			return err
		}
		now := time.Now().UnixMilli()
		tp := kafka.TP{Topic: o.t.o.OffsetTopic, Partition: statePartition}
		change = o.state.change(p.entries, func(key, value []byte) { batch.Append(tp, key, value, nil, now) })
		batch.Mark()
	}
	end := o.t.committing(commitPatience)
	err := o.stream.Commit(o.commit, batch)
	end()
	if err != nil {
		return err
	}
	if len(p.entries) > 0 {
		o.mu.Lock()
		o.state.apply(change)
		o.mu.Unlock()
	}
	o.t.committed(o.state.seq, len(p.entries) > 0, records, bytes, p.diverted, p.upTo)
	return o.t.fault(stepSourceDone)
}

// end is called when the source's Run has returned: it waits until what was marked is
// visible, and returns why something is not.
func (o *outlet) end() error {
	o.mu.Lock()
	o.closing = true
	o.nudge()
	o.mu.Unlock()
	<-o.done
	o.mu.Lock()
	defer o.mu.Unlock()
	o.t.o.Budget.hold(-o.held)
	o.held = 0
	if o.err == nil {
		o.err = errors.New("the source has ended")
		return nil
	}
	return o.err
}

// saved is what is saved by now.
func (o *outlet) saved() connector.Saved {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.state.saved()
}

// Away implements connector.Outlet.
func (o *outlet) Away(err error) {
	o.mu.Lock()
	marked := o.marked
	o.mu.Unlock()
	o.t.away(err, marked)
}

// Progress implements connector.Outlet.
func (o *outlet) Progress(parts []connector.Progress) { o.t.progressed(parts) }

// Behind implements connector.Outlet.
func (o *outlet) Behind(d time.Duration) { o.t.lagging(d) }

// Log implements connector.Outlet.
func (o *outlet) Log(level slog.Level, message string, fields map[string]string) {
	o.t.o.Log(logLevelOf(level), message, fields)
}

func logLevelOf(l slog.Level) LogLevel {
	switch {
	case l >= slog.LevelError:
		return LogError
	case l >= slog.LevelWarn:
		return LogWarn
	case l >= slog.LevelInfo:
		return LogInfo
	}
	return LogDebug
}
