package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// sourceOptions is what a source task works with.
type sourceOptions struct {
	Connector Connector // row as of start
	Spec      *connector.Spec
	Config    connector.Config // resolved, in the clear
	Deps      connector.Deps
	Cluster   kafka.Cluster
	Node      string
	Budget    *Budget
	// ConfigTopic names whose state is read; OffsetTopic holds it.
	ConfigTopic, OffsetTopic, DeadLetterTopic, AbnormalTopic string
	// Leads tells when this node leads the connector.
	Leads *leadership
	// Mirrored is the highest sequence number that was seen visible, 0 when unknown;
	// OnSaved is told of a new one, once a second at most.
	Mirrored func() int64
	OnSaved  func(sequence int64)
	// OnDelivered counts what became visible and what was diverted.
	OnDelivered func(records, bytes, diverted int64)
	Log         func(level LogLevel, message string, fields map[string]string)
	Faults      Faults // nil in production

	// FirstStart: the connector has just been deployed.
	FirstStart bool

	kafka       sourceKafka // nil: the cluster
	uncommitted int64       // bytes; 0 = mostUncommitted
}

func (o sourceOptions) withDefaults() sourceOptions {
	if o.kafka == nil {
		o.kafka = clusterKafka{o.Cluster}
	}
	if o.uncommitted == 0 {
		o.uncommitted = mostUncommitted
	}
	if o.Budget == nil {
		o.Budget = NewBudget(1 << 40)
	}
	if o.Mirrored == nil {
		o.Mirrored = func() int64 { return 0 }
	}
	if o.OnSaved == nil {
		o.OnSaved = func(int64) {}
	}
	if o.OnDelivered == nil {
		o.OnDelivered = func(int64, int64, int64) {}
	}
	if o.Log == nil {
		o.Log = func(LogLevel, string, map[string]string) {}
	}
	return o
}

// transactionalID names the source's transactional producer: one a connector, whoever
// runs it, so that the later fences the earlier.
func transactionalID(offsetTopic, connector string) string { return offsetTopic + "-" + connector }

func (o *sourceOptions) streamOptions(step func(string) error) streamOptions {
	return streamOptions{id: transactionalID(o.OffsetTopic, o.Connector.Name), compression: o.Config.Get(keyCompression), step: step}
}

// keyCompression is Kafka Connect's name of the setting.
const keyCompression = "producer.override.compression.type"

// sourceTask runs a source on the node that leads the connector.
type sourceTask struct {
	o        sourceOptions
	fences   []time.Time
	sequence atomic.Int64 // number of the last visible transaction that saved something
	retry    alarm        // Retry: pauses end early

	mu       sync.Mutex
	ending   bool // the configuration cannot work: only another task helps
	status   connector.Status
	lost     string // of a Gap
	choices  []connector.Choice
	choice   string        // what was chosen, until something is saved after it
	chosen   chan struct{} // closed and made anew by Choose
	running  connector.Source
	parts    []connector.Progress
	behind   time.Duration
	hung     bool      // a transaction is under way for too long
	awayMark int64     // so many facts were marked when the source told of an absence
	moved    time.Time // when something became visible, or nothing was left to do
	last     time.Time // of the last delivery
	mirrorAt time.Time

	delivered, bytes, diverted atomic.Int64
}

func newSourceTask(o sourceOptions) *sourceTask {
	o = o.withDefaults()
	t := &sourceTask{o: o, chosen: make(chan struct{}), moved: time.Now()}
	t.status = connector.Status{State: connector.StateDeploying, Cause: "Joining the connector's consumer group.", Since: time.Now().UTC()}
	if o.Connector.Deployed && !o.FirstStart {
		t.status.State = connector.StateRunning
	}
	return t
}

func (t *sourceTask) fault(step string) error {
	if err := t.o.Faults.at(step); err != nil {
		return &abortError{err}
	}
	return nil
}

