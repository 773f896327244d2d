package control

import (
	"context"
	"errors"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Pause suspends a connector: tasks stop, positions stay.
func (s *Service) Pause(ctx context.Context, instance, name string) error {
	return s.setDesired(ctx, instance, name, runner.DesiredPaused, "connector.suspend")
}

// Stop is Pause after which positions may be changed. A connector that was never
// deployed stays so.
func (s *Service) Stop(ctx context.Context, instance, name string) error {
	return s.setDesired(ctx, instance, name, runner.DesiredStopped, "connector.stop")
}

// Resume starts a connector (its first start is the deploy) and lets everything that
// a failure stopped try again.
func (s *Service) Resume(ctx context.Context, instance, name string) error {
	return s.setDesired(ctx, instance, name, runner.DesiredRunning, "connector.resume")
}

func (s *Service) setDesired(ctx context.Context, instance, name string, to runner.Desired, act string) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return err
	}
	switch {
	case to == runner.DesiredRunning && !c.Deployed:
		act = "connector.deploy"
		if err := s.mayDeploy(ctx, c); err != nil {
			return err
		}
	case to == runner.DesiredStopped && c.Desired == runner.DesiredNotDeployed:
		return nil
	case to == c.Desired && to != runner.DesiredRunning:
		return nil
	}
	if c.Desired != to {
		if err := s.store.SetDesired(ctx, c.ID, to); err != nil {
			return fromStore(err, "connector "+quoted(name))
		}
	}
	if to == runner.DesiredRunning {
		if _, err := s.store.RaiseRestart(ctx, c.ID); err != nil {
			return fromStore(err, "connector "+quoted(name))
		}
	}
	if to == runner.DesiredPaused && c.Desired != runner.DesiredRunning {
		s.taskless.Store(c.ID, true)
	} else {
		s.taskless.Delete(c.ID)
	}
	s.audit(ctx, act, instance+"/"+name, nil)
	s.sup.Notify(c.ID)
	return nil
}

// mayDeploy validates once more before the first start: rules and the instance may
// have changed since the connector was made.
func (s *Service) mayDeploy(ctx context.Context, c runner.Connector) error {
	checked, err := s.candidate(ctx, c.Instance, c.Config, c.Config, nil)
	if err != nil {
		return err
	}
	if !checked.instance.Enabled {
		return conflict("The connector feature is not enabled on instance %s; enable it first.", quoted(c.Instance))
	}
	return invalid(checked.problems)
}

// Restart restarts a connector: with all its tasks, or those that failed.
func (s *Service) Restart(ctx context.Context, instance, name string, onlyFailed, includeTasks bool) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := s.sup.Restart(ctx, c.ID, onlyFailed, includeTasks); err != nil {
		return fromSupervisor(err)
	}
	s.audit(ctx, "connector.restart", instance+"/"+name, nil)
	return nil
}

// RestartTask restarts one task; a task that does not exist is NotFound.
func (s *Service) RestartTask(ctx context.Context, instance, name string, task int) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return err
	}
	if err := s.sup.RestartTask(ctx, c.ID, task); err != nil {
		return fromSupervisor(err)
	}
	s.audit(ctx, "connector.task.restart", instance+"/"+name, nil)
	return nil
}

// DeleteConnector removes a connector and, unless they are to be kept, its topics
// and groups. Deliveries that are not settled refuse it (Conflict with Pending)
// unless forced. Force with KeepResources forgets a connector whose cluster is gone.
func (s *Service) DeleteConnector(ctx context.Context, instance, name string, o runner.RemoveOptions) error {
	if err := need(ctx, Operator); err != nil {
		return err
	}
	unlock, err := s.locks.lock(ctx, instance+"/"+name)
	if err != nil {
		return err
	}
	defer unlock()
	c, _, err := s.find(ctx, instance, name)
	if err != nil {
		return err
	}
	// Once begun it is finished even when the client goes away.
	ctx = context.WithoutCancel(ctx)
	if err := s.store.SetDesired(ctx, c.ID, runner.DesiredDeleting); err != nil {
		return fromStore(err, "connector "+quoted(name))
	}
	s.sup.Notify(c.ID)
	if err := s.remove(ctx, c, o); err != nil {
		if undo := s.store.SetDesired(ctx, c.ID, c.Desired); undo != nil {
			s.log.Error("taking a deletion back", "connector", name, "err", undo)
		}
		s.sup.Notify(c.ID)
		return err
	}
	detail := map[string]string{"resources": "deleted"}
	if o.KeepResources {
		detail["resources"] = "kept"
	}
	if o.Force {
		detail["force"] = "true"
	}
	s.audit(ctx, "connector.delete", instance+"/"+name, detail)
	return nil
}

