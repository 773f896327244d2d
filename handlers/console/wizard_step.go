package console

import (
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// wizardResume goes on with a draft where it was left.
func (c *Console) wizardResume(q *request) error {
	d, err := c.readDraft(q)
	if err != nil {
		return err
	}
	return q.redirect(draftURL(q.instance(), d.ID, d.steps()[d.reached()]))
}

// wizardShow is one step of the wizard.
func (c *Console) wizardShow(q *request) error {
	d, err := c.readDraft(q)
	if err != nil {
		return err
	}
	step := connector.StepID(q.Param("step"))
	at := d.at(step)
	switch {
	case at < 0:
		return q.notFound()
	case at > d.reached(): // the steps before it come first
		return q.redirect(draftURL(q.instance(), d.ID, d.steps()[d.reached()]))
	case step == stepPreview:
		return c.showPreview(q, d, http.StatusOK, nil, nil)
	}
	return c.showStep(q, d, step, http.StatusOK, nil, nil, c.checks.of(q, q.Query("check")))
}

// showStep renders a step. wrong are its problems by field; run the live checks beside it.
func (c *Console) showStep(q *request, d wizardDraft, step connector.StepID, status int, wrong map[string]string, general []string, run *checkRun) error {
	m, err := c.stepModel(q, d, step, wrong, general)
	if err != nil {
		return err
	}
	if run != nil {
		m.Findings = run.shown(q.Request.Context())
		run.mark(m.Groups)
		if !run.isDone() {
			m.Live, m.Page.Refresh = "/checks/"+run.id, 1
		}
	}
	return q.renderPart(status, views.Wizard(m), views.WizardForm(m))
}

func (c *Console) stepModel(q *request, d wizardDraft, step connector.StepID, wrong map[string]string, general []string) (views.WizardPage, error) {
	all, _, err := c.draftProblems(q, d)
	if err != nil {
		return views.WizardPage{}, err
	}
	m := views.WizardPage{WizardFrame: c.wizardFrame(q, d, step, all), Groups: c.wizardGroups(q, d, step, wrong), Errors: general}
	m.Test = step != connector.StepBasic
	shown := map[string]bool{}
	for _, g := range m.Groups {
		for _, f := range g.Fields {
			shown[f.Key] = true
		}
	}
	for _, key := range slices.Sorted(maps.Keys(wrong)) {
		if !shown[key] {
			m.Errors = append(m.Errors, key+": "+wrong[key])
		}
	}
	return m, nil
}

// wizardSubmit takes a step's form: keeps what it holds, and goes where its button says.
func (c *Console) wizardSubmit(q *request) error {
	d, err := c.readDraft(q)
	if err != nil {
		return err
	}
	step := connector.StepID(q.Param("step"))
	if step == "discard" {
		return c.wizardDiscard(q, d)
	}
	at := d.at(step)
	if at < 0 || at > d.reached() {
		return q.notFound()
	}
	if step == stepPreview {
		return c.wizardFinish(q, d)
	}
	saved, err := c.saveStep(q, d, step, at)
	if err != nil {
		fields, general, ok := problems(err)
		if !ok {
			return err
		}
		return c.showStep(q, d, step, http.StatusUnprocessableEntity, fields, general, nil)
	}
	d = saved
	if key := q.value("_field"); key != "" && q.fragment() {
		return c.wizardField(q, d, step, key)
	}
	return c.wizardGo(q, d, step)
}

// wizardGo does what the button of a saved step says.
func (c *Console) wizardGo(q *request, d wizardDraft, step connector.StepID) error {
	steps, at := d.steps(), d.at(step)
	action := q.value("_go")
	if action == "" && q.fragment() {
		action = "update" // a field that decides about others was changed
	}
	if action == "back" && at > 0 {
		return q.redirect(draftURL(q.instance(), d.ID, steps[at-1]))
	}
	all, general, err := c.draftProblems(q, d)
	if err != nil {
		return err
	}
	wrong := d.inStep(step, all)
	if action == "update" {
		return c.showStep(q, d, step, http.StatusOK, answered(d, wrong), nil, nil)
	}
	if step == connector.StepSource && wrong[connector.KeyTopics] == "" {
		if message := missingTopics(q, d); message != "" {
			wrong[connector.KeyTopics] = message
		}
	}
	if len(wrong) > 0 || len(general) > 0 {
		return c.showStep(q, d, step, http.StatusUnprocessableEntity, wrong, general, nil)
	}
	if action == "test" {
		return c.wizardTest(q, d, step)
	}
	if d, err = c.saveReached(q, d, at+1); err != nil {
		return err
	}
	return q.redirect(draftURL(q.instance(), d.ID, d.steps()[at+1]))
}

// answered keeps the problems of fields that hold something: what is still empty is not
// wrong before one goes on.
func answered(d wizardDraft, wrong map[string]string) map[string]string {
	out := map[string]string{}
	for key, message := range wrong {
		if d.Values.Get(key) != "" {
			out[key] = message
		}
	}
	return out
}

func (c *Console) saveReached(q *request, d wizardDraft, at int) (wizardDraft, error) {
	if at <= d.reached() {
		return d, nil
	}
	saved, err := c.control.SaveDraft(q.Request.Context(), q.instance(), d.ID, "", d.steps()[at], connector.Config{})
	if err != nil {
		return d, err
	}
	return c.openDraft(q, saved)
}

// wizardField answers the check of one field on leaving it, with the lists that it gives access to.
func (c *Console) wizardField(q *request, d wizardDraft, step connector.StepID, key string) error {
	all, _, err := c.draftProblems(q, d)
	if err != nil {
		return err
	}
	wrong := map[string]string{}
	if message := all[key]; message != "" {
		wrong[key] = message
	}
	hanging := c.hanging(q, d.listing(), key)
	left, lists := withLists(c.wizardGroups(q, d, step, wrong, append(hanging, key)...), key, hanging)
	if left.Key == "" {
		return q.notFound()
	}
	status := http.StatusOK
	if left.Error != "" {
		status = http.StatusUnprocessableEntity
	}
	return q.render(status, views.WizardField(left, lists, c.wizardFrame(q, d, step, all)))
}

// withLists finds a field among those of a form, and the others that show a list now, or why they cannot.
func withLists(groups []components.Group, key string, hanging []string) (left components.Field, lists []components.Field) {
	for _, g := range groups {
		for _, f := range g.Fields {
			switch {
			case f.Key == key:
				left = f
			case slices.Contains(hanging, f.Key) && (len(f.Options) > 0 || f.OptionError != ""):
				lists = append(lists, f)
			}
		}
	}
	return left, lists
}

// wizardTest begins the live checks of a step; its page shows them as they finish.
func (c *Console) wizardTest(q *request, d wizardDraft, step connector.StepID) error {
	trial, instance := control.Trial{Config: d.config(), Draft: d.ID}, q.instance()
	run, err := c.checks.start(q, nil, func(ctx context.Context, emit func(connector.Finding)) error {
		return c.control.Check(ctx, instance, trial, step, emit)
	}, func(ctx context.Context, run *checkRun) error { return c.takeSuggestions(ctx, instance, d, step, run) })
	if err != nil {
		return err
	}
	if run.isDone() {
		if fields, general, ok := problems(run.failure()); ok && run.failure() != nil {
			return c.showStep(q, d, step, http.StatusUnprocessableEntity, fields, general, nil)
		}
	}
	return q.redirect(draftURL(q.instance(), d.ID, step) + "?check=" + run.id + "#checks")
}

// takeSuggestions fills what the checks suggest into fields that nobody has filled in,
// and notes what it did, or why it did not.
func (c *Console) takeSuggestions(ctx context.Context, instance string, d wizardDraft, step connector.StepID, run *checkRun) error {
	found := run.all()
	taken, err := c.control.TakeSuggestions(ctx, instance, d.ID, found)
	if err != nil {
		return err
	}
	noted := map[string]string{}
	for _, f := range found {
		for key, value := range f.Suggest {
			field, known := d.spec.Field(key)
			if !known || d.resolved.Get(key) == value {
				continue
			}
			words := shownValue(ctx, d.spec, field, connector.Config{key: value}, d.env)
			if _, is := taken[key]; is {
				noted[key] = text.T(ctx, "check_run.taken", field.Label, words)
			} else {
				noted[key] = text.T(ctx, "check_run.suggested", field.Label, words)
			}
		}
	}
	page := ""
	if len(taken) > 0 {
		page = draftURL(instance, d.ID, step) + "?check=" + run.id + "#checks"
	}
	run.took(page, noted)
	return nil
}

func (c *Console) wizardDiscard(q *request, d wizardDraft) error {
	err := c.control.DeleteDraft(q.Request.Context(), q.instance(), d.ID)
	return q.acted(err, text.T(q.Request.Context(), "wizard.discarded"), "", instanceURL(q.instance()))
}

// quotaNotice says that the instance has no room for another connector; nil while it has.
func (c *Console) quotaNotice(q *request, back string) (*views.QuotaNotice, error) {
	in, err := c.control.Instance(q.Request.Context(), q.instance())
	if err != nil || in.Connectors < in.Quota {
		return nil, err
	}
	waiting, _, err := c.control.WaitingQuotaRequest(q.Request.Context(), in.Name)
	if err != nil {
		return nil, err
	}
	return &views.QuotaNotice{Used: in.Connectors, Quota: in.Quota, RequestURL: instanceURL(q.instance()) + "/quota", Return: back, RequestedAt: waiting.CreatedAt}, nil
}
