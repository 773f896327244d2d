package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// SandboxPage is the model of /sandbox and its tabs: what the stand-ins received, and the faults they are told.
type SandboxPage struct {
	Page     layout.Page
	Parts    []SandboxPart
	Tabs     []components.Tab // Objects, Functions, Tables, Requests, Faults
	Choices  []components.Tab // of Requests and Faults: the parts that have them
	Operator bool
	Live     string // URL the page's body asks for itself again
}

// SandboxPart is one server of the sandbox.
type SandboxPart struct {
	Title   string // "Object Storage Service"
	Address string // "http://127.0.0.1:19100"
	Detail  string // "bucket sandbox-bucket, 214 objects"
	Faults  int    // that are switched on
	Icon    string
	Href    string // its tab; empty for none
	// What starts the example connector that delivers to the part, or where it is; empty for neither.
	Example                  string
	ExampleHref, ExampleName string
}

// SandboxObjectsPage is the model of the tab Objects.
type SandboxObjectsPage struct {
	SandboxPage
	Buckets []components.Option // Value is the bucket; Hint "214 objects, 3.1 MiB"
	Bucket  string              // the chosen one
	Prefix  string              // what names start with
	Folders []Folder            // below the prefix
	Objects []Object
	Newest  []Object       // of the whole bucket, newest first, with their full names; only at the top
	Chosen  *ObjectContent // the object that is shown; nil for none
	Next    string
	Up      string // URL of the folder above; empty at the top
}

// Folder is a common prefix of objects.
type Folder struct{ Name, Href string }

// Object is one stored object in a list.
type Object struct {
	Name    string // below the prefix
	Href    string
	Size    int64 // bytes
	Time    time.Time
	Current bool
}

// ObjectContent is an object with its content.
type ObjectContent struct {
	Key       string
	Size      int64
	Time      time.Time
	MediaType string
	Facts     []components.Pair // ETag, CRC64, headers
	Preview   string            // the first part of its content as text, or as hex
	Truncated bool              // there is more
	Download  string            // URL
}

// SandboxFunctionsPage is the model of the tab Functions: what functions were given.
type SandboxFunctionsPage struct {
	SandboxPage
	Functions   []components.Option // Value "sandbox/echo", or "echo" of FC 3.0; Hint says what it does and what came
	Function    string              // the chosen one; empty for all
	Contains    string              // what bodies contain; of operators only
	Failed      bool                // only those that failed
	Invocations []Invocation        // newest first
	Next, First string              // URLs of older ones and of the newest; empty for none
	Chosen      InvocationContent   // Sequence 0 for none
}

// Invocation is one invocation in a list.
type Invocation struct {
	Name    string // of the function
	Href    string
	Time    time.Time
	Records int64
	Size    int64 // bytes of the body
	Async   bool
	Status  string // Succeeded, Failed, Running
	Current bool
}

// InvocationContent is an invocation with its body.
type InvocationContent struct {
	Sequence  int64
	Title     string // the function's name
	Status    string
	Time      time.Time
	Error     string // the function's message
	Facts     []components.Pair
	Preview   string // the first part of the body, as JSON, text or hex
	Truncated bool
	Download  string // URL
}

// SandboxTablesPage is the model of the tab Tables: partitions and rows of a table.
type SandboxTablesPage struct {
	SandboxPage
	Tables         []components.Option // Value is the table; Hint "12,000 rows in 3 partitions, 1.1 MiB"
	Table          string              // the chosen one; empty when there is none
	Columns        []Column
	Partitioned    bool
	Partitions     []TablePartition
	Partition      string // the chosen one
	NextPartitions string // URL of the next page
	Rows           [][]Cell
	FirstRow       int64  // number of the first row that is shown, from 0
	NextRows       string // URL
	PreviousRows   string // URL
}

// Column is a column of a table; Number has its values on the right.
type Column struct {
	Name, Type string
	Number     bool
}

// TablePartition is a partition in a list.
type TablePartition struct {
	Spec    string
	Href    string
	Rows    int64
	Size    int64 // bytes
	Time    time.Time
	Current bool
}

// Cell is a value of a row.
type Cell struct {
	Null bool
	Text string
	Hex  bool // Text is bytes in hexadecimal digits
	Cut  bool // there is more of it
	Long bool // it takes several lines
}

// SandboxRequestsPage is the model of the tab Requests: the latest requests a stand-in was sent, newest first.
type SandboxRequestsPage struct {
	SandboxPage
	Rows []SandboxRequest
}

// SandboxRequest is one request that a stand-in answered.
type SandboxRequest struct {
	Time    time.Time
	Method  string
	Target  string // path and query, secrets scrubbed
	Status  int    // 0 for a connection that was cut
	Code    string // the service's error code
	Fault   string // the fault that did it, in words; empty for an honest answer
	Bytes   int64
	Elapsed time.Duration
}

// SandboxFaultsPage is the model of the tab Faults.
type SandboxFaultsPage struct {
	SandboxPage
	Part   string // whose they are: "oss"
	Active []Fault
	Form   components.Group // what a new fault is made of
	Errors []components.Field
	URL    string // the form posts there
}

// Fault is a fault that is switched on.
type Fault struct {
	Title string // "Answers 503 to 5 % of PutObject"
	Hits  int64
	Since time.Time
	Off   string // URL that switches it off
}
