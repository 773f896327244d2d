package console

import (
	"context"
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

func instanceCheck(c *Console, name string, values connector.Config) func(context.Context, func(connector.Finding)) error {
	return func(ctx context.Context, emit func(connector.Finding)) error {
		return c.control.TestInstance(ctx, name, values, emit)
	}
}

// instanceSettings is the tab Settings: the form, and deleting.
func (c *Console) instanceSettings(q *request) error {
	ctx := q.Request.Context()
	in, err := c.control.Instance(ctx, q.instance())
	if err != nil {
		return err
	}
	spec, err := c.control.InstanceSpec(ctx)
	if err != nil {
		return err
	}
	f := &instanceForm{name: in.Name, run: c.checks.of(q, q.Query("check")), values: control.MaskedInstance(in.Instance)}
	if f.run != nil {
		f.values = spec.Mask(f.run.values)
	}
	return c.showInstanceForm(q, http.StatusOK, f, spec)
}

// instanceUpdate stores changed settings, or tests them first.
func (c *Console) instanceUpdate(q *request) error {
	ctx := q.Request.Context()
	f, spec, err := c.readInstance(q, q.instance())
	if err != nil {
		return err
	}
	switch {
	case q.value("test") != "":
		return c.testInstance(q, f, spec)
	case q.value("update") != "":
		return c.showInstanceForm(q, http.StatusOK, f, spec)
	}
	change := map[string]*string{}
	values := f.opened()
	for _, d := range spec.Fields() {
		change[d.Key] = nil // back to its default
		if v, ok := values[d.Key]; ok {
			change[d.Key] = &v
		}
	}
	if _, err := c.control.PatchInstance(ctx, f.name, change); err != nil {
		return c.refuseInstance(q, f, spec, err)
	}
	q.done(text.T(ctx, "instance_form.saved", f.name), text.T(ctx, "instance_form.saved_body"))
	return q.redirect(instanceURL(f.name) + "/settings")
}

func (c *Console) instanceSettingsCheck(q *request) error {
	return c.checkInstanceField(q, q.instance())
}

// instanceSettingsUpdate answers the form with the fields that the present choices need.
func (c *Console) instanceSettingsUpdate(q *request) error {
	f, spec, err := c.readInstance(q, q.instance())
	if err != nil {
		return err
	}
	return c.showInstanceForm(q, http.StatusOK, f, spec)
}

// instanceDelete forgets an instance when its name was typed.
func (c *Console) instanceDelete(q *request) error {
	ctx := q.Request.Context()
	name := q.instance()
	if q.value("confirm") != name {
		return c.instanceDeleteWrong(q)
	}
	if err := c.control.DeleteInstance(ctx, name); err != nil {
		return q.refused(err, instanceURL(name)+"/settings")
	}
	q.done(text.T(ctx, "instance_form.deleted", name), text.T(ctx, "instance_form.deleted_body"))
	return q.redirect("/instances")
}

// instanceDeleteWrong shows the settings again: the typed name is another one.
func (c *Console) instanceDeleteWrong(q *request) error {
	ctx := q.Request.Context()
	in, err := c.control.Instance(ctx, q.instance())
	if err != nil {
		return err
	}
	spec, err := c.control.InstanceSpec(ctx)
	if err != nil {
		return err
	}
	m, _, err := q.instancePage(tabSettings)
	if err != nil {
		return err
	}
	f := &instanceForm{name: in.Name, values: control.MaskedInstance(in.Instance)}
	page := views.InstanceSettingsPage{InstancePage: m, Form: f.view(q, spec), Delete: deleteInstance(q, m.Instance, text.T(ctx, "instance_form.wrong_name", in.Name))}
	return q.render(http.StatusUnprocessableEntity, views.InstanceSettings(page))
}

// checkShow is the list of findings that a page asks for while checks run.
func (c *Console) checkShow(q *request) error {
	run := c.checks.of(q, q.Param("check"))
	if run == nil {
		return q.notFound()
	}
	live := q.Request.URL.Path
	if page := run.changed(); page != "" && q.fragment() {
		return q.redirect(page) // the form on the page holds what it was before
	}
	if run.isDone() {
		live = ""
	}
	return q.render(http.StatusOK, components.Findings(run.shown(q.Request.Context()), live))
}
