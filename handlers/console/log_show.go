package console

import (
	"net/http"
	"slices"
	"sort"
	"strconv"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
)

// logPage is how many lines a page of a log has.
const logPage = 200

// connectorLogs is a page of the log: the newest lines, which go on by themselves where
// a script runs, or those before or after a line.
func (c *Console) connectorLogs(q *request) error {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, tabLogs)
	if err != nil {
		return err
	}
	f := readLogFilter(q, row.Connector)
	before, after := q.queryInt("before", 1, 1<<62, 0), q.queryInt("after", 1, 1<<62, 0)
	query := f.query
	query.Limit = logPage
	switch {
	case after > 0:
		query.After, query.Ascending = after, true
	default:
		query.Before = before
	}
	page, err := c.control.Logs(ctx, q.instance(), q.connector(), query)
	if err != nil {
		return err
	}
	if !query.Ascending {
		slices.Reverse(page.Lines)
	}
	m := views.ConnectorLogPage{ConnectorFrame: frame, Filter: f.shown, Wrap: q.Query("wrap") == "true", Download: frame.Href + "/logs/download" + f.with()}
	wrap, other := "", "true"
	if m.Wrap {
		wrap, other = "true", ""
	}
	base := frame.Href + "/logs"
	m.WrapURL = base + f.with("wrap", other, "before", numberOrNot(before), "after", numberOrNot(after))
	for _, l := range page.Lines {
		m.Lines = append(m.Lines, logLine(l))
	}
	newest := before == 0 && (after == 0 || page.Next == 0)
	older, newer := around(page, before, after)
	if older > 0 {
		m.Older = base + f.with("before", strconv.FormatInt(older, 10), "wrap", wrap)
	}
	if newer > 0 && !newest {
		m.Newer = base + f.with("after", strconv.FormatInt(newer, 10), "wrap", wrap)
	}
	if !newest {
		m.Newest = base + f.with("wrap", wrap)
	} else if f.query.To.IsZero() {
		m.Follow = base + "/stream" + f.with()
	}
	status := http.StatusOK
	if len(f.shown.Errors) > 0 {
		status = http.StatusUnprocessableEntity
	}
	return q.render(status, views.ConnectorLogs(m))
}

// around gives the IDs at which older and newer lines go on, 0 where there are none. A
// page may have few lines or none and go on all the same: a search looks at a bounded
// number of lines. The lines stand oldest first.
func around(page control.LogPage, before, after int64) (older, newer int64) {
	n := len(page.Lines)
	if after > 0 { // it went upwards
		if n > 0 {
			return page.Lines[0].ID, page.Next
		}
		return after + 1, page.Next
	}
	if n > 0 {
		return page.Next, page.Lines[n-1].ID
	}
	return page.Next, before - 1
}

func numberOrNot(n int64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(n, 10)
}

// logLine is one line as pages show it, its fields by name.
func logLine(l control.LogLine) components.LogLine {
	out := components.LogLine{ID: strconv.FormatInt(l.ID, 10), Time: l.Time, Level: string(l.Level), Message: l.Message}
	if l.Task >= 0 {
		out.Task = strconv.Itoa(l.Task)
	}
	for key, value := range l.Fields {
		out.Fields = append(out.Fields, components.Pair{Key: key, Value: value})
	}
	sort.Slice(out.Fields, func(i, j int) bool { return out.Fields[i].Key < out.Fields[j].Key })
	return out
}
