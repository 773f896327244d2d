package runner

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// partitionState is what is known of a partition over the task's whole life; its
// sessions come and go. Numbers are atomics: the pages read them at any time.
type partitionState struct {
	tp kafka.TP

	claimed   atomic.Bool  // by the running session
	position  atomic.Int64 // next offset to deliver; -1 unknown
	end       atomic.Int64 // last stable offset; -1 unknown
	delivered atomic.Int64
	bytes     atomic.Int64
	diverted  atomic.Int64
	oldest    atomic.Int64 // timestamp of the first record that is read and not delivered, ms; 0 none
	latest    atomic.Int64 // timestamp of the last record delivered, ms; 0 none
	lastMs    atomic.Int64 // when something became visible last, Unix ms; 0 never
	movedMs   atomic.Int64 // when the position moved last or nothing waited, Unix ms
	busy      atomic.Int32 // chunks that are open, waiting or being delivered

	mu      sync.Mutex
	status  connector.Status
	wrong   bool // status is of settings that cannot work
	lost    string
	choices []connector.Choice
	asked   bool              // the choices are the sink's
	intent  *connector.Intent // that waits for a choice
}

func newPartitionState(tp kafka.TP) *partitionState {
	p := &partitionState{tp: tp}
	p.position.Store(-1)
	p.end.Store(-1)
	p.movedMs.Store(time.Now().UnixMilli())
	p.status = connector.Status{State: connector.StateRunning, Since: time.Now().UTC()}
	return p
}

func (p *partitionState) state() connector.State {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.status.State
}

// running clears whatever was wrong; it tells whether something was.
func (p *partitionState) running() (was connector.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	was = p.status
	if was.State != connector.StateRunning {
		p.status = connector.Status{State: connector.StateRunning, Since: time.Now().UTC()}
		p.wrong, p.lost, p.choices, p.asked, p.intent = false, "", nil, false, nil
	}
	return was
}

// recovering notes that a system is away; true when that is new.
func (p *partitionState) recovering(cause, remedy string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	changed := p.status.State != connector.StateRecovering
	if changed {
		p.status = connector.Status{State: connector.StateRecovering, Since: time.Now().UTC()}
	}
	p.status.Cause, p.status.Remedy = cause, remedy
	return changed
}

// stop notes why the partition is stopped; in is the intent that waits for a choice.
func (p *partitionState) stop(e *stopError, in *connector.Intent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	since := time.Now().UTC()
	if p.status.State == e.state && p.status.Cause == e.cause {
		since = p.status.Since
	}
	p.status = connector.Status{State: e.state, Cause: e.cause, Remedy: e.remedy, Field: e.field, Since: since}
	p.wrong, p.lost, p.choices, p.asked, p.intent = e.wrong, e.lost, e.choices, e.asked, in
}

// moved notes a new position.
func (p *partitionState) moved(position int64) {
	p.position.Store(position)
	p.movedMs.Store(time.Now().UnixMilli())
}
