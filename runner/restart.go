package runner

import (
	"context"
	"errors"

	"github.com/sluice-io/sluice/runner/connector"
)

// ErrNoTask: the connector has no such task at the moment.
var ErrNoTask = errors.New("no such task")

// RestartTask makes one task try again what stopped it.
func (s *Supervisor) RestartTask(_ context.Context, id int64, task int) error {
	r := s.runOf(id)
	if r == nil {
		return ErrNoTask
	}
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	if task < 0 || task >= len(tasks) {
		return ErrNoTask
	}
	ended := false
	select {
	case <-tasks[task].done:
		ended = true
	default:
	}
	if ended || !tasks[task].task.Retry() {
		go func() { r.stop(errRestart); s.Notify(id) }()
	}
	return nil
}

// Restart restarts the connector: with tasks, or those that failed.
func (s *Supervisor) Restart(_ context.Context, id int64, onlyFailed, includeTasks bool) error {
	r := s.runOf(id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	tasks, own := r.tasks, r.status
	r.mu.Unlock()
	if len(tasks) == 0 {
		if own.State == connector.StateFailed || own.State == connector.StateRecovering || !onlyFailed && includeTasks {
			go func() { r.stop(errRestart); s.Notify(id) }()
		}
		return nil
	}
	if !includeTasks && !onlyFailed {
		return nil
	}
	if includeTasks && !onlyFailed {
		go func() { r.stop(errRestart); s.Notify(id) }()
		return nil
	}
	for i, t := range tasks {
		if st := t.task.Status().State; st == connector.StateFailed || st == connector.StateDegraded || st == connector.StateRecovering {
			if err := s.RestartTask(context.Background(), id, i); err != nil {
				return err
			}
		}
	}
	return nil
}
