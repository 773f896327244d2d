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
	Tabs     []components.Tab // a part each: Objects, Requests, Faults
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
