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

// taskOptions is what a sink task works with.
type taskOptions struct {
	Connector Connector // row as of start
	Spec      *connector.Spec
	Config    connector.Config // resolved, in the clear
	Hash      string           // Spec.Hash(Config)
	// ConfigByHash finds a resolved older configuration in the configuration topic.
	ConfigByHash func(ctx context.Context, hash string) (connector.Config, bool, error)
	Deps         connector.Deps // Task is filled in by the task
	Cluster      kafka.Cluster
	Task         int
	Node         string  // node id
	Budget       *Budget // of the node
	// Mirrored is what was last seen committed, by the database and the offset topic.
	Mirrored func(kafka.TP) (MirroredPosition, bool)
	// OnCommit is called after every answered commit; it must not block.
	OnCommit func(MirroredPosition)
	// OnDelivered counts what became visible and what was diverted.
	OnDelivered func(tp kafka.TP, records, bytes, diverted int64)
	Log         func(level LogLevel, message string, fields map[string]string)

	DeadLetterTopic, AbnormalTopic string
	SessionTimeout                 time.Duration // of the group; 0 = 10 s
	// FirstStart: the connector has just been deployed.
	FirstStart bool
	// Faults is nil in production.
	Faults Faults

	kafka taskKafka            // nil: the cluster
	clock func() time.Duration // nil: CLOCK_BOOTTIME
	look  time.Duration        // between looks at the source topics; 0 = topicsEvery
}

// Why a task's context ends. Suspend and delete leave the group; shutdown and restart
// keep the seat, which the next process or the next task takes over at once.
var (
	errSuspend  = errors.New("suspended")
	errShutdown = errors.New("the process stops")
	errRestart  = errors.New("restarted")
	errDelete   = errors.New("deleted")
)

// Why a session ends by our own will; the task joins again at once.
var (
	errRejoin     = errors.New("the task joins its group again")
	errStopped    = errors.New("the partition is stopped")
	errSessionEnd = errors.New("the session is over")
)

const (
	ownSessionTimeout  = 10 * time.Second
	heartbeatEvery     = 3 * time.Second
	transactionTimeout = 10 * time.Second
	drainDeadline      = 6 * time.Second // a process stops within 7
	fencingPeriod      = 10 * time.Minute
	fencingsAllowed    = 5
	defaultFetchBytes  = 4 << 20 // of package kafka
	mostPartitionFetch = 1 << 20 // of one partition, of package kafka
)

// sinkTask is one thread of a sink connector's work: one member of its group.
type sinkTask struct {
	o       taskOptions
	group   string
	seat    string // instance id of the static member
	tuning  sinkTuning
	fences  []time.Time
	asked   time.Time                         // when the task last joined again for partitions that nobody had
	patient atomic.Pointer[connector.Patient] // the sink, where it is one
	retry   alarm                             // Retry: pauses end early

	mu      sync.Mutex
	status  connector.Status  // of the task itself, apart from its partitions
	proved  atomic.Bool       // something was delivered since the destination was asked first
	away    *connector.Status // of the destination, as long as it does not answer the probe
	parts   map[kafka.TP]*partitionState
	session *taskSession // the running one, or nil
	missing map[string]bool
	ending  bool // the configuration cannot work: only another task helps
}

// sinkTuning is what the task reads of the configuration.
type sinkTuning struct {
	flushSize, flushBytes int64 // 0: none
	flushInterval         time.Duration
	retries               int
	tolerateAll           bool
	divertOutage          bool
}

func newSinkTuning(c connector.Config) sinkTuning {
	return sinkTuning{
		flushSize: c.Int(connector.KeyFlushSize), flushBytes: c.Bytes(connector.KeyFlushBytes),
		flushInterval: max(c.Millis(connector.KeyFlushInterval), 10*time.Millisecond),
		retries:       int(c.Int(connector.KeyRetries)),
		tolerateAll:   c.Get(connector.KeyTolerance) != connector.ToleranceFail,
		divertOutage:  c.Get(connector.KeyOutage) == connector.OutageDivert,
	}
}

