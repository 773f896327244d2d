package control

import (
	"context"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// InstanceStore keeps instances. It answers ErrNotFound for what does not exist.
type InstanceStore interface {
	Instances(ctx context.Context) ([]InstanceInfo, error)
	InstanceByName(ctx context.Context, name string) (runner.Instance, error)
	Instance(ctx context.Context, id int64) (runner.Instance, error)
	// CreateInstance sets ID and CreatedAt; ErrExists when the name is taken.
	CreateInstance(ctx context.Context, in *runner.Instance) error
	// UpdateInstance writes what a user sets, not what a probe finds, not Enabled.
	UpdateInstance(ctx context.Context, in runner.Instance) error
	SetInstanceEnabled(ctx context.Context, id int64, on bool) error
	SaveProbe(ctx context.Context, id int64, p Probe) error
	// DeleteInstance answers ErrInUse while a connector exists; drafts go with it.
	DeleteInstance(ctx context.Context, id int64) error
	Regions(ctx context.Context) ([]connector.Region, error)
	AddRegion(ctx context.Context, r connector.Region) error // ErrExists
	// DeleteRegion removes one that was added; instances keep naming it.
	DeleteRegion(ctx context.Context, id string) error

	RequestQuota(ctx context.Context, r *QuotaRequest) error
	QuotaRequests(ctx context.Context, onlyOpen bool) ([]QuotaRequest, error)
	// DecideQuota grants (quota becomes the instance's) or refuses; ErrDecided.
	DecideQuota(ctx context.Context, id int64, grant bool, quota int, by, note string) error
}

// EgressStore keeps the network rules of administrators.
type EgressStore interface {
	EgressRules(ctx context.Context) ([]EgressRule, error) // denied first, then allowed
	// AddEgressRule sets ID and CreatedAt; ErrExists when the list has the range.
	AddEgressRule(ctx context.Context, r *EgressRule) error
	DeleteEgressRule(ctx context.Context, id int64) error
}

// ConnectorStore keeps connectors, their versions and drafts.
type ConnectorStore interface {
	// Connectors lists every connector that is no draft, also those being deleted.
	Connectors(ctx context.Context) ([]runner.Connector, error)
	// Connector finds one by names; lost are secret keys that cannot be opened.
	Connector(ctx context.Context, instance, name string) (c runner.Connector, lost []string, err error)
	// CreateConnector sets ID, UUID, Epoch, Version and times. In one transaction it
	// checks the name, on the instance and on every instance of the same cluster ID
	// (ErrExists), then the instance's quota (ErrQuota).
	CreateConnector(ctx context.Context, c *runner.Connector, author string) error
	// UpdateConfig makes a new version of the expected one; ErrStale.
	UpdateConfig(ctx context.Context, id int64, expected int, cfg connector.Config, hash, author string) (int, error)
	Versions(ctx context.Context, id int64) ([]StoredVersion, error) // newest first
	SetDesired(ctx context.Context, id int64, d runner.Desired) error
	RaiseRestart(ctx context.Context, id int64) (int64, error)
	// DeleteConnector removes the row and all that belongs to it.
	DeleteConnector(ctx context.Context, id int64) error

	CreateDraft(ctx context.Context, d *Draft) error // sets ID and times
	Draft(ctx context.Context, id string) (Draft, error)
	SaveDraft(ctx context.Context, d Draft) error
	DeleteDraft(ctx context.Context, id string) error
	Drafts(ctx context.Context, instanceID, userID int64) ([]Draft, error)
}

// LogStore answers for connector logs and charts.
type LogStore interface {
	QueryLogs(ctx context.Context, q runner.LogQuery) (LogPage, error)
	// EachLog walks all lines that q selects, its Limit aside.
	EachLog(ctx context.Context, q runner.LogQuery, each func(runner.LogLine) error) error
	// LogsAppended is closed at the next append: take it, query, wait.
	LogsAppended() <-chan struct{}
	// Points gives at most n samples of [from, to), oldest first.
	Points(ctx context.Context, connectorID int64, from, to time.Time, n int) ([]runner.Point, error)
}

// Auditor writes down who did what.
type Auditor interface {
	Audit(ctx context.Context, e AuditEntry) error
}

// Store is all of it; main wires models to it.
type Store interface {
	InstanceStore
	EgressStore
	ConnectorStore
	LogStore
	Auditor
}

// Supervisor is what runs connectors; package runner implements it.
type Supervisor interface {
	Sources
	// Notify tells that the desired state or the configuration changed. It does not wait.
	Notify(connectorID int64)
	Status(ctx context.Context, connectorID int64) (runner.ConnectorStatus, error)
	Statuses(ctx context.Context) (map[int64]runner.ConnectorStatus, error)
	Positions(ctx context.Context, connectorID int64) ([]runner.PositionRow, error)
	// AlterPositions sets (or with nil removes) positions of a stopped connector;
	// *runner.PendingError while intents are not resolved.
	AlterPositions(ctx context.Context, connectorID int64, positions map[kafka.TP]*int64, force bool) error
	ResetPositions(ctx context.Context, connectorID int64, force bool) error
	Choose(ctx context.Context, connectorID int64, topic string, partition int32, choice string, offset int64) error
	// Claim tells which installation runs the connector; TakeOver makes it this one, in
	// place of the one named from: runner.ErrNotClaimed, runner.ErrClaimChanged.
	Claim(ctx context.Context, connectorID int64) (runner.Claim, error)
	TakeOver(ctx context.Context, connectorID int64, from string) error
	// Remove stops the tasks, resolves intents and deletes the resources.
	Remove(ctx context.Context, connectorID int64, o runner.RemoveOptions) error
	Resources(ctx context.Context, connectorID int64) ([]runner.Resource, error)
	RestartTask(ctx context.Context, connectorID int64, task int) error
	Restart(ctx context.Context, connectorID int64, onlyFailed, includeTasks bool) error
	// DeploySteps is what deploying has done so far.
	DeploySteps(connectorID int64) []string
	// Cluster tells how to reach an instance, with the network rules in force.
	Cluster(in runner.Instance) kafka.Cluster
	Env(in runner.Instance) connector.Env
	// Deps is what checks, lookups and previews get; the connector need not exist.
	Deps(in runner.Instance, name, uuid string, cfg connector.Config) connector.Deps
}

// Sources is what a Supervisor does for sources in addition.
type Sources interface {
	// SourcePositions are what a source has saved, in its own words.
	SourcePositions(ctx context.Context, connectorID int64) ([]connector.SourcePosition, error)
	// AlterSourcePositions sets positions of a stopped source; those with a nil Offset are
	// removed.
	AlterSourcePositions(ctx context.Context, connectorID int64, to []connector.SourcePosition) error
	// Snapshot asks a running source to copy parts of what it reads anew, or with none all.
	Snapshot(ctx context.Context, connectorID int64, parts []string) error
}

// Kafka is what the use cases ask of a cluster. Live implements it by package kafka.
type Kafka interface {
	Probe(ctx context.Context, c kafka.Cluster) (kafka.Info, error)
	Check(ctx context.Context, c kafka.Cluster, emit func(kafka.Step))
	Topics(ctx context.Context, c kafka.Cluster) ([]kafka.Topic, error)
	// Topic answers kafka.ErrNoTopic.
	Topic(ctx context.Context, c kafka.Cluster, name string) (kafka.Topic, error)
	TopicConfig(ctx context.Context, c kafka.Cluster, name string) (map[string]string, error)
	CreateTopic(ctx context.Context, c kafka.Cluster, s kafka.TopicSpec) (created bool, err error)
	MaxMessageBytes(ctx context.Context, c kafka.Cluster, topic string) (int, error)
	Send(ctx context.Context, c kafka.Cluster, o kafka.Out) (partition int32, offset int64, err error)
	Watermarks(ctx context.Context, c kafka.Cluster, tps ...kafka.TP) (map[kafka.TP]kafka.Watermarks, error)
	// Read gives a reader for several fetches; it must be closed.
	Read(ctx context.Context, c kafka.Cluster) (Reader, error)
}

// Reader fetches pages of a partition.
type Reader interface {
	Fetch(ctx context.Context, tp kafka.TP, offset int64, maxBytes int32, wait time.Duration) (kafka.Page, error)
	Close() error
}

// Addresses refuses an address written as an IP that the network rules forbid,
// "host:port", with a sentence naming the rule. A name is not resolved here.
// egress.Egress.CheckAddress is it.
type Addresses func(hostport string, internetAccess bool) error
