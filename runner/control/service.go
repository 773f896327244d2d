package control

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Options configures a Service.
type Options struct {
	Store      Store
	Supervisor Supervisor
	Kafka      Kafka // nil: Live
	Specs      []connector.Spec
	Addresses  Addresses
	Egress     Egress
	Logger     *slog.Logger
	Now        func() time.Time // nil: time.Now
}

// Service is the use cases. Every method takes who asks from the context
// (WithActor) and answers refusals as *Error.
type Service struct {
	store Store
	sup   Supervisor
	kafka Kafka
	specs []connector.Spec
	addr  Addresses
	// egress puts changed network rules in force.
	egress Egress
	log    *slog.Logger
	now    func() time.Time

	probes probes
	locks  keyedLocks
	live   limiter // live checks: each makes this program dial
	// taskless are connectors that were suspended while they had no tasks.
	taskless sync.Map
}

// New makes a Service; Run starts its background work.
func New(o Options) *Service {
	if o.Kafka == nil {
		o.Kafka = Live{}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &Service{
		store: o.Store, sup: o.Supervisor, kafka: o.Kafka, specs: o.Specs, addr: o.Addresses, egress: o.Egress, log: o.Logger, now: o.Now,
		live: limiter{every: 2 * time.Second, burst: 30},
	}
}

// Run probes the instances every 15 seconds and finishes deletions that a stop of
// the process interrupted. It returns when ctx ends.
func (s *Service) Run(ctx context.Context) error {
	ctx = WithActor(ctx, System())
	tick := time.NewTicker(probeEvery)
	defer tick.Stop()
	for {
		s.probeAll(ctx)
		s.finishDeletions(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Specs lists the task types.
func (s *Service) Specs() []connector.Spec { return s.specs }

// Spec finds a task type, whatever its case.
func (s *Service) Spec(class string) (*connector.Spec, error) {
	spec, err := connector.Find(s.specs, class)
	if err != nil {
		return nil, notFound("There is no task type %s.", quoted(class))
	}
	return spec, nil
}

// audit writes down an act that was done. A failure is logged and refuses nothing:
// the act is done already.
func (s *Service) audit(ctx context.Context, act, object string, detail map[string]string) {
	a := ActorFrom(ctx)
	e := AuditEntry{Actor: a.Name, Act: act, Object: object, Detail: detail, Address: a.Address}
	if err := s.store.Audit(context.WithoutCancel(ctx), e); err != nil {
		s.log.Error("writing the audit log", "act", act, "object", object, "err", err)
	}
}

// fromStore turns what a Store answers into a refusal.
func fromStore(err error, what string) error {
	var own *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.Is(err, runner.ErrNotFound):
		return notFound("%s", sentence(what+" not found"))
	case errors.Is(err, ErrExists):
		return &Error{Kind: Conflict, Exists: true, Message: sentence(err.Error()), Err: err,
			Fields: []connector.FieldError{{Field: connector.KeyName, Message: sentence(err.Error())}}}
	case errors.Is(err, ErrQuota):
		return &Error{Kind: Quota, Message: sentence(err.Error()), Err: err}
	case errors.Is(err, runner.ErrDiskFull):
		return &Error{Kind: Unavailable, Message: sentence(runner.ErrDiskFull.Error()), Err: err}
	case errors.Is(err, ErrStale), errors.Is(err, ErrInUse), errors.Is(err, ErrDecided):
		return &Error{Kind: Conflict, Message: sentence(err.Error()), Err: err}
	}
	return AsError(err)
}

// keyedLocks serialises changes of one connector inside this process.
type keyedLocks struct {
	mu sync.Mutex
	m  map[string]*keyedLock
}

type keyedLock struct {
	ch    chan struct{}
	users int
}

// lock waits for the key; the returned function gives it back.
func (k *keyedLocks) lock(ctx context.Context, key string) (func(), error) {
	k.mu.Lock()
	if k.m == nil {
		k.m = map[string]*keyedLock{}
	}
	l := k.m[key]
	if l == nil {
		l = &keyedLock{ch: make(chan struct{}, 1)}
		k.m[key] = l
	}
	l.users++
	k.mu.Unlock()
	done := func() {
		k.mu.Lock()
		defer k.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(k.m, key)
		}
	}
	select {
	case l.ch <- struct{}{}:
		return func() { <-l.ch; done() }, nil
	case <-ctx.Done():
		done()
		return nil, &Error{Kind: Conflict, Message: "Another change of this connector is under way; try again in a moment.", Err: ctx.Err()}
	}
}

// limiter is a token bucket for each user.
type limiter struct {
	every time.Duration // one token each
	burst int

	mu sync.Mutex
	m  map[string]bucket
}

type bucket struct {
	tokens float64
	at     time.Time
}

// take refuses with TooMany when the user's bucket is empty.
func (l *limiter) take(user string, now time.Time) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.m == nil {
		l.m = map[string]bucket{}
	}
	b, known := l.m[user]
	if !known {
		b = bucket{tokens: float64(l.burst), at: now}
	}
	b.tokens = min(float64(l.burst), b.tokens+float64(now.Sub(b.at))/float64(l.every))
	b.at = now
	if b.tokens < 1 {
		l.m[user] = b
		wait := time.Duration((1 - b.tokens) * float64(l.every))
		return &Error{Kind: TooMany, After: wait, Message: "Too many live checks; wait a moment."}
	}
	b.tokens--
	l.m[user] = b
	return nil
}
