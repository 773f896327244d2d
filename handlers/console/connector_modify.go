package console

import (
	"errors"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// modifyForm is a connector being changed: what is stored, and what the form holds.
type modifyForm struct {
	frame   views.ConnectorFrame
	row     control.ConnectorWithStatus
	values  connector.Config // of the form, secrets masked where they are kept or were typed
	typed   connector.Config // secrets that were typed, in the clear; never shown
	version int              // that the form was filled in with
}

// connectorModify is the form with the present values.
func (c *Console) connectorModify(q *request) error {
	f, err := c.modifyForm(q)
	if err != nil {
		return err
	}
	return c.showModify(q, f, http.StatusOK, nil, nil)
}

func (c *Console) modifyForm(q *request) (*modifyForm, error) {
	frame, row, err := c.frame(q, "modify")
	if err != nil {
		return nil, err
	}
	if row.Spec == nil {
		return nil, &control.Error{Kind: control.Conflict, Message: text.T(q.Request.Context(), "modify.unknown_class", row.Class)}
	}
	return &modifyForm{frame: frame, row: row, values: row.Effective(), typed: connector.Config{}, version: row.Version}, nil
}

// fixed says why a field cannot be changed now; "" when it can.
func (f *modifyForm) fixed(q *request) func(connector.Field) string {
	ctx := q.Request.Context()
	return func(d connector.Field) string {
		switch {
		case d.Fixed == connector.FixedAlways:
			return text.T(ctx, "fixed.always")
		case d.Fixed == connector.FixedAfterDelivery && f.row.Delivered && d.Instead != "":
			return text.T(ctx, "fixed.instead", d.Instead)
		case d.Fixed == connector.FixedAfterDelivery && f.row.Delivered:
			return text.T(ctx, "fixed.delivered")
		}
		return ""
	}
}

// read takes what the form posted. Fields that are fixed are not read.
func (f *modifyForm) read(q *request) error {
	fixed := f.fixed(q)
	var open []connector.Field
	for _, d := range f.row.Spec.Fields() {
		if fixed(d) == "" {
			open = append(open, d)
		}
	}
	posted := q.posted(open, f.row.Effective())
	sealed, err := q.unseal(q.value("_sealed"), f.sealedFor(q))
	if err != nil {
		return &control.Error{Kind: control.Invalid, Message: text.T(q.Request.Context(), "modify.expired")}
	}
	maps.Copy(f.typed, sealed)
	for _, d := range open {
		v, given := posted[d.Key]
		if d.Kind == connector.Secret {
			if given && v != "" && v != connector.Masked {
				f.typed[d.Key] = v
			}
			if f.typed[d.Key] != "" {
				f.values[d.Key] = connector.Masked
			}
			continue
		}
		if given {
			f.values[d.Key] = inOrderOf(d, f.row.Effective().Get(d.Key), v)
		}
	}
	if n, err := strconv.Atoi(q.value("_version")); err == nil && n > 0 {
		f.version = n
	}
	return nil
}

// config is what saving the form would make: secrets that are kept are masked, those that were typed are in the clear.
func (f *modifyForm) config() connector.Config {
	out := f.row.Config.Clone()
	out[connector.KeyName] = f.row.Name // by which secrets that are kept are found
	for key, v := range f.patch() {
		if v == nil {
			delete(out, key)
		} else {
			out[key] = *v
		}
	}
	return out
}

// listing tells which lists can be asked for with what stands in the form.
func (f *modifyForm) listing(q *request) listing {
	return listing{spec: f.row.Spec, env: f.row.Env, resolved: f.row.Spec.Resolve(f.values, f.row.Env), trial: control.Trial{Config: f.config()}, of: "connector/" + q.connector()}
}

// patch is what the form changes of what is stored. A value that is its default again
// takes its key away.
func (f *modifyForm) patch() map[string]*string {
	spec, before := f.row.Spec, f.row.Effective()
	out := map[string]*string{}
	for _, d := range spec.Fields() {
		if d.Kind == connector.Secret {
			if v := f.typed[d.Key]; v != "" {
				out[d.Key] = &v
			}
			continue
		}
		v := f.values[d.Key]
		if sameValue(d, v, before[d.Key]) {
			continue
		}
		usual := ""
		if d.Default != nil {
			usual = d.Default(spec.Resolve(without(f.values, d.Key), f.row.Env), f.row.Env)
		}
		if v == "" || sameValue(d, v, usual) {
			out[d.Key] = nil
			continue
		}
		out[d.Key] = &v
	}
	return out
}

func (f *modifyForm) sealedFor(q *request) string { return q.instance() + "/" + q.connector() }

// showModify renders the form. wrong are its problems by field.
func (c *Console) showModify(q *request, f *modifyForm, status int, wrong map[string]string, general []string) error {
	m := views.ConnectorModifyPage{ConnectorFrame: f.frame, URL: f.frame.Href + "/modify", Version: f.version, Cancel: f.frame.Href + "/configuration", Errors: general}
	m.Groups = c.modifyGroups(q, f, wrong)
	shown := map[string]bool{}
	for _, g := range m.Groups {
		for _, field := range g.Fields {
			shown[field.Key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wrong)) {
		if !shown[key] {
			m.Errors = append(m.Errors, key+": "+wrong[key])
		}
	}
	if len(f.typed) > 0 {
		m.Hidden = []views.Hidden{{Name: "_sealed", Value: q.seal(f.typed, f.sealedFor(q))}}
	}
	return q.renderPart(status, views.ConnectorModify(m), views.ConnectorModifyForm(m, false))
}

// modifyGroups are the form's fields, those that may be changed with what they can be picked from. only, when given, are
// the fields that are looked at: lists of others are not asked for.
func (c *Console) modifyGroups(q *request, f *modifyForm, wrong map[string]string, only ...string) []components.Group {
	url, l := f.frame.Href+"/modify", f.listing(q)
	form := &fieldForm{spec: f.row.Spec, env: f.row.Env, values: l.resolved, problems: wrong, fixed: f.fixed(q), checkURL: url, updateURL: url, docURL: "/help/connectors/" + f.row.Class}
	c.lists(q, l, slices.DeleteFunc(f.row.Spec.Fields(), func(d connector.Field) bool { return form.fixed(d) != "" }), form, only...)
	var out []components.Group
	for _, s := range f.row.Spec.Steps {
		group := components.Group{Title: s.Title, Fields: form.fields(s.Fields)}
		for i := range group.Fields {
			field := &group.Fields[i]
			declared, _ := f.row.Spec.Field(field.Key)
			finishField(field, declared, f.row.Env)
			if field.Key == connector.KeyClass {
				field.Value = f.row.Spec.Title
			}
			if isRegion(field.Key) || field.Key == connector.KeyInternetAccess {
				field.UpdateURL = url
			}
		}
		out = append(out, sections(q.Request.Context(), s.Title, group.Fields)...)
	}
	return out
}

// connectorModifySubmit goes from the form over the review of its changes to saving.
func (c *Console) connectorModifySubmit(q *request) error {
	ctx := q.Request.Context()
	f, err := c.modifyForm(q)
	if err != nil {
		return err
	}
	if err := f.read(q); err != nil {
		_, general, _ := problems(err)
		return c.showModify(q, f, http.StatusUnprocessableEntity, nil, general)
	}
	if q.value("_edit") != "" {
		return c.showModify(q, f, http.StatusOK, nil, nil)
	}
	changes, wrongs, err := c.control.PreviewChange(ctx, q.instance(), q.connector(), f.patch())
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	for _, p := range wrongs {
		if wrong[p.Field] == "" {
			wrong[p.Field] = p.Message
		}
	}
	switch {
	case q.value("_field") != "" && q.fragment():
		return c.modifyField(q, f, q.value("_field"), wrong)
	case q.value("_update") != "" || q.fragment():
		return c.showModify(q, f, http.StatusOK, f.answered(wrong), nil)
	case len(wrong) > 0:
		return c.showModify(q, f, http.StatusUnprocessableEntity, wrong, nil)
	case f.version != f.row.Version:
		f.version = f.row.Version
		return c.showModify(q, f, http.StatusConflict, nil, []string{text.T(ctx, "modify.stale")})
	case len(changes) == 0 && len(f.typed) == 0:
		q.done(text.T(ctx, "modify.nothing"), "")
		return q.redirect(f.frame.Href + "/configuration")
	case q.value("_confirm") == "":
		return c.reviewModify(q, f, changes)
	}
	return c.saveModify(q, f)
}

func (f *modifyForm) answered(wrong map[string]string) map[string]string {
	out := map[string]string{}
	for key, message := range wrong {
		if f.values[key] != "" {
			out[key] = message
		}
	}
	return out
}

// modifyField answers the check of one field on leaving it, with the lists that it gives access to.
func (c *Console) modifyField(q *request, f *modifyForm, key string, wrong map[string]string) error {
	hanging := c.hanging(q, f.listing(q), key)
	left, lists := withLists(c.modifyGroups(q, f, wrong, append(hanging, key)...), key, hanging)
	if left.Key == "" {
		return q.notFound()
	}
	status := http.StatusOK
	if left.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	return q.render(status, views.FieldAnswer(left, lists))
}

// reviewModify shows what would change; the form's values go along, secrets sealed.
func (c *Console) reviewModify(q *request, f *modifyForm, changes []connector.Change) error {
	m := views.ConnectorModifyPage{ConnectorFrame: f.frame, URL: f.frame.Href + "/modify", Version: f.version, Review: true, Changes: changesOf(f.row.Connector, changes)}
	m.Effects = c.sourceEffects(q, f, changes)
	for key, v := range f.patch() {
		d, _ := f.row.Spec.Field(key)
		if d.Kind == connector.Secret {
			continue
		}
		value := ""
		if v != nil {
			value = *v
		}
		m.Hidden = append(m.Hidden, views.Hidden{Name: key, Value: value})
	}
	slices.SortFunc(m.Hidden, func(a, b views.Hidden) int { return strings.Compare(a.Name, b.Name) })
	if len(f.typed) > 0 {
		m.Hidden = append(m.Hidden, views.Hidden{Name: "_sealed", Value: q.seal(f.typed, f.sealedFor(q))})
	}
	for _, key := range slices.Sorted(maps.Keys(f.typed)) {
		if !slices.ContainsFunc(changes, func(ch connector.Change) bool { return ch.Key == key }) {
			d, _ := f.row.Spec.Field(key)
			m.Changes = append(m.Changes, components.Change{Label: d.Label, Key: key, From: connector.Masked, To: connector.Masked})
		}
	}
	return q.render(http.StatusOK, views.ConnectorModify(m))
}

func (c *Console) saveModify(q *request, f *modifyForm) error {
	ctx := q.Request.Context()
	row, err := c.control.Modify(ctx, q.instance(), q.connector(), f.version, f.patch())
	if err != nil {
		if fields, general, ok := problems(err); ok {
			return c.showModify(q, f, http.StatusUnprocessableEntity, fields, general)
		}
		if errors.Is(err, control.ErrStale) {
			return c.showModify(q, f, http.StatusConflict, nil, []string{control.AsError(err).Message})
		}
		return err
	}
	q.done(text.T(ctx, "modify.saved", row.Name), text.T(ctx, "modify.saved_body", row.Version))
	return q.redirect(f.frame.Href + "/configuration")
}
