package console

import (
	"bytes"
	"errors"
	"fmt"
	"net/http"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
)

// streamWrite is how long one event may take to be written.
const streamWrite = 15 * time.Second

// connectorLogStream sends new lines as they come: events "lines", each with the HTML of
// its lines and the last one's ID, where a browser that lost the connection goes on.
func (c *Console) connectorLogStream(q *request) error {
	ctx := q.Request.Context()
	row, err := c.control.Connector(ctx, q.instance(), q.connector())
	if err != nil {
		return err
	}
	query := readLogFilter(q, row).query
	query.After = q.queryInt("after", 1, 1<<62, 0)
	if last, err := strconv.ParseInt(q.GetHeader("Last-Event-ID"), 10, 64); err == nil && last > query.After {
		query.After = last
	}
	h := q.Writer.Header()
	h.Set("Content-Type", "text/event-stream; charset=utf-8")
	h.Set("X-Accel-Buffering", "no")
	q.Writer.WriteHeader(http.StatusOK)
	control := http.NewResponseController(q.Writer)
	send := func(event []byte) error {
		if err := control.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
			return err
		}
		if _, err := q.Writer.Write(event); err != nil {
			return err
		}
		return control.Flush()
	}
	if err := send([]byte(": following\n\n")); err != nil {
		return nil // the client has gone
	}
	err = c.control.FollowLogs(ctx, q.instance(), q.connector(), query, func(l logEntry) error {
		event, err := lineEvent(q, l)
		if err != nil {
			return err
		}
		return send(event)
	}, func() error { return send([]byte(": idle\n\n")) })
	if err != nil && ctx.Err() == nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		c.log.Debug("following a log", "connector", q.connector(), "err", err)
	}
	return nil // the answer has begun: an error page cannot follow it
}

type logEntry = control.LogLine

// lineEvent is one line as a server-sent event.
func lineEvent(q *request, l logEntry) ([]byte, error) {
	var body bytes.Buffer
	if err := components.LogRows([]components.LogLine{logLine(l)}).Render(q.Request.Context(), &body); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	fmt.Fprintf(&out, "id: %d\nevent: lines\n", l.ID)
	for part := range strings.SplitSeq(strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(body.String()), "\n") {
		out.WriteString("data: " + part + "\n")
	}
	out.WriteString("\n")
	return out.Bytes(), nil
}

// connectorLogDownload sends every line that the filter selects, as text.
func (c *Console) connectorLogDownload(q *request) error {
	ctx := q.Request.Context()
	row, err := c.control.Connector(ctx, q.instance(), q.connector())
	if err != nil {
		return err
	}
	f := readLogFilter(q, row)
	if len(f.shown.Errors) > 0 {
		return &pageError{http.StatusUnprocessableEntity, f.shown.Errors[0], "", ""}
	}
	h := q.Writer.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="%s-%s.log"`, row.Name, c.now().UTC().Format("20060102-150405")))
	deadline := http.NewResponseController(q.Writer)
	n := 0
	query := f.query
	query.Ascending = true
	err = c.control.EachLog(ctx, q.instance(), q.connector(), query, func(l logEntry) error {
		if n%1000 == 0 {
			if err := deadline.SetWriteDeadline(time.Now().Add(streamWrite)); err != nil && !errors.Is(err, http.ErrNotSupported) {
				return err
			}
		}
		n++
		_, err := q.Writer.WriteString(textLine(l))
		return err
	})
	if err != nil && n == 0 {
		h.Del("Content-Disposition")
		return err
	}
	if err != nil && ctx.Err() == nil {
		c.log.Warn("sending a log", "connector", row.Name, "err", err)
	}
	return nil
}

// textLine writes a line of a log with its fields; a line break inside is escaped.
func textLine(l logEntry) string {
	var out strings.Builder
	task := "connector"
	if l.Task >= 0 {
		task = "task-" + strconv.Itoa(l.Task)
	}
	escape := strings.NewReplacer("\n", `\n`, "\r", `\r`)
	fmt.Fprintf(&out, "%s %-5s %s %s", l.Time.UTC().Format("2006-01-02T15:04:05.000Z"), l.Level, task, escape.Replace(l.Message))
	keys := make([]string, 0, len(l.Fields))
	for key := range l.Fields {
		keys = append(keys, key)
	}
	sort.Strings(keys)
	for _, key := range keys {
		fmt.Fprintf(&out, " %s=%q", key, l.Fields[key])
	}
	out.WriteString("\n")
	return out.String()
}
