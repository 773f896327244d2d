package console

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/text"
)

// stepPreview is the last step; it has no fields.
const stepPreview connector.StepID = "preview"

// listHead is how long a form waits for a list of the live system.
const listHead = 1500 * time.Millisecond

// wizardDraft is a draft with what its pages need to know.
type wizardDraft struct {
	control.Draft
	spec     *connector.Spec
	env      connector.Env
	resolved connector.Config // defaults filled in, secrets masked
}

// readDraft finds the draft of the path.
func (c *Console) readDraft(q *request) (wizardDraft, error) {
	d, err := c.control.Draft(q.Request.Context(), q.instance(), q.Param("draft"))
	if err != nil {
		return wizardDraft{}, err
	}
	return c.openDraft(q, d)
}

func (c *Console) openDraft(q *request, d control.Draft) (wizardDraft, error) {
	out := wizardDraft{Draft: d}
	var err error
	if out.spec, err = c.control.Spec(d.Class); err != nil {
		return out, err
	}
	if out.env, err = c.control.Env(q.Request.Context(), q.instance()); err != nil {
		return out, err
	}
	out.resolved = out.spec.Resolve(out.config(), out.env)
	return out, nil
}

// config is what the draft would make: an empty value is an absent key.
func (d wizardDraft) config() connector.Config {
	out := connector.Config{}
	for k, v := range d.Values {
		if v != "" {
			out[k] = v
		}
	}
	out[connector.KeyClass] = d.spec.Class
	return out
}

// steps are the wizard's, the preview among them.
func (d wizardDraft) steps() []connector.StepID {
	out := make([]connector.StepID, 0, len(d.spec.Steps)+1)
	for _, s := range d.spec.Steps {
		out = append(out, s.ID)
	}
	return append(out, stepPreview)
}

// at is a step's place, -1 for what is no step.
func (d wizardDraft) at(step connector.StepID) int { return slices.Index(d.steps(), step) }

// reached is the place of the furthest step that was shown.
func (d wizardDraft) reached() int { return max(0, d.at(d.Step)) }

// declared are the fields of a step.
func (d wizardDraft) declared(step connector.StepID) []connector.Field {
	for _, s := range d.spec.Steps {
		if s.ID == step {
			return s.Fields
		}
	}
	return nil
}

func (d wizardDraft) title(ctx context.Context, step connector.StepID) string {
	for _, s := range d.spec.Steps {
		if s.ID == step {
			return s.Title
		}
	}
	return text.T(ctx, "wizard.preview")
}

// draftURL is the address of a step.
func draftURL(instance, draft string, step connector.StepID) string {
	return newConnectorURL(instance) + "/" + url.PathEscape(draft) + "/" + string(step)
}

// extra are fields of other steps that a step shows as well: Internet access, where a
// region makes it necessary.
func (d wizardDraft) extra(step connector.StepID) []connector.Field {
	if d.at(step) == 0 || d.spec.Kind == connector.KindSource || !d.otherRegion(step) { // a source's regions are joined otherwise
		return nil
	}
	if f, ok := d.spec.Field(connector.KeyInternetAccess); ok {
		f.Advanced = false
		return []connector.Field{f}
	}
	return nil
}

// otherRegion tells whether the step names a region that is not the instance's.
func (d wizardDraft) otherRegion(step connector.StepID) bool {
	for _, f := range d.declared(step) {
		if v := d.resolved.Get(f.Key); isRegion(f.Key) && v != "" && d.env.Region != "" && v != d.env.Region {
			return true
		}
	}
	return false
}

func isRegion(key string) bool { return strings.HasSuffix(key, ".region") }

// asGiven takes out of posted values what only repeats a default, that of the form as
// it was shown or of the form as it is now: a name that changes later shall take its
// prefixes along.
func (d wizardDraft) asGiven(posted connector.Config) connector.Config {
	now := d.Values.Clone()
	if now == nil {
		now = connector.Config{}
	}
	for k, v := range posted {
		now[k] = v
	}
	after := d.spec.Resolve(now, d.env)
	out := connector.Config{}
	for k, v := range posted {
		f, ok := d.spec.Field(k)
		if ok && f.Default != nil && (sameValue(f, v, f.Default(d.resolved, d.env)) || sameValue(f, v, f.Default(after, d.env))) {
			v = ""
		}
		out[k] = v
	}
	return out
}

// sameValue compares two texts of a field by what they mean.
func sameValue(f connector.Field, a, b string) bool {
	a, b = strings.TrimSpace(a), strings.TrimSpace(b)
	if a == b || f.Kind == connector.List && slices.Equal(connector.Config{"a": a}.List("a"), connector.Config{"b": b}.List("b")) {
		return true
	}
	if f.Kind != connector.Bytes || a == "" || b == "" {
		return false
	}
	x, errX := connector.ParseBytes(a)
	y, errY := connector.ParseBytes(b)
	return errX == nil && errY == nil && x == y
}

// inOrderOf puts the items of a list that boxes were ticked for, which come in the order of the boxes, into the order
// that they have in before; new ones follow. Other values stay as they are.
func inOrderOf(f connector.Field, before, v string) string {
	if f.Kind != connector.List || f.Lookup == nil {
		return v
	}
	old := connector.Config{"before": before}.List("before")
	items := connector.Config{"v": v}.List("v")
	place := func(item string) int {
		if i := slices.Index(old, item); i >= 0 {
			return i
		}
		return len(old)
	}
	slices.SortStableFunc(items, func(a, b string) int { return place(a) - place(b) })
	return strings.Join(items, ",")
}

// saveStep keeps what a step's form posted. The furthest step stays.
func (c *Console) saveStep(q *request, d wizardDraft, step connector.StepID, reach int) (wizardDraft, error) {
	fields := append(slices.Clone(d.declared(step)), d.extra(step)...)
	posted := d.asGiven(q.posted(fields, d.Values))
	class := ""
	if given := posted.Get(connector.KeyClass); given != "" {
		spec, err := c.control.Spec(given)
		if err != nil {
			return d, &control.Error{Kind: control.Invalid, Message: text.T(q.Request.Context(), "fail.invalid"),
				Fields: []connector.FieldError{{Field: connector.KeyClass, Message: text.T(q.Request.Context(), "wizard.choose_type")}}}
		}
		class = spec.Class
	}
	delete(posted, connector.KeyClass)
	furthest := d.steps()[min(max(d.reached(), reach), len(d.spec.Steps))]
	saved, err := c.control.SaveDraft(q.Request.Context(), q.instance(), d.ID, class, furthest, posted)
	if err != nil {
		return d, err
	}
	return c.openDraft(q, saved)
}

// draftProblems validates the whole draft as creating would; by field.
func (c *Console) draftProblems(q *request, d wizardDraft) (map[string]string, []string, error) {
	v, err := c.control.ValidateDraft(q.Request.Context(), q.instance(), d.ID)
	if err != nil {
		fields, general, ok := problems(err)
		if !ok {
			return nil, nil, err
		}
		return fields, general, nil
	}
	out := map[string]string{}
	for _, p := range v.Problems {
		if out[p.Field] == "" {
			out[p.Field] = p.Message
		}
	}
	return out, nil, nil
}

// inStep keeps the problems of a step's fields.
func (d wizardDraft) inStep(step connector.StepID, all map[string]string) map[string]string {
	out := map[string]string{}
	for _, f := range append(slices.Clone(d.declared(step)), d.extra(step)...) {
		if message := all[f.Key]; message != "" {
			out[f.Key] = message
		}
	}
	return out
}
