package maxcompute

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/csv"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	taskName = "sluice"
	// sqlPause is how long a statement is left alone between two looks at it, at first
	// and at most.
	sqlPause    = 100 * time.Millisecond
	sqlPauseMax = 3 * time.Second
	sqlTimeout  = 10 * time.Minute
)

// jobXML is a new instance with one SQL task, as the service's SDK writes it.
type jobXML struct {
	XMLName  xml.Name `xml:"Instance"`
	Priority int      `xml:"Job>Priority"`
	Task     struct {
		Name   string
		Config []propertyXML `xml:"Config>Property"`
		Query  string
	} `xml:"Job>Tasks>SQL"`
}

type propertyXML struct{ Name, Value string }

// instanceXML is what an instance tells of its task.
type instanceXML struct {
	Tasks []struct {
		Name   string
		Status string
		Result struct {
			Transform string `xml:",attr"`
			Text      string `xml:",chardata"`
		}
	} `xml:"Tasks>Task"`
}

// sql runs a statement and gives its result, CSV with a header line.
func (c *client) sql(ctx context.Context, doing, statement string, schemas bool) (string, error) {
	var job jobXML
	job.Priority, job.Task.Name, job.Task.Query = 9, taskName, statement
	hints, err := json.Marshal(map[string]string{"odps.namespace.schema": strconv.FormatBool(schemas)})
	if err != nil {
		return "", err
	}
	job.Task.Config = []propertyXML{{"type", "sql"}, {"settings", string(hints)}}
	text, err := xml.Marshal(job)
	if err != nil {
		return "", err
	}
	path := "/projects/" + url.PathEscape(c.project) + "/instances"
	a, err := c.do(ctx, call{doing: doing, method: http.MethodPost, path: path, query: url.Values{"curr_project": {c.project}}, header: http.Header{"Content-Type": {"application/xml"}},
		body: func() io.ReadCloser { return io.NopCloser(bytes.NewReader(text)) }, length: int64(len(text))})
	if err != nil {
		return "", err
	}
	location := a.header.Get("Location")
	id := location[strings.LastIndexByte(location, '/')+1:]
	if id == "" {
		return "", c.classify.away(fmt.Errorf("%s: the answer names no instance", doing))
	}
	return c.await(ctx, doing, path+"/"+url.PathEscape(id))
}

// await waits for an instance's end and gives its result.
func (c *client) await(ctx context.Context, doing, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, sqlTimeout)
	defer cancel()
	for pause := sqlPause; ; pause = min(2*pause, sqlPauseMax) {
		status, _, err := c.instance(ctx, doing, path, "taskstatus")
		if err != nil {
			return "", err
		}
		switch strings.ToUpper(status) {
		case "SUCCESS", "FAILED", "CANCELLED":
			_, result, err := c.instance(ctx, doing, path, "result")
			if err == nil && !strings.EqualFold(status, "SUCCESS") {
				err = c.refusedSQL(doing, result)
			}
			return result, err
		}
		if !sleep(ctx, pause) {
			return "", c.classify.away(fmt.Errorf("%s: it is still running: %w", doing, context.Cause(ctx)))
		}
	}
}

func (c *client) instance(ctx context.Context, doing, path, what string) (status, result string, err error) {
	a, err := c.do(ctx, call{doing: doing, method: http.MethodGet, path: path, query: url.Values{what: {""}, "curr_project": {c.project}}})
	if err != nil {
		return "", "", err
	}
	var doc instanceXML
	if err := xml.Unmarshal(a.body, &doc); err != nil || len(doc.Tasks) == 0 {
		return "", "", c.classify.away(fmt.Errorf("%s: the answer tells of no task: %q", doing, clip(string(a.body), 100)))
	}
	t := doc.Tasks[0]
	result = t.Result.Text
	if strings.EqualFold(t.Result.Transform, "Base64") {
		raw, err := base64.StdEncoding.DecodeString(strings.TrimSpace(result))
		if err != nil {
			return "", "", c.classify.away(fmt.Errorf("%s: the result is no base64", doing))
		}
		result = string(raw)
	}
	return t.Status, result, nil
}

// refusedSQL is the error of a statement that failed: "ODPS-0130131:Table not found".
func (c *client) refusedSQL(doing, result string) error {
	se := &serviceError{status: http.StatusBadRequest, message: clip(result, 500)}
	if at := strings.Index(result, "ODPS-"); at >= 0 && len(result) >= at+len("ODPS-0000000") {
		se.code = result[at : at+len("ODPS-0000000")]
	}
	switch {
	case strings.HasPrefix(se.code, "ODPS-0130"), strings.HasPrefix(se.code, "ODPS-0420"):
	default: // not the statement's fault: a full cluster, a lock
		return c.classify.away(fmt.Errorf("%s: %w", doing, se))
	}
	return c.classify.classify(doing, se)
}

// createPartition creates a partition that may be there by now.
func (c *client) createPartition(ctx context.Context, p place, pt string) error {
	_, err := c.sql(ctx, "creating the partition "+pt, fmt.Sprintf("ALTER TABLE %s ADD IF NOT EXISTS PARTITION (%s=%s);", p.sql(), partitionColumn, quote(pt)), p.schema != "")
	return err
}

// count counts the rows of a range of offsets in a partition of the table.
func (c *client) count(ctx context.Context, p place, pt string, at connector.Range) (int64, error) {
	doing := "counting the rows in " + pt
	result, err := c.sql(ctx, doing, fmt.Sprintf("SELECT COUNT(*) AS n FROM %s WHERE %s=%s AND topic=%s AND `partition`=%d AND `offset`>=%d AND `offset`<%d;",
		p.sql(), partitionColumn, quote(pt), quote(at.Topic), at.Partition, at.First, at.Next), p.schema != "")
	if err != nil {
		return 0, err
	}
	rows, err := csv.NewReader(strings.NewReader(result)).ReadAll()
	if err == nil && len(rows) == 2 && len(rows[1]) == 1 {
		var n int64
		if n, err = strconv.ParseInt(strings.TrimSpace(rows[1][0]), 10, 64); err == nil {
			return n, nil
		}
	}
	return 0, c.classify.away(fmt.Errorf("%s: the answer is no number: %q", doing, clip(result, 100)))
}

// quote is a text in SQL.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}

// sleep waits; false when the context ended.
func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}