func (s *Service) remove(ctx context.Context, c runner.Connector, o runner.RemoveOptions) error {
	err := s.sup.Remove(ctx, c.ID, o)
	var pending *runner.PendingError
	if err != nil && (errors.As(err, &pending) || !o.Force || !o.KeepResources) {
		return fromSupervisor(err)
	}
	if err != nil {
		s.log.Warn("forgetting a connector whose resources cannot be reached", "connector", c.Name, "err", err)
	}
	if err := s.store.DeleteConnector(ctx, c.ID); err != nil {
		return fromStore(err, "connector "+quoted(c.Name))
	}
	s.sup.Notify(c.ID)
	return nil
}

// finishDeletions goes on with what a stop of the process interrupted. A connector
// whose deliveries are not settled becomes Stopped again.
func (s *Service) finishDeletions(ctx context.Context) {
	all, err := s.store.Connectors(ctx)
	if err != nil {
		s.log.Error("listing connectors to delete", "err", err)
		return
	}
	for _, c := range all {
		if c.Desired != runner.DesiredDeleting {
			continue
		}
		s.finishDeletion(ctx, c)
	}
}

func (s *Service) finishDeletion(ctx context.Context, c runner.Connector) {
	unlock, err := s.locks.lock(ctx, c.Instance+"/"+c.Name)
	if err != nil {
		return
	}
	defer unlock()
	// A deletion that a request was busy with has ended by now, one way or the other.
	now, _, err := s.store.Connector(ctx, c.Instance, c.Name)
	if err != nil || now.ID != c.ID || now.Desired != runner.DesiredDeleting {
		return
	}
	err = s.remove(ctx, now, runner.RemoveOptions{})
	if err == nil || ctx.Err() != nil {
		return
	}
	s.log.Warn("finishing a deletion", "connector", c.Name, "err", err)
	if AsError(err).Kind == Conflict {
		if err := s.store.SetDesired(ctx, c.ID, runner.DesiredStopped); err != nil {
			s.log.Error("taking a deletion back", "connector", c.Name, "err", err)
		}
		s.sup.Notify(c.ID)
	}
}

// fromSupervisor turns what the supervisor answers into a refusal.
func fromSupervisor(err error) error {
	var (
		own     *Error
		pending *runner.PendingError
		wrong   *connector.WrongError
		away    *connector.AwayError
		field   connector.FieldError
	)
	switch {
	case err == nil:
		return nil
	case errors.As(err, &own):
		return own
	case errors.As(err, &pending):
		return &Error{Kind: Conflict, Message: sentence(pending.Error()) + " Go on with force only if a doubled or a lost range is acceptable.", Pending: pending.Pending, Err: err}
	case errors.Is(err, runner.ErrNoTask):
		return &Error{Kind: NotFound, Message: "There is no such task.", Err: err}
	case errors.Is(err, runner.ErrBusy), errors.Is(err, runner.ErrStillStopping), errors.Is(err, runner.ErrNotRunning), errors.Is(err, runner.ErrNotClaimed), errors.Is(err, runner.ErrClaimChanged):
		return &Error{Kind: Conflict, Message: sentence(err.Error()), Err: err}
	case errors.Is(err, runner.ErrNoChoice):
		return &Error{Kind: Conflict, Message: "The partition does not wait for a choice.", Err: err}
	case errors.Is(err, runner.ErrNotFound):
		return &Error{Kind: NotFound, Message: "The connector does not exist any more.", Err: err}
	case errors.As(err, &wrong):
		message := sentence(wrong.Error())
		if wrong.Remedy != "" {
			message += " " + sentence(wrong.Remedy)
		}
		return &Error{Kind: Conflict, Message: message, Err: err}
	case errors.As(err, &field):
		return fieldError(field.Field, "%s", field.Message)
	case errors.As(err, &away):
		return unavailable(err, "%s", sentence(err.Error()))
	}
	return unavailable(err, "%s", reason(err))
}
