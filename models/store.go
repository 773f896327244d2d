// Package models keeps what Sluice knows: instances, connectors with their
// configurations and states, users and sessions in sluice.db, connector logs and
// chart points in logs.db, both SQLite files in the data directory.
//
// Store implements runner.Store. Every secret is sealed (Sealer) before it reaches a
// file. What is not there answers runner.ErrNotFound; a full disk ErrDiskFull.
package models

import (
	"log/slog"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// Options say where and how a Store is opened.
type Options struct {
	// DataDir holds the files; it is made (0700) when absent and locked while open.
	DataDir string
	// KeyFile holds the keys for secrets at rest; "" means secret.key in DataDir. An
	// absent file is made with a new key and mode 0600.
	KeyFile string
	// Key is the key itself (32 bytes in base64 or hex) instead of a file.
	Key string
	// AdminPassword is given to the user admin at first start; "" generates one.
	AdminPassword string
	// SecretKeys names the secret fields of a class of connector (Spec.SecretKeys).
	// Keys that look like secrets are sealed besides.
	SecretKeys func(class string) []string
	// RollUp makes a connector's status of its tasks' states; nil takes the worst task.
	// Totals, rates and waiting figures are filled in by the Store afterwards.
	RollUp func(c runner.Connector, tasks []runner.TaskStatus) connector.Status
	// LogAge and LogBytes bound logs.db; zero means 7 days and 1 GiB.
	LogAge   time.Duration
	LogBytes int64
	// Logger is told what nobody asked about; nil discards.
	Logger *slog.Logger
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

var _ runner.Store = (*Store)(nil)
