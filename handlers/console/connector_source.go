package console

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// phaseFollowing and phaseDone are those of a source's part that is not to be copied any more.
const (
	phaseFollowing = "streaming"
	phaseDone      = "done"
	phaseCopied    = "copied"
)

func isSource(row control.Connector) bool { return row.Kind() == string(connector.KindSource) }

// sourceReader is what a source's page shows in the place of tasks.
func sourceReader(q *request, row control.ConnectorWithStatus) *views.SourceReader {
	r := &views.SourceReader{Position: q.here() + "/" + tabPosition}
	running := row.Desired == control.DesiredRunning
	if q.may(control.Operator) {
		r.Modify = q.here() + "/modify"
	}
	if q.may(control.Operator) && running {
		r.SnapshotURL = q.here() + "/snapshot"
	}
	for _, t := range row.Status.Tasks {
		r.State, r.Stalled, r.Cause, r.Remedy, r.Node = string(t.State), t.Stalled, t.Cause, t.Remedy, t.Node
		if q.may(control.Operator) && running {
			r.Restart = fmt.Sprintf("%s/tasks/%d/restart", q.here(), t.Task)
		}
		r.Behind = -1
		for _, p := range t.Partitions { // one: the reader itself
			r.State, r.Stalled, r.Cause, r.Remedy = string(p.State), p.Stalled, p.Cause, p.Remedy
			r.Behind, r.Delivered, r.Diverted, r.Last = lagOf(p.LagMillis), p.Delivered, p.Diverted, p.LastDelivery
		}
		for _, p := range t.Progress {
			r.Parts = append(r.Parts, sourcePart(row.Instance, p))
		}
	}
	if row.Status.Cause != "" && r.Cause == row.Status.Cause { // the page's head says it already
		r.Cause, r.Remedy = "", ""
	}
	switch state := connector.State(r.State); {
	case !reading(state):
		r.Behind, r.Stands = -1, true
	case state != connector.StateRecovering:
		r.Reads = true
	case r.Behind == 0: // what it knew before it lost its server says nothing
		r.Behind = -1
	}
	if len(r.Parts) == 0 || r.Stands {
		r.SnapshotURL = ""
	}
	slices.SortStableFunc(r.Parts, func(a, b views.SourcePart) int { // what is being copied stands first
		switch {
		case a.Copies == b.Copies:
			return 0
		case a.Copies:
			return -1
		}
		return 1
	})
	return r
}

// reading tells of a state in which a reader knows how far it is behind.
func reading(state connector.State) bool {
	return state == connector.StateRunning || state == connector.StateDegraded || state == connector.StateRecovering
}

func sourcePart(instance string, p connector.Progress) views.SourcePart {
	out := views.SourcePart{Name: p.Name, Target: p.Target, Phase: p.Phase, Done: p.Done, Total: p.Total, Unit: p.Unit, Rate: p.Rate, Left: p.Left, Detail: p.Detail,
		Copies: p.Phase != phaseFollowing && p.Phase != phaseDone && p.Phase != phaseCopied}
	if p.Target != "" {
		out.TargetHref = topicURL(instance, p.Target)
	}
	return out
}

// sourceStats puts how much is copied in the place of how much waits, which a source does
// not know, and says of what the lag is.
func sourceStats(ctx context.Context, stats []components.Stat, r *views.SourceReader) {
	copied := 0
	for _, p := range r.Parts {
		if !p.Copies {
			copied++
		}
	}
	for i := range stats {
		switch stats[i].Label {
		case text.T(ctx, "connector.waiting"):
			stats[i] = components.Stat{Label: text.T(ctx, "part.stat"), Value: "–", Sub: text.T(ctx, "reader.waiting_sub")}
			if n := len(r.Parts); n > 0 {
				stats[i].Value, stats[i].Sub = components.Number(int64(copied)), text.N(ctx, "part.stat_sub", int64(n))
			}
		case text.T(ctx, "connector.lag"):
			if stats[i].Sub = text.T(ctx, "reader.lag_sub"); r.State == "" || r.Behind < 0 {
				stats[i].Value = "–"
			}
		}
	}
}

// connectorSnapshot asks which parts of a source shall be copied anew.
func (c *Console) connectorSnapshot(q *request) error {
	m, err := c.snapshotPage(q)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, views.ConnectorSnapshot(m))
}

func (c *Console) snapshotPage(q *request) (views.ConnectorSnapshotPage, error) {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, "snapshot")
	if err != nil {
		return views.ConnectorSnapshotPage{}, err
	}
	if !isSource(row.Connector) {
		return views.ConnectorSnapshotPage{}, &control.Error{Kind: control.NotFound, Message: text.T(ctx, "fail.not_found_page")}
	}
	frame.Actions, frame.Menu, frame.Tabs = nil, nil, nil
	m := views.ConnectorSnapshotPage{ConnectorFrame: frame, URL: frame.Href + "/snapshot", Cancel: frame.Href,
		Parts: components.Field{Key: "tables", Kind: components.KindMulti, Label: text.T(ctx, "snapshot.label"), Help: text.T(ctx, "snapshot.help"), Required: true, Values: q.values("tables")}}
	reader := sourceReader(q, row)
	for _, p := range reader.Parts {
		o := components.Option{Value: p.Name, Label: p.Name, Hint: text.T(ctx, views.PhaseLook(p.Phase).Text)}
		if p.Done > 0 {
			o.Hint = text.T(ctx, "part.so_far", components.Number(max(p.Done, p.Total)), p.Unit)
		}
		m.Parts.Options = append(m.Parts.Options, o)
	}
	if row.Desired != control.DesiredRunning || len(m.Parts.Options) == 0 || reader.Stands {
		m.Why = text.T(ctx, "snapshot.not_running")
	}
	return m, nil
}

