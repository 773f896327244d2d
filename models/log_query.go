package models

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner"
)

const (
	// A query looks at no more than this many lines of its connector before it answers
	// with what it has and where to go on: with a text it must read every message,
	// otherwise an index tells.
	textWindow  = 20_000
	indexWindow = 150_000
)

// logFilter is a query as SQL.
type logFilter struct {
	index     string
	where     []string // beside connector and ID
	args      []any
	connector int64
	low, high int64 // IDs, both exclusive
	window    int
	ascending bool
}

func newLogFilter(q runner.LogQuery) logFilter {
	f := logFilter{index: "logs_connector", connector: q.ConnectorID, low: max(q.After, 0), high: math.MaxInt64, window: math.MaxInt32, ascending: q.Ascending}
	add := func(where string, args ...any) {
		f.where, f.args, f.window = append(f.where, where), append(f.args, args...), min(f.window, indexWindow)
	}
	if q.Before > 0 {
		f.high = q.Before
	}
	if level := levelNumber(q.MinLevel); q.MinLevel != "" && level > 0 {
		add("level >= ?", level)
		if level >= levelTrouble {
			f.index = "logs_trouble"
			f.where = append(f.where, fmt.Sprintf("level >= %d", levelTrouble)) // literally the index's own condition
		}
	}
	if q.Task != nil {
		add("task = ?", *q.Task)
	}
	if !q.From.IsZero() {
		add("time >= ?", millis(q.From))
		f.low = max(f.low, shifted(q.From)-1)
	}
	if !q.To.IsZero() {
		add("time < ?", millis(q.To))
		f.high = min(f.high, shifted(q.To.Add(lateness)))
	}
	if q.Text != "" {
		like := likeText(q.Text)
		add(`(message LIKE ? ESCAPE '\' OR fields LIKE ? ESCAPE '\')`, like, like)
		f.window = textWindow
	}
	if q.ConnectorID == 0 {
		f.index = ""
	}
	return f
}

// likeText is the pattern of LIKE … ESCAPE '\' that finds a text anywhere.
func likeText(text string) string {
	return "%" + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text) + "%"
}

// shifted is the least ID of a time; far future and past are cut off.
func shifted(t time.Time) int64 {
	return min(max(t.UnixMilli(), 0), math.MaxInt64>>idShift) << idShift
}

// from is the FROM and WHERE clause for IDs between low and high.
func (f *logFilter) from(low, high int64, filtered bool) (clause string, args []any) {
	var b strings.Builder
	b.WriteString(" FROM logs ")
	if f.index != "" {
		b.WriteString("INDEXED BY " + f.index + " ")
	}
	b.WriteString("WHERE id > ? AND id < ?")
	args = append(args, low, high)
	if f.connector != 0 {
		b.WriteString(" AND connector_id = ?")
		args = append(args, f.connector)
	}
	if filtered {
		for _, w := range f.where {
			b.WriteString(" AND " + w)
		}
		args = append(args, f.args...)
	} else if f.index == "logs_trouble" {
		fmt.Fprintf(&b, " AND level >= %d", levelTrouble)
	}
	if f.ascending {
		b.WriteString(" ORDER BY id")
	} else {
		b.WriteString(" ORDER BY id DESC")
	}
	return b.String(), args
}

// QueryLogs gives at most q.Limit lines (1 to 1000; 0 means 100). It looks at a
// bounded number of lines: see LogPage.Next. ConnectorID 0 looks at all connectors.
func (s *Store) QueryLogs(ctx context.Context, q runner.LogQuery) (LogPage, error) {
	pool, err := s.logs.r.DB()
	if err != nil {
		return LogPage{}, fail("reading log lines", err)
	}
	page, err := queryLogs(ctx, pool, newLogFilter(q), pageSize(q.Limit))
	return page, fail("reading log lines", err)
}

func queryLogs(ctx context.Context, pool *sql.DB, f logFilter, limit int) (LogPage, error) {
	low, high, edge := f.low, f.high, int64(0)
	if f.window < math.MaxInt32 {
		clause, args := f.from(low, high, false)
		err := pool.QueryRowContext(ctx, "SELECT id"+clause+fmt.Sprintf(" LIMIT 1 OFFSET %d", f.window), args...).Scan(&edge)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			edge = 0 // the window reaches the end
		case err != nil:
			return LogPage{}, err
		case f.ascending:
			high = edge
		default:
			low = edge
		}
	}
	clause, args := f.from(low, high, true)
	rows, err := pool.QueryContext(ctx, "SELECT id, connector_id, time, level, task, message, fields"+clause+fmt.Sprintf(" LIMIT %d", limit), args...)
	if err != nil {
		return LogPage{}, err
	}
	defer rows.Close()
	var page LogPage
	for rows.Next() {
		l, err := scanLine(rows)
		if err != nil {
			return LogPage{}, err
		}
		page.Lines = append(page.Lines, l)
	}
	if err := rows.Err(); err != nil {
		return LogPage{}, err
	}
	switch {
	case len(page.Lines) == limit:
		page.Next = page.Lines[limit-1].ID
	case edge != 0 && f.ascending: // the line at the edge was not looked at
		page.Next = edge - 1
	case edge != 0:
		page.Next = edge + 1
	}
	return page, nil
}

func scanLine(rows *sql.Rows) (runner.LogLine, error) {
	var l runner.LogLine
	var at int64
	var level int
	var fields string
	if err := rows.Scan(&l.ID, &l.ConnectorID, &at, &level, &l.Task, &l.Message, &fields); err != nil {
		return l, err
	}
	l.Time, l.Level = fromMillis(at), levels[min(max(level, 0), len(levels)-1)]
	if fields != "" {
		if err := json.Unmarshal([]byte(fields), &l.Fields); err != nil {
			return l, fmt.Errorf("fields of line %d: %w", l.ID, err)
		}
	}
	return l, nil
}

// EachLog walks all lines that q selects, its Limit aside, for downloads. Lines that
// are appended meanwhile do not make it endless.
func (s *Store) EachLog(ctx context.Context, q runner.LogQuery, each func(runner.LogLine) error) error {
	q.Limit = maxPage
	if q.Ascending && q.Before == 0 {
		s.tail.mu.Lock()
		q.Before = s.tail.last + 1
		s.tail.mu.Unlock()
	}
	for {
		page, err := s.QueryLogs(ctx, q)
		if err != nil {
			return err
		}
		for l := range slices.Values(page.Lines) {
			if err := each(l); err != nil {
				return err
			}
		}
		if page.Next == 0 {
			return nil
		}
		if q.Ascending {
			q.After = page.Next
		} else {
			q.Before = page.Next
		}
	}
}
