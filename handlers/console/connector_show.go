package console

import (
	"context"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// chartWidth is the time between two points of a chart, of the hour that it shows.
const (
	chartWidth  = 20 * time.Second
	chartPoints = int(time.Hour / chartWidth)
)

// connectorShow is a connector's first page, its head or its body.
func (c *Console) connectorShow(q *request) error {
	if q.fragment() && q.Query("part") == "head" {
		m, _, err := c.frame(q, headTab(q.Query("tab")))
		if err != nil {
			return err
		}
		return q.render(http.StatusOK, views.ConnectorHeadPart(m))
	}
	m, err := c.connectorPage(q)
	if err != nil {
		return err
	}
	return q.renderPart(http.StatusOK, views.Connector(m), views.ConnectorBody(m))
}

// headTab lets nothing into the page that is no tab.
func headTab(s string) string {
	switch s {
	case tabConfig, tabLogs, tabResources, tabPosition, "modify", "internet", "delete", "snapshot":
		return s
	}
	return tabOverview
}

func (c *Console) connectorPage(q *request) (views.ConnectorPage, error) {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, tabOverview)
	if err != nil {
		return views.ConnectorPage{}, err
	}
	st := row.Status
	m := views.ConnectorPage{ConnectorFrame: frame, LiveBody: frame.Href + "?part=body", Worker: st.Worker,
		Deployed: row.Deployed || row.Desired != control.DesiredNotDeployed && st.State != connector.StateNotDeployed}
	m.Page.Refresh = 10
	if m.Deploy.Steps, err = c.control.DeploySteps(ctx, q.instance(), q.connector()); err != nil {
		return m, err
	}
	m.Deploy.Running = st.State == connector.StateDeploying
	if m.Deploy.Running {
		m.Page.Refresh = 2
	} else if !row.Deployed && st.State == connector.StateFailed {
		m.Deploy.Failed = st.Cause
	}
	if row.Deployed && !m.Deploy.Running && c.now().Sub(st.Since) > 10*time.Minute {
		m.Deploy.Steps = nil // long done: nobody asks any more
	}
	if q.may(control.Operator) {
		m.DeployURL = frame.Href + "/deploy"
	}
	m.Choices = choiceForms(q, row)
	if len(m.Choices) > 0 {
		m.Page.Refresh = 0 // somebody is reading and choosing
	}
	points, from := c.lastHour(q)
	m.Stats = connectorStats(ctx, lastMinute(c.allTime(q, st), points, from.Add(time.Hour)))
	if !followed(st) && !isSource(row.Connector) {
		for i := range m.Stats {
			if label := m.Stats[i].Label; label == text.T(ctx, "connector.waiting") || label == text.T(ctx, "connector.lag") {
				m.Stats[i] = components.Stat{Label: label, Value: "–", Sub: text.T(ctx, "unfollowed.sub")}
			}
		}
	}
	m.Charts = connectorCharts(ctx, points, from)
	if isSource(row.Connector) {
		m.Source = sourceReader(q, row)
		sourceStats(ctx, m.Stats, m.Source)
		m.Charts = slices.DeleteFunc(m.Charts, func(chart components.Chart) bool { return chart.ID == "chart-waiting" })
		return m, nil
	}
	m.Tasks = connectorTasks(q, row)
	return m, nil
}

// followed tells whether somebody knows how much waits: a task that reads a partition.
func followed(st control.ConnectorStatus) bool {
	for _, t := range st.Tasks {
		for _, p := range t.Partitions {
			if p.Position >= 0 && p.End >= 0 {
				return true
			}
		}
	}
	return false
}

