package models

import (
	"context"
	"fmt"
	"time"

	"gorm.io/gorm"
)

const (
	maintainEvery = 30 * time.Second
	pruneBatch    = 2000 // rows a transaction
	pruneRows     = 100_000
	vacuumPages   = 2000
)

// Maintain prunes what is old until ctx ends. What goes wrong is logged.
func (s *Store) Maintain(ctx context.Context) error {
	tick := time.NewTicker(maintainEvery)
	defer tick.Stop()
	for {
		for {
			more, err := s.Prune(ctx)
			if err != nil && ctx.Err() == nil {
				s.log.Error("pruning the model", "error", err)
			}
			if err != nil || !more {
				break
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Prune removes log lines and chart points beyond their retention, and ended sessions,
// in small transactions. It removes a bounded number; more says that some are left.
func (s *Store) Prune(ctx context.Context) (more bool, err error) {
	if err := s.flushStatuses(ctx); err != nil {
		return false, err
	}
	if err := s.pruneSessions(ctx); err != nil {
		return false, err
	}
	for table, keep := range map[string]time.Duration{"points": keepPoints, "point_minutes": keepMinutes} {
		if err := s.prunePoints(ctx, table, millis(s.o.Now().Add(-keep))); err != nil {
			return false, fail("pruning chart points", err)
		}
	}
	more, err = s.pruneLogs(ctx)
	if err != nil {
		return false, fail("pruning log lines", err)
	}
	return more, fail("giving back space", vacuum(s.logs.w.WithContext(ctx)))
}

// eachPointed lists the connectors of a table of points by skipping through its key, which
// begins with them: the table itself has a row for every few seconds of each.
const eachPointed = `WITH RECURSIVE c(id) AS (SELECT min(connector_id) FROM %[1]s
	UNION ALL SELECT (SELECT min(connector_id) FROM %[1]s WHERE connector_id > c.id) FROM c WHERE c.id IS NOT NULL) SELECT id FROM c WHERE id IS NOT NULL`

// prunePoints removes points before a time, each connector's by its key.
func (s *Store) prunePoints(ctx context.Context, table string, before int64) error {
	var ids []int64
	if err := s.logs.r.WithContext(ctx).Raw(fmt.Sprintf(eachPointed, table)).Scan(&ids).Error; err != nil {
		return err
	}
	return s.logs.w.WithContext(ctx).Transaction(func(tx *gorm.DB) error {
		for _, id := range ids {
			if err := tx.Exec("DELETE FROM "+table+" WHERE connector_id = ? AND time < ?", id, before).Error; err != nil {
				return err
			}
		}
		return nil
	})
}

// pruneLogs removes the oldest lines while they are too old or the file is too large.
func (s *Store) pruneLogs(ctx context.Context) (more bool, err error) {
	db := s.logs.w.WithContext(ctx)
	for range pruneRows / pruneBatch {
		used, err := usedBytes(db)
		if err != nil {
			return false, err
		}
		tx := db.Exec(`DELETE FROM logs WHERE id IN (SELECT id FROM logs WHERE id < ? ORDER BY id LIMIT ?)`, shifted(s.o.Now().Add(-s.o.LogAge)), pruneBatch)
		if tx.Error == nil && tx.RowsAffected == 0 && used > s.o.LogBytes {
			tx = db.Exec(`DELETE FROM logs WHERE id IN (SELECT id FROM logs ORDER BY id LIMIT ?)`, pruneBatch)
		}
		if tx.Error != nil || tx.RowsAffected == 0 {
			return false, tx.Error
		}
	}
	return true, nil
}

// usedBytes is the size of a file without its free pages, which are used again.
func usedBytes(db *gorm.DB) (int64, error) {
	var used int64
	err := db.Raw(`SELECT (c.page_count - f.freelist_count) * s.page_size FROM pragma_page_count() c, pragma_freelist_count() f, pragma_page_size() s`).Scan(&used).Error
	return used, err
}

// vacuum gives some free pages back to the file system. The pragma works page by page
// as its rows are read.
func vacuum(db *gorm.DB) error {
	var free int64
	if err := db.Raw(`PRAGMA freelist_count`).Scan(&free).Error; err != nil || free < vacuumPages {
		return err
	}
	rows, err := db.Raw(`PRAGMA incremental_vacuum(2000)`).Rows()
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
	}
	return rows.Err()
}
