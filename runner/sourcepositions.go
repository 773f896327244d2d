package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// ErrNotRunning: the connector's reader does not run here at the moment.
var ErrNotRunning = errors.New("the connector's reader does not run at the moment")

func (s *Supervisor) isSource(ctx context.Context, id int64) (bool, error) {
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return false, err
	}
	spec, err := connector.Find(s.o.Specs, c.Class)
	return err == nil && spec.Kind == connector.KindSource, nil
}

// showPatience bounds the wait for a position that an open transaction hides.
const showPatience = 10 * time.Second

// SourcePositions are a source's positions as the offset topic has them, also while it
// runs.
func (s *Supervisor) SourcePositions(ctx context.Context, id int64) ([]connector.SourcePosition, error) {
	sub, err := s.sourceOf(ctx, id)
	if err != nil {
		return nil, err
	}
	offsets, err := kafka.OpenOffsets(ctx, sub.cluster)
	if err != nil {
		return nil, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer offsets.Close()
	reader, err := kafka.OpenReader(ctx, sub.cluster)
	if err != nil {
		return nil, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, showPatience)
	defer cancel()
	o := s.stateOptions(sub)
	c := &sourceClients{offsets: offsets, reader: readNow{reader}}
	state, err := c.load(ctx, &o, func(string, string) {})
	var damaged *damagedState
	switch {
	case errors.Is(err, errNoState), errors.As(err, &damaged):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("reading the position: %w", err)
	}
	return sub.spec.Positions.Show(sub.config, state.saved())
}

// readNow is a reader whose look at the end of a log does not wait.
type readNow struct{ *kafka.Reader }

func (r readNow) Fetch(ctx context.Context, tp kafka.TP, offset int64, maxBytes int32, _ time.Duration) (kafka.Page, error) {
	return r.Reader.Fetch(ctx, tp, offset, maxBytes, 0)
}

// sourceOf is the subject of a source's connector.
func (s *Supervisor) sourceOf(ctx context.Context, id int64) (*subject, error) {
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return nil, err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return nil, err
	}
	if sub.spec.Kind != connector.KindSource || sub.spec.Positions == nil {
		return nil, fmt.Errorf("connector %s has no positions of a source", c.Name)
	}
	return sub, nil
}

// AlterSourcePositions sets positions of a stopped source; an Offset of nil removes one.
// What the source refuses is a connector.FieldError of field "offsets[<n>]".
func (s *Supervisor) AlterSourcePositions(ctx context.Context, id int64, to []connector.SourcePosition) error {
	return s.moveSource(ctx, id, func(sub *subject, state *sourceState) ([]connector.Entry, error) {
		return sub.spec.Positions.Set(sub.config, state.saved(), to)
	})
}

// resetSource removes everything that a stopped source has saved: it starts again as at
// its first deploy.
func (s *Supervisor) resetSource(ctx context.Context, id int64) error {
	return s.moveSource(ctx, id, func(_ *subject, state *sourceState) ([]connector.Entry, error) {
		var out []connector.Entry
		for key := range state.values {
			out = append(out, connector.Entry{Key: key})
		}
		slices.SortFunc(out, func(a, b connector.Entry) int { return compareKeys(a.Key, b.Key) })
		return out, nil
	})
}

func compareKeys(a, b string) int {
	if a < b {
		return -1
	}
	return 1
}

// moveSource changes the state of a stopped source. Topics that do not exist yet are made
// by deploying, so that positions may be set before the first start.
func (s *Supervisor) moveSource(ctx context.Context, id int64, change func(*subject, *sourceState) ([]connector.Entry, error)) error {
	release, err := s.hold(id, errSuspend)
	if err != nil {
		return err
	}
	defer release()
	sub, err := s.sourceOf(ctx, id)
	if err != nil {
		return err
	}
	if !sub.row.Deployed {
		if err := s.deploy(ctx, sub, func(string) {}); err != nil {
			return err
		}
	}
	if _, err := s.o.Store.NewEpoch(ctx, id); err != nil {
		return fmt.Errorf("beginning a replay epoch: %w", err)
	}
	return s.changeState(ctx, sub, func(state *sourceState, _ bool) ([]connector.Entry, bool, error) {
		entries, err := change(sub, state)
		return entries, true, err
	})
}

// Snapshot asks the source of a running connector to copy parts of what it reads anew;
// none means all. ErrNotRunning; a FieldError of field "tables".
func (s *Supervisor) Snapshot(ctx context.Context, id int64, parts []string) error {
	r := s.runOf(id)
	if r == nil {
		return ErrNotRunning
	}
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	if len(tasks) == 0 {
		return ErrNotRunning
	}
	source, ok := tasks[0].task.(*sourceTask)
	if !ok {
		return connector.FieldError{Field: "tables", Message: "Only a source copies tables."}
	}
	return source.snapshot(ctx, parts)
}

func (t *sourceTask) snapshot(ctx context.Context, parts []string) error {
	t.mu.Lock()
	running := t.running
	t.mu.Unlock()
	if running == nil {
		return ErrNotRunning
	}
	s, ok := running.(connector.Snapshotter)
	if !ok {
		return connector.FieldError{Field: "tables", Message: "This source cannot copy anything again while it runs."}
	}
	return s.Snapshot(ctx, parts)
}
