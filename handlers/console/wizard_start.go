package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// wizardStart asks for the task type, or which draft to go on with.
func (c *Console) wizardStart(q *request) error {
	return c.showStart(q, http.StatusOK, q.Query("class"), "")
}

func (c *Console) showStart(q *request, status int, chosen, refusal string) error {
	ctx := q.Request.Context()
	in, err := c.control.Instance(ctx, q.instance())
	if err != nil {
		return err
	}
	if !in.Enabled {
		return q.redirect(instanceURL(in.Name) + "/enable")
	}
	m := views.WizardStartPage{URL: newConnectorURL(in.Name), Type: c.classField(q, chosen, ""), Cancel: instanceURL(in.Name)}
	m.Type.Error = refusal
	if m.Quota, err = c.quotaNotice(q, newConnectorURL(in.Name)); err != nil {
		return err
	}
	drafts, err := c.control.Drafts(ctx, in.Name)
	if err != nil {
		return err
	}
	for _, d := range drafts {
		m.Drafts = append(m.Drafts, c.draftRow(q, d))
	}
	m.Page = q.page(text.T(ctx, "connectors.create"), instanceURL(in.Name), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"}, layout.Crumb{Label: in.Name, Href: instanceURL(in.Name)})
	return q.render(status, views.WizardStart(m))
}

func (c *Console) draftRow(q *request, d control.Draft) views.WizardDraft {
	ctx := q.Request.Context()
	row := views.WizardDraft{Name: d.Values.Get(connector.KeyName), Title: d.Class, Step: text.T(ctx, "wizard.preview"), Updated: d.UpdatedAt,
		Href: newConnectorURL(q.instance()) + "/" + d.ID, Delete: draftURL(q.instance(), d.ID, "discard")}
	if row.Name == "" {
		row.Name = text.T(ctx, "wizard.unnamed")
	}
	if spec, err := c.control.Spec(d.Class); err == nil {
		row.Title = spec.Title
		for _, s := range spec.Steps {
			if s.ID == d.Step {
				row.Step = s.Title
			}
		}
	}
	return row
}

// wizardBegin makes a draft of the chosen task type and leads to its first step.
func (c *Console) wizardBegin(q *request) error {
	ctx := q.Request.Context()
	class := q.value(connector.KeyClass)
	spec, err := c.control.Spec(class)
	if err != nil {
		return c.showStart(q, http.StatusUnprocessableEntity, "", text.T(ctx, "wizard.choose_type"))
	}
	d, err := c.control.NewDraft(ctx, q.instance(), spec.Class, nil)
	if err != nil {
		return q.refused(err, newConnectorURL(q.instance()))
	}
	return q.redirect(draftURL(q.instance(), d.ID, spec.Steps[0].ID))
}
