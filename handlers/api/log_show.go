package api

import (
	"bufio"
	"context"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/control"
)

const (
	maxLogLines = 1000
	// maxLogText bounds the text searched for, in bytes.
	maxLogText = 1000
	// logSearch bounds the search for matching lines; what it did not reach is told of
	// in headerIncomplete, and found with an earlier "to".
	logSearch        = 2 * time.Second
	headerIncomplete = "Sluice-Search-Incomplete"
	// logWrite is how long one write to a client may take.
	logWrite = 30 * time.Second
)

// logLine is one line of a log.
type logLine struct {
	Time    time.Time         `json:"time"`
	Level   control.LogLevel  `json:"level"`
	Task    int               `json:"task"`
	Message string            `json:"message"`
	Fields  map[string]string `json:"fields"`
}

// logShow answers GET …/logs: JSON lines, oldest first; the newest limit lines that
// match, and with follow=true every further one until either side ends.
func logShow(c *call) error {
	q, follow, err := c.logQuery()
	if err != nil {
		return err
	}
	lines, complete, err := c.newestLines(q)
	if err != nil {
		return err
	}
	if !complete {
		c.Header(headerIncomplete, "true")
	}
	slices.Reverse(lines) // newest first became oldest first
	c.Header("Content-Type", "application/jsonl; charset=utf-8")
	c.Header("X-Content-Type-Options", "nosniff")
	c.Header("Cache-Control", "no-store")
	c.Status(http.StatusOK)
	out := newLogWriter(c.Writer)
	for _, l := range lines {
		if err := out.line(l); err != nil {
			return nil // the client has gone
		}
		q.After = l.ID
	}
	if err := out.flush(); err != nil || !follow || c.Request.Method == http.MethodHead {
		return nil
	}
	ctx, cancel := context.WithCancel(c.Request.Context())
	defer cancel()
	if c.a.o.Stopping != nil {
		go func() {
			select {
			case <-c.a.o.Stopping:
				cancel()
			case <-ctx.Done():
			}
		}()
	}
	err = c.svc.FollowLogs(ctx, c.Param("instance"), c.Param("connector"), q, func(l control.LogLine) error {
		if err := out.line(l); err != nil {
			return err
		}
		return out.flush()
	}, func() error { return nil })
	if err != nil {
		c.a.o.Logger.Debug("a followed log ended", "err", err)
	}
	return nil
}

// newestLines collects the newest lines that match, newest first. One query looks at
// a part of the log only; the search goes on until it has enough, nothing is left, or
// logSearch is over: complete tells whether the whole log was looked at.
func (c *call) newestLines(q control.LogQuery) (lines []control.LogLine, complete bool, err error) {
	began := time.Now()
	limit := q.Limit
	for {
		q.Limit = limit - len(lines)
		page, err := c.svc.Logs(c.Request.Context(), c.Param("instance"), c.Param("connector"), q)
		if err != nil {
			return nil, false, err
		}
		lines = append(lines, page.Lines...)
		if page.Next == 0 || len(lines) >= limit {
			return lines, true, nil
		}
		if time.Since(began) > logSearch {
			return lines, false, nil
		}
		q.Before = page.Next
	}
}

type logWriter struct {
	w *bufio.Writer
	e *json.Encoder
	c *http.ResponseController
}

func newLogWriter(w http.ResponseWriter) *logWriter {
	b := bufio.NewWriter(w)
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return &logWriter{b, e, http.NewResponseController(w)}
}

func (l *logWriter) line(x control.LogLine) error {
	fields := x.Fields
	if fields == nil {
		fields = map[string]string{}
	}
	return l.e.Encode(logLine{x.Time.UTC(), x.Level, x.Task, x.Message, fields})
}

func (l *logWriter) flush() error {
	// A server in a test has no deadlines to set.
	_ = l.c.SetWriteDeadline(time.Now().Add(logWrite))
	if err := l.w.Flush(); err != nil {
		return err
	}
	return l.c.Flush()
}

// logQuery reads the parameters of …/logs.
func (c *call) logQuery() (q control.LogQuery, follow bool, err error) {
	q.Limit = maxLogLines
	if s := c.Query("level"); s != "" {
		q.MinLevel = control.LogLevel(strings.ToUpper(s))
		if !slices.Contains([]control.LogLevel{"DEBUG", "INFO", "WARN", "ERROR"}, q.MinLevel) {
			return q, false, invalid("level", "must be DEBUG, INFO, WARN or ERROR.")
		}
	}
	if s := c.Query("task"); s != "" {
		n, err := strconv.ParseInt(s, 10, 32)
		if err != nil || n < -1 {
			return q, false, invalid("task", "must be a task's number, or -1 for the connector itself.")
		}
		task := int(n)
		q.Task = &task
	}
	if q.From, err = c.time("from"); err != nil {
		return q, false, err
	}
	if q.To, err = c.time("to"); err != nil {
		return q, false, err
	}
	if q.Text = c.Query("q"); len(q.Text) > maxLogText {
		return q, false, invalid("q", "must have at most %d bytes.", maxLogText)
	}
	if s := c.Query("limit"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil || n < 1 || n > maxLogLines {
			return q, false, invalid("limit", "must be a number from 1 to %d.", maxLogLines)
		}
		q.Limit = n
	}
	switch strings.ToLower(c.Query("follow")) {
	case "", "false", "0":
	case "true", "1":
		follow = true
	default:
		return q, false, invalid("follow", "must be true or false.")
	}
	return q, follow, nil
}

// time reads an RFC 3339 parameter; absent is the zero time.
func (c *call) time(key string) (time.Time, error) {
	s := c.Query(key)
	if s == "" {
		return time.Time{}, nil
	}
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil {
		return t, invalid(key, "must be a time such as 2026-01-31T08:00:00Z (RFC 3339).")
	}
	return t.UTC(), nil
}
