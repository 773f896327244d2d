package console

import (
	"context"
	"errors"
	"time"
)

// ErrSandboxNotFound is what a Sandbox answers for a bucket or object that is not there.
var ErrSandboxNotFound = errors.New("not in the sandbox")

// Sandbox is what the pages show of the embedded servers, and the faults they can be
// told. Package main wires the real one; package console must not import it.
type Sandbox interface {
	// Parts lists the servers in the order in which to show them.
	Parts() []SandboxPart
	Buckets() []SandboxBucket
	// Objects lists up to limit objects by name behind after: ErrSandboxNotFound.
	Objects(bucket, prefix, after string, limit int) (list []SandboxObject, more bool, err error)
	// Content reads at most limit bytes of an object, decompressed: ErrSandboxNotFound.
	Content(ctx context.Context, bucket, key string, limit int) (SandboxContent, error)
	// Requests are the latest requests that a part answered, newest first.
	Requests(part string, limit int) []SandboxRequest
	// Operations lists what the faults of a part may strike; a part without any has no faults and no requests.
	Operations(part string) []string
	Faults(part string) []SandboxFault
	// SetFaults replaces all faults of a part, or changes nothing and says what is wrong.
	SetFaults(part string, list []SandboxFault) []SandboxProblem
	SandboxFunctions
	SandboxTables
}

// SandboxLatest is a Sandbox that can tell what was stored last.
type SandboxLatest interface {
	// Latest lists up to limit objects, the one stored last first: ErrSandboxNotFound.
	Latest(bucket string, limit int) ([]SandboxObject, error)
}

// SandboxPart is one embedded server.
type SandboxPart struct {
	Name    string // "kafka", "oss", "fc", "odps", "sts", "mysql"
	Address string // host:port, or a URL; "" of one that this machine cannot have
}

// SandboxDatabases is a Sandbox that may have a database server, which then is among its Parts.
type SandboxDatabases interface {
	Database() SandboxDatabase
}

// SandboxDatabase is the database server with a small shop in it, or why there is none.
type SandboxDatabase struct {
	Version  string // as the server says it
	Database string
	User     string // of a connector that reads it
	Password string
	Tables   []string
	Changes  int64  // rows that the sandbox's writer has changed since the start
	Missing  bool   // the program is not installed on this machine
	Problem  string // why an installed one does not run, as it said it
}

// SandboxBucket is a bucket of the object store's stand-in.
type SandboxBucket struct {
	Name    string
	Objects int
	Bytes   int64
}

// SandboxObject is a stored object.
type SandboxObject struct {
	Key         string
	Size        int64 // bytes
	Modified    time.Time
	ETag        string
	CRC64       uint64
	Type        string // Normal or Multipart
	ContentType string
	Encoding    string // Content-Encoding
}

// SandboxContent is an object and the beginning of what is in it.
type SandboxContent struct {
	SandboxObject
	Data        []byte
	Compression string // what was undone to get Data; "" for nothing
	Truncated   bool   // there is more
	Text        bool   // Data is readable text
	Problem     string // why reading ended early
}

// SandboxRequest is a request that the stand-in answered.
type SandboxRequest struct {
	Time      time.Time
	Method    string
	Operation string // "PutObject"
	Bucket    string
	Key       string
	Status    int // 0: the connection was cut
	Code      string
	Fault     string
	Bytes     int64
	Took      time.Duration
}

// SandboxFault makes the stand-in misbehave; the fields are those of the call
// POST /api/v1/sandbox/<part>/faults.
type SandboxFault struct {
	Operation      string  // "PutObject"; "*" is any
	KeyPrefix      string  // of what the requests are about; "" is any
	Rate           float64 // share of matching requests, above 0, at most 1
	Status         int     // HTTP status to answer with, 400–599; 0 is none
	Code           string
	Message        string
	AfterStoring   bool
	LatencyMS      int
	Cut            string // "before", "after" storing, or ""
	SkewSeconds    int
	WrongCRC       bool
	Max            int // requests after which it is spent; 0 is never
	ExpiresAfterMS int // from the moment it is set; 0 is never
	Hits           int // requests struck so far; not set by callers
}

// SandboxProblem is one wrong value of a fault.
type SandboxProblem struct {
	Fault   int    // which one of the list
	Field   string // "rate", "status", "latency_ms", …
	Message string
}

// sandboxInstance is the instance that the sandbox brings.
const sandboxInstance = "sandbox"