// Run reads while this node leads the connector, again after whatever passes, until ctx
// ends; then it returns nil.
func (t *sourceTask) Run(ctx context.Context) error {
	var pause retryPause
	for ctx.Err() == nil {
		started := time.Now()
		err := t.lead(ctx)
		var abort *abortError
		var gap *connector.GapError
		switch {
		case errors.As(err, &abort):
			return abort.err
		case ctx.Err() != nil:
			return nil
		case err == nil, errors.Is(err, errTenureOver):
			continue
		case final(err) != nil:
			return t.failed(final(err))
		case connector.CauseOf(err) == connector.CauseRecord: // it would be refused again
			return t.failed(&connector.WrongError{Err: err, Remedy: "Change the record at its source, or what its topic takes, then resume."})
		case errors.Is(err, kafka.ErrInvalidRecord):
			return t.failed(&connector.WrongError{Err: err, Remedy: kafka.Remedy(err) + " Then resume."})
		case errors.As(err, &gap):
			if !t.gap(ctx, gap) {
				return nil
			}
			pause.reset()
			continue
		}
		if time.Since(started) > time.Minute {
			pause.reset()
		}
		t.passing(err)
		if errors.Is(err, kafka.ErrUnanswered) || errors.Is(err, errReopen) {
			if time.Since(started) > time.Second {
				continue
			}
		}
		if !t.retry.sleep(ctx, pause.next(after(err))) {
			return nil
		}
	}
	return nil
}

// after is how long a system asked to be left alone.
func after(err error) time.Duration {
	var away *connector.AwayError
	if errors.As(err, &away) {
		return away.After
	}
	return 0
}

// lead waits until this node leads and reads as long as it does.
func (t *sourceTask) lead(ctx context.Context) error {
	if !t.o.Leads.leading() {
		t.waiting()
	}
	tenure, err := t.o.Leads.await(ctx, t.passing)
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return anotherProcess(err)
	}
	own, end := context.WithCancelCause(ctx)
	defer end(nil)
	defer context.AfterFunc(tenure.ctx, func() { end(context.Cause(tenure.ctx)) })()
	err = t.live(own)
	switch {
	case ctx.Err() != nil || err == nil:
		return err
	case tenure.ctx.Err() != nil:
		if over := t.o.Leads.fenced(); over != nil {
			return anotherProcess(over)
		}
		var abort *abortError
		if errors.As(err, &abort) {
			return err
		}
		return errTenureOver
	case errors.Is(err, kafka.ErrFenced):
		return t.fenced(ctx, tenure, err)
	}
	return err
}

// live is one life: a producer, what is saved, the source.
func (t *sourceTask) live(ctx context.Context) error {
	if err := t.fault(stepSourceOpen); err != nil {
		return err
	}
	c, err := openSource(ctx, &t.o, t.step)
	if err != nil {
		return err
	}
	defer c.close()
	if err := t.fault(stepSourceState); err != nil {
		return err
	}
	state, err := t.load(ctx, c)
	if err != nil {
		return err
	}
	if err := t.fault(stepSourceRun); err != nil {
		return err
	}
	return t.read(ctx, c, state)
}

func (t *sourceTask) step(step string) error { return t.fault(step) }

// load reads what is saved. That nothing is there although there once was something is
// a gap, as is a state that is older than one that was seen.
func (t *sourceTask) load(ctx context.Context, c *sourceClients) (*sourceState, error) {
	state, err := c.load(ctx, &t.o, t.stuck)
	var damaged *damagedState
	switch {
	case errors.Is(err, errNoState), errors.As(err, &damaged):
		if t.choiceMade() != "" {
			return anew(&t.o, left(damaged), t.o.Mirrored()), nil
		}
		return nil, lostPosition(fmt.Sprintf("The position of the connector is lost: %v (%s).", err, t.o.OffsetTopic))
	case err != nil:
		return nil, err
	}
	if was := t.o.Mirrored(); state.seq < was {
		if t.choiceMade() == "" {
			return nil, lostPosition(fmt.Sprintf("The position of the connector went back: transaction %d is the last in %s, and transaction %d was seen there. What lies between was written once already.", state.seq, t.o.OffsetTopic, was))
		}
		// The source begins anew, as the choice says.
		return anew(&t.o, state.found(), was), nil
	}
	return state, nil
}