// connectorStats are the figures: what was delivered, how fast, and what waits.
func connectorStats(ctx context.Context, st control.ConnectorStatus) []components.Stat {
	lag := components.Stat{Label: text.T(ctx, "connector.lag"), Value: components.Lag(ctx, lagOf(st.LagMillis)), Sub: text.T(ctx, "connector.lag_sub")}
	if st.Stalled {
		lag.Tone = components.ToneWarn
	}
	diverted := components.Stat{Label: text.T(ctx, "connector.diverted"), Value: components.Number(st.Diverted), Sub: text.T(ctx, "connector.diverted_sub")}
	if st.Diverted > 0 {
		diverted.Tone = components.ToneWarn
	}
	last := components.Stat{Label: text.T(ctx, "connector.last"), Value: text.T(ctx, "format.never"), Sub: text.T(ctx, "connector.last_none")}
	if !st.LastDelivery.IsZero() {
		last.Value, last.Sub = components.Ago(ctx, st.LastDelivery), st.LastDelivery.UTC().Format("2 Jan 15:04:05 UTC")
	}
	return []components.Stat{
		{Label: text.T(ctx, "connector.delivered"), Value: components.Number(st.Delivered), Sub: text.N(ctx, "unit.records", st.Delivered) + ", " + text.T(ctx, "connector.bytes_sub", components.Bytes(st.Bytes))},
		{Label: text.T(ctx, "connector.rate"), Value: components.Compact(st.RecordsRate), Unit: text.T(ctx, "unit.records_s"), Sub: components.ByteRate(ctx, st.BytesRate)},
		{Label: text.T(ctx, "connector.waiting"), Value: components.Number(st.Waiting), Sub: text.N(ctx, "connector.waiting_sub", st.Waiting)},
		lag, diverted, last,
	}
}

// lastHour reads the samples of the charts. That they cannot be read breaks no page.
func (c *Console) lastHour(q *request) (points []control.Point, from time.Time) {
	to := c.now().Truncate(chartWidth)
	from = to.Add(-time.Hour)
	points, err := c.control.Points(q.Request.Context(), q.instance(), q.connector(), from, to, chartPoints)
	if err != nil {
		q.c.log.Warn("reading chart points", "connector", q.connector(), "err", err)
	}
	return points, from
}

// allTime takes the counts that the model keeps where they are ahead of those of the
// present run.
func (c *Console) allTime(q *request, st control.ConnectorStatus) control.ConnectorStatus {
	list, err := c.store.ListConnectors(q.Request.Context(), models.ConnectorQuery{Instance: q.instance()})
	if err != nil {
		q.c.log.Warn("reading a connector's totals", "connector", q.connector(), "err", err)
		return st
	}
	for _, row := range list.Rows {
		if row.Name != q.connector() {
			continue
		}
		st.Delivered, st.Bytes, st.Diverted = max(st.Delivered, row.Status.Delivered), max(st.Bytes, row.Status.Bytes), max(st.Diverted, row.Status.Diverted)
		if row.Status.LastDelivery.After(st.LastDelivery) {
			st.LastDelivery = row.Status.LastDelivery
		}
	}
	return st
}

// lastMinute takes the rates over the last minute, where it was measured: what arrives
// by chunks is 0 a second most of the time.
func lastMinute(st control.ConnectorStatus, points []control.Point, to time.Time) control.ConnectorStatus {
	var records, bytes int64
	measured := 0
	for _, p := range points {
		if !p.Time.Before(to.Add(-time.Minute)) {
			records, bytes, measured = records+p.Records, bytes+p.Bytes, measured+1
		}
	}
	if measured == int(time.Minute/chartWidth) {
		st.RecordsRate, st.BytesRate = float64(records)/time.Minute.Seconds(), float64(bytes)/time.Minute.Seconds()
	}
	return st
}

