package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// logFilter is what the address narrows a log to.
type logFilter struct {
	query control.LogQuery
	shown views.LogFilter
	url   url.Values // the filter alone, as links keep it
}

// logLevels are the levels that can be asked for, the least first.
var logLevels = []string{"DEBUG", "INFO", "WARN", "ERROR"}

// readLogFilter reads the filter; what cannot be read is told and does not narrow.
func readLogFilter(q *request, row control.Connector) logFilter {
	ctx := q.Request.Context()
	f := logFilter{url: url.Values{}}
	f.shown = views.LogFilter{Level: strings.ToUpper(q.Query("level")), Task: q.Query("task"), Text: clip(q.Query("q"), 500), From: q.Query("from"), To: q.Query("to")}
	wrong := func(format string, args ...any) {
		f.shown.Errors = append(f.shown.Errors, text.T(ctx, format, args...))
	}
	for _, level := range logLevels {
		label := level
		if level == "INFO" || level == "WARN" {
			label = text.T(ctx, "logs.at_least", level)
		}
		if level != "DEBUG" {
			f.shown.Levels = append(f.shown.Levels, components.Option{Value: level, Label: label})
		}
		if level == f.shown.Level {
			f.query.MinLevel = control.LogLevel(level)
		}
	}
	if f.shown.Level != "" && f.query.MinLevel == "" {
		wrong("logs.bad_level", clip(f.shown.Level, 40))
		f.shown.Level = ""
	}
	f.shown.Tasks = append(f.shown.Tasks, components.Option{Value: "-1", Label: text.T(ctx, "logs.connector")})
	for i := range min(max(1, int(row.Effective().Int(connector.KeyTasksMax))), 64) {
		f.shown.Tasks = append(f.shown.Tasks, components.Option{Value: strconv.Itoa(i), Label: text.T(ctx, "log.task", i)})
	}
	if f.shown.Task != "" {
		n, err := strconv.Atoi(f.shown.Task)
		if err != nil || n < -1 || n > 10_000 {
			wrong("logs.bad_task", clip(f.shown.Task, 40))
			f.shown.Task = ""
		} else {
			f.query.Task = &n
		}
	}
	f.query.Text = f.shown.Text
	f.query.From, f.shown.From = readTime(f.shown.From, wrong)
	f.query.To, f.shown.To = readTime(f.shown.To, wrong)
	if !f.query.From.IsZero() && !f.query.To.IsZero() && f.query.To.Before(f.query.From) {
		wrong("logs.bad_order")
	}
	for key, v := range map[string]string{"level": f.shown.Level, "task": f.shown.Task, "q": f.shown.Text, "from": f.shown.From, "to": f.shown.To} {
		if v != "" {
			f.url.Set(key, v)
		}
	}
	return f
}

// readTime reads what a datetime-local input sends, in UTC, or RFC 3339; shown is the
// same as the input takes it.
func readTime(s string, wrong func(string, ...any)) (t time.Time, shown string) {
	if s == "" {
		return time.Time{}, ""
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05", "2006-01-02T15:04", "2006-01-02"} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() >= 1970 && t.Year() < 10000 {
			return t.UTC(), t.UTC().Format("2006-01-02T15:04:05")
		}
	}
	wrong("logs.bad_time", fmt.Sprintf("%q", clip(s, 40)))
	return time.Time{}, ""
}

// with is the filter with further parameters, as a query string with its question mark.
func (f logFilter) with(pairs ...string) string {
	v := url.Values{}
	for key, values := range f.url {
		v[key] = values
	}
	for i := 0; i+1 < len(pairs); i += 2 {
		if pairs[i+1] != "" {
			v.Set(pairs[i], pairs[i+1])
		}
	}
	if len(v) == 0 {
		return ""
	}
	return "?" + v.Encode()
}
