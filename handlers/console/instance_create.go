package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/text"
)

// instanceNew is the form for another instance, with the findings of a test that is
// under way.
func (c *Console) instanceNew(q *request) error {
	spec, err := c.control.InstanceSpec(q.Request.Context())
	if err != nil {
		return err
	}
	f := &instanceForm{run: c.checks.of(q, q.Query("check")), values: connector.Config{}}
	if f.run != nil {
		f.values = spec.Mask(f.run.values)
	}
	return c.showInstanceForm(q, http.StatusOK, f, spec)
}

// instanceCreate stores a new instance, or tests it first.
func (c *Console) instanceCreate(q *request) error {
	ctx := q.Request.Context()
	f, spec, err := c.readInstance(q, "")
	if err != nil {
		return err
	}
	switch {
	case q.value("test") != "":
		return c.testInstance(q, f, spec)
	case q.value("update") != "":
		return c.showInstanceForm(q, http.StatusOK, f, spec)
	}
	in, err := c.control.CreateInstance(ctx, f.opened())
	if err != nil {
		return c.refuseInstance(q, f, spec, err)
	}
	q.done(text.T(ctx, "instance_form.created", in.Name), text.T(ctx, "instance_form.created_body"))
	return q.redirect(instanceURL(in.Name) + "/enable")
}

// refuseInstance shows the form again with what is wrong, or passes the error on.
func (c *Console) refuseInstance(q *request, f *instanceForm, spec *connector.Spec, err error) error {
	fields, general, ok := problems(err)
	if !ok {
		if e := control.AsError(err); e.Kind != control.TooMany && e.Kind != control.Conflict {
			return err
		}
		general = []string{control.AsError(err).Error()}
	}
	f.problems, f.general = fields, general
	return c.showInstanceForm(q, http.StatusUnprocessableEntity, f, spec)
}

// testInstance begins the live checks and leads to the form with their findings.
func (c *Console) testInstance(q *request, f *instanceForm, spec *connector.Spec) error {
	values := f.opened()
	run, err := c.checks.start(q, values, instanceCheck(c, f.name, values))
	if err != nil {
		return c.refuseInstance(q, f, spec, err)
	}
	if failed := run.failure(); failed != nil {
		return c.refuseInstance(q, f, spec, failed)
	}
	f.run = run
	return q.redirect(f.with(f.base()))
}

func (c *Console) instanceNewCheck(q *request) error { return c.checkInstanceField(q, "") }

// instanceNewUpdate answers the form with the fields that the present choices need.
func (c *Console) instanceNewUpdate(q *request) error {
	f, spec, err := c.readInstance(q, "")
	if err != nil {
		return err
	}
	return c.showInstanceForm(q, http.StatusOK, f, spec)
}