func newSinkTask(o taskOptions) *sinkTask {
	o = o.withDefaults()
	t := &sinkTask{
		o: o, group: o.Config.Get(connector.KeyGroup), seat: o.seat(),
		tuning: newSinkTuning(o.Config),
		parts:  map[kafka.TP]*partitionState{}, missing: map[string]bool{},
	}
	t.status = connector.Status{State: connector.StateDeploying, Cause: "Joining the consumer group.", Since: time.Now().UTC()}
	if o.Connector.Deployed && !o.FirstStart {
		t.status.State = connector.StateRunning // it starts again; that no member has joined yet is said by the cause
	}
	return t
}

func (o taskOptions) withDefaults() taskOptions {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = ownSessionTimeout
	}
	if o.kafka == nil {
		o.kafka = clusterKafka{o.Cluster}
	}
	if o.clock == nil {
		o.clock = newBootClock()
	}
	if o.look == 0 {
		o.look = topicsEvery
	}
	if o.Budget == nil {
		o.Budget = NewBudget(1 << 40)
	}
	if o.Mirrored == nil {
		o.Mirrored = func(kafka.TP) (MirroredPosition, bool) { return MirroredPosition{}, false }
	}
	if o.OnCommit == nil {
		o.OnCommit = func(MirroredPosition) {}
	}
	if o.OnDelivered == nil {
		o.OnDelivered = func(kafka.TP, int64, int64, int64) {}
	}
	if o.Log == nil {
		o.Log = func(LogLevel, string, map[string]string) {}
	}
	if o.ConfigByHash == nil {
		o.ConfigByHash = func(context.Context, string) (connector.Config, bool, error) { return nil, false, nil }
	}
	o.Deps.Task = o.Task
	return o
}

// seat is the task's instance id in the group: one a node, connector and task.
func (o *taskOptions) seat() string { return seatOf(o.Node, o.Connector.Name, o.Task) }

func seatOf(node, connector string, task int) string {
	return fmt.Sprintf("%s-%s-%d", node, connector, task)
}

// transactionalID names the task's transactional producer.
func (o *taskOptions) transactionalID() string {
	return o.Config.Get(connector.KeyGroup) + "-" + o.seat()
}

// Run joins the group and delivers, joining again after whatever passes, until ctx
// ends; then it returns nil. It returns a *connector.WrongError when the
// configuration cannot work, and an error that is kafka.ErrFenced when another process
// keeps taking the task's place.
func (t *sinkTask) Run(ctx context.Context) error {
	var pause retryPause
	for {
		started := time.Now()
		err := t.live(ctx)
		var abort *abortError
		switch {
		case errors.As(err, &abort):
			return abort.err
		case ctx.Err() != nil:
			return nil
		case connector.CauseOf(err) == connector.CauseWrong:
			return t.failed(err)
		case errors.Is(err, kafka.ErrFenced) && !errors.Is(err, kafka.ErrProducerFenced) && t.fencedTooOften():
			return t.failed(&connector.WrongError{Err: fmt.Errorf("another process takes this task's place in the group: %w", err),
				Remedy: "Another process runs with this node's identity (a copied data directory?). Stop it, then restart the connector."})
		}
		if time.Since(started) > time.Minute {
			pause.reset()
		}
		t.passing(err)
		if immediate(err) {
			continue
		}
		if !t.retry.sleep(ctx, pause.next(0)) {
			return nil
		}
	}
}

// immediate tells of an end of a life after which to join at once: what happened is
// part of the protocol, nothing is away.
func immediate(err error) bool {
	return errors.Is(err, kafka.ErrUnanswered) || errors.Is(err, errReopen)
}

func (t *sinkTask) fencedTooOften() bool {
	now := time.Now()
	kept := t.fences[:0]
	for _, at := range t.fences {
		if now.Sub(at) < fencingPeriod {
			kept = append(kept, at)
		}
	}
	t.fences = append(kept, now)
	return len(t.fences) > fencingsAllowed
}

