package console

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/text"
)

// listing is a configuration that is being filled in, as far as it decides which live systems can be asked for lists.
type listing struct {
	spec     *connector.Spec
	env      connector.Env
	resolved connector.Config // defaults filled in, secrets masked
	trial    control.Trial
	of       string // names the draft or the connector, among all of the instance
}

// listing is that of a draft.
func (d wizardDraft) listing() listing {
	return listing{spec: d.spec, env: d.env, resolved: d.resolved, trial: control.Trial{Config: d.config(), Draft: d.ID}, of: d.ID}
}

// lists asks the live system for what declared fields can be picked from; with only, for those alone. All together it
// waits no longer than listHead.
func (c *Console) lists(q *request, l listing, declared []connector.Field, f *fieldForm, only ...string) {
	f.options, f.listErr = map[string][]connector.Option{}, map[string]string{}
	until := time.Now().Add(listHead)
	for _, field := range declared {
		if field.Lookup == nil || !field.Shown(l.resolved, l.env) || len(only) > 0 && !slices.Contains(only, field.Key) {
			continue
		}
		var key string
		var work func(context.Context) (any, error)
		if field.Key == connector.KeyTopics {
			key = laterKey(q, "topics", q.instance())
			work = func(ctx context.Context) (any, error) { return c.pickTopics(ctx, q.instance()) }
		} else {
			if l.incomplete(field) {
				continue // it would only tell that values are missing which are asked for below
			}
			key = l.laterKey(q, field.Key)
			name := q.instance()
			work = func(ctx context.Context) (any, error) { return c.control.Lookup(ctx, name, l.trial, field.Key) }
		}
		value, err, ok := c.later.get(q, key, time.Until(until), work)
		switch {
		case !ok:
			f.listErr[field.Key] = text.T(q.Request.Context(), "wizard.list_later")
		case err != nil:
			f.listErr[field.Key] = strings.TrimSuffix(control.AsError(err).Message, ".")
			c.later.forget(key)
		default:
			f.options[field.Key], _ = value.([]connector.Option)
		}
	}
}

// laterKey is what a field's list is remembered by.
func (l listing) laterKey(q *request, key string) string {
	return laterKey(q, "lookup", q.instance(), l.of, key, l.reaching(key))
}

// reaching are the values that decide which system is asked and as whom, as far as the
// declaration tells: all that is required.
func (l listing) reaching(key string) string {
	out := connector.Config{connector.KeyInternetAccess: l.resolved.Get(connector.KeyInternetAccess)}
	for _, f := range l.spec.Fields() {
		if f.Key != key && (f.Required || isRegion(f.Key)) {
			out[f.Key] = l.resolved[f.Key]
		}
	}
	return string(out.JSON())
}

// incomplete tells whether other required fields of the field's step are not filled in.
func (l listing) incomplete(field connector.Field) bool {
	before := true
	for _, f := range l.step(field.Key) {
		if f.Key == field.Key {
			before = false
			continue
		}
		// What is picked from a list itself, further down, is chosen after this one.
		if f.Required && (before || f.Lookup == nil) && f.Shown(l.resolved, l.env) && l.resolved.Get(f.Key) == "" {
			return true
		}
	}
	return false
}

// step are the fields of the step that has the given one.
func (l listing) step(key string) []connector.Field {
	for _, s := range l.spec.Steps {
		if slices.ContainsFunc(s.Fields, func(f connector.Field) bool { return f.Key == key }) {
			return s.Fields
		}
	}
	return nil
}

// hanging are the fields, of the given one's step, that are picked from a list of a system that the given one, just
// filled in, helps to reach; none while others are still missing for that.
func (c *Console) hanging(q *request, l listing, key string) []string {
	given, ok := l.spec.Field(key)
	if !ok || l.resolved.Get(key) == "" || !given.Required && given.Kind != connector.Secret && !isRegion(key) {
		return nil
	}
	step := l.step(key)
	if l.unsigned(step) {
		return nil
	}
	var out []string
	for _, f := range step {
		if f.Key != key && f.Key != connector.KeyTopics && f.Lookup != nil && f.Shown(l.resolved, l.env) && !l.incomplete(f) {
			if given.Kind == connector.Secret { // its value is in no key: what was listed without it says nothing
				c.later.forget(l.laterKey(q, f.Key))
			}
			out = append(out, f.Key)
		}
	}
	return out
}

// unsigned tells whether a password or the like is still empty in a step: nobody tries to sign in while it is about to
// be typed.
func (l listing) unsigned(step []connector.Field) bool {
	return slices.ContainsFunc(step, func(f connector.Field) bool {
		return f.Kind == connector.Secret && f.Shown(l.resolved, l.env) && l.resolved.Get(f.Key) == ""
	})
}

// pickTopics lists the topics that records can come from.
func (c *Console) pickTopics(ctx context.Context, instance string) (any, error) {
	topics, err := c.control.Topics(ctx, instance)
	if err != nil {
		return nil, err
	}
	out := []connector.Option{}
	for _, t := range topics {
		if !internalTopic(t) {
			out = append(out, connector.Option{Value: t.Name, Label: t.Name, Help: text.N(ctx, "preview.partitions", int64(t.Partitions))})
		}
	}
	return out, nil
}
