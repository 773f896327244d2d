package aliyun

import (
	"context"
	"log/slog"
	"sync"
	"time"
)

const (
	// renewBefore is how long before the end new credentials are asked for; of short
	// lives a third.
	renewBefore = 180 * time.Second
	// issueTimeout bounds one attempt to get credentials.
	issueTimeout = 15 * time.Second
	// forcedPause is the least time between two renewals that refusals ask for, and how
	// long credentials are believed in after they were issued.
	forcedPause = 3 * time.Second
	// failedPause is how long after a failed renewal the next begins while the old
	// credentials are valid, waitedPause while none are.
	failedPause = 5 * time.Second
	waitedPause = time.Second
)

// issued are credentials with how long they are valid by the clock of who issued them.
type issued struct {
	Credentials
	life time.Duration
}

// temporary keeps credentials that expire. What is valid is handed out at once; one
// renewal at a time goes on beside, and only where nothing is valid callers wait for it.
type temporary struct {
	issue func(context.Context) (issued, error)
	log   *slog.Logger
	now   func() time.Time // with a monotonic reading: the machine's clock may be set

	mu            sync.Mutex
	current       Credentials
	got           time.Time // when current was asked for; zero: never
	renewAt, ends time.Time
	forcedAt      time.Time     // the last renewal that a refusal asked for
	running       chan struct{} // closed when the renewal under way ends; nil: none is
	failed        error         // of the last attempt
	nextTry       time.Time     // after a failed attempt
}

func newTemporary(issue func(context.Context) (issued, error), log *slog.Logger) *temporary {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &temporary{issue: issue, log: log, now: time.Now}
}

// Credentials implements Provider.
func (t *temporary) Credentials(ctx context.Context) (Credentials, error) {
	t.mu.Lock()
	now := t.now()
	if t.valid(now) {
		defer t.mu.Unlock()
		if !now.Before(t.renewAt) && !now.Before(t.nextTry) {
			t.renew(ctx)
		}
		return t.current, nil
	}
	if t.running == nil && t.failed != nil && now.Before(t.nextTry) {
		defer t.mu.Unlock()
		return Credentials{}, t.failed
	}
	renewed := t.renew(ctx)
	t.mu.Unlock()
	select {
	case <-renewed:
	case <-ctx.Done():
		return Credentials{}, context.Cause(ctx)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.failed != nil && !t.valid(t.now()) {
		return Credentials{}, t.failed
	}
	return t.current, nil // those of a life so short that it is over are refused, not waited for
}

// Refused implements Provider.
func (t *temporary) Refused(c Credentials) bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	now := t.now()
	switch {
	case !t.current.same(c) || !t.valid(now):
		return true // others are there, or on their way
	case now.Sub(t.got) < forcedPause || !t.forcedAt.IsZero() && now.Sub(t.forcedAt) < forcedPause:
		return false // issued a moment ago: others would be refused just so
	}
	t.forcedAt, t.ends = now, now
	if t.running == nil {
		t.nextTry = time.Time{}
	}
	return true
}

func (t *temporary) valid(now time.Time) bool { return !t.got.IsZero() && now.Before(t.ends) }

// renew begins a renewal, unless one is under way, and returns what closes at its end.
// It outlives the call that began it: others wait for it too. The caller holds mu.
func (t *temporary) renew(ctx context.Context) <-chan struct{} {
	if t.running != nil {
		return t.running
	}
	done := make(chan struct{})
	t.running = done
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), issueTimeout)
	go func() {
		defer cancel()
		began := t.now()
		got, err := t.issue(ctx)
		t.mu.Lock()
		defer t.mu.Unlock()
		defer close(done)
		t.running = nil
		if err != nil {
			t.fail(err)
			return
		}
		t.take(got, began)
	}()
	return done
}

// take makes what was issued current. Its life counts from before it was asked for.
func (t *temporary) take(got issued, began time.Time) {
	if t.failed != nil {
		t.log.Info("temporary credentials are renewed again", slog.String("access_key_id", got.AccessKeyID))
	}
	t.failed, t.nextTry = nil, time.Time{}
	t.current, t.got = got.Credentials, began
	t.ends = began.Add(got.life)
	t.renewAt = t.ends.Add(-min(renewBefore, got.life/3))
	if now := t.now(); !now.Before(t.renewAt) { // the issuer had none that live longer
		t.nextTry = now.Add(min(failedPause, max(got.life/10, waitedPause)))
	}
}

func (t *temporary) fail(err error) {
	now := t.now()
	if t.valid(now) {
		t.nextTry = now.Add(min(failedPause, max(t.ends.Sub(now)/4, 100*time.Millisecond)))
		if t.failed == nil {
			t.log.Warn("temporary credentials could not be renewed; the old ones stay in use until they expire", slog.Any("err", err), slog.Time("expires", t.ends))
		}
	} else {
		t.nextTry = now.Add(waitedPause)
	}
	t.failed = err
}