// live opens every client, works through sessions of the group and closes all again.
// The order matters: the transactional producer comes before the group's member,
// because it ends a transaction that a killed task left open.
func (t *sinkTask) live(ctx context.Context) (err error) {
	c, err := t.openClients(ctx)
	if err != nil {
		return err
	}
	defer c.close()
	ctx, fail := context.WithCancelCause(ctx)
	var probing sync.WaitGroup
	defer probing.Wait()
	defer fail(nil)
	defer func() {
		var abort *abortError
		if wrong := context.Cause(ctx); connector.CauseOf(wrong) == connector.CauseWrong && !errors.As(err, &abort) {
			err = wrong
		}
	}()
	probing.Go(func() { t.probe(ctx, c.sink, fail) })
	topics, err := t.findTopics(ctx, c)
	if err != nil {
		return err
	}
	if err := t.fault(stepJoin, kafka.TP{}); err != nil {
		return err
	}
	consumer, err := t.o.kafka.consumer(kafka.ConsumerOptions{
		Group: t.group, InstanceID: t.seat, Topics: topics,
		SessionTimeout: t.o.SessionTimeout, FetchBytes: t.o.Cluster.FetchBytes,
	})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", t.group, err)
	}
	err = t.sessions(ctx, c, consumer)
	cause := context.Cause(ctx)
	leave := errors.Is(cause, errSuspend) || errors.Is(cause, errDelete)
	if cerr := consumer.Close(leave); cerr != nil && ctx.Err() != nil {
		t.o.Log(LogWarn, "The task could not leave its group in order; its partitions wait for the session timeout.", map[string]string{"error": cerr.Error()})
	}
	return err
}

// rejoinsAtOnce is how often a task joins again without a pause after short sessions.
const rejoinsAtOnce = 3

// sessions runs one generation after the other until something asks for new clients.
func (t *sinkTask) sessions(ctx context.Context, c *taskClients, consumer taskConsumer) error {
	var pause retryPause
	soon := rejoinsAtOnce
	for ctx.Err() == nil {
		started := time.Now()
		s := newTaskSession(t, ctx, c)
		err := consumer.RunSession(s.ctx, s)
		s.close()
		if ended := s.cause(); ended != nil {
			err = ended
		}
		if ctx.Err() != nil {
			var abort *abortError
			if errors.As(err, &abort) {
				return err
			}
			return nil
		}
		switch {
		case errors.Is(err, errRejoin):
			continue
		case err == nil, errors.Is(err, kafka.ErrRebalance):
			t.o.Log(LogInfo, "The group rebalances; the task joins again.", nil)
		default:
			return err
		}
		if time.Since(started) > 5*time.Second {
			pause.reset()
			soon = rejoinsAtOnce
		}
		// Members that start together make each other join again a few times; the
		// coordinator answers when all are there, so asking at once is no storm.
		if soon > 0 {
			soon--
			continue
		}
		if !t.retry.sleep(ctx, pause.next(0)/4) {
			return nil
		}
	}
	return nil
}

// Retry tries again what a policy or a cause stopped: pauses end, and when partitions
// are stopped the task joins again. False: the task is about to end and needs a new one.
func (t *sinkTask) Retry() bool {
	t.mu.Lock()
	if t.ending {
		t.mu.Unlock()
		return false
	}
	t.retry.ring()
	s := t.session
	stopped := false
	for _, p := range t.parts {
		if st := p.state(); st == connector.StateFailed && p.claimed.Load() {
			stopped = true
		}
	}
	t.mu.Unlock()
	if s != nil && stopped {
		s.end(errRejoin)
	}
	return true
}

// findTopics looks every source topic up; those that are gone are shown and left out.
func (t *sinkTask) findTopics(ctx context.Context, c *taskClients) ([]string, error) {
	var found, gone []string
	for _, name := range t.o.Config.List(connector.KeyTopics) {
		_, err := c.topic(ctx, name)
		switch {
		case errors.Is(err, kafka.ErrNoTopic):
			gone = append(gone, name)
		case err != nil:
			return nil, fmt.Errorf("looking up topic %s: %w", name, err)
		default:
			found = append(found, name)
		}
	}
	t.noteMissing(gone)
	if len(found) == 0 {
		return nil, &topicGoneError{topics: gone}
	}
	return found, nil
}