// connectorCharts draw the last hour.
func connectorCharts(ctx context.Context, points []control.Point, from time.Time) []components.Chart {
	series := func(name string, value func(control.Point) float64) components.Series {
		s := components.Series{Name: name, Points: make([]components.Point, chartPoints)}
		for i := range s.Points {
			s.Points[i] = components.Point{Time: from.Add(time.Duration(i+1) * chartWidth), Value: math.NaN()}
		}
		for _, p := range points {
			if i := int(p.Time.Sub(from) / chartWidth); i >= 0 && i < chartPoints {
				s.Points[i].Value = value(p)
			}
		}
		return s
	}
	width := chartWidth.Seconds()
	none := text.T(ctx, "chart.none")
	return []components.Chart{
		{ID: "chart-records", Title: text.T(ctx, "chart.records"), Area: true, Empty: none, Series: []components.Series{
			series(text.T(ctx, "chart.delivered"), func(p control.Point) float64 { return float64(p.Records) / width }),
			series(text.T(ctx, "chart.diverted"), func(p control.Point) float64 { return float64(p.Diverted) / width })}},
		{ID: "chart-bytes", Title: text.T(ctx, "chart.bytes"), Area: true, Bytes: true, Empty: none, Series: []components.Series{
			series(text.T(ctx, "chart.bytes"), func(p control.Point) float64 { return float64(p.Bytes) / width })}},
		{ID: "chart-waiting", Title: text.T(ctx, "chart.waiting"), Area: true, Empty: none, Series: []components.Series{
			series(text.T(ctx, "chart.waiting"), func(p control.Point) float64 { return float64(p.Waiting) })}},
		{ID: "chart-lag", Title: text.T(ctx, "chart.lag"), Area: true, Empty: none,
			Format: func(v float64) string { return lagLabel(ctx, v) }, Series: []components.Series{
				series(text.T(ctx, "chart.lag"), func(p control.Point) float64 { return float64(p.LagMillis) / 1000 })}},
	}
}

// lagLabel writes seconds for an axis, whose steps may be no whole minutes.
func lagLabel(ctx context.Context, seconds float64) string {
	short := func(v float64) string { return strconv.FormatFloat(math.Round(v*10)/10, 'f', -1, 64) }
	switch {
	case seconds == 0:
		return "0"
	case seconds < 120:
		return text.T(ctx, "format.s", short(seconds))
	case seconds < 7200:
		return text.T(ctx, "format.min", short(seconds/60))
	}
	return text.T(ctx, "format.h", short(seconds/3600))
}

func connectorTasks(q *request, row control.ConnectorWithStatus) []views.ConnectorTask {
	out := make([]views.ConnectorTask, 0, len(row.Status.Tasks))
	for _, t := range row.Status.Tasks {
		task := views.ConnectorTask{ID: t.Task, Node: t.Node, State: string(t.State), Stalled: t.Stalled, Cause: t.Cause, Remedy: t.Remedy}
		if q.may(control.Operator) && row.Desired == control.DesiredRunning {
			task.Restart = fmt.Sprintf("%s/tasks/%d/restart", q.here(), t.Task)
		}
		for _, p := range t.Partitions {
			task.Partitions = append(task.Partitions, views.ConnectorPartition{
				Topic: p.Topic, TopicHref: topicURL(row.Instance, p.Topic), Partition: p.Partition, State: string(p.State), Stalled: p.Stalled, Cause: p.Cause, Remedy: p.Remedy,
				Position: p.Position, End: p.End, Lag: p.Lag, Behind: lagOf(p.LagMillis), Delivered: p.Delivered, Diverted: p.Diverted, Last: p.LastDelivery,
			})
		}
		out = append(out, task)
	}
	return out
}

// choiceForms asks for each partition that waits for a person.
func choiceForms(q *request, row control.ConnectorWithStatus) []views.ChoiceForm {
	var out []views.ChoiceForm
	for _, t := range row.Status.Tasks {
		for _, p := range t.Partitions {
			if len(p.Choices) == 0 {
				continue
			}
			f := views.ChoiceForm{ID: fmt.Sprintf("choice-%d", len(out)), Topic: p.Topic, Partition: p.Partition, Lost: p.Lost}
			if q.may(control.Operator) {
				f.URL = q.here() + "/choose"
			}
			for _, o := range p.Choices {
				f.Options = append(f.Options, views.ChoiceOption{Choice: o.Choice, Title: o.Title, Risk: o.Risk})
			}
			out = append(out, f)
		}
	}
	return out
}
