package console

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// wizardFrame is what all steps share.
func (c *Console) wizardFrame(q *request, d wizardDraft, step connector.StepID, wrong map[string]string) views.WizardFrame {
	ctx := q.Request.Context()
	m := views.WizardFrame{Sub: text.T(ctx, "wizard.sub", q.instance()), URL: draftURL(q.instance(), d.ID, step), Close: instanceURL(q.instance()), Discard: draftURL(q.instance(), d.ID, "discard")}
	steps := d.steps()
	for i, s := range steps {
		item := components.Step{Title: d.title(ctx, s)}
		switch {
		case s == step:
			item.State = "current"
			if i > 0 {
				m.Back = draftURL(q.instance(), d.ID, steps[i-1])
			}
		case i <= d.reached():
			item.Href = draftURL(q.instance(), d.ID, s)
			if s != stepPreview && i < d.reached() {
				item.State = "done"
				if len(d.inStep(s, wrong)) > 0 {
					item.State = "error"
				}
			}
		}
		m.Steps = append(m.Steps, item)
	}
	for i, s := range d.spec.Steps {
		if part := d.summary(ctx, s, i <= max(d.reached(), d.at(step))); len(part.Pairs) > 0 {
			m.Summary = append(m.Summary, part)
		}
	}
	title := text.T(ctx, "wizard.step_n", d.at(step)+1, d.title(ctx, step))
	m.Page = q.page(title, instanceURL(q.instance()), layout.Crumb{Label: text.T(ctx, "instances.title"), Href: "/instances"},
		layout.Crumb{Label: q.instance(), Href: instanceURL(q.instance())}, layout.Crumb{Label: text.T(ctx, "connectors.create"), Href: newConnectorURL(q.instance())})
	return m
}

// summary is what a step holds so far: all that is not tucked away, and what was changed.
func (d wizardDraft) summary(ctx context.Context, s connector.Step, reached bool) components.SummaryPart {
	part := components.SummaryPart{Title: s.Title}
	for _, f := range s.Fields {
		given := d.Values.Get(f.Key) != ""
		if !f.Shown(d.resolved, d.env) || !given && (f.Advanced || !reached || f.Kind == connector.Bool) {
			continue
		}
		if value := shownValue(ctx, d.spec, f, d.resolved, d.env); value != "" {
			part.Pairs = append(part.Pairs, components.Pair{Key: f.Label, Value: value})
		}
	}
	return part
}

// shownValue is a field's value as people read it; a secret is never shown.
func shownValue(ctx context.Context, spec *connector.Spec, f connector.Field, cfg connector.Config, env connector.Env) string {
	v := cfg.Get(f.Key)
	switch {
	case v == "":
		return ""
	case f.Key == connector.KeyClass:
		return spec.Title
	case f.Kind == connector.Secret:
		return text.T(ctx, "config.masked")
	case f.Kind == connector.Bool && cfg.Bool(f.Key):
		return text.T(ctx, "config.yes")
	case f.Kind == connector.Bool:
		return text.T(ctx, "config.no")
	case f.Kind == connector.Bytes:
		if n, err := connector.ParseBytes(v); err == nil {
			return components.Bytes(n)
		}
	case f.Kind == connector.List:
		return clip(strings.Join(cfg.List(f.Key), ", "), 300)
	case isRegion(f.Key):
		for _, r := range env.Regions {
			if r.ID == v && r.Name != "" && !strings.EqualFold(r.Name, v) {
				return r.Name + ", " + v
			}
		}
	}
	for _, o := range f.Options {
		if o.Value == v && o.Label != "" {
			return o.Label
		}
	}
	if f.Unit != "" && (f.Kind == connector.Int || f.Kind == connector.Duration) {
		return v + " " + f.Unit
	}
	return clip(v, 300)
}

// wizardGroups are the form fields of a step.
// only, when given, are the fields that are looked at: lists of others are not asked for.
func (c *Console) wizardGroups(q *request, d wizardDraft, step connector.StepID, wrong map[string]string, only ...string) []components.Group {
	at := draftURL(q.instance(), d.ID, step)
	f := &fieldForm{spec: d.spec, env: d.env, values: d.resolved, problems: wrong, checkURL: at, updateURL: at, docURL: "/help/connectors/" + d.spec.Class}
	declared := d.declared(step)
	c.lists(q, d.listing(), declared, f, only...)
	fields := f.fields(declared)
	var flat []components.Field
	for _, field := range fields {
		if field.Key == connector.KeyClass {
			field = c.classField(q, d.spec.Class, at)
			field.Error = wrong[connector.KeyClass]
		}
		c.finishField(q, d, &field, at)
		flat = append(flat, field)
		if isRegion(field.Key) {
			for _, e := range d.extra(step) {
				extra := f.field(e)
				extra.Why, extra.UpdateURL = text.T(q.Request.Context(), "internet.needed", d.resolved.Get(field.Key), d.env.Region), at
				flat = append(flat, extra)
			}
		}
	}
	return sections(q.Request.Context(), d.title(q.Request.Context(), step), flat)
}

