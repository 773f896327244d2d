package console

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// previewHead is how long the page waits for the samples before it shows itself.
const previewHead = 1200 * time.Millisecond

// showPreview is the last step. refused are problems that creating met.
func (c *Console) showPreview(q *request, d wizardDraft, status int, refused map[string]string, general []string) error {
	all, more, err := c.draftProblems(q, d)
	if err != nil {
		return err
	}
	if message := missingTopics(q, d); message != "" && all[connector.KeyTopics] == "" {
		all[connector.KeyTopics] = message
	}
	wrong := len(all) + len(more)
	for key, message := range refused {
		if all[key] == "" {
			all[key] = message
		}
	}
	m := views.WizardPreviewPage{WizardFrame: c.wizardFrame(q, d, stepPreview, all), Errors: append(general, more...), Manual: d.resolved.Get(connector.KeyResourcesMode) == connector.ModeManual,
		Source: d.spec.Kind == connector.KindSource}
	m.Problems = d.linked(q, all)
	if wrong > 0 { // what only creating found out may be put right elsewhere
		m.Blocked = text.T(q.Request.Context(), "preview.blocked")
	}
	m.Resources = d.going(q)
	m.JSON, m.Curl, m.Secrets = d.export(q)
	if m.Quota, err = c.quotaNotice(q, m.URL); err != nil {
		return err
	}
	if m.Quota != nil && m.Blocked == "" {
		m.Blocked = text.T(q.Request.Context(), "quota.full", m.Quota.Used, m.Quota.Quota)
	}
	if m.Quota != nil && status == http.StatusForbidden {
		m.Errors = nil // the notice says it, and what can be done
	}
	if len(all) == 0 {
		c.samples(q, d, &m)
	} else {
		m.Why = text.T(q.Request.Context(), "preview.correct_first")
	}
	return q.renderPart(status, views.WizardPreview(m), views.WizardSamples(m))
}