// connectorSnapshotSubmit asks for it.
func (c *Console) connectorSnapshotSubmit(q *request) error {
	ctx := q.Request.Context()
	tables := slices.DeleteFunc(slices.Clone(q.values("tables")), func(s string) bool { return strings.TrimSpace(s) == "" })
	refuse := func(message string) error {
		m, err := c.snapshotPage(q)
		if err != nil {
			return err
		}
		m.Parts.Error = message
		return q.render(http.StatusUnprocessableEntity, views.ConnectorSnapshot(m))
	}
	if len(tables) == 0 {
		return refuse(text.T(ctx, "snapshot.none"))
	}
	err := c.control.Snapshot(ctx, q.instance(), q.connector(), tables)
	if fields, general, ok := problems(err); err != nil && ok {
		for _, message := range fields {
			general = append(general, message)
		}
		return refuse(strings.Join(general, " "))
	}
	return q.acted(err, text.T(ctx, "snapshot.asked", strings.Join(tables, ", ")), text.T(ctx, "snapshot.asked_body"), q.here())
}

// sourcePositionRows shows a source's positions; with form each can be written anew.
func sourcePositionRows(ctx context.Context, rows []connector.SourcePosition, form bool) []views.SourcePositionRow {
	out := make([]views.SourcePositionRow, len(rows))
	for i, p := range rows {
		row := views.SourcePositionRow{Name: p.Title, Brief: p.Brief}
		if row.Name == "" {
			row.Name = pairsText(p.Partition)
		} else {
			row.Pairs = []components.Pair{{Key: text.T(ctx, "source_position.partition"), Value: compactJSON(p.Partition), Mono: true}}
		}
		for _, k := range slices.Sorted(maps.Keys(p.Offset)) {
			row.Pairs = append(row.Pairs, components.Pair{Key: k, Value: valueText(p.Offset[k]), Mono: true})
		}
		if len(p.Offset) == 0 {
			row.Pairs = []components.Pair{{Key: text.T(ctx, "tasks.position"), Value: text.T(ctx, "source_position.none")}}
		}
		if form {
			row.Field = components.Field{Key: sourcePositionKey(p.Partition), Kind: components.KindTextarea, Label: text.T(ctx, "source_position.offset"), Help: text.T(ctx, "source_position.help"),
				Value: prettyJSON(p.Offset), Mono: true, Rows: min(12, len(p.Offset)+2)}
		}
		out[i] = row
	}
	if len(out) > 0 {
		out[0].Open = true
	}
	return out
}

// sourcePositionKey names the form field of a position by what it is of.
func sourcePositionKey(partition map[string]any) string { return "offset." + compactJSON(partition) }

func compactJSON(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		return "{}" // what comes from JSON goes back into it
	}
	return string(b)
}

// pairsText is "server: db-1, table: orders".
func pairsText(m map[string]any) string {
	parts := make([]string, 0, len(m))
	for _, k := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, k+": "+valueText(m[k]))
	}
	return strings.Join(parts, ", ")
}

func valueText(v any) string {
	switch x := v.(type) {
	case string:
		return x
	case nil:
		return "null"
	case map[string]any, []any:
		return compactJSON(x)
	}
	return fmt.Sprint(v)
}

// readSourcePositions reads the positions that were changed in the form; m keeps what
// was typed with what is wrong.
func readSourcePositions(q *request, m *views.ConnectorPositionPage, rows []connector.SourcePosition) (to []connector.SourcePosition, wrong bool) {
	for i, p := range rows {
		f := &m.Source[i].Field
		if f.Key == "" || !q.has(f.Key) {
			continue
		}
		given := strings.TrimSpace(strings.ReplaceAll(q.value(f.Key), "\r\n", "\n"))
		f.Value = given
		if given == "" || given == prettyJSON(p.Offset) {
			continue
		}
		d := json.NewDecoder(strings.NewReader(given))
		d.UseNumber()
		var offset map[string]any
		if err := d.Decode(&offset); err != nil || offset == nil || d.More() {
			why := "{…}"
			if err != nil {
				why = err.Error()
			}
			f.Error, wrong = text.T(q.Request.Context(), "source_position.bad", clip(why, 120)), true
			m.Source[i].Open = true
			continue
		}
		to = append(to, connector.SourcePosition{Partition: p.Partition, Offset: offset})
	}
	return to, wrong
}

// submitSourcePositions is connectorPositionSubmit of a source.
func (c *Console) submitSourcePositions(q *request, m views.ConnectorPositionPage) error {
	ctx := q.Request.Context()
	rows, err := c.control.SourcePositions(ctx, q.instance(), q.connector())
	if err != nil {
		return c.positionDone(q, m, err, "")
	}
	m.Source = sourcePositionRows(ctx, rows, true)
	to, wrong := readSourcePositions(q, &m, rows)
	if !wrong && len(to) == 0 {
		m.Errors, wrong = append(m.Errors, text.T(ctx, "position.none_given")), true
	}
	if wrong {
		return q.render(http.StatusUnprocessableEntity, views.ConnectorPosition(m))
	}
	err = c.control.AlterSourcePositions(ctx, q.instance(), q.connector(), to)
	return c.positionDone(q, m, err, text.T(ctx, "position.saved", q.connector()))
}
