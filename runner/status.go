package runner

import (
	"context"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
)

// Status is the roll-up of one connector, whatever it is meant to do.
func (s *Supervisor) Status(ctx context.Context, id int64) (ConnectorStatus, error) {
	if r := s.runOf(id); r != nil {
		return r.rollUp(), nil
	}
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return ConnectorStatus{}, err
	}
	return s.restStatus(c), nil
}

// RollUp is the state of a connector by what runs of it here, or, when nothing does, by
// what is wanted of it and the last states of its tasks.
func (s *Supervisor) RollUp(c Connector, tasks []TaskStatus) connector.Status {
	if r := s.runOf(c.ID); r != nil {
		return r.rollUp().Status
	}
	st := s.restStatus(c).Status
	if c.Desired == DesiredRunning && len(tasks) > 0 {
		st.State = connector.StateRunning
		return combine(st, tasks)
	}
	return st
}

// Statuses are the roll-ups of all connectors that are no drafts.
func (s *Supervisor) Statuses(ctx context.Context) (map[int64]ConnectorStatus, error) {
	rows, err := s.o.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]ConnectorStatus, len(rows))
	for _, c := range rows {
		if r := s.runOf(c.ID); r != nil {
			out[c.ID] = r.rollUp()
		} else {
			out[c.ID] = s.restStatus(c)
		}
	}
	return out, nil
}

func (s *Supervisor) restStatus(c Connector) ConnectorStatus {
	st := restState(&c)
	return ConnectorStatus{Status: st, Worker: s.o.Worker, Tasks: s.expectedTasks(&c, st)}
}

// restState is the state of a connector by what is wanted of it, as long as nothing else
// is known. One that was deployed before runs as soon as it is to run: what comes now is
// a start, no deployment, and programs that resume or modify it expect that.
func restState(c *Connector) connector.Status {
	st := connector.Status{State: idleState(c.Desired), Since: c.UpdatedAt}
	if c.Desired == DesiredRunning {
		st.Cause = startingCause
		if c.Deployed {
			st.State = connector.StateRunning
		}
	}
	return st
}

const startingCause = "Starting."

func idleState(d Desired) connector.State {
	switch d {
	case DesiredPaused:
		return connector.StateSuspended
	case DesiredStopped:
		return connector.StateStopped
	case DesiredNotDeployed:
		return connector.StateNotDeployed
	case DesiredDraft:
		return connector.StateDraft
	case DesiredDeleting:
		return connector.StateDeleting
	}
	return connector.StateDeploying
}

// expectedTasks stand for the tasks of a connector that is starting.
func (s *Supervisor) expectedTasks(c *Connector, st connector.Status) []TaskStatus {
	spec, err := connector.Find(s.o.Specs, c.Class)
	if err != nil || c.Desired != DesiredRunning || st.State != connector.StateRunning {
		return nil
	}
	out := make([]TaskStatus, max(spec.Resolve(c.Config, connector.Env{}).Int(connector.KeyTasksMax), 1))
	for i := range out {
		out[i] = TaskStatus{ConnectorID: c.ID, Task: i, Node: s.o.Worker, Status: st}
	}
	return out
}

// DeploySteps is what deploying has done so far, for the page that shows it happen.
func (s *Supervisor) DeploySteps(id int64) []string {
	r := s.runOf(id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.steps)
}

// StoreTrouble is why the model could not be written last time; nil when it could.
func (s *Supervisor) StoreTrouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storeErr
}
