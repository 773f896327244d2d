package maxcompute

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// finding is what became of one session of an intent.
type finding struct {
	entry
	verdict verdict
	err     error // why it is gone, or why nothing is known
}

func (f finding) String() string {
	text := fmt.Sprintf("session %s of %s (%d rows): ", f.session, f.pt, f.rows)
	if f.verdict == done {
		return text + "committed"
	}
	return text + f.err.Error()
}

// Resolve goes forward: sessions that stand are committed. Rows of sessions that are gone
// are written again; of those that the service has forgotten the table is asked, where it
// has topic, partition and offset, and then a person.
func (s *sink) Resolve(ctx context.Context, in connector.Intent, guard connector.Guard) (connector.Outcome, error) {
	entries, err := parsePayload(in.Payload)
	if err != nil {
		return connector.Outcome{}, err
	}
	found := map[verdict][]finding{}
	for _, e := range entries {
		v, err := s.forward(ctx, e, guard)
		if errors.Is(err, errLost) {
			v, err = s.counted(ctx, e, in.Range)
		}
		switch {
		case v == done, v == gone:
		case errors.Is(err, errLost):
			v = unsure
		default:
			return connector.Outcome{}, err
		}
		found[v] = append(found[v], finding{e, v, err})
	}
	switch {
	case len(found[unsure]) > 0:
		return s.unknown(in, found), nil
	case len(found[gone]) > 0:
		return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d of %d upload sessions are done; written again: %s", len(found[done]), len(entries), list(found[gone]))}, nil
	}
	return connector.Outcome{Kind: connector.Done, Detail: fmt.Sprintf("all %d upload sessions are committed", len(entries))}, nil
}

func list(all []finding) string {
	out := make([]string, len(all))
	for i, f := range all {
		out[i] = f.String()
	}
	return strings.Join(out, "; ")
}

// judge tells what became of a session without changing anything.
func (s *sink) judge(ctx context.Context, e entry, at connector.Range) (verdict, error) {
	if v := s.known(e.session); v != unsure {
		return v, nil
	}
	v, err := s.state(ctx, e)
	if errors.Is(err, errLost) {
		if v, err = s.counted(ctx, e, at); errors.Is(err, errLost) {
			return unsure, nil
		}
	}
	if v == unsure {
		return unsure, err
	}
	return v, nil
}

// counted looks for a forgotten session's rows in the table: all there is done, none is
// gone. Of anything else holds what was said of the session, or it stays unknown.
func (s *sink) counted(ctx context.Context, e entry, at connector.Range) (verdict, error) {
	if v := s.known(e.session); v != unsure {
		return v, errors.New("its rows were counted")
	}
	v, err := s.count(ctx, e, at)
	if errors.Is(err, errLost) {
		switch e.said {
		case done:
			v, err = done, nil
		case gone:
			v, err = gone, errors.New("an operator said that its rows are not in the table")
		}
	}
	if v != unsure {
		s.remember(e.session, v)
	}
	return v, err
}

func (s *sink) count(ctx context.Context, e entry, at connector.Range) (verdict, error) {
	if !s.shape.countable() {
		return unsure, fmt.Errorf("%w; the table has no columns topic, partition and offset by which its rows could be found", errLost)
	}
	n, err := s.client.count(ctx, s.place, e.pt, at)
	var wrong *connector.WrongError
	switch {
	case errors.As(err, &wrong):
		return unsure, fmt.Errorf("%w; its rows could not be counted: %s", errLost, connector.Brief(err))
	case err != nil:
		return unsure, err
	case n == 0:
		return gone, errors.New("the service has forgotten it, and none of its rows is in the table")
	case n == e.rows:
		return done, nil
	}
	return unsure, fmt.Errorf("%w; %d rows of these offsets are in the table", errLost, n)
}
