package models

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"
)

//go:embed migrations
var migrationFiles embed.FS

// migration is one numbered step of a file's schema. A step never changes once it
// was released: what comes later is a further step.
type migration struct {
	version int
	name    string
	sql     string
}

// migrations reads the steps of one file ("main" or "logs"), in order, without gaps.
func migrations(kind string) ([]migration, error) {
	dir := path.Join("migrations", kind)
	entries, err := fs.ReadDir(migrationFiles, dir)
	if err != nil {
		return nil, fmt.Errorf("reading migrations: %w", err)
	}
	var out []migration
	for i, e := range entries { // sorted by name
		number, name, _ := strings.Cut(strings.TrimSuffix(e.Name(), ".sql"), "_")
		n, err := strconv.Atoi(number)
		if err != nil || n != i+1 {
			return nil, fmt.Errorf("migration %s/%s is out of order", kind, e.Name())
		}
		b, err := migrationFiles.ReadFile(path.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading migrations: %w", err)
		}
		out = append(out, migration{n, name, string(b)})
	}
	return out, nil
}

// migrate brings a file to the newest schema, each step in a transaction of its own
// with the row that records it.
func migrate(ctx context.Context, db *gorm.DB, file, kind string) error {
	steps, err := migrations(kind)
	if err != nil {
		return err
	}
	db = db.WithContext(ctx)
	if err := db.Exec(`CREATE TABLE IF NOT EXISTS schema_migrations (version INTEGER PRIMARY KEY, name TEXT NOT NULL, applied_at INTEGER NOT NULL)`).Error; err != nil {
		return fail("preparing "+file, err)
	}
	var at int
	if err := db.Raw(`SELECT coalesce(max(version), 0) FROM schema_migrations`).Scan(&at).Error; err != nil {
		return fail("reading the schema version of "+file, err)
	}
	if at > len(steps) {
		return fmt.Errorf("%w: %s has schema %d, this program knows up to %d; start that version again, or restore a backup", ErrNewerSchema, file, at, len(steps))
	}
	for _, step := range steps[at:] {
		err := db.Transaction(func(tx *gorm.DB) error {
			if err := tx.Exec(step.sql).Error; err != nil {
				return err
			}
			return tx.Exec(`INSERT INTO schema_migrations (version, name, applied_at) VALUES (?, ?, ?)`, step.version, step.name, millis(time.Now())).Error
		})
		if err != nil {
			return fail(fmt.Sprintf("migrating %s to schema %d (%s)", file, step.version, step.name), err)
		}
	}
	return nil
}
