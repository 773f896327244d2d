package runner

import "time"

// What the external tests of the delivery task use.

type (
	SinkTask    = sinkTask
	TaskOptions = taskOptions
)

var (
	NewSinkTask    = newSinkTask
	NewHeader      = newHeader
	EncodeMetadata = encodeMetadata
	DecodeMetadata = decodeMetadata
	ResolveIntents = resolveIntents

	ErrSuspend  = errSuspend
	ErrShutdown = errShutdown
	ErrRestart  = errRestart
)

// LookOften makes a task look at its topics every d.
func LookOften(d time.Duration) func(*TaskOptions) {
	return func(o *TaskOptions) { o.look = d }
}

// LookSeldom makes a supervisor look at the model only when it is told to. Before Run.
func LookSeldom(s *Supervisor) { s.every = time.Hour }

// WithClock gives a task's leases another clock.
func WithClock(clock func() time.Duration) func(*TaskOptions) {
	return func(o *TaskOptions) { o.clock = clock }
}
