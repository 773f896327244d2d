package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// instanceEnable shows each condition with its live result, and the Note.
func (c *Console) instanceEnable(q *request) error {
	conditions, err := c.control.Conditions(q.Request.Context(), q.instance())
	if err != nil {
		return err
	}
	return c.showEnable(q, http.StatusOK, conditions)
}

func (c *Console) showEnable(q *request, status int, conditions []control.Condition) error {
	ctx := q.Request.Context()
	in, err := c.control.Instance(ctx, q.instance())
	if err != nil {
		return err
	}
	m := views.EnablePage{Instance: q.instanceView(in, 0), Ready: len(conditions) > 0, Asked: q.Query("confirm") == "1", Done: in.Enabled,
		New: newConnectorURL(in.Name), Admin: q.may(control.Admin)}
	for _, f := range conditions {
		shown := components.Finding{Name: f.Name, Status: "ok", Detail: f.Detail, Remedy: f.Remedy}
		if !f.OK {
			shown.Status, m.Ready = "failed", false
		}
		m.Conditions = append(m.Conditions, shown)
	}
	m.Instance.Guarantees = "" // the condition says it already
	m.Page = q.page(text.T(ctx, "enable.title"), instanceURL(in.Name), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"}, layout.Crumb{Label: in.Name, Href: instanceURL(in.Name)})
	return q.renderPart(status, views.Enable(m), views.EnableBody(m))
}

// instanceEnableSubmit enables the connector feature and goes straight to Create.
func (c *Console) instanceEnableSubmit(q *request) error {
	ctx := q.Request.Context()
	conditions, err := c.control.EnableInstance(ctx, q.instance())
	if err != nil {
		if e := control.AsError(err); e.Kind == control.Conflict && len(conditions) > 0 {
			q.flashes = append(q.flashes, flash{Tone: components.ToneBad, Title: e.Message})
			return c.showEnable(q, http.StatusConflict, conditions)
		}
		return err
	}
	q.done(text.T(ctx, "enable.done", q.instance()), "")
	return q.redirect(newConnectorURL(q.instance()))
}
