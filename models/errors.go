package models

import (
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner"
)

var (
	// ErrDiskFull: the data directory's disk is full or fails to write.
	ErrDiskFull = runner.ErrDiskFull
	// ErrNewerSchema: the file was written by a newer Sluice.
	ErrNewerSchema = errors.New("the database was written by a newer version of Sluice")
	// ErrVersionConflict: the configuration was changed by somebody else meanwhile.
	ErrVersionConflict = errors.New("the configuration was changed by somebody else meanwhile: look at the newest version and try again")
	// ErrWrongCredentials: no such user, or another password.
	ErrWrongCredentials = errors.New("user or password is wrong")
	// ErrLastAdmin: the last administrator cannot be removed or demoted.
	ErrLastAdmin = errors.New("this is the last administrator: make another user an administrator first")
	// ErrKey: a secret cannot be sealed or opened with the keys at hand.
	ErrKey = errors.New("the key for secrets does not fit")
	// ErrDecided: the quota request was decided before.
	ErrDecided = errors.New("the request is already decided")
)

// NameTakenError: the name is in use.
type NameTakenError struct {
	Kind string // "instance", "connector", "user", "region"
	Name string
	// Instance is where a connector of that name is, when it is another instance of
	// the same Kafka cluster.
	Instance string
}

func (e *NameTakenError) Error() string {
	if e.Instance != "" {
		return fmt.Sprintf("a connector named %q exists on instance %q, which is the same Kafka cluster: choose another name", e.Name, e.Instance)
	}
	return fmt.Sprintf("the %s name %q is taken: choose another name", e.Kind, e.Name)
}

// QuotaError: the instance has as many connectors as it may.
type QuotaError struct {
	Instance    string
	Quota, Used int
}

func (e *QuotaError) Error() string {
	return fmt.Sprintf("instance %q has %d of %d connectors (connector.quota): delete one, or ask an administrator to raise the quota", e.Instance, e.Used, e.Quota)
}

// InUseError: an instance still has connectors.
type InUseError struct {
	Instance   string
	Connectors int
}

func (e *InUseError) Error() string {
	return fmt.Sprintf("instance %q still has %d connectors: delete them first", e.Instance, e.Connectors)
}

// ThrottledError: too many wrong attempts. Right credentials never get it, except
// beyond a flood of attempts that waits to be verified.
type ThrottledError struct{ RetryAfter time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("too many wrong attempts: try again in %d s", int(e.RetryAfter.Round(time.Second)/time.Second))
}

// LockedError: another process has the data directory open.
type LockedError struct {
	Dir string
	PID int // 0 when unknown
}

func (e *LockedError) Error() string {
	return fmt.Sprintf("the data directory %s is in use by process %d: stop that process or choose another --data-dir", e.Dir, e.PID)
}

// InvalidError: a value that cannot be stored; the sentence says what would be right.
type InvalidError struct{ Field, Message string }

func (e *InvalidError) Error() string { return e.Field + ": " + e.Message }
