package models

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"path/filepath"
	"time"

	"github.com/mattn/go-sqlite3"
	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"

	"github.com/sluice-io/sluice/runner"
)

const (
	readers     = 4
	busyTimeout = 10 * time.Second
	walBytes    = 64 << 20 // what is kept of a write-ahead log after it was large
)

// db is one SQLite file in WAL mode: one connection that writes, some that read.
type db struct {
	w, r *gorm.DB
}

// openDB opens or makes a file. The writer's transactions take the write lock at their
// beginning, so that what they read still holds when they write.
func openDB(ctx context.Context, file, kind string) (*db, error) {
	abs, err := filepath.Abs(file)
	if err != nil {
		return nil, fmt.Errorf("opening %s: %w", file, err)
	}
	open := func(conns int, params url.Values) (*gorm.DB, error) {
		params.Set("_busy_timeout", fmt.Sprint(busyTimeout.Milliseconds()))
		params.Set("_foreign_keys", "1")
		dsn := "file:" + (&url.URL{Path: abs}).EscapedPath() + "?" + params.Encode()
		g, err := gorm.Open(sqlite.Open(dsn), &gorm.Config{Logger: logger.Discard, SkipDefaultTransaction: true})
		if err != nil {
			return nil, fail("opening "+file, err)
		}
		pool, err := g.DB()
		if err != nil {
			return nil, fmt.Errorf("opening %s: %w", file, err)
		}
		pool.SetMaxOpenConns(conns)
		pool.SetMaxIdleConns(conns)
		return g, nil
	}
	d := &db{}
	// NORMAL: a kill loses nothing; acts of people are synced besides (Store.act).
	if d.w, err = open(1, url.Values{"_auto_vacuum": {"incremental"}, "_journal_mode": {"WAL"}, "_synchronous": {"NORMAL"}, "_txlock": {"immediate"}}); err != nil {
		return nil, err
	}
	if err := d.w.WithContext(ctx).Exec(fmt.Sprintf("PRAGMA journal_size_limit = %d", walBytes)).Error; err != nil {
		return nil, errors.Join(fail("opening "+file, err), d.close())
	}
	if err := migrate(ctx, d.w, file, kind); err != nil {
		return nil, errors.Join(err, d.close())
	}
	if d.r, err = open(readers, url.Values{"_query_only": {"1"}}); err != nil {
		return nil, errors.Join(err, d.close())
	}
	return d, nil
}

func (d *db) close() error {
	var all error
	for _, g := range []*gorm.DB{d.r, d.w} {
		if g == nil {
			continue
		}
		pool, err := g.DB()
		if err == nil {
			err = pool.Close()
		}
		all = errors.Join(all, err)
	}
	return all
}

// fail wraps what the database answered: ErrDiskFull, runner.ErrNotFound, or as it is.
func fail(doing string, err error) error {
	if err == nil {
		return nil
	}
	var se sqlite3.Error
	switch {
	case errors.Is(err, gorm.ErrRecordNotFound):
		err = runner.ErrNotFound
	case errors.As(err, &se) && (se.Code == sqlite3.ErrFull || se.Code == sqlite3.ErrIoErr):
		err = fmt.Errorf("%w (%w)", ErrDiskFull, err)
	case errors.As(err, &se) && se.ExtendedCode == sqlite3.ErrConstraintForeignKey:
		err = fmt.Errorf("%w (%w)", runner.ErrNotFound, err)
	}
	return fmt.Errorf("%s: %w", doing, err)
}

// unique tells whether err is a collision of a unique column.
func unique(err error) bool {
	var se sqlite3.Error
	return errors.As(err, &se) && (se.ExtendedCode == sqlite3.ErrConstraintUnique || se.ExtendedCode == sqlite3.ErrConstraintPrimaryKey)
}

// write runs fn in one transaction of sluice.db.
func (s *Store) write(ctx context.Context, doing string, fn func(tx *gorm.DB) error) error {
	return fail(doing, s.main.w.WithContext(ctx).Transaction(fn))
}

// act is write for what a person did: it is on the disk when act returns.
func (s *Store) act(ctx context.Context, doing string, fn func(tx *gorm.DB) error) error {
	if err := s.write(ctx, doing, fn); err != nil {
		return err
	}
	var busy, log, done int
	if err := s.main.w.WithContext(ctx).Raw(`PRAGMA wal_checkpoint(PASSIVE)`).Row().Scan(&busy, &log, &done); err != nil && ctx.Err() == nil {
		s.log.Warn("syncing the database", "error", err)
	}
	return nil
}

func (s *Store) read(ctx context.Context) *gorm.DB { return s.main.r.WithContext(ctx) }

// one turns "no row was changed" into runner.ErrNotFound.
func one(tx *gorm.DB) error {
	if tx.Error == nil && tx.RowsAffected == 0 {
		return runner.ErrNotFound
	}
	return tx.Error
}

// millis is how times are stored: Unix ms, 0 for the zero time.
func millis(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMilli()
}

func fromMillis(ms int64) time.Time {
	if ms == 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}