// left is what is left of a damaged state; nil where there is none.
func left(d *damagedState) *foundState {
	if d == nil {
		return nil
	}
	return d.found
}

func lostPosition(lost string) *connector.GapError {
	return &connector.GapError{Lost: lost, Choices: []connector.Choice{
		{Choice: connector.ChoiceSnapshot, Title: "Copy everything again", Risk: "What was copied before comes again, in its present state; changes that were made and undone meanwhile are not seen."},
		{Choice: connector.ChoiceNow, Title: "Go on from now", Risk: "What changed since the last delivery is not delivered."},
	}}
}

// read runs the source until ctx ends or it fails.
func (t *sourceTask) read(ctx context.Context, c *sourceClients, state *sourceState) error {
	source, err := t.o.Spec.NewSource(ctx, t.o.Config, t.o.Deps)
	if err != nil {
		return fmt.Errorf("opening the source: %w", err)
	}
	defer source.Close()
	// What the source has marked when it is told to stop is still committed.
	commits, stop := context.WithCancelCause(context.WithoutCancel(ctx))
	defer stop(nil)
	defer context.AfterFunc(ctx, func() {
		timer := time.AfterFunc(drainDeadline, func() { stop(context.Cause(ctx)) })
		context.AfterFunc(commits, func() { timer.Stop() })
	})()
	out := newOutlet(ctx, commits, t, c.stream, state)
	t.begun(source)
	err = source.Run(out.ctx, connector.Start{Saved: out.saved(), Choice: t.choiceMade()}, out)
	t.ended()
	// What could not be written tells more than what the source made of it.
	if failed := out.end(); failed != nil {
		return failed
	}
	if err == nil && ctx.Err() == nil {
		err = errors.New("the source ended by itself")
	}
	return err
}

// anotherProcess is the end of a task whose place another process has.
func anotherProcess(err error) error {
	return &connector.WrongError{Err: fmt.Errorf("another process runs this connector: %w", err), Brief: "Another process runs this connector.",
		Remedy: "Another process runs with this node's identity (a copied data directory?). Stop it, then restart the connector."}
}

// fencingsAccepted is how often within fencingPeriod a producer may be fenced although
// the group says that nobody else is there.
const fencingsAccepted = 2

// fenced finds out whether another process runs the connector. A producer is also
// fenced when its own transaction took longer than its timeout, with nobody else there.
func (t *sourceTask) fenced(ctx context.Context, of *tenure, err error) error {
	now := time.Now()
	kept := t.fences[:0]
	for _, at := range t.fences {
		if now.Sub(at) < fencingPeriod {
			kept = append(kept, at)
		}
	}
	t.fences = append(kept, now)
	if len(t.fences) > fencingsAccepted {
		return anotherProcess(err)
	}
	member, merr := of.member(ctx)
	if merr != nil {
		return errTenureOver
	}
	offsets, oerr := t.o.kafka.offsets(ctx)
	if oerr != nil {
		return fmt.Errorf("asking whether this node still leads: %w", oerr)
	}
	defer offsets.Close()
	switch herr := offsets.Heartbeat(ctx, member); {
	case herr == nil:
		t.o.Log(LogWarn, "The transactional producer was fenced and nobody else runs the connector: it goes on with a new one.", map[string]string{"error": err.Error()})
		return fmt.Errorf("%w: %w", errReopen, err)
	case errors.Is(herr, kafka.ErrFenced):
		t.o.Leads.fence(herr)
		return anotherProcess(herr)
	case errors.Is(herr, kafka.ErrRebalance):
		of.resign()
		return errTenureOver
	default:
		return fmt.Errorf("asking whether this node still leads: %w", herr)
	}
}

// Retry tries again what a cause stopped.
func (t *sourceTask) Retry() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ending {
		return false
	}
	t.retry.ring()
	return true
}

func (t *sourceTask) joining() bool { return !t.o.Leads.leading() }
