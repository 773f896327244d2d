package console

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/control"
)

const (
	laterMost    = 128 // answers that are remembered at once
	laterKept    = time.Minute
	laterTimeout = 40 * time.Second
)

// laterAnswers are answers of live systems that pages wait for only a moment: lists for
// pickers, samples of a preview. What is not there yet goes on in the background and is
// found at the next request of the same user with the same values.
type laterAnswers struct {
	now func() time.Time
	mu  sync.Mutex
	m   map[string]*laterAnswer
}

// laterAnswer is read only after done.
type laterAnswer struct {
	began time.Time
	done  chan struct{}
	value any
	err   error
}

func newLaterAnswers(now func() time.Time) *laterAnswers {
	return &laterAnswers{now: now, m: map[string]*laterAnswer{}}
}

// laterKey names an answer by who asks and all that it depends on.
func laterKey(q *request, parts ...string) string {
	sum := sha256.New()
	fmt.Fprintf(sum, "%d", q.user.ID)
	for _, p := range parts {
		fmt.Fprintf(sum, "\x00%d:%s", len(p), p)
	}
	return hex.EncodeToString(sum.Sum(nil))
}

// get finds an answer or begins work for it, and waits for it at most for wait. ok is
// false while it is not there.
func (l *laterAnswers) get(q *request, key string, wait time.Duration, work func(context.Context) (any, error)) (value any, err error, ok bool) {
	a := l.take(key)
	if a == nil {
		a = l.begin(q, key, work)
	}
	if a == nil {
		return nil, &control.Error{Kind: control.TooMany, After: 5 * time.Second, Message: "Too many lookups are under way; try again in a moment."}, true
	}
	t := time.NewTimer(wait)
	defer t.Stop()
	select {
	case <-a.done:
		return a.value, a.err, true
	case <-t.C:
	case <-q.Request.Context().Done():
	}
	return nil, nil, false
}

// forget makes the next get ask again.
func (l *laterAnswers) forget(key string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	delete(l.m, key)
}

func (l *laterAnswers) take(key string) *laterAnswer {
	l.mu.Lock()
	defer l.mu.Unlock()
	a := l.m[key]
	if a == nil || l.now().Sub(a.began) > laterKept {
		return nil
	}
	return a
}

func (l *laterAnswers) begin(q *request, key string, work func(context.Context) (any, error)) *laterAnswer {
	a := &laterAnswer{began: l.now(), done: make(chan struct{})}
	l.mu.Lock()
	for old, other := range l.m {
		if l.now().Sub(other.began) > laterKept {
			delete(l.m, old)
		}
	}
	if len(l.m) >= laterMost {
		l.mu.Unlock()
		return nil
	}
	l.m[key] = a
	l.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.Request.Context()), laterTimeout)
	log := q.c.log
	go func() {
		defer cancel()
		defer close(a.done)
		defer func() {
			if cause := recover(); cause != nil {
				log.Error("looking something up", "panic", cause)
				a.err = &control.Error{Kind: control.Internal, Message: "Something went wrong inside Sluice; the server's log says what."}
			}
		}()
		a.value, a.err = work(ctx)
	}()
	return a
}
