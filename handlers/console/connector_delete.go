package console

import (
	"fmt"
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorDelete lists what deleting removes and what stays.
func (c *Console) connectorDelete(q *request) error {
	m, err := c.deletePage(q)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, views.ConnectorDelete(m))
}

func (c *Console) deletePage(q *request) (views.ConnectorDeletePage, error) {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, "delete")
	if err != nil {
		return views.ConnectorDeletePage{}, err
	}
	frame.Tabs, frame.Live = nil, ""
	m := views.ConnectorDeletePage{ConnectorFrame: frame, Keep: q.value("keep") == "true"}
	m.Confirm = components.Confirm{Title: text.T(ctx, "delete.title", row.Name), Body: text.T(ctx, "delete.body"), Name: row.Name, URL: frame.Href + "/delete", Act: text.T(ctx, "delete.act"), Cancel: frame.Href}
	if isSource(row.Connector) {
		m.Confirm.Body = text.T(ctx, "reader.delete_body")
	}
	list, err := c.control.Resources(ctx, q.instance(), q.connector())
	if err != nil {
		m.Error, m.Force = control.AsError(err).Message, true
	}
	for _, r := range list {
		if !r.Exists {
			continue
		}
		going := components.Going{Kind: "users", Name: r.Name, Note: r.Role}
		if r.Kind == "topic" {
			going.Kind = "layers"
			going.Note = fmt.Sprintf("%s, %s", r.Role, text.N(ctx, "preview.partitions", int64(r.Partitions)))
		}
		m.Confirm.Going = append(m.Confirm.Going, going)
	}
	cfg := row.Effective()
	for _, topic := range cfg.List(connector.KeyTopics) {
		m.Confirm.Going = append(m.Confirm.Going, components.Going{Kind: "layers", Name: topic, Note: text.T(ctx, "delete.source"), Kept: true})
	}
	if isSource(row.Connector) {
		written, err := c.control.WrittenTopics(ctx, q.instance(), q.connector())
		if err != nil {
			return m, err
		}
		for _, topic := range written {
			m.Confirm.Going = append(m.Confirm.Going, components.Going{Kind: "layers", Name: topic, Note: text.T(ctx, "delete.delivered"), Kept: true})
		}
		return m, nil
	}
	if row.Spec != nil {
		for _, s := range row.Spec.Steps {
			for _, f := range s.Fields {
				if v := cfg.Get(f.Key); s.ID == connector.StepDestination && f.Fixed == connector.FixedAfterDelivery && v != "" {
					m.Confirm.Going = append(m.Confirm.Going, components.Going{Kind: "package", Name: v, Note: text.T(ctx, "delete.delivered"), Kept: true})
				}
			}
		}
	}
	return m, nil
}

// connectorDeleteSubmit deletes what was named; the name must have been typed.
func (c *Console) connectorDeleteSubmit(q *request) error {
	ctx := q.Request.Context()
	if q.value("confirm") != q.connector() {
		m, err := c.deletePage(q)
		if err != nil {
			return err
		}
		m.Confirm.Error = text.T(ctx, "delete.wrong_name", q.connector())
		return q.render(http.StatusUnprocessableEntity, views.ConnectorDelete(m))
	}
	err := c.control.DeleteConnector(ctx, q.instance(), q.connector(), control.RemoveOptions{KeepResources: q.value("keep") == "true", Force: q.value("force") == "true"})
	if err == nil {
		q.done(text.T(ctx, "connector.deleted", q.connector()), text.T(ctx, "connector.deleted_body"))
		return q.redirect(instanceURL(q.instance()))
	}
	e := control.AsError(err)
	if e.Kind != control.Conflict && e.Kind != control.Unavailable {
		return err
	}
	m, perr := c.deletePage(q)
	if perr != nil {
		return err // the refusal says more than why the page cannot be shown
	}
	m.Pending, m.Force, m.Error = e.Pending, true, e.Message
	return q.render(statusOf(e.Kind), views.ConnectorDelete(m))
}
