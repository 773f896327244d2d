package control

import (
	"errors"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Value types of the runner under the names that surfaces use; handlers do not
// import package runner.
type (
	Instance        = runner.Instance
	StoredConnector = runner.Connector
	ConnectorStatus = runner.ConnectorStatus
	TaskStatus      = runner.TaskStatus
	PartitionStatus = runner.PartitionStatus
	PositionRow     = runner.PositionRow
	Resource        = runner.Resource
	RemoveOptions   = runner.RemoveOptions
	LogLine         = runner.LogLine
	LogLevel        = runner.LogLevel
	LogQuery        = runner.LogQuery
	Point           = runner.Point
	Broker          = runner.Broker
	Desired         = runner.Desired
)

// What is wanted of a connector.
const (
	DesiredNotDeployed = runner.DesiredNotDeployed
	DesiredRunning     = runner.DesiredRunning
	DesiredPaused      = runner.DesiredPaused
	DesiredStopped     = runner.DesiredStopped
	DesiredDeleting    = runner.DesiredDeleting
)

// What a Store answers beside runner.ErrNotFound. Its error may wrap one of these
// and say more; its text is shown to the user.
var (
	// ErrNotFound is runner.ErrNotFound under the name that handlers may use.
	ErrNotFound = runner.ErrNotFound
	// ErrExists: the name is taken on the instance, or on another one of the same cluster.
	ErrExists = errors.New("the name is taken")
	// ErrQuota: the instance has as many connectors as its quota allows.
	ErrQuota = errors.New("the quota is used up")
	// ErrStale: the configuration changed since it was read.
	ErrStale = errors.New("it was changed by somebody else meanwhile")
	// ErrInUse: the instance still has connectors.
	ErrInUse = errors.New("it still has connectors")
	// ErrDecided: the quota request was decided before.
	ErrDecided = errors.New("the request is already decided")
)

// InstanceInfo is an instance with what lists show.
type InstanceInfo struct {
	runner.Instance
	Connectors int // that count for the quota: every one but drafts
	Running    int // of them, meant to run
}

// Probe is what asking an instance's cluster found.
type Probe struct {
	ClusterID string
	Version   string
	Brokers   []runner.Broker
	Status    string // runner.InstanceRunning, …
	Detail    string
}

// Condition is one thing that must hold before the connector feature is enabled.
type Condition struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail"`
	Remedy string `json:"remedy"`
}

// Connector is a connector as everybody may see it: secrets are masked.
type Connector struct {
	runner.Connector
	// Spec declares the task type; nil when this version does not know the class.
	Spec *connector.Spec
	// Env is what validation knows of the instance.
	Env connector.Env
	// LostSecrets are secret keys whose stored value cannot be opened and must be given again.
	LostSecrets []string
}

// Effective is the configuration with defaults filled in, secrets masked.
func (c Connector) Effective() connector.Config {
	if c.Spec == nil {
		return c.Config
	}
	return c.Spec.Mask(c.Spec.Resolve(c.Config, c.Env))
}

// Kind is "sink", "source", or "unknown" for a class that this version does not know.
func (c Connector) Kind() string {
	if c.Spec == nil {
		return "unknown"
	}
	return string(c.Spec.Kind)
}

// ConnectorWithStatus is one row of a list.
type ConnectorWithStatus struct {
	Connector
	Status runner.ConnectorStatus
}

// Validation is the outcome of validating a configuration.
type Validation struct {
	Spec     *connector.Spec
	Given    connector.Config // canonical class and name, secrets masked
	Resolved connector.Config // defaults filled in, secrets masked
	Problems []connector.FieldError
	// Warnings name what is kept and not known; they refuse nothing.
	Warnings []connector.FieldError
}

// Version is one configuration a connector had; secrets are masked.
type Version struct {
	Version int
	Hash    string
	Author  string
	Time    time.Time
	Config  connector.Config
	Changes []connector.Change // against the version before; empty for the first
}

// StoredVersion is what the Store keeps of a version.
type StoredVersion struct {
	Version int
	Hash    string
	Author  string
	Time    time.Time
	Config  connector.Config // secrets in the clear in memory
}

// Draft is an unfinished wizard of one user on one instance; values are unchecked.
type Draft struct {
	ID         string // random, part of the URL
	InstanceID int64
	UserID     int64
	Class      string // "" until chosen
	Step       connector.StepID
	// Values hold secrets in the clear between control and the Store, which seals
	// them; what control hands out is masked.
	Values      connector.Config
	LostSecrets []string
	CreatedAt   time.Time
	UpdatedAt   time.Time
}

// LogPage is the answer to a query of logs.
type LogPage struct {
	Lines []runner.LogLine
	// Next continues: the After (ascending) or Before (descending) of the next query;
	// 0 when there is nothing more.
	Next int64
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
	State      string // open, granted, refused
	DecidedBy  string
	DecidedAt  time.Time
	Note       string
}

// AuditEntry says who did what to what. It holds neither secrets nor record contents.
type AuditEntry struct {
	Actor   string
	Act     string // "connector.create"
	Object  string // "sandbox/orders-to-oss"
	Detail  map[string]string
	Address string
}

// Topic is a topic as pages and REST show it.
type Topic struct {
	Name       string            `json:"name"`
	ID         string            `json:"id"`
	Partitions int               `json:"partitions"`
	Replicas   int               `json:"replicas"`
	Internal   bool              `json:"internal"`
	Config     map[string]string `json:"config,omitempty"` // of one topic only
	Bounds     []Bounds          `json:"bounds,omitempty"` // of one topic only
}

// Bounds are the first and the next offset of a partition.
type Bounds struct {
	Partition int32 `json:"partition"`
	Start     int64 `json:"start"`
	End       int64 `json:"end"`
}

// NewRecord is a record to be sent. Partition -1 lets the key decide. A nil Key or
// Value is Kafka's null.
type NewRecord struct {
	Partition int32
	Key       []byte
	Value     []byte
	Headers   []Header
}

// Header is one header of a NewRecord; a nil Value is Kafka's null.
type Header struct {
	Key   string
	Value []byte
}

// Fate is what became of a record.
type Fate struct {
	State     string `json:"state"` // delivered, diverted, waiting
	Connector string `json:"connector"`
	Where     string `json:"where"`
	// Reason is why a record was diverted, what a waiting one waits for, or why the place
	// of a delivered one cannot be named.
	Reason string `json:"reason"`
	// Places are what Where names, one by one; none when it is not known that closely.
	Places []connector.Place `json:"-"`
}

// States of a Fate.
const (
	FateDelivered = "delivered"
	FateDiverted  = "diverted"
	FateWaiting   = "waiting"
)

// Waiting is one partition (or a source's reader) that waits for a choice.
type Waiting struct {
	Topic     string             `json:"topic"`
	Partition int32              `json:"partition"`
	Lost      string             `json:"lost"`
	Options   []connector.Choice `json:"options"`
}

// Position changes of a sink: the next offset to deliver, nil removes the position.
type PositionChange struct {
	Topic     string
	Partition int32
	Offset    *int64
}
