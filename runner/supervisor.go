package runner

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Sealer protects secrets that leave the process; context binds a sealed value to
// its place.
type Sealer interface {
	Seal(context string, plain string) (string, error)
	Open(context string, sealed string) (string, error)
}

// LifecycleStore is what the supervisor writes beside Store.
type LifecycleStore interface {
	Store
	SetDeployed(ctx context.Context, connectorID int64, deployed bool) error
	// NewEpoch begins a new replay epoch and returns it.
	NewEpoch(ctx context.Context, connectorID int64) (string, error)
}

// Options configures a Supervisor.
type Options struct {
	Store LifecycleStore
	Specs []connector.Spec
	// Node identifies this data directory for ever; Worker is what REST shows as worker_id.
	Node, Worker string
	// Installation tells this installation's configuration records from another's.
	Installation string
	// Dial makes the dialer for connectors and instances with or without Internet access.
	Dial func(internetAccess bool) func(ctx context.Context, network, address string) (net.Conn, error)
	// DialMetadata reaches the machine's metadata service and nothing else, when the
	// network rules let it (AllowECSRAMRole); connectors get it as Deps.DialMetadata.
	DialMetadata    func(ctx context.Context, network, address string) (net.Conn, error)
	Roots           *x509.CertPool // nil: the system's
	TempDir         string         // connectors get it as Deps.TempDir
	Seal            Sealer
	Budget          *Budget
	AllowECSRAMRole bool
	Logger          *slog.Logger
	// Faults is nil in production; tests place kill points with it.
	Faults Faults
	// SessionTimeout of the consumer groups; 0 = 10 s.
	SessionTimeout time.Duration
}

// Supervisor reconciles what the operator wants of each connector with what runs in
// this process.
type Supervisor struct {
	o      Options
	log    *slog.Logger
	lines  *logWriter
	notify chan struct{}
	every  time.Duration // between two looks at the model without a Notify

	mu   sync.Mutex
	runs map[int64]*run
	// held names connectors whose lifecycle is being changed (removal, positions): the
	// reconciler leaves them alone.
	held map[int64]bool
	ctx  context.Context
	done chan struct{}
	// storeErr is the last failure to write the model; nil when the last write went well.
	storeErr error
}

// NewSupervisor makes a supervisor; Run starts it.
func NewSupervisor(o Options) *Supervisor {
	if o.SessionTimeout == 0 {
		o.SessionTimeout = defaultSessionTimeout
	}
	s := &Supervisor{
		o: o, log: o.Logger,
		notify: make(chan struct{}, 1),
		every:  reconcileEvery,
		runs:   map[int64]*run{},
		held:   map[int64]bool{},
		done:   make(chan struct{}),
	}
	s.lines = newLogWriter(o.Store, s.noteStore)
	return s
}

const (
	defaultSessionTimeout = 10 * time.Second
	reconcileEvery        = 2 * time.Second
	// stopDeadline is how long a task may take to end at suspend, delete or restart.
	stopDeadline = 12 * time.Second
	// shutdownDeadline bounds the drain at the end of the process.
	shutdownDeadline = 7 * time.Second
)

// Run reconciles until ctx ends, then stops every task within the shutdown deadline.
func (s *Supervisor) Run(ctx context.Context) error {
	s.mu.Lock()
	s.ctx = ctx
	s.mu.Unlock()
	defer close(s.done)
	tick := time.NewTicker(s.every)
	defer tick.Stop()
	logsDone := make(chan struct{})
	logsCtx, stopLogs := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer close(logsDone); s.lines.run(logsCtx) }()
	for {
		if err := s.reconcile(ctx); err != nil && ctx.Err() == nil {
			s.log.Error("reconciling connectors", "err", err)
		}
		select {
		case <-ctx.Done():
			s.shutdown()
			stopLogs()
			<-logsDone
			return nil
		case <-tick.C:
		case <-s.notify:
		}
	}
}

// Notify says that a connector's desired state or configuration has changed.
func (s *Supervisor) Notify(int64) {
	select {
	case s.notify <- struct{}{}:
	default:
	}
}

func (s *Supervisor) noteStore(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil && s.storeErr == nil {
		s.log.Error("writing the database", "err", err)
	}
	s.storeErr = err
}

func (s *Supervisor) reconcile(ctx context.Context) error {
	rows, err := s.o.Store.Connectors(ctx)
	if err != nil {
		return fmt.Errorf("listing connectors: %w", err)
	}
	seen := make(map[int64]bool, len(rows))
	for _, c := range rows {
		seen[c.ID] = true
		s.reconcileOne(ctx, c)
	}
	for _, r := range s.snapshot() {
		if !seen[r.id] {
			r.stop(errDelete)
			s.forget(r)
		}
	}
	return nil
}

func (s *Supervisor) reconcileOne(ctx context.Context, c Connector) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.held[c.ID] {
		return
	}
	r := s.runs[c.ID]
	if r != nil && r.finished() {
		delete(s.runs, c.ID)
		r = nil
	}
	wants := c.Desired == DesiredRunning
	switch {
	case r == nil && !wants && !c.keepsAlive():
		return
	case r == nil:
		s.runs[c.ID] = startRun(ctx, s, c)
	case !r.matches(c):
		go r.stop(r.causeFor(c))
	case r.retries(c):
		r.retry(c.Restart)
	}
}

