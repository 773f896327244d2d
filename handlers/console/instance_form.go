package console

import (
	"net/http"
	"net/url"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// instanceForm is the form of an instance, new or stored, on its way to a page.
type instanceForm struct {
	name     string           // "" for a new one
	values   connector.Config // as given; a kept secret reads connector.Masked
	run      *checkRun        // whose findings stand beside it, if any
	problems map[string]string
	general  []string
}

// base is where the form is shown: /instances/new, /instances/x/settings.
func (f *instanceForm) base() string {
	if f.name == "" {
		return "/instances/new"
	}
	return instanceURL(f.name) + "/settings"
}

// with is an address of the form that keeps the run, which may hold a secret that was
// typed and is never shown again.
func (f *instanceForm) with(path string) string {
	if f.run == nil {
		return path
	}
	return path + "?check=" + url.QueryEscape(f.run.id)
}

// action is where the form posts.
func (f *instanceForm) action() string {
	if f.name == "" {
		return "/instances"
	}
	return f.base()
}

// readInstance reads a posted form. stored is what the instance has now, masked.
func (c *Console) readInstance(q *request, name string) (*instanceForm, *connector.Spec, error) {
	ctx := q.Request.Context()
	spec, err := c.control.InstanceSpec(ctx)
	if err != nil {
		return nil, nil, err
	}
	f := &instanceForm{name: name, run: c.checks.of(q, q.Query("check"))}
	stored := connector.Config{}
	if name != "" {
		in, err := c.control.Instance(ctx, name)
		if err != nil {
			return nil, nil, err
		}
		stored = control.MaskedInstance(in.Instance)
	}
	keep := stored.Clone()
	if f.run != nil && f.run.values.Get(control.InstancePassword) != "" {
		keep[control.InstancePassword] = connector.Masked
	}
	f.values = stored.Clone()
	posted := q.posted(spec.Fields(), keep)
	for _, d := range spec.Fields() {
		if v, ok := posted[d.Key]; ok {
			f.values[d.Key] = v
		} else if q.has(d.Key) {
			delete(f.values, d.Key)
		}
	}
	f.dropHidden(spec)
	return f, spec, nil
}

// dropHidden leaves out what the chosen protocol does not use, as the form does.
func (f *instanceForm) dropHidden(spec *connector.Spec) {
	resolved := spec.Resolve(f.values, connector.Env{})
	for _, d := range spec.Fields() {
		if !d.Shown(resolved, connector.Env{}) {
			delete(f.values, d.Key)
		}
	}
}

// opened is the values with the secret that a run remembers in place of the mask.
func (f *instanceForm) opened() connector.Config {
	out := f.values.Clone()
	if f.run != nil && out.Get(control.InstancePassword) == connector.Masked {
		if typed := f.run.values.Get(control.InstancePassword); typed != "" {
			out[control.InstancePassword] = typed
		}
	}
	return out
}

// view turns the form into what the page shows.
func (f *instanceForm) view(q *request, spec *connector.Spec) views.InstanceForm {
	ctx := q.Request.Context()
	shown := fieldForm{spec: spec, values: spec.Resolve(f.values, connector.Env{}), problems: f.problems,
		checkURL: f.with(f.base() + "/check"), updateURL: f.with(f.base() + "/update"),
		fixed: func(d connector.Field) string {
			if f.name != "" && d.Fixed == connector.FixedAlways {
				return text.T(ctx, "instance_form.fixed")
			}
			return ""
		}}
	if f.name != "" { // the form of a stored instance shows what is stored, not defaults
		shown.values = spec.Resolve(f.values, connector.Env{})
	}
	out := views.InstanceForm{URL: f.with(f.action()), New: f.name == "", Errors: f.general, Cancel: "/instances"}
	if f.name != "" {
		out.Cancel = instanceURL(f.name)
	}
	known := map[string]bool{}
	for _, g := range instanceGroups() {
		group := components.Group{Title: text.T(ctx, g.title)}
		for _, key := range g.keys {
			if d, ok := spec.Field(key); ok {
				known[key] = true
				group.Fields = append(group.Fields, shown.fields([]connector.Field{d})...)
			}
		}
		if len(group.Fields) > 0 {
			out.Groups = append(out.Groups, group)
		}
	}
	for key, message := range f.problems { // of fields that are not on the form
		if d, ok := spec.Field(key); !known[key] || !ok || !d.Shown(shown.values, connector.Env{}) {
			out.Errors = append(out.Errors, key+": "+message)
		}
	}
	if f.run != nil {
		out.Findings = f.run.shown(ctx)
		if !f.run.isDone() {
			out.Live = "/checks/" + url.PathEscape(f.run.id)
		}
	}
	return out
}

type instanceGroup struct {
	title string
	keys  []string
}

// instanceGroups is how the form is divided.
func instanceGroups() []instanceGroup {
	return []instanceGroup{
		{"instance_form.basic", []string{control.InstanceName, control.InstanceRegion, control.InstanceQuota}},
		{"instance_form.connection", []string{control.InstanceBootstrap, control.InstanceProtocol, control.InstanceMechanism, control.InstanceUsername, control.InstancePassword, control.InstanceCA}},
		{"instance_form.network", []string{control.InstanceInternet, control.InstanceVPC, control.InstanceVSwitch}},
	}
}

// showInstanceForm answers with the page the form stands on.
func (c *Console) showInstanceForm(q *request, status int, f *instanceForm, spec *connector.Spec) error {
	ctx := q.Request.Context()
	form := f.view(q, spec)
	refresh := 0
	if f.run != nil && !f.run.isDone() {
		refresh = 1
	}
	if f.name == "" {
		page := q.page(text.T(ctx, "instances.add"), "instances", layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"})
		page.Refresh = refresh
		return q.renderPart(status, views.InstanceNew(views.InstanceFormPage{Page: page, Form: form}), views.InstanceFormBody(form))
	}
	m, _, err := q.instancePage(tabSettings)
	if err != nil {
		return err
	}
	m.Page.Refresh = refresh
	page := views.InstanceSettingsPage{InstancePage: m, Form: form}
	if m.Instance.Connectors > 0 {
		page.Why = text.N(ctx, "instance_form.in_use", int64(m.Instance.Connectors))
	} else {
		page.Delete = deleteInstance(q, m.Instance, "")
	}
	return q.renderPart(status, views.InstanceSettings(page), views.InstanceFormBody(form))
}

func deleteInstance(q *request, in views.Instance, wrong string) components.Confirm {
	ctx := q.Request.Context()
	return components.Confirm{Title: text.T(ctx, "instance_form.delete"), Body: text.T(ctx, "instance_form.delete_body", in.Name), Name: in.Name, Error: wrong,
		URL: in.Href + "/delete", Act: text.T(ctx, "instance_form.delete"), Cancel: in.Href}
}

// checkField answers the one field that a script asks about on leaving it.
func (c *Console) checkInstanceField(q *request, name string) error {
	f, spec, err := c.readInstance(q, name)
	if err != nil {
		return err
	}
	key := q.value("_field")
	d, ok := spec.Field(key)
	if !ok {
		return q.notFound()
	}
	found, err := c.control.CheckInstanceValues(q.Request.Context(), name, f.opened())
	if err != nil {
		return err
	}
	f.problems = map[string]string{}
	for _, p := range found {
		if p.Field == key && f.problems[key] == "" {
			f.problems[key] = p.Message
		}
	}
	for _, g := range f.view(q, spec).Groups {
		for _, field := range g.Fields {
			if field.Key == d.Key {
				return q.render(http.StatusOK, components.FormField(field))
			}
		}
	}
	return q.notFound()
}
