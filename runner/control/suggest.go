package control

import (
	"context"

	"github.com/sluice-io/sluice/runner/connector"
)

// TakeSuggestions fills what live checks suggest into the fields of a draft that nobody
// has filled in, and returns what it filled in. A field that holds a value, or whose
// default already is what is suggested, stays as it is.
func (s *Service) TakeSuggestions(ctx context.Context, instance, id string, findings []connector.Finding) (connector.Config, error) {
	d, in, err := s.ownDraft(ctx, instance, id)
	if err != nil {
		return nil, err
	}
	spec := s.draftSpec(d)
	env, err := s.Env(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	resolved := spec.Resolve(draftConfig(d), env)
	taken := connector.Config{}
	for _, f := range findings {
		for key, value := range f.Suggest {
			field, known := spec.Field(key)
			if !known || field.Kind == connector.Secret || !field.Shown(resolved, env) || d.Values.Get(key) != "" || resolved.Get(key) == value {
				continue
			}
			taken[key] = value
		}
	}
	if len(taken) == 0 {
		return nil, nil
	}
	if _, err := s.SaveDraft(ctx, instance, id, "", d.Step, taken); err != nil {
		return nil, err
	}
	return taken, nil
}
