package runner

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// leadership tells a source task whether this node leads the connector: whether its
// member of the connector's own group owns the configuration topic's partition. The
// leader writes it, the task reads it.
//
// A session that ends does not end the leadership at once: the group may only have
// joined anew, and a source that had to begin a long copy again for that would be of
// little use. Two readers at a time cost nothing but work, because the transactional
// producer of the later one fences the other. It ends when the next session does not
// own the partition, and when none has begun within grace.
type leadership struct {
	grace time.Duration

	mu      sync.Mutex
	tenure  *tenure // nil: not led here
	session kafka.Session
	expiry  *time.Timer
	over    error         // fenced: another process has this node's seat
	trouble error         // why the group could not be joined lately
	changed chan struct{} // closed and made anew at every change
}

// tenure is the time for which this node leads. Its context ends with a cause.
type tenure struct {
	ctx context.Context
	end context.CancelCauseFunc
	of  *leadership
}

// errTenureOver ends what a source task does because another node leads, or may lead.
var errTenureOver = errors.New("this node does not lead the connector any more")

func newLeadership(grace time.Duration) *leadership {
	return &leadership{grace: grace, changed: make(chan struct{})}
}

// tell wakes who waits. The caller holds mu.
func (l *leadership) tell() {
	close(l.changed)
	l.changed = make(chan struct{})
}

// won: the partition is owned in this session.
func (l *leadership) won(s kafka.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
	l.session, l.trouble = s, nil
	if l.tenure == nil {
		ctx, end := context.WithCancelCause(context.Background())
		l.tenure = &tenure{ctx: ctx, end: end, of: l}
	}
	l.tell()
}

// left: the session that owned it has ended.
func (l *leadership) left(s kafka.Session) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.session != s || l.tenure == nil {
		return
	}
	l.session = nil
	l.tell()
	var timer *time.Timer
	timer = time.AfterFunc(l.grace, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if l.expiry == timer {
			l.endTenure(errTenureOver)
		}
	})
	l.expiry = timer
}

// denied: a session has begun in which another node owns it.
func (l *leadership) denied() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.endTenure(errTenureOver)
}

// endTenure is called with mu held.
func (l *leadership) endTenure(cause error) {
	if l.expiry != nil {
		l.expiry.Stop()
		l.expiry = nil
	}
	if l.tenure != nil {
		l.tenure.end(cause)
		l.tenure = nil
	}
	l.session = nil
	l.tell()
}

// fence says for good that another process has this node's seat.
func (l *leadership) fence(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over == nil {
		l.over = err
	}
	l.endTenure(err)
}

// troubled says why the group could not be joined; it is tried again.
func (l *leadership) troubled(err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.trouble = err
	l.tell()
}

// fenced is why this process must not join again; nil when it may.
func (l *leadership) fenced() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.over
}

// leading tells whether this node leads now.
func (l *leadership) leading() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.tenure != nil
}

// await returns when this node leads: ctx's cause when that ends first, and what fence
// was told. Meanwhile show hears what keeps this node from joining.
func (l *leadership) await(ctx context.Context, show func(error)) (*tenure, error) {
	for {
		l.mu.Lock()
		t, over, changed, trouble := l.tenure, l.over, l.changed, l.trouble
		l.mu.Unlock()
		if t == nil && over == nil && trouble != nil {
			show(trouble)
		}
		switch {
		case over != nil:
			return nil, over
		case t != nil:
			return t, nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// member is who this node is in the session that owns the partition. Between two
// sessions it waits for the next: errTenureOver when it does not own it.
func (t *tenure) member(ctx context.Context) (kafka.Member, error) {
	for {
		t.of.mu.Lock()
		s, changed := t.of.session, t.of.changed
		ended := t.of.tenure != t
		t.of.mu.Unlock()
		switch {
		case ended:
			return kafka.Member{}, context.Cause(t.ctx)
		case s != nil && s.Context().Err() == nil:
			return s.Member(), nil
		}
		select {
		case <-changed:
		case <-time.After(50 * time.Millisecond): // the session ends before the leader says so
		case <-t.ctx.Done():
		case <-ctx.Done():
			return kafka.Member{}, context.Cause(ctx)
		}
	}
}

// resign ends the tenure: the coordinator does not know this member any more. The
// leader joins anew by itself when its next heartbeat is answered so.
func (t *tenure) resign() {
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if t.of.tenure == t {
		t.of.endTenure(errTenureOver)
	}
}
