package models

import (
	"bytes"
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner"
)

const (
	// idShift makes a line's ID of its time: Unix ms << 20 leaves a million IDs a
	// millisecond and lasts until the year 2248.
	idShift = 20
	// lateness bounds how far an ID may run ahead of its line's time, when lines come
	// out of order; a range of time is looked up with this much of slack at its end.
	lateness = time.Hour

	logBatch   = 100  // lines an INSERT
	maxMessage = 8192 // characters
)

var levels = []runner.LogLevel{runner.LogDebug, runner.LogInfo, runner.LogWarn, runner.LogError}

// levelTrouble is the least level of the index logs_trouble.
const levelTrouble = 2

func levelNumber(l runner.LogLevel) int {
	for i, known := range levels {
		if known == l {
			return i
		}
	}
	return 1
}

// logTail gives out IDs and wakes those who follow.
type logTail struct {
	mu       sync.Mutex
	last     int64
	appended chan struct{}
}

func (s *Store) loadTail(ctx context.Context) error {
	s.tail.appended = make(chan struct{})
	return fail("reading the last log line", s.logs.r.WithContext(ctx).Raw(`SELECT coalesce(max(id), 0) FROM logs`).Scan(&s.tail.last).Error)
}

// LogsAppended is closed at the next append: take it, query after the last ID, wait.
func (s *Store) LogsAppended() <-chan struct{} {
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	return s.tail.appended
}

// AppendLogs writes lines in one transaction, in the order given, and sets their IDs,
// which grow. A zero time, or one in the future, becomes now.
func (s *Store) AppendLogs(ctx context.Context, lines []runner.LogLine) error {
	if len(lines) == 0 {
		return nil
	}
	args, err := logArgs(lines)
	if err != nil {
		return err
	}
	s.tail.mu.Lock()
	defer s.tail.mu.Unlock()
	now, last := s.o.Now(), s.tail.last
	for i := range lines {
		l := &lines[i]
		if l.Time.IsZero() || l.Time.After(now) {
			l.Time = now
		}
		last = max(last+1, l.Time.UnixMilli()<<idShift)
		l.ID = last
		args[i*logColumns], args[i*logColumns+2] = last, l.Time.UnixMilli()
	}
	if err := s.insertLogs(ctx, args); err != nil {
		return fail("writing log lines", err)
	}
	s.tail.last = last
	close(s.tail.appended)
	s.tail.appended = make(chan struct{})
	return nil
}

const logColumns = 7

// logArgs makes the columns of all lines; ID and time are filled in later.
func logArgs(lines []runner.LogLine) ([]any, error) {
	args := make([]any, 0, len(lines)*logColumns)
	for i := range lines {
		l := &lines[i]
		fields := ""
		if len(l.Fields) > 0 {
			var b bytes.Buffer
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false) // text searches look for what was said
			if err := enc.Encode(l.Fields); err != nil {
				return nil, fmt.Errorf("writing log lines: %w", err)
			}
			fields = strings.TrimSuffix(b.String(), "\n")
		}
		args = append(args, nil, l.ConnectorID, nil, levelNumber(l.Level), l.Task, cut(l.Message, maxMessage), fields)
	}
	return args, nil
}

func (s *Store) insertLogs(ctx context.Context, args []any) error {
	pool, err := s.logs.w.DB()
	if err != nil {
		return err
	}
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }() // after Commit it does nothing
	var many *sql.Stmt
	for len(args) > 0 {
		n := min(len(args)/logColumns, logBatch)
		if n == logBatch {
			if many == nil {
				if many, err = tx.PrepareContext(ctx, insertLines(logBatch)); err != nil {
					return err
				}
				defer many.Close()
			}
			_, err = many.ExecContext(ctx, args[:n*logColumns]...)
		} else {
			_, err = tx.ExecContext(ctx, insertLines(n), args[:n*logColumns]...)
		}
		if err != nil {
			return err
		}
		args = args[n*logColumns:]
	}
	return tx.Commit()
}

func insertLines(n int) string {
	return `INSERT INTO logs (id, connector_id, time, level, task, message, fields) VALUES ` + strings.TrimSuffix(strings.Repeat("(?,?,?,?,?,?,?),", n), ",")
}
