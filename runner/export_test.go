package runner

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