// sections divides a step's fields into groups with a heading each, in the order in
// which they appear: who one is, how records are delivered, and the rest.
func sections(ctx context.Context, title string, fields []components.Field) []components.Group {
	out := []components.Group{{Title: title}}
	credentials, delivery := components.Group{Title: text.T(ctx, "section.credentials")}, components.Group{Title: text.T(ctx, "section.delivery")}
	for _, f := range fields {
		switch {
		case strings.HasPrefix(f.Key, "aliyun."):
			credentials.Fields = append(credentials.Fields, f)
		case strings.HasPrefix(f.Key, "flush."), f.Key == connector.KeyTolerance, f.Key == connector.KeyRetries, f.Key == connector.KeyOutage:
			delivery.Fields = append(delivery.Fields, f)
		default:
			out[0].Fields = append(out[0].Fields, f)
		}
	}
	for _, g := range []components.Group{credentials, delivery} {
		if len(g.Fields) > 0 {
			out = append(out, g)
		}
	}
	return out
}

// finishField adds what the form as a whole knows: regions to pick from, sizes in units,
// and which other fields take their defaults from this one.
func (c *Console) finishField(q *request, d wizardDraft, field *components.Field, at string) {
	declared, _ := d.spec.Field(field.Key)
	finishField(field, declared, d.env)
	switch {
	case field.Key == connector.KeyName, field.Key == connector.KeyInternetAccess, isRegion(field.Key):
		field.UpdateURL = at
	}
	if field.Key == connector.KeyName && field.Value == "" && !q.fragment() { // a part that arrives later takes the focus from nobody
		field.Autofocus = true
	}
}

func finishField(field *components.Field, declared connector.Field, env connector.Env) {
	if isRegion(field.Key) && field.Kind == components.KindText {
		field.Kind = components.KindPicker
		for _, r := range env.Regions {
			field.Options = append(field.Options, components.Option{Value: r.ID, Hint: r.Name})
		}
	}
	if declared.Kind == connector.Bytes {
		if n, err := connector.ParseBytes(field.Value); err == nil && n > 0 {
			field.Value, field.Unit = sizeInUnits(n), ""
		}
	}
	if len(field.Options) > 3 && field.Kind == components.KindRadio {
		field.Kind = components.KindCards
	}
}

// sizeInUnits writes a count of bytes as ParseBytes reads it, as short as it goes.
func sizeInUnits(n int64) string {
	for _, u := range []struct {
		factor int64
		suffix string
	}{{1 << 30, "GiB"}, {1 << 20, "MiB"}, {1 << 10, "KiB"}} {
		if n >= u.factor && n%u.factor == 0 {
			return fmt.Sprintf("%d%s", n/u.factor, u.suffix)
		}
	}
	return fmt.Sprint(n)
}

// classField offers the task types as cards.
func (c *Console) classField(q *request, chosen, updateURL string) components.Field {
	ctx := q.Request.Context()
	out := components.Field{Key: connector.KeyClass, Kind: components.KindCards, Label: text.T(ctx, "wizard.type"), Help: text.T(ctx, "wizard.type_help"), Required: true, Value: chosen, UpdateURL: updateURL}
	specs := c.control.Specs()
	for i := range specs {
		s := &specs[i]
		out.Options = append(out.Options, components.Option{Value: s.Class, Label: s.Title, Hint: s.Summary, Icon: classIcon(s.Class)})
	}
	if len(specs) == 1 && out.Value == "" {
		out.Value = specs[0].Class
	}
	return out
}

// classIcon pictures a task type by where its records go.
func classIcon(class string) string {
	switch _, to, _ := strings.Cut(class, "2"); to {
	case "OSS":
		return "package"
	case "FC":
		return "zap"
	case "ODPS":
		return "table-2"
	}
	return "database"
}

// missingTopics names a chosen topic that the live list does not have.
func missingTopics(q *request, d wizardDraft) string {
	value, err, ok := q.c.later.get(q, laterKey(q, "topics", q.instance()), listHead, func(ctx context.Context) (any, error) { return q.c.pickTopics(ctx, q.instance()) })
	options, is := value.([]connector.Option)
	if !ok || err != nil || !is {
		return ""
	}
	for _, t := range d.resolved.List(connector.KeyTopics) {
		if internalTopicName(t) || slices.ContainsFunc(options, func(o connector.Option) bool { return o.Value == t }) {
			continue
		}
		q.c.later.forget(laterKey(q, "topics", q.instance())) // it may be made meanwhile
		return text.T(q.Request.Context(), "wizard.no_topic", clip(t, 80), q.instance())
	}
	return ""
}

func internalTopicName(name string) bool { return internalTopic(control.Topic{Name: name}) }
