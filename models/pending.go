package models

import (
	"context"
	"errors"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// The declarations of this file are replaced by their implementations one by one.
var errPending = errors.New("not built yet")

// Store is the open model; see Open.
type Store struct{}

// Open opens, makes or migrates the files of a data directory.
func Open(ctx context.Context, o Options) (*Store, error) { return nil, errPending }
func (s *Store) Close() error                             { return errPending }

// GeneratedPassword is admin's password when this Open made it; "" otherwise.
func (s *Store) GeneratedPassword() string { return "" }
func (s *Store) NodeID() string            { return "" }
func (s *Store) InstallationID() string    { return "" }

// KeyProblem says in a sentence why stored secrets cannot be opened; nil when all can.
func (s *Store) KeyProblem() error { return nil }
func (s *Store) Sealer() *Sealer   { return nil }

// Maintain prunes logs, points, sessions until ctx ends.
func (s *Store) Maintain(ctx context.Context) error { return errPending }

type Sealer struct{}

func (s *Sealer) KeyID() string                               { return "" }
func (s *Sealer) Seal(context, plain string) (string, error)  { return "", errPending }
func (s *Sealer) Open(context, sealed string) (string, error) { return "", errPending }

// SealConfig gives the JSON object of a configuration, the values of secret keys sealed.
func (s *Sealer) SealConfig(context string, secret []string, c connector.Config) ([]byte, error) {
	return nil, errPending
}

// OpenConfig reads SealConfig's JSON; lost names the keys that could not be opened.
func (s *Sealer) OpenConfig(context string, b []byte) (c connector.Config, lost []string, err error) {
	return nil, nil, errPending
}

// SealContext is the context of a connector's configuration: ties secrets to it.
func SealContext(uuid string) string { return "connector/" + uuid }

func (s *Store) Instance(ctx context.Context, id int64) (runner.Instance, error) {
	return runner.Instance{}, errPending
}
func (s *Store) InstanceByName(ctx context.Context, name string) (runner.Instance, error) {
	return runner.Instance{}, errPending
}
func (s *Store) Instances(ctx context.Context) ([]InstanceInfo, error) { return nil, errPending }
func (s *Store) InstanceInfo(ctx context.Context, name string) (InstanceInfo, error) {
	return InstanceInfo{}, errPending
}
func (s *Store) CreateInstance(ctx context.Context, in *runner.Instance) error   { return errPending }
func (s *Store) UpdateInstance(ctx context.Context, in runner.Instance) error    { return errPending }
func (s *Store) DeleteInstance(ctx context.Context, id int64) error              { return errPending }
func (s *Store) SetInstanceEnabled(ctx context.Context, id int64, on bool) error { return errPending }
func (s *Store) SaveProbe(ctx context.Context, id int64, p Probe) error          { return errPending }

func (s *Store) Connectors(ctx context.Context) ([]runner.Connector, error) { return nil, errPending }
func (s *Store) ConnectorByID(ctx context.Context, id int64) (runner.Connector, error) {
	return runner.Connector{}, errPending
}

// Connector finds one by the names of instance and connector.
func (s *Store) Connector(ctx context.Context, instance, name string) (ConnectorInfo, error) {
	return ConnectorInfo{}, errPending
}
func (s *Store) ListConnectors(ctx context.Context, q ConnectorQuery) (ConnectorList, error) {
	return ConnectorList{}, errPending
}

// CreateConnector stores c, sets ID, UUID, Epoch and times (a given UUID, Epoch, Version is kept).
// *NameTakenError, *QuotaError.
func (s *Store) CreateConnector(ctx context.Context, c *runner.Connector, author string) error {
	return errPending
}

// UpdateConfig makes a new version; expected is the version it was made from (ErrVersionConflict), 0 any.
func (s *Store) UpdateConfig(ctx context.Context, id int64, expected int, cfg connector.Config, hash, author string) (int, error) {
	return 0, errPending
}
func (s *Store) Versions(ctx context.Context, id int64) ([]Version, error) { return nil, errPending }
func (s *Store) SetDesired(ctx context.Context, id int64, d runner.Desired) error {
	return errPending
}
func (s *Store) SetDeployed(ctx context.Context, id int64, deployed bool) error { return errPending }
func (s *Store) SetDelivered(ctx context.Context, id int64) error               { return errPending }
func (s *Store) NewEpoch(ctx context.Context, id int64) (string, error)         { return "", errPending }
func (s *Store) RaiseRestart(ctx context.Context, id int64) (int64, error)      { return 0, errPending }
func (s *Store) DeleteConnector(ctx context.Context, id int64) error            { return errPending }

func (s *Store) CreateDraft(ctx context.Context, d *Draft) error     { return errPending }
func (s *Store) Draft(ctx context.Context, id string) (Draft, error) { return Draft{}, errPending }
func (s *Store) SaveDraft(ctx context.Context, d Draft) error        { return errPending }
func (s *Store) DeleteDraft(ctx context.Context, id string) error    { return errPending }
func (s *Store) Drafts(ctx context.Context, instanceID, userID int64) ([]Draft, error) {
	return nil, errPending
}

func (s *Store) SaveTaskStatus(ctx context.Context, t runner.TaskStatus) error { return errPending }
func (s *Store) DeleteTaskStatus(ctx context.Context, connectorID int64, fromTask int) error {
	return errPending
}
func (s *Store) TaskStatuses(ctx context.Context, connectorID int64) ([]runner.TaskStatus, error) {
	return nil, errPending
}
func (s *Store) Mirrored(ctx context.Context, connectorID int64) ([]runner.MirroredPosition, error) {
	return nil, errPending
}
func (s *Store) SaveMirrored(ctx context.Context, ps []runner.MirroredPosition) error {
	return errPending
}
func (s *Store) DeleteMirrored(ctx context.Context, connectorID int64) error { return errPending }
func (s *Store) AddTotals(ctx context.Context, connectorID int64, records, bytes, diverted int64, last time.Time) error {
	return errPending
}
func (s *Store) Totals(ctx context.Context, connectorID int64) (Totals, error) {
	return Totals{}, errPending
}

func (s *Store) AppendLogs(ctx context.Context, lines []runner.LogLine) error { return errPending }
func (s *Store) QueryLogs(ctx context.Context, q runner.LogQuery) (LogPage, error) {
	return LogPage{}, errPending
}

// EachLog walks all lines that q selects (its Limit aside), for downloads.
func (s *Store) EachLog(ctx context.Context, q runner.LogQuery, each func(runner.LogLine) error) error {
	return errPending
}

// LogsAppended is closed at the next append: take it, query after the last ID, wait.
func (s *Store) LogsAppended() <-chan struct{}                                 { return nil }
func (s *Store) AppendPoints(ctx context.Context, points []runner.Point) error { return errPending }

// Points gives at most n samples of [from, to), oldest first: sums of what was
// delivered, maxima of what waits.
func (s *Store) Points(ctx context.Context, connectorID int64, from, to time.Time, n int) ([]runner.Point, error) {
	return nil, errPending
}

func (s *Store) Users(ctx context.Context) ([]User, error)                 { return nil, errPending }
func (s *Store) UserByName(ctx context.Context, name string) (User, error) { return User{}, errPending }
func (s *Store) CreateUser(ctx context.Context, name, password string, role Role) (User, error) {
	return User{}, errPending
}
func (s *Store) SetPassword(ctx context.Context, id int64, password string) error { return errPending }
func (s *Store) SetRole(ctx context.Context, id int64, role Role) error           { return errPending }
func (s *Store) DeleteUser(ctx context.Context, id int64) error                   { return errPending }

// Authenticate verifies a name and a password: ErrWrongCredentials, *ThrottledError.
func (s *Store) Authenticate(ctx context.Context, name, password, address string) (User, error) {
	return User{}, errPending
}

// Allows tells whether the role includes at least that one.
func (r Role) Allows(least Role) bool { return false }

// NewSession gives the secret for the cookie.
func (s *Store) NewSession(ctx context.Context, userID int64, address, agent string) (secret string, err error) {
	return "", errPending
}

// SessionBySecret finds a live session and its user; runner.ErrNotFound.
func (s *Store) SessionBySecret(ctx context.Context, secret string) (Session, User, error) {
	return Session{}, User{}, errPending
}
func (s *Store) Sessions(ctx context.Context, userID int64) ([]Session, error) {
	return nil, errPending
}
func (s *Store) RevokeSession(ctx context.Context, id int64) error          { return errPending }
func (s *Store) RevokeUserSessions(ctx context.Context, userID int64) error { return errPending }

func (s *Store) Audit(ctx context.Context, e AuditEntry) error { return errPending }
func (s *Store) AuditEntries(ctx context.Context, q AuditQuery) ([]AuditEntry, error) {
	return nil, errPending
}

func (s *Store) RequestQuota(ctx context.Context, r *QuotaRequest) error { return errPending }
func (s *Store) QuotaRequests(ctx context.Context, onlyOpen bool) ([]QuotaRequest, error) {
	return nil, errPending
}

// DecideQuota grants (quota becomes the instance's) or refuses a request: ErrDecided.
func (s *Store) DecideQuota(ctx context.Context, id int64, grant bool, quota int, by, note string) error {
	return errPending
}
func (s *Store) Regions(ctx context.Context) ([]connector.Region, error) { return nil, errPending }
func (s *Store) AddRegion(ctx context.Context, r connector.Region) error { return errPending }
func (s *Store) DeleteRegion(ctx context.Context, id string) error       { return errPending }
func (s *Store) EgressRules(ctx context.Context) ([]EgressRule, error)   { return nil, errPending }
func (s *Store) AddEgressRule(ctx context.Context, r *EgressRule) error  { return errPending }
func (s *Store) DeleteEgressRule(ctx context.Context, id int64) error    { return errPending }
func (s *Store) Setting(ctx context.Context, key string) (string, error) { return "", errPending }
func (s *Store) SetSetting(ctx context.Context, key, value string) error { return errPending }
