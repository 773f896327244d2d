package models

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
)

const (
	defaultLogAge   = 7 * 24 * time.Hour
	defaultLogBytes = 1 << 30
	keyFileName     = "secret.key"
	nodeFileName    = "node.id"
)

// Store is the open model. It is safe for concurrent use.
type Store struct {
	o          Options
	log        *slog.Logger
	lock       *os.File
	main, logs *db
	sealer     *Sealer
	keyProblem error
	nodeID     string
	install    string
	password   string // generated at this start

	status statusCache
	rates  rateCache
	totals totalsCache
	tail   logTail
	login  *logins

	connectors kept[keptConnector]
	instances  kept[InstanceInfo]

	close func() error
}

// Open opens, makes or migrates the files of a data directory and locks it.
// Errors: *LockedError, ErrNewerSchema, ErrDiskFull. Keys that do not fit are no error:
// see KeyProblem.
func Open(ctx context.Context, o Options) (s *Store, err error) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.LogAge == 0 {
		o.LogAge = defaultLogAge
	}
	if o.LogBytes == 0 {
		o.LogBytes = defaultLogBytes
	}
	if o.KeyFile == "" {
		o.KeyFile = filepath.Join(o.DataDir, keyFileName)
	}
	if err := os.MkdirAll(o.DataDir, 0o700); err != nil {
		return nil, fmt.Errorf("making the data directory %s (SLUICE_DATA_DIR): %w; name one that can be made and written", o.DataDir, err)
	}
	s = &Store{o: o, log: o.Logger, login: newLogins(o.Now)}
	s.close = sync.OnceValue(s.closeAll)
	if s.lock, err = lockDir(o.DataDir); err != nil {
		return nil, err
	}
	if err := s.openAll(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

func (s *Store) openAll(ctx context.Context) (err error) {
	if s.main, err = openDB(ctx, filepath.Join(s.o.DataDir, "sluice.db"), "main"); err != nil {
		return err
	}
	if s.logs, err = openDB(ctx, filepath.Join(s.o.DataDir, "logs.db"), "logs"); err != nil {
		return err
	}
	keys, problem, err := loadKeys(s.o.Key, s.o.KeyFile)
	if err != nil {
		return err
	}
	if s.o.Key == "" && exposed(s.o.KeyFile) {
		s.log.Warn("every user of this machine may read the key file; take that right away with chmod 600", "file", s.o.KeyFile)
	}
	s.sealer, s.keyProblem = &Sealer{keys, problem}, problem
	if problem == nil {
		if s.keyProblem, err = s.closedSecrets(ctx); err != nil {
			return err
		}
	}
	if s.nodeID, err = nodeID(filepath.Join(s.o.DataDir, nodeFileName)); err != nil {
		return err
	}
	if s.install, err = s.installationID(ctx); err != nil {
		return err
	}
	if err := s.loadStatuses(ctx); err != nil {
		return err
	}
	if err := s.loadTotals(ctx); err != nil {
		return err
	}
	if err := s.loadTail(ctx); err != nil {
		return err
	}
	return s.firstAdmin(ctx)
}

// Close writes what is pending, closes the files and gives the directory back. It may be called twice.
func (s *Store) Close() error { return s.close() }

func (s *Store) closeAll() error {
	var all error
	if s.main != nil {
		ctx, cancel := context.WithTimeout(context.Background(), busyTimeout)
		all = errors.Join(all, s.flushStatuses(ctx))
		cancel()
		all = errors.Join(all, s.main.close())
	}
	if s.logs != nil {
		all = errors.Join(all, s.logs.close())
	}
	return errors.Join(all, s.lock.Close())
}

// GeneratedPassword is the password of the user admin when this Open made it; "" otherwise.
func (s *Store) GeneratedPassword() string { return s.password }

// NodeID names this data directory's node: 12 hex digits, kept in a file.
func (s *Store) NodeID() string { return s.nodeID }

// InstallationID names the database: a claim in the configuration topics.
func (s *Store) InstallationID() string { return s.install }

// KeyProblem says in a sentence why secrets cannot be stored or some stored ones
// cannot be opened; nil when all is well. It does not change while the Store is open.
func (s *Store) KeyProblem() error { return s.keyProblem }

// Sealer seals with this installation's key.
func (s *Store) Sealer() *Sealer { return s.sealer }

func nodeID(file string) (string, error) {
	b, err := os.ReadFile(file)
	if err == nil {
		id := strings.TrimSpace(string(b))
		if _, err := hex.DecodeString(id); err != nil || id == "" || len(id) > 64 {
			return "", fmt.Errorf("reading the node's ID: %s does not hold one; remove the file to have a new one made", file)
		}
		return id, nil
	}
	if !errors.Is(err, fs.ErrNotExist) {
		return "", fmt.Errorf("reading the node's ID: %w", err)
	}
	id := randomHex(6)
	if err := writeNew(file, id+"\n"); err != nil {
		return "", fmt.Errorf("making the node's ID: %w", err)
	}
	return id, nil
}

func (s *Store) installationID(ctx context.Context) (string, error) {
	const key = "installation.id"
	id, err := s.Setting(ctx, key)
	if errors.Is(err, runner.ErrNotFound) {
		id = randomUUID()
		err = s.SetSetting(ctx, key, id)
	}
	return id, err
}

func randomHex(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return hex.EncodeToString(b)
}

// randomUUID is version 4 of RFC 9562.
func randomUUID() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}
