package maxcompute

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// Resolve goes forward: sessions that stand are committed. Rows of sessions that are gone
// are written again; of those that the service has forgotten the table is asked, where it
// has topic, partition and offset.
func (s *sink) Resolve(ctx context.Context, in connector.Intent, guard connector.Guard) (connector.Outcome, error) {
	entries, err := parsePayload(in.Payload)
	if err != nil {
		return connector.Outcome{}, err
	}
	var doneRows int64
	var lost, again []string
	for _, e := range entries {
		v, err := s.forward(ctx, e, guard)
		if errors.Is(err, errLost) {
			v, err = s.counted(ctx, e, in.Range)
		}
		switch {
		case v == done:
			doneRows += e.rows
		case v == gone:
			again = append(again, fmt.Sprintf("session %s of %s (%d rows): %v", e.session, e.pt, e.rows, err))
		case errors.Is(err, errLost):
			lost = append(lost, fmt.Sprintf("session %s of %s (%d rows): %v", e.session, e.pt, e.rows, err))
		default:
			return connector.Outcome{}, err
		}
	}
	switch {
	case len(lost) > 0:
		return s.unknown(in, lost, again, doneRows), nil
	case len(again) > 0:
		return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d of %d upload sessions are done; written again: %s", len(entries)-len(again), len(entries), strings.Join(again, "; "))}, nil
	}
	return connector.Outcome{Kind: connector.Done, Detail: fmt.Sprintf("all %d upload sessions are committed", len(entries))}, nil
}

// unknown is the outcome of sessions whose end nobody knows: a person looks at the table.
func (s *sink) unknown(in connector.Intent, lost, again []string, doneRows int64) connector.Outcome {
	redo := fmt.Sprintf("Every row of offsets %d to %d that is in %s already is there twice", in.First, in.Next-1, s.place.sql())
	if doneRows > 0 {
		redo += fmt.Sprintf("; %d rows certainly are", doneRows)
	}
	whole := "Rows of these sessions that are not in the table are missing for good"
	if len(again) > 0 {
		whole += "; those of " + strings.Join(again, "; ") + " certainly are"
	}
	return connector.Outcome{Kind: connector.Unknown, Detail: strings.Join(lost, "; "), Choices: []connector.Choice{
		{Choice: "done", Title: "The rows are in the table: go on behind them", Risk: whole + "."},
		{Choice: "redo", Title: "The rows are not in the table: deliver the range again", Risk: redo + "."},
		{Choice: "stay", Title: "Leave the partition stopped", Risk: "Nothing is delivered meanwhile."},
	}}
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
// gone, anything else stays unknown.
func (s *sink) counted(ctx context.Context, e entry, at connector.Range) (verdict, error) {
	if v := s.known(e.session); v != unsure {
		return v, errors.New("its rows were counted")
	}
	if !s.shape.countable() {
		return unsure, fmt.Errorf("%w; the table has no columns topic, partition and offset by which its rows could be found", errLost)
	}
	n, err := s.client.count(ctx, s.place, e.pt, at)
	var wrong *connector.WrongError
	switch {
	case errors.As(err, &wrong):
		return unsure, fmt.Errorf("%w; its rows could not be counted: %w", errLost, err)
	case err != nil:
		return unsure, err
	case n == 0:
		s.remember(e.session, gone)
		return gone, errors.New("the service has forgotten it, and none of its rows is in the table")
	case n == e.rows:
		s.remember(e.session, done)
		return done, nil
	}
	return unsure, fmt.Errorf("%w; %d rows of these offsets are in the table", errLost, n)
}
