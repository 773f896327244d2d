package console

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorResources lists the topics and groups that the connector owns.
func (c *Console) connectorResources(q *request) error {
	frame, row, err := c.frame(q, tabResources)
	if err != nil {
		return err
	}
	m := views.ConnectorResourcesPage{ConnectorFrame: frame, NotMade: !row.Deployed && row.Desired == control.DesiredNotDeployed}
	list, err := c.control.Resources(q.Request.Context(), q.instance(), q.connector())
	if err != nil {
		m.Error = control.AsError(err).Message
	}
	for _, r := range list {
		out := views.ConnectorResource{Kind: r.Kind, Role: r.Role, Name: r.Name, Exists: r.Exists, Partitions: r.Partitions, Cleanup: r.CleanupPolicy, Detail: r.Detail}
		if m.NotMade && !r.Exists {
			out.Detail = "" // nobody expects it to be there
		}
		if r.Kind == "topic" && r.Exists {
			out.Href = topicURL(q.instance(), r.Name)
		}
		m.Rows = append(m.Rows, out)
	}
	return q.render(http.StatusOK, views.ConnectorResources(m))
}

// connectorPosition shows where the connector stands in each partition.
func (c *Console) connectorPosition(q *request) error {
	m, _, err := c.positionPage(q)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, views.ConnectorPosition(m))
}

func (c *Console) positionPage(q *request) (views.ConnectorPositionPage, control.ConnectorWithStatus, error) {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, tabPosition)
	if err != nil {
		return views.ConnectorPositionPage{}, row, err
	}
	m := views.ConnectorPositionPage{ConnectorFrame: frame}
	stopped := row.Desired == control.DesiredStopped || row.Desired == control.DesiredNotDeployed
	switch {
	case !stopped:
		m.Why = text.T(ctx, "position.not_stopped")
		if q.may(control.Operator) {
			m.StopURL = frame.Href + "/stop"
		}
	case q.may(control.Operator):
		m.URL = frame.Href + "/position"
	}
	if isSource(row.Connector) {
		list, err := c.control.SourcePositions(ctx, q.instance(), q.connector())
		if err != nil {
			if e := control.AsError(err); e.Kind == control.NotFound || e.Kind == control.Forbidden {
				return m, row, err
			}
			m.Error = control.AsError(err).Message
		}
		if m.Source = sourcePositionRows(ctx, list, m.URL != ""); len(m.Source) == 0 && m.Error == "" {
			m.Why = "" // stopping would not help: there is nothing to change
		}
		return m, row, nil
	}
	rows, err := c.control.Positions(ctx, q.instance(), q.connector())
	if err != nil {
		if e := control.AsError(err); e.Kind == control.NotFound || e.Kind == control.Forbidden {
			return m, row, err
		}
		m.Error = control.AsError(err).Message
		return m, row, nil
	}
	bounds := c.bounds(q, row.Connector)
	seen := map[string]bool{}
	for _, p := range rows {
		key := positionKey(p.Topic, p.Partition)
		seen[key] = true
		m.Rows = append(m.Rows, positionRow(p.Topic, p.Partition, p.Offset, p.Pending, bounds))
	}
	if m.URL != "" { // a partition without a position can be given one
		for _, topic := range row.Effective().List(connector.KeyTopics) {
			for _, b := range bounds[topic] {
				if !seen[positionKey(topic, b.Partition)] {
					m.Rows = append(m.Rows, positionRow(topic, b.Partition, -1, false, bounds))
				}
			}
		}
	}
	return m, row, nil
}

func positionKey(topic string, partition int32) string { return fmt.Sprintf("%s/%d", topic, partition) }

func positionRow(topic string, partition int32, offset int64, pending bool, bounds map[string][]control.Bounds) views.PositionRow {
	out := views.PositionRow{Topic: topic, Partition: partition, Offset: offset, Start: -1, End: -1, Pending: pending,
		Field: components.Field{Key: "offset." + positionKey(topic, partition), Label: fmt.Sprintf("%s-%d", topic, partition)}}
	for _, b := range bounds[topic] {
		if b.Partition == partition {
			out.Start, out.End = b.Start, b.End
		}
	}
	return out
}

// bounds are the ends of the source topics' partitions, as far as the cluster answers.
func (c *Console) bounds(q *request, row control.Connector) map[string][]control.Bounds {
	out := map[string][]control.Bounds{}
	for _, name := range row.Effective().List(connector.KeyTopics) {
		if t, err := c.control.Topic(q.Request.Context(), q.instance(), name); err == nil {
			out[name] = t.Bounds
		}
	}
	return out
}

// connectorPositionSubmit changes positions, or removes them all.
func (c *Console) connectorPositionSubmit(q *request) error {
	ctx := q.Request.Context()
	m, row, err := c.positionPage(q)
	if err != nil {
		return err
	}
	m.Forced = q.value("force") == "true"
	if q.value("reset") != "" {
		err := c.control.ResetPositions(ctx, q.instance(), q.connector(), m.Forced)
		return c.positionDone(q, m, err, text.T(ctx, "position.was_reset", q.connector()))
	}
	if isSource(row.Connector) {
		return c.submitSourcePositions(q, m)
	}
	changes, wrong := readPositions(q, &m)
	if !wrong && len(changes) == 0 {
		m.Errors, wrong = append(m.Errors, text.T(ctx, "position.none_given")), true
	}
	if wrong {
		return q.render(http.StatusUnprocessableEntity, views.ConnectorPosition(m))
	}
	err = c.control.AlterPositions(ctx, q.instance(), q.connector(), changes, m.Forced)
	return c.positionDone(q, m, err, text.T(ctx, "position.saved", q.connector()))
}

// readPositions reads the offsets that were typed; m keeps them with what is wrong.
func readPositions(q *request, m *views.ConnectorPositionPage) (changes []control.PositionChange, wrong bool) {
	known := map[string]int{}
	for i, r := range m.Rows {
		known[r.Field.Key] = i
	}
	for key := range q.Request.PostForm {
		given := strings.TrimSpace(q.value(key))
		if !strings.HasPrefix(key, "offset.") || given == "" {
			continue
		}
		i, ok := known[key]
		if !ok {
			m.Errors, wrong = append(m.Errors, text.T(q.Request.Context(), "position.unknown", clip(strings.TrimPrefix(key, "offset."), 80))), true
			continue
		}
		row := &m.Rows[i]
		row.Field.Value = given
		n, err := strconv.ParseInt(given, 10, 64)
		if err != nil || n < 0 {
			row.Field.Error, wrong = text.T(q.Request.Context(), "position.bad"), true
			continue
		}
		changes = append(changes, control.PositionChange{Topic: row.Topic, Partition: row.Partition, Offset: &n})
	}
	return changes, wrong
}

func (c *Console) positionDone(q *request, m views.ConnectorPositionPage, err error, title string) error {
	if err == nil {
		q.done(title, "")
		return q.redirect(q.here() + "/position")
	}
	e := control.AsError(err)
	switch {
	case len(e.Pending) > 0:
		m.Pending = e.Pending
	case e.Kind == control.Invalid:
		for _, f := range e.Fields {
			m.Errors = append(m.Errors, capital(f.Message))
		}
	case errors.Is(err, control.ErrNotStopped):
		return q.refused(err, q.here()+"/position")
	case e.Kind == control.Conflict, e.Kind == control.Unavailable:
		m.Errors = append(m.Errors, e.Message)
	default:
		return err
	}
	return q.render(statusOf(e.Kind), views.ConnectorPosition(m))
}
