package models

import (
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// InstanceInfo is an instance with what lists show.
type InstanceInfo struct {
	runner.Instance
	Connectors int // that count for the quota: every one but drafts
	Running    int // of them, desired RUNNING
	// LostPassword: a SASL password is stored that cannot be opened with the keys at hand.
	LostPassword bool
}

// Probe is what asking an instance's cluster found.
type Probe struct {
	ClusterID string
	Version   string
	Brokers   []runner.Broker
	Status    string // runner.InstanceRunning, …
	Detail    string
}

// ConnectorInfo is a connector with what lists and pages show.
type ConnectorInfo struct {
	runner.Connector
	Region      string // of the instance
	Description string
	Status      runner.ConnectorStatus // Tasks are filled by Connector, not by lists
	// LostSecrets are the keys whose stored secret cannot be opened with the keys at
	// hand; they are absent from Config and are to be given again. Filled by Connector.
	LostSecrets []string
}

// ConnectorSort names a column of the connector list.
type ConnectorSort string

const (
	SortTrouble ConnectorSort = "" // failed and stalled first, then by name
	SortName    ConnectorSort = "name"
	SortState   ConnectorSort = "state"
	SortClass   ConnectorSort = "class"
	SortLag     ConnectorSort = "lag"
	SortRate    ConnectorSort = "rate"
	SortWaiting ConnectorSort = "waiting"
	SortLast    ConnectorSort = "last"
	SortCreated ConnectorSort = "created"
)

// ConnectorQuery selects connectors; zero values do not restrict.
type ConnectorQuery struct {
	Instance string // by name
	Text     string // in name, description, instance; any case
	States   []connector.State
	Classes  []string
	Stalled  bool // only stalled ones
	Sort     ConnectorSort
	Reverse  bool
	Limit    int // 0: all
	Offset   int
}

// ConnectorList is one page of a list.
type ConnectorList struct {
	Rows  []ConnectorInfo
	Total int // that the query selects, on all pages
	// Counts by state of what Instance, Text and Classes select (States and Stalled
	// left out), for the strip of counts.
	Counts  map[connector.State]int
	Stalled int
}

// Version is one configuration a connector had.
type Version struct {
	Version int
	Hash    string
	Author  string
	Time    time.Time
	Config  connector.Config // secrets in the clear; mask with Spec.Mask
}

// Draft is an unfinished wizard of one user on one instance.
type Draft struct {
	ID         string // random, part of the URL
	InstanceID int64
	UserID     int64
	Class      string
	Step       connector.StepID
	Values     connector.Config // secrets in the clear in memory, sealed in the database
	// LostSecrets are the keys whose secret could not be opened and is to be given again.
	LostSecrets []string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// Totals are a connector's all-time counters.
type Totals struct {
	Records, Bytes, Diverted int64
	Last                     time.Time // last delivery; zero when none
}

// Role decides what a user may do.
type Role string

const (
	RoleViewer   Role = "viewer"   // sees everything but payloads and secrets
	RoleOperator Role = "operator" // also payloads, connectors, send
	RoleAdmin    Role = "admin"    // also instances, users, quotas, regions, egress
)

// User may sign in.
type User struct {
	ID         int64
	Name       string
	Role       Role
	CreatedAt  time.Time
	PasswordAt time.Time // when the password was set
	LastSeen   time.Time // last sign-in; zero when none
}

// Session is one sign-in of a user.
type Session struct {
	ID        int64 // of the row, for listing and revoking; not what the cookie holds
	UserID    int64
	User      string
	Address   string
	Agent     string
	CreatedAt time.Time
	LastSeen  time.Time
	ExpiresAt time.Time // at the latest
}

// AuditEntry says who did what to what.
type AuditEntry struct {
	ID      int64
	Time    time.Time
	Actor   string // user name
	Act     string // "connector.create", "user.login.failed"
	Object  string // "sandbox/orders-to-oss"
	Detail  map[string]string
	Address string
}

// AuditQuery selects entries, newest first; zero values do not restrict.
type AuditQuery struct {
	Actor, Act, Object string // Act also as a prefix ending in "."
	Text               string // in actor, act or object; any case of ASCII letters
	From, To           time.Time
	Before, After      int64 // entry IDs, exclusive: for the next page, and to bound a search by text
	Limit              int   // at most 1000; 0 means 100
}

// QuotaRequest asks for more connectors on an instance.
type QuotaRequest struct {
	ID         int64
	InstanceID int64
	Instance   string
	Wanted     int
	Reason     string
	By         string
	CreatedAt  time.Time
	State      string // RequestOpen, RequestGranted, RequestRefused
	DecidedBy  string
	DecidedAt  time.Time
	Note       string
}

// States of a quota request.
const (
	RequestOpen    = "open"
	RequestGranted = "granted"
	RequestRefused = "refused"
)

// EgressRule is a CIDR that an administrator allowed or denied.
type EgressRule struct {
	ID        int64
	Allow     bool // otherwise denied
	CIDR      string
	Note      string
	By        string
	CreatedAt time.Time
}

// LogPage is the answer to a query of logs.
type LogPage struct {
	Lines []runner.LogLine
	// Next continues the query: it is the After (ascending) or Before (descending) of
	// the next one. 0: there is nothing more. Non-zero with few or no Lines means that
	// the scan window ended: ask again to look further.
	Next int64
}
