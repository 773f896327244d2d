package runner

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// chooseWait is how long a choice waits for tasks that are just joining their group:
// every choice, and every change of the configuration, makes them join anew.
const chooseWait = 15 * time.Second

// Choose answers a Gap or an unknown intent.
func (s *Supervisor) Choose(ctx context.Context, id int64, topic string, partition int32, choice string, offset int64) error {
	deadline := time.Now().Add(chooseWait)
	for {
		err := s.choose(ctx, id, kafka.TP{Topic: topic, Partition: partition}, choice, offset)
		var joining *joiningError
		if !errors.As(err, &joining) {
			return err
		}
		if time.Now().After(deadline) || !wait(ctx, 200*time.Millisecond) {
			return joining.refusal
		}
	}
}

// joiningError: a task is between two sessions, so that a choice cannot be carried out
// just now; refusal is what to say if it stays so.
type joiningError struct{ refusal error }

func (e *joiningError) Error() string { return e.refusal.Error() }

func (s *Supervisor) choose(ctx context.Context, id int64, tp kafka.TP, choice string, offset int64) error {
	r := s.runOf(id)
	if r == nil {
		return ErrNoChoice
	}
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	joining := len(tasks) == 0
	for _, t := range tasks {
		joining = joining || t.task.joining()
		for _, p := range t.task.Status().Partitions {
			if p.Topic == tp.Topic && p.Partition == tp.Partition && len(p.Choices) > 0 {
				return t.task.Choose(ctx, tp, choice, offset)
			}
		}
	}
	if joining {
		return &joiningError{ErrNoChoice}
	}
	return ErrNoChoice
}

// ErrNoChoice: the partition does not wait for a choice.
var ErrNoChoice = errors.New("the partition does not wait for a choice")
