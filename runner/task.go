package runner

import (
	"context"

	"github.com/sluice-io/sluice/runner/kafka"
)

// task is one thread of a connector's work. sinkTask delivers what the partitions hold
// that its group gives it; sourceTask reads an outside system.
type task interface {
	// Run works until ctx ends, then it returns nil. An error is for good: only another
	// task helps.
	Run(ctx context.Context) error
	// Retry tries again what a policy or a cause stopped. False: the task is about to end
	// and needs a new one.
	Retry() bool
	// Status is the task's state and that of what it works on.
	Status() TaskStatus
	// Choose carries out what a person chose for what waits for it.
	Choose(ctx context.Context, tp kafka.TP, choice string, offset int64) error
	// joining tells that the task is taking its place, so that a choice may have to wait.
	joining() bool
}

var (
	_ task = (*sinkTask)(nil)
	_ task = (*sourceTask)(nil)
)
