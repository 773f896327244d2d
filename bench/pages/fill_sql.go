package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	_ "github.com/mattn/go-sqlite3" // the driver that the model uses
)

const (
	logSpan   = 6 * 24 * time.Hour
	logStep   = 1_000_000 // lines a statement
	chartSpan = 3 * time.Hour
	chartStep = 10 * time.Second
	// Minutes of 7 days would be as many rows as log lines: some connectors have them.
	minuteConnectors = 100
)

// openRaw opens a file of the data directory for bulk work: what is lost by a crash is filled anew.
func openRaw(dir, name string) (*sql.DB, error) {
	abs, err := filepath.Abs(filepath.Join(dir, name))
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3", "file:"+(&url.URL{Path: abs}).EscapedPath()+"?_synchronous=0&_busy_timeout=1000&_cache_size=-262144")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	return db, nil
}

// lineSQL makes the log lines ?1 to ?2 inside SQLite: through the model it would take many times as long.
// Every second line is the loud connector's (?3), the others go round. ?4 is the first line's time, ?5
// the time of all lines and ?6 their number. One line of the loud connector, a tenth from the beginning,
// says "needle", which a search from the end finds last.
const lineSQL = `WITH RECURSIVE n(i) AS (SELECT ?1 UNION ALL SELECT i + 1 FROM n WHERE i + 1 < ?2),
	l AS (SELECT i, (i * 2654435761 >> 8) % 1000 AS h, ?4 + i * ?5 / ?6 AS t FROM n)
	INSERT INTO logs (id, connector_id, time, level, task, message, fields)
	SELECT (t << 20) + (i & 1023), CASE WHEN i % 2 = 0 THEN ?3 ELSE 1 + (i / 2) % ?7 END, t,
		CASE WHEN h < 2 THEN 3 WHEN h < 20 THEN 2 WHEN h < 100 THEN 0 ELSE 1 END, h % 7 - 1,
		CASE WHEN i = ?6 / 20 * 2 THEN 'found the needle' WHEN h < 2 THEN 'The batch was refused: 403 AccessDenied, RequestId ' || printf('%016X', i * 2654435761)
			WHEN h < 20 THEN 'The destination is slow: ' || h || ' s for one request'
			ELSE 'Delivered ' || (h * 10) || ' records of orders-' || (i % 50) || ' to orders/dt=2026-01-01/hh=' || printf('%02d', h % 24) || '/' || i || '.jsonl.zst' END,
		'{"offset":"' || (i * 1000) || '","partition":"' || (i % 24) || '","topic":"orders-' || (i % 50) || '"}' FROM l`

// fillLogs writes the log lines in the order of time, without indexes, and makes these afterwards.
func fillLogs(ctx context.Context, o options, m *manifest, logf func(string, ...any)) error {
	db, err := openRaw(o.dir, "logs.db")
	if err != nil {
		return err
	}
	defer db.Close()
	indexes, err := dropIndexes(ctx, db, "logs")
	if err != nil {
		return err
	}
	m.Newest = time.Now().UTC().Truncate(time.Millisecond)
	m.Oldest = m.Newest.Add(-logSpan)
	for from := int64(0); from < o.Lines; from += logStep {
		to := min(from+logStep, o.Lines)
		if _, err := db.ExecContext(ctx, lineSQL, from, to, m.LoudID, m.Oldest.UnixMilli(), logSpan.Milliseconds(), o.Lines, o.Connectors); err != nil {
			return fmt.Errorf("writing log lines: %w", err)
		}
		logf("%d log lines", to)
	}
	for _, sql := range indexes {
		if _, err := db.ExecContext(ctx, sql); err != nil {
			return fmt.Errorf("making an index: %w", err)
		}
	}
	if _, err := db.ExecContext(ctx, "PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		return fmt.Errorf("writing the log file: %w", err)
	}
	info, err := os.Stat(filepath.Join(o.dir, "logs.db"))
	if err != nil {
		return err
	}
	m.Bytes = info.Size()
	return nil
}

// dropIndexes removes a table's indexes and gives the statements that make them again.
func dropIndexes(ctx context.Context, db *sql.DB, table string) ([]string, error) {
	rows, err := db.QueryContext(ctx, "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND tbl_name = ? AND sql IS NOT NULL", table)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names, make []string
	for rows.Next() {
		var name, sql string
		if err := rows.Scan(&name, &sql); err != nil {
			return nil, err
		}
		names, make = append(names, name), append(make, sql)
	}
	if err := errors.Join(rows.Err(), rows.Close()); err != nil {
		return nil, err
	}
	if len(names) == 0 {
		return nil, fmt.Errorf("table %s has no index; the schema has changed", table)
	}
	for _, name := range names {
		if _, err := db.ExecContext(ctx, "DROP INDEX "+name); err != nil {
			return nil, err
		}
	}
	return make, nil
}

// freshen does what a filled folder needs at every run: chart points of the last hours, which the server
// prunes as they age, and instances that nobody has asked yet, some of them behind a port that is silent.
func freshen(ctx context.Context, dir string, m manifest, silent string) error {
	db, err := openRaw(dir, "sluice.db")
	if err != nil {
		return err
	}
	defer db.Close()
	_, err = db.ExecContext(ctx, `UPDATE instances SET status = 'UNKNOWN', detail = '', bootstrap_servers = CASE WHEN id % ? = 5 THEN ? ELSE ? END WHERE name LIKE 'cluster-%'`, silentEvery, silent, refused)
	if err != nil {
		return fmt.Errorf("resetting instances: %w", err)
	}
	logs, err := openRaw(dir, "logs.db")
	if err != nil {
		return err
	}
	defer logs.Close()
	now := time.Now().UnixMilli()
	for _, table := range []struct {
		name       string
		connectors int
		span, step time.Duration
	}{{"points", m.Connectors, chartSpan, chartStep}, {"point_minutes", min(minuteConnectors, m.Connectors), 7 * 24 * time.Hour, time.Minute}} {
		step := table.step.Milliseconds()
		first := (now - table.span.Milliseconds()) / step * step
		if _, err := logs.ExecContext(ctx, "DELETE FROM "+table.name); err != nil {
			return fmt.Errorf("removing old chart points: %w", err)
		}
		_, err := logs.ExecContext(ctx, strings.ReplaceAll(`WITH RECURSIVE c(id) AS (SELECT 1 UNION ALL SELECT id + 1 FROM c WHERE id < ?1), t(at) AS (SELECT ?2 UNION ALL SELECT at + ?3 FROM t WHERE at + ?3 < ?4)
			INSERT INTO TABLE_NAME (connector_id, time, records, bytes, diverted, waiting, lag_millis)
			SELECT id, at, (id * 7 + at / 1000) % 5000, (id * 7 + at / 1000) % 5000 * 200, 0, id % 100, id % 1000 FROM c, t`, "TABLE_NAME", table.name), table.connectors, first, step, now)
		if err != nil {
			return fmt.Errorf("writing chart points: %w", err)
		}
	}
	return nil
}
