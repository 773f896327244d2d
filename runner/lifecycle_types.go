package runner

import (
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// PositionRow is where a connector stands in one partition, as its group has it committed.
type PositionRow struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"` // next offset to deliver; -1 when there is none
	// Pending: an intent stands in the commit's metadata that is not resolved yet.
	Pending bool `json:"pending"`
}

// PendingError refuses a removal or a position change because intents are not
// resolved: what was about to become visible is neither known to be there nor to be
// missing. Force goes on all the same, at the risk of doubling or losing the ranges.
type PendingError struct {
	Pending []string // one sentence each: topic, partition, offsets, what stands in the way
}

func (e *PendingError) Error() string {
	return "deliveries are not settled yet: " + strings.Join(e.Pending, "; ")
}

// RemoveOptions say how a connector is removed.
type RemoveOptions struct {
	KeepResources bool // topics and groups stay
	Force         bool // go on although intents are pending
}

// Resource is one of the topics and groups that a connector owns.
type Resource struct {
	Kind          string `json:"kind"` // topic or group
	Role          string `json:"role"` // for example "task offset topic"
	Name          string `json:"name"`
	Exists        bool   `json:"exists"`
	Partitions    int    `json:"partitions"`
	CleanupPolicy string `json:"cleanup_policy"`
	Detail        string `json:"detail"` // what is wrong with it, or who else uses it; "" when nothing
}

// What a model answers beside ErrNotFound.
var (
	// ErrExists: the name is taken on the instance, or on another instance of the same cluster.
	ErrExists = errors.New("already exists")
	// ErrQuota: the instance has as many connectors as its quota allows.
	ErrQuota = errors.New("quota reached")
	// ErrStale: the row changed since it was read.
	ErrStale = errors.New("changed meanwhile")
	// ErrInUse: the instance still has connectors.
	ErrInUse = errors.New("still in use")
)

// ConfigVersion is one stored configuration of a connector.
type ConfigVersion struct {
	Version int
	Hash    string
	Author  string
	Time    time.Time
	Config  connector.Config // secrets in the clear in memory, sealed in the database
}

// Draft is an unfinished wizard. Its values are not validated.
type Draft struct {
	ID         int64
	InstanceID int64
	Owner      string           // user name; drafts are seen by their owner only
	Class      string           // task type, "" until chosen
	Step       connector.StepID // the step that was open last
	Config     connector.Config // secrets in the clear in memory, sealed in the database
	UpdatedAt  time.Time
}

// QuotaRequest is a user's wish for more connectors on an instance.
type QuotaRequest struct {
	ID         int64
	InstanceID int64
	Instance   string
	User       string
	Wanted     int
	Reason     string
	State      string // open, granted, refused
	Time       time.Time
}

// States of a quota request.
const (
	QuotaOpen    = "open"
	QuotaGranted = "granted"
	QuotaRefused = "refused"
)

// AuditEntry is one act of somebody. It never holds a secret or a record's content.
type AuditEntry struct {
	ID      int64
	Time    time.Time
	Actor   string
	Role    string
	Address string // of the client, without port
	Act     string // verb and noun: "connector.create"
	Target  string // "sandbox/orders-to-oss"
	OK      bool
	Detail  json.RawMessage // an object of strings, or nil
}
