package maxcompute

import (
	"context"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/sluice-io/sluice/runner/connector"
)

// verdict is what became of an upload session, or can become of it.
type verdict uint8

const (
	unsure   verdict = iota // it cannot be known
	standing                // it can be committed, or is being
	done                    // its rows are in the table
	gone                    // its rows are not in the table and never will be
)

const (
	// closePause is how long a session that is closing is left alone between two looks, at
	// first and at most; closeTimeout how long it is waited for at once.
	closePause    = 20 * time.Millisecond
	closePauseMax = 2 * time.Second
	closeTimeout  = 2 * time.Minute
)

// errLost: the service has forgotten what became of the session.
var errLost = errors.New("the service does not tell what became of the upload session")

// Publish commits the sessions that are not committed.
func (c *chunk) Publish(ctx context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	var g errgroup.Group // one that fails does not end the others: their commits may be under way
	g.SetLimit(together)
	for _, p := range c.parts {
		if p.rows > 0 && !p.done {
			g.Go(func() error { return c.publish(ctx, p, guard) })
		}
	}
	return nil, g.Wait()
}

func (c *chunk) publish(ctx context.Context, p *part, guard connector.Guard) error {
	v, err := c.s.forward(ctx, p.entry(), guard)
	switch {
	case v == done:
		p.done = true
		return nil
	case v == gone:
		return &connector.RepeatError{Err: fmt.Errorf("upload session %s of %s will not take place: %w", p.session, p.pt, err)}
	case errors.Is(err, errLost):
		return &connector.RepeatError{Err: fmt.Errorf("upload session %s of %s: %w", p.session, p.pt, err)}
	}
	return err
}

// forward brings a session to its end: it is committed, asking the guard before, and
// looked at until it is closed. A session that is gone comes back with the reason; one of
// which nothing is known as unsure with errLost. The session is looked at before it is
// committed: an earlier commit may have been carried out unanswered, and a block that the
// service does not have would be missing in silence.
func (s *sink) forward(ctx context.Context, e entry, guard connector.Guard) (verdict, error) {
	switch s.known(e.session) {
	case done:
		return done, nil
	case gone:
		return gone, errors.New("that was found out before")
	}
	deadline := time.Now().Add(closeTimeout)
	for pause := closePause; ; pause = min(2*pause, closePauseMax) {
		v, err := s.state(ctx, e)
		if v != standing || err != nil && !errors.Is(err, errClosing) {
			return v, err
		}
		if err == nil {
			v, err = s.commit(ctx, e, guard)
			if v != standing || err != nil {
				return v, err
			}
		}
		if time.Now().After(deadline) {
			return standing, s.client.classify.away(fmt.Errorf("upload session %s of %s is not closed after %s", e.session, e.pt, closeTimeout))
		}
		if !sleep(ctx, pause) {
			return standing, context.Cause(ctx)
		}
	}
}

// errClosing goes with a standing session that is being committed.
var errClosing = errors.New("the upload session is closing")

// state looks at a session: done, gone with the reason, standing (with errClosing when it
// is being committed), or unsure with an error.
func (s *sink) state(ctx context.Context, e entry) (verdict, error) {
	u, err := s.client.look(ctx, s.place, e.pt, e.session)
	switch {
	case errors.Is(err, errNoPartition):
		return gone, err
	case errors.Is(err, errNoSession):
		return unsure, fmt.Errorf("%w: %w", errLost, err)
	case sessionOver(err):
		return unsure, s.client.classify.away(err)
	case err != nil:
		return unsure, err
	}
	switch u.Status {
	case stateClosed:
		return done, nil
	case stateClosing, stateCommitting:
		return standing, errClosing
	case stateCanceled, stateCritical:
		return gone, fmt.Errorf("it is %s", u.Status)
	case stateExpired:
		return unsure, fmt.Errorf("%w: it is %s", errLost, u.Status)
	case stateNormal:
		if !u.has(e.blocks) {
			return gone, fmt.Errorf("the service has %d of its %d blocks", len(u.Blocks), e.blocks)
		}
		return standing, nil
	}
	return unsure, s.client.classify.away(fmt.Errorf("upload session %s of %s is in the state %q", e.session, e.pt, clip(u.Status, 40)))
}

// commit asks for the commit. Standing without an error means that the session is to be
// looked at.
func (s *sink) commit(ctx context.Context, e entry, guard connector.Guard) (verdict, error) {
	if err := guard(); err != nil {
		return standing, fmt.Errorf("not committing upload session %s: %w", e.session, err)
	}
	status, err := s.client.commit(ctx, s.place, e.pt, e.session)
	switch {
	case err == nil && status == stateClosed:
		return done, nil
	case err == nil, errors.Is(err, errConflict), errors.Is(err, errNoSession):
		return standing, nil
	case errors.Is(err, errModified), errors.Is(err, errNoPartition):
		// The service may leave it NORMAL; it is never asked for again.
		s.remember(e.session, gone)
		s.forget()
		return gone, err
	}
	return standing, err
}

func (s *sink) known(session string) verdict {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.verdicts[session]
}

func (s *sink) remember(session string, v verdict) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.verdicts[session] = v
}
