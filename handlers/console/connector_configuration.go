package console

import (
	"maps"
	"net/http"
	"slices"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorConfiguration is the task configuration with its history; secrets are masked.
func (c *Console) connectorConfiguration(q *request) error {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, tabConfig)
	if err != nil {
		return err
	}
	m := views.ConnectorConfigPage{ConnectorFrame: frame, JSON: prettyJSON(row.Config), Groups: configGroups(q, row.Connector)}
	versions, err := c.control.Versions(ctx, q.instance(), q.connector())
	if err != nil {
		return err
	}
	for _, v := range versions {
		m.Versions = append(m.Versions, views.ConfigVersion{Version: v.Version, Author: v.Author, Time: v.Time, Hash: v.Hash, Current: v.Version == row.Version, Changes: changesOf(row.Connector, v.Changes)})
	}
	return q.render(http.StatusOK, views.ConnectorConfiguration(m))
}

// configGroups are the effective values in the wizard's groups; what differs from its
// default is marked.
func configGroups(q *request, row control.Connector) []views.ConfigGroup {
	ctx := q.Request.Context()
	effective := row.Effective()
	var out []views.ConfigGroup
	if row.Spec != nil {
		for _, s := range row.Spec.Steps {
			group := views.ConfigGroup{Title: s.Title}
			for _, f := range s.Fields {
				if !f.Shown(effective, row.Env) {
					continue
				}
				pair := components.Pair{Key: f.Label, Value: shownValue(ctx, row.Spec, f, effective, row.Env), Mono: f.Kind == connector.String && len(f.Options) == 0 && f.Key != connector.KeyClass && f.Key != connector.KeyDescription}
				if usual := row.Spec.Resolve(without(row.Config, f.Key), row.Env); f.Default != nil && f.Kind != connector.Secret && !sameValue(f, usual.Get(f.Key), effective.Get(f.Key)) {
					pair.Changed = shownValue(ctx, row.Spec, f, usual, row.Env)
					if pair.Changed == "" {
						pair.Changed = text.T(ctx, "config.empty_default")
					}
				}
				group.Pairs = append(group.Pairs, pair)
			}
			out = append(out, group)
		}
	}
	other := views.ConfigGroup{Title: text.T(ctx, "config.kept")}
	for _, key := range slices.Sorted(maps.Keys(effective)) {
		if row.Spec != nil {
			if _, known := row.Spec.Field(key); known {
				continue
			}
		}
		other.Pairs = append(other.Pairs, components.Pair{Key: key, Value: effective[key], Mono: true})
	}
	if len(other.Pairs) > 0 {
		out = append(out, other)
	}
	return out
}

func without(cfg connector.Config, key string) connector.Config {
	out := cfg.Clone()
	delete(out, key)
	return out
}

// changesOf names changed keys by their labels.
func changesOf(row control.Connector, changes []connector.Change) []components.Change {
	out := make([]components.Change, 0, len(changes))
	for _, ch := range changes {
		label := ch.Key
		if row.Spec != nil {
			if f, ok := row.Spec.Field(ch.Key); ok {
				label = f.Label
			}
		}
		out = append(out, components.Change{Label: label, Key: ch.Key, From: ch.From, To: ch.To})
	}
	return out
}