// keepsAlive: a suspended or stopped connector with positions joins its group once a
// day so that they do not expire.
func (c *Connector) keepsAlive() bool {
	return c.Deployed && (c.Desired == DesiredPaused || c.Desired == DesiredStopped)
}

func (s *Supervisor) snapshot() []*run {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := make([]*run, 0, len(s.runs))
	for _, r := range s.runs {
		out = append(out, r)
	}
	return out
}

func (s *Supervisor) forget(r *run) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.runs[r.id] == r {
		delete(s.runs, r.id)
	}
}

func (s *Supervisor) runOf(id int64) *run {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.runs[id]
}

// shutdown stops every run at once and waits for all within the deadline.
func (s *Supervisor) shutdown() {
	var wg sync.WaitGroup
	for _, r := range s.snapshot() {
		wg.Go(func() { r.stopWithin(errShutdown, shutdownDeadline) })
	}
	wg.Wait()
}

// hold takes a connector out of the reconciler's hands, stopping what runs of it.
func (s *Supervisor) hold(id int64, cause error) (release func(), err error) {
	s.mu.Lock()
	if s.held[id] {
		s.mu.Unlock()
		return nil, ErrBusy
	}
	s.held[id] = true
	r := s.runs[id]
	s.mu.Unlock()
	if r != nil {
		if !r.stopWithin(cause, stopDeadline) {
			s.mu.Lock()
			delete(s.held, id)
			s.mu.Unlock()
			return nil, ErrStillStopping
		}
		s.forget(r)
	}
	return func() {
		s.mu.Lock()
		delete(s.held, id)
		s.mu.Unlock()
		s.Notify(id)
	}, nil
}

var (
	// ErrBusy: another change of the connector is under way.
	ErrBusy = errors.New("another change of this connector is under way; try again in a moment")
	// ErrStillStopping: the connector's tasks have not ended in time.
	ErrStillStopping = errors.New("the connector's tasks are still stopping; try again in a moment")
)

// cluster tells how to reach an instance; connectors get their own Internet access.
func (s *Supervisor) cluster(in Instance, clientID string) kafka.Cluster {
	return kafka.Cluster{
		Bootstrap: connector.Config{"b": in.BootstrapServers}.List("b"),
		Protocol:  in.SecurityProtocol, Mechanism: in.SASLMechanism,
		Username: in.SASLUsername, Password: in.SASLPassword,
		CAPEM: in.CAPEM, Roots: s.o.Roots, Version: in.Version,
		Dial:     s.o.Dial(in.InternetAccess),
		ClientID: clientID, Logger: s.log,
	}
}

func (s *Supervisor) env(in Instance) connector.Env {
	return connector.Env{
		Instance: in.Name, Installation: s.o.Installation, Region: in.Region, Version: in.Version, Brokers: len(in.Brokers),
		VPCID: in.VPCID, VSwitchID: in.VSwitchID, InternetAccess: in.InternetAccess,
		AllowECSRAMRole: s.o.AllowECSRAMRole,
	}
}

// subject is a connector with everything that acts on it need.
type subject struct {
	row      Connector
	instance Instance
	spec     *connector.Spec
	config   connector.Config // resolved
	cluster  kafka.Cluster
	env      connector.Env
	names    resourceNames
	fresh    bool // deployed by this run
}

// gone is the error of a topic of the connector's that the brokers do not know: a person
// has to make it again. Right after its deploy the topic was seen or made a moment ago, and
// a busy cluster only has not told all its brokers: that passes.
func (sub *subject) gone(field, role, topic, remedy string) error {
	err := fmt.Errorf("the %s %s does not exist", role, topic)
	if sub.fresh || !sub.row.Deployed {
		return err
	}
	return &connector.WrongError{Field: field, Err: err, Remedy: remedy}
}

func (s *Supervisor) subject(ctx context.Context, c Connector) (*subject, error) {
	in, err := s.o.Store.Instance(ctx, c.InstanceID)
	if err != nil {
		return nil, fmt.Errorf("reading instance: %w", err)
	}
	spec, err := connector.Find(s.o.Specs, c.Class)
	if err != nil {
		return nil, &connector.WrongError{Field: connector.KeyClass, Remedy: "This version of Sluice does not know the task type " + c.Class + "; run the version that made the connector.", Err: err}
	}
	env := s.env(in)
	cfg := spec.Resolve(c.Config, env)
	if problems := spec.Problems(cfg, env); len(problems) > 0 {
		return nil, &connector.WrongError{Field: problems[0].Field, Remedy: "Modify the configuration: " + problems[0].Field + ": " + problems[0].Message, Err: errors.New(joinProblems(problems))}
	}
	sub := &subject{row: c, instance: in, spec: spec, config: cfg, env: env, names: namesOf(cfg), cluster: s.cluster(in, "sluice-"+c.Name)}
	sub.cluster.FetchBytes = s.fetchBytes(cfg.Int(connector.KeyTasksMax))
	return sub, nil
}

// fetchBytes is what one task's client may buffer for one broker, in bytes: an eighth
// of the budget over all tasks, between what keeps fetches efficient and what is of
// no use any more.
func (s *Supervisor) fetchBytes(tasks int64) int32 {
	return int32(min(max(s.o.Budget.Limit()/(8*max(tasks, 1)), 512<<10), 4<<20))
}

func joinProblems(ps []connector.FieldError) string {
	texts := make([]string, len(ps))
	for i, p := range ps {
		texts[i] = p.Error()
	}
	return strings.Join(texts, " ")
}
