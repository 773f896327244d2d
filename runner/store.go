package runner

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// Instance is a Kafka cluster that Sluice knows.
type Instance struct {
	ID               int64
	Name             string
	Region           string
	BootstrapServers string // comma-separated host:port
	SecurityProtocol string // PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL
	SASLMechanism    string // PLAIN, SCRAM-SHA-256, SCRAM-SHA-512
	SASLUsername     string
	SASLPassword     string // in the clear in memory, sealed in the database
	CAPEM            string
	VPCID, VSwitchID string
	InternetAccess   bool
	Quota            int // connectors
	Enabled          bool
	// What the last probe found.
	ClusterID string
	Version   string
	Brokers   []Broker
	Status    string // RUNNING, UNREACHABLE, UNKNOWN
	Detail    string
	Since     time.Time
	CreatedAt time.Time
}

// Broker is a node of an instance's cluster.
type Broker struct {
	ID      int32  `json:"id"`
	Address string `json:"address"`
}

// Status of an instance.
const (
	InstanceRunning     = "RUNNING"
	InstanceUnreachable = "UNREACHABLE"
	InstanceUnknown     = "UNKNOWN"
)

// Desired is what the operator wants of a connector.
type Desired string

const (
	DesiredDraft       Desired = "DRAFT"
	DesiredNotDeployed Desired = "NOT_DEPLOYED"
	DesiredRunning     Desired = "RUNNING"
	DesiredPaused      Desired = "PAUSED"
	DesiredStopped     Desired = "STOPPED"
	DesiredDeleting    Desired = "DELETING"
)

// Connector is one connector as the model keeps it.
type Connector struct {
	ID         int64
	UUID       string // identity from creation on
	InstanceID int64
	Instance   string
	Name       string
	Class      string
	// Config is what the user gave, secrets in the clear in memory and sealed in the database.
	Config  connector.Config
	Version int    // of the configuration, from 1
	Hash    string // Spec.Hash of the resolved configuration
	Desired Desired
	// Deployed: resources exist and first positions are committed. Delivered: something
	// became visible once, so the fixed fields are fixed.
	Deployed, Delivered bool
	// Epoch is the replay epoch: random, made anew at each operator-made position change.
	Epoch string
	// Restart is raised by every restart and resume; a running connector that sees it
	// change rejoins its tasks and retries what a policy stopped.
	Restart   int64
	CreatedAt time.Time
	UpdatedAt time.Time
}

// TaskStatus is the latest state of one task, written by the node that runs it.
type TaskStatus struct {
	ConnectorID int64
	Task        int
	Node        string
	connector.Status
	Partitions []PartitionStatus
	// Progress is how far a source has come with the parts that it works through, as of
	// the last time it said so; at most 500 of them.
	Progress  []connector.Progress
	UpdatedAt time.Time
}

// PartitionStatus is where one partition of a task stands. A source's reader is shown as
// one, with no topic and partition -1: its LagMillis is how old the newest change was
// when it was read.
type PartitionStatus struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	connector.Status
	Position int64 `json:"position"` // next offset to deliver; -1 unknown
	End      int64 `json:"end"`      // last stable offset; -1 unknown
	Lag      int64 `json:"lag"`      // records up to End
	// LagMillis is how old the oldest undelivered record is; 0 when caught up.
	LagMillis int64 `json:"lag_ms"`
	Delivered int64 `json:"delivered"` // records since the process started
	Bytes     int64 `json:"bytes"`
	Diverted  int64 `json:"diverted"`
	// LastDelivery is when something last became visible; zero when not yet.
	LastDelivery time.Time          `json:"last_delivery"`
	Wrong        bool               `json:"wrong,omitempty"`   // Failed because the settings cannot work, for no partition
	Lost         string             `json:"lost,omitempty"`    // of a Gap
	Choices      []connector.Choice `json:"choices,omitempty"` // of a Gap or an unknown intent
}

// ConnectorStatus is the roll-up that pages and REST show.
type ConnectorStatus struct {
	connector.Status
	Worker       string // node and address that runs it
	Tasks        []TaskStatus
	Delivered    int64 // records, all time as far as kept
	Bytes        int64
	Diverted     int64
	RecordsRate  float64 // records/s over the last sampling interval
	BytesRate    float64
	Waiting      int64 // records not yet delivered
	LagMillis    int64
	LastDelivery time.Time
}

// LogLevel of a connector log line.
type LogLevel string

const (
	LogDebug LogLevel = "DEBUG"
	LogInfo  LogLevel = "INFO"
	LogWarn  LogLevel = "WARN"
	LogError LogLevel = "ERROR"
)

// LogLine is one line of a connector's log. Task -1 is the connector itself.
type LogLine struct {
	ID          int64
	ConnectorID int64
	Time        time.Time
	Level       LogLevel
	Task        int
	Message     string
	Fields      map[string]string
}

// LogQuery selects log lines; zero values do not restrict.
type LogQuery struct {
	ConnectorID int64
	MinLevel    LogLevel
	Task        *int
	From, To    time.Time
	Text        string
	// After and Before are line IDs: newer than, older than.
	After, Before int64
	Limit         int  // at most 1000
	Ascending     bool // oldest first; otherwise newest first
}

// Point is one sample of a connector's charts.
type Point struct {
	ConnectorID int64
	Time        time.Time
	Records     int64 // delivered since the previous point
	Bytes       int64
	Diverted    int64
	Waiting     int64
	LagMillis   int64
}

// MirroredPosition is a position as it was last seen committed, kept outside the
// group for when the group's offsets expire.
type MirroredPosition struct {
	ConnectorID int64
	Topic       string
	Partition   int32
	Offset      int64
	Metadata    string
	TopicID     string
	UpdatedAt   time.Time
}

var (
	// ErrNotFound is what every store answers for what does not exist.
	ErrNotFound = errors.New("not found")
	// ErrDiskFull: the data directory's disk is full or fails to write.
	ErrDiskFull = errors.New("the disk of the data directory is full or cannot be written: free space there, nothing else is needed")
)

// Store is what the runner needs of the model. models implements it on SQLite.
type Store interface {
	Instance(ctx context.Context, id int64) (Instance, error)
	// Connectors lists every connector that is no draft.
	Connectors(ctx context.Context) ([]Connector, error)
	ConnectorByID(ctx context.Context, id int64) (Connector, error)
	SaveTaskStatus(ctx context.Context, s TaskStatus) error
	DeleteTaskStatus(ctx context.Context, connectorID int64, fromTask int) error
	SetDelivered(ctx context.Context, connectorID int64) error
	Mirrored(ctx context.Context, connectorID int64) ([]MirroredPosition, error)
	SaveMirrored(ctx context.Context, ps []MirroredPosition) error
	DeleteMirrored(ctx context.Context, connectorID int64) error
	AppendLogs(ctx context.Context, lines []LogLine) error
	AppendPoints(ctx context.Context, points []Point) error
	// AddTotals adds to the all-time counters of a connector.
	AddTotals(ctx context.Context, connectorID int64, records, bytes, diverted int64, last time.Time) error
}
