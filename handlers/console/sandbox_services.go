package console

import (
	"context"
	"time"
)

// SandboxFunctions is what the pages show of Function Compute's stand-in.
type SandboxFunctions interface {
	Functions() []SandboxFunction
	// Invocations lists up to limit invocations that fit, newest first.
	Invocations(ctx context.Context, choice SandboxChoice, limit int) (list []SandboxInvocation, more bool, err error)
	// Invocation returns one and the beginning of its body: ErrSandboxNotFound.
	Invocation(sequence int64, limit int) (SandboxInvocation, []byte, error)
}

// SandboxFunction is a function with what came since the start.
type SandboxFunction struct {
	Service     string // "" of FC 3.0
	Name        string
	Description string
	Invocations int64
	Failed      int64
	Repeated    int64 // refused, for the invocation ID was known
	Throttled   int64 // refused
	Records     int64
	Bytes       int64
}

// SandboxChoice chooses invocations; empty fields choose any.
type SandboxChoice struct {
	Service  string // "-": of FC 3.0, which has none
	Function string
	Contains string // in the body
	Failed   bool
	Before   int64 // sequence; 0 is from the newest
}

// SandboxInvocation is an event that a function was given.
type SandboxInvocation struct {
	Sequence     int64
	ID           string // the request's
	Time         time.Time
	API          string // "2016-08-15" or "2023-03-30"
	Service      string // "" of FC 3.0
	Function     string
	Qualifier    string
	Async        bool
	InvocationID string
	Bytes        int64
	Records      int
	Status       string // Succeeded, Failed, Running
	ErrorType    string
	Error        string
	Took         time.Duration
}

// SandboxTables is what the pages show of MaxCompute's stand-in.
type SandboxTables interface {
	Tables() []SandboxTable
	// Partitions lists up to limit partitions of a table by name behind after: ErrSandboxNotFound.
	Partitions(table, after string, limit int) (list []SandboxPartition, more bool, err error)
	// Rows lists up to limit rows of a partition from the first on, in the order in which they were committed:
	// ErrSandboxNotFound. A table without partition columns has the partition "".
	Rows(ctx context.Context, table, partition string, first int64, limit int) ([][]SandboxValue, error)
}

// SandboxTable is a table; its name has the project before it: "sandbox.kafka_messages".
type SandboxTable struct {
	Name        string
	Columns     []SandboxColumn
	Partitioned bool
	Partitions  int
	Rows        int64
	Bytes       int64
	Modified    time.Time
}

// SandboxColumn is a column; its type is written as in DDL.
type SandboxColumn struct{ Name, Type string }

// SandboxPartition is a partition; Spec is "pt=1/region=x".
type SandboxPartition struct {
	Spec     string
	Rows     int64
	Bytes    int64
	Modified time.Time
}

// SandboxValue is one value of a row: as the service prints it, or bytes that may be no text.
type SandboxValue struct {
	Null bool
	Text string
	Cut  bool // the end of it is left out
}