// linked are problems in the order of the steps, each with the place to correct it.
func (d wizardDraft) linked(q *request, all map[string]string) []views.WizardProblem {
	var out []views.WizardProblem
	rest := maps.Clone(all)
	for _, s := range d.spec.Steps {
		for _, f := range s.Fields {
			if message := rest[f.Key]; message != "" {
				out = append(out, views.WizardProblem{Label: f.Label, Message: message, Href: draftURL(q.instance(), d.ID, s.ID) + "#" + (components.Field{Key: f.Key}).ID()})
				delete(rest, f.Key)
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(rest)) {
		out = append(out, views.WizardProblem{Label: key, Message: rest[key]})
	}
	return out
}

// going lists the topics and groups that deploying makes or takes.
func (d wizardDraft) going(q *request) []components.Going {
	var out []components.Going
	seen := map[string]bool{}
	for _, key := range []string{connector.KeyGroup, connector.KeyOffsetTopic, connector.KeyConfigTopic, connector.KeyStatusTopic, connector.KeyDeadLetter, connector.KeyAbnormal} {
		f, ok := d.spec.Field(key)
		name := d.resolved.Get(key)
		if !ok || name == "" || seen[name] {
			continue
		}
		seen[name] = true
		kind := "layers"
		if key == connector.KeyGroup {
			kind = "users"
		}
		out = append(out, components.Going{Kind: kind, Name: name, Note: f.Label})
	}
	if name := d.resolved.Get(connector.KeyName); name != "" {
		out = append(out, components.Going{Kind: "users", Name: "connect-cluster-" + name, Note: text.T(q.Request.Context(), "preview.cluster_group")})
	}
	return out
}

// export is the configuration as JSON and as a command; masked tells whether secrets
// were taken out.
func (d wizardDraft) export(q *request) (pretty, curl string, masked bool) {
	cfg := d.spec.Mask(d.config())
	for _, v := range cfg {
		masked = masked || v == connector.Masked
	}
	pretty = prettyJSON(cfg)
	body := prettyJSON(map[string]any{"name": cfg.Get(connector.KeyName), "config": cfg})
	scheme := "http"
	if q.c.secure {
		scheme = "https"
	}
	curl = fmt.Sprintf("curl -u %s -H 'Content-Type: application/json' \\\n  '%s://%s/connect/%s/connectors' --data-binary @- <<'JSON'\n%s\nJSON",
		shellWord(q.user.Name), scheme, strings.ReplaceAll(q.Request.Host, "'", ""), q.instance(), body)
	return pretty, curl, masked
}

// shellWord quotes a word for a POSIX shell.
func shellWord(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }

// prettyJSON writes a value with its keys sorted and one on a line; HTML is escaped by
// the page, not here.
func prettyJSON(v any) string {
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return "{}" // maps of strings always encode
	}
	return strings.TrimSuffix(out.String(), "\n")
}

// tried is what a configuration would do: what records become and, of a source, the topics that it writes to.
type tried struct {
	samples []connector.Sample
	topics  []connector.SourceTopic
}

func (c *Console) tried(ctx context.Context, instance string, trial control.Trial) (out tried, err error) {
	if out.topics, err = c.control.SourceTopics(ctx, instance, trial); err != nil {
		return out, err
	}
	out.samples, err = c.control.Preview(ctx, instance, trial)
	return out, err
}

// sourceTopics shows the topics that tables become.
func sourceTopics(ctx context.Context, list []connector.SourceTopic) []components.Going {
	var out []components.Going
	for _, t := range list {
		out = append(out, components.Going{Kind: "layers", Name: t.Name, Note: text.T(ctx, "preview_source.topic", t.From, topicNote(ctx, t))})
	}
	return out
}

// topicNote is what is known of a topic that a table becomes.
func topicNote(ctx context.Context, t connector.SourceTopic) string {
	note := []string{text.N(ctx, "preview.partitions", int64(t.Partitions)), text.T(ctx, "preview_source.no_key")}
	if len(t.Key) > 0 {
		note[1] = text.T(ctx, "preview_source.keyed", strings.Join(t.Key, ", "))
	}
	if t.Exists {
		note = append(note, text.T(ctx, "preview_source.exists"))
	}
	if len(t.Also) > 0 {
		note = append(note, text.T(ctx, "preview_source.also", strings.Join(t.Also, ", ")))
	}
	return strings.Join(note, ", ")
}

// samples shows what real records would become, as far as they are there.
func (c *Console) samples(q *request, d wizardDraft, m *views.WizardPreviewPage) {
	trial, instance := control.Trial{Config: d.config(), Draft: d.ID}, q.instance()
	key := laterKey(q, "preview", instance, d.ID, d.UpdatedAt.String(), string(d.config().JSON()))
	m.Again = m.URL + "?again=1"
	if q.Query("again") == "1" && !q.fragment() {
		c.later.forget(key)
	}
	value, err, ok := c.later.get(q, key, previewHead, func(ctx context.Context) (any, error) { return c.tried(ctx, instance, trial) })
	switch {
	case !ok:
		m.Reading, m.Live, m.Page.Refresh = true, m.URL, 2
	case err != nil:
		m.Why = control.AsError(err).Error()
		c.later.forget(key)
	default:
		tried, _ := value.(tried)
		m.Topics = sourceTopics(q.Request.Context(), tried.topics)
		for i, s := range tried.samples {
			sample := views.Sample{ID: fmt.Sprintf("sample-%d", i), Title: s.Title, Media: s.MediaType, Key: s.Key, Body: s.Body, Refused: s.Refused}
			if strings.HasPrefix(s.MediaType, "application/json") {
				sample.Body = laidOut(s.Body)
			}
			if m.Source {
				sample.Media = text.T(q.Request.Context(), "preview_source.value") + ", " + s.MediaType
			}
			if s.Source.Topic != "" && s.Source.Offset >= 0 {
				sample.Source = text.T(q.Request.Context(), "preview.offset", s.Source.Topic, s.Source.Partition, components.Number(s.Source.Offset))
			}
			m.Samples = append(m.Samples, sample)
		}
	}
}

// wizardFinish makes the connector of a draft, and deploys it when that was asked for.
func (c *Console) wizardFinish(q *request, d wizardDraft) error {
	ctx := q.Request.Context()
	deploy := q.value("_go") == "deploy"
	if message := missingTopics(q, d); message != "" {
		return c.showPreview(q, d, http.StatusUnprocessableEntity, nil, nil)
	}
	row, err := c.control.SubmitDraft(ctx, q.instance(), d.ID, deploy)
	if err != nil {
		if fields, general, ok := problems(err); ok {
			return c.showPreview(q, d, http.StatusUnprocessableEntity, fields, general)
		}
		e := control.AsError(err)
		if e.Kind == control.Quota || e.Kind == control.Conflict {
			return c.showPreview(q, d, statusOf(e.Kind), nil, []string{e.Message})
		}
		return err
	}
	if deploy {
		q.done(text.T(ctx, "connector.deployed", row.Name), "")
	} else {
		q.done(text.T(ctx, "preview.created", row.Name), text.T(ctx, "preview.created_body"))
	}
	return q.redirect(connectorURL(q.instance(), row.Name))
}
