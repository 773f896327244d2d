package mysql

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/mysql/format"
)

// How the reader works, in brief.
//
// One goroutine, the reader, does everything that is seen: it takes events of the binary
// log from the feed and copied chunks of tables from the copier, and writes both to the
// Outlet. A database transaction ends with a Mark that carries the position; so does a
// chunk, with the table's frontier. What is not marked never becomes visible.
//
//	feed      goroutine of BinlogSyncer → queue of raw events (8 MiB)
//	copier    goroutine that reads one table at a time, a chunk ahead (snapshot*.go)
//	reader    merges them (merge.go), one at a time; all state is its own
//
// What fails, and what becomes of it:
//
//	server dead, restarting, too many connections   Away; the reader connects again with growing pauses, and goes on behind the last whole transaction
//	stream breaks off inside a transaction           what is unmarked is dropped, the transaction is read again; rows of parts that are visible are skipped by its id
//	server fails over                                the stored GTID set must be part of the new server's; a replica that lags is waited for; else Gap
//	binlog purged, foreign GTIDs, another server     Gap, with what is lost and from when (gap.go)
//	without GTIDs
//	row image or metadata not FULL, statements       Gap when events of that kind were read; Wrong when only the setting is so
//	in the place of rows
//	account, password, grants, TLS, log_bin          Wrong, with field and remedy
//	row too large for the topic, bad text or date    by mysql.oversize, mysql.invalid.text, mysql.zero.date: Wrong or diverted
//	copier's connection breaks, deadlock, DDL        the chunk is read again from the frontier; a changed key begins the table anew
//	crash anywhere                                   the Outlet's last transaction says position, frontiers and sequence; nothing else is kept

// source is a MYSQL2KAFKA connector's source.
type source struct {
	set      Settings
	deps     connector.Deps
	log      *slog.Logger
	requests chan *request
	encoder  func(*Settings, *server) (format.Encoder, error)
}

// request is a copy that was asked for.
type request struct {
	tables []string // none means all
	done   chan error
}

var (
	_ connector.Source      = (*source)(nil)
	_ connector.Snapshotter = (*source)(nil)
)

func newSource(_ context.Context, cfg connector.Config, deps connector.Deps) (connector.Source, error) {
	set, err := Decode(cfg, deps.Env)
	if err != nil {
		return nil, err
	}
	if deps.Dial == nil {
		return nil, errors.New("a source needs a way to dial")
	}
	log := deps.Logger
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if set.ChunkRows <= 0 {
		set.ChunkRows = 20_000
	}
	if set.Heartbeat <= 0 {
		set.Heartbeat = 10 * time.Second
	}
	return &source{set: set, deps: deps, log: log, requests: make(chan *request), encoder: newEncoder}, nil
}

// Run implements connector.Source.
func (s *source) Run(ctx context.Context, start connector.Start, out connector.Outlet) error {
	r, err := newReader(s, start, out)
	if err != nil {
		return err
	}
	defer r.close()
	out.Progress(r.progressOf(time.Now())) // what was reached is known before the server is
	err = r.run(ctx)
	if ctx.Err() != nil {
		return nil
	}
	out.Progress(r.progressOf(time.Now())) // as far as it came
	var o *outletError
	if errors.As(err, &o) {
		return o.err
	}
	return err
}

// Close implements connector.Source.
func (s *source) Close() error { return nil }

// Snapshot implements connector.Snapshotter: the tables' states that ask for the copy are
// visible when it returns.
func (s *source) Snapshot(ctx context.Context, parts []string) error {
	r := &request{tables: parts, done: make(chan error, 1)}
	select {
	case s.requests <- r:
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-r.done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

// outletError carries an error of the Outlet's through code that classifies errors.
type outletError struct{ err error }

func (e *outletError) Error() string { return e.err.Error() }
func (e *outletError) Unwrap() error { return e.err }

func outlet(err error) error {
	if err == nil {
		return nil
	}
	return &outletError{err}
}
