package connect

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

type configValue struct {
	Name        string   `json:"name"`
	Value       *string  `json:"value"`
	Recommended []string `json:"recommended_values"`
	Errors      []string `json:"errors"`
	Visible     bool     `json:"visible"`
}

type configEntry struct {
	Definition *definition `json:"definition"`
	Value      configValue `json:"value"`
}

// validation is Connect's ConfigInfos; warnings is Sluice's own member, which
// error_count does not count.
type validation struct {
	Name     string                 `json:"name"`
	Errors   int                    `json:"error_count"`
	Groups   []string               `json:"groups"`
	Configs  []configEntry          `json:"configs"`
	Warnings []connector.FieldError `json:"warnings"`
}

// pluginValidate answers PUT /connector-plugins/{p}/config/validate: 200 also with errors.
func pluginValidate(s *Server, c *call) error {
	body, err := c.object()
	if err != nil {
		return err
	}
	values, err := flat(body)
	if err != nil {
		return err
	}
	cfg := connector.Config{}
	var nulls []string
	for k, v := range values {
		if v == nil {
			nulls = append(nulls, k)
			continue
		}
		cfg[k] = *v
	}
	if err := s.checkClass(cfg); err != nil {
		return err
	}
	class := strings.TrimSpace(cfg[connector.KeyClass])
	if !strings.EqualFold(class, c.args[0]) {
		return bad("Included connector type %s does not match request type %s", plain(class), plain(c.args[0]))
	}
	v, err := s.o.Control.Validate(c.ctx, c.instance, cfg)
	if err != nil {
		return s.refused(err, cfg)
	}
	return c.json(http.StatusOK, validationOf(v, s.env(c), nulls))
}

func validationOf(v control.Validation, env connector.Env, nulls []string) validation {
	out := validation{Name: v.Spec.Class, Groups: []string{}, Configs: []configEntry{}, Warnings: []connector.FieldError{}}
	out.Warnings = append(out.Warnings, v.Warnings...)
	problems := map[string][]string{}
	for _, k := range nulls {
		problems[k] = append(problems[k], "Invalid value null for configuration "+plain(k)+": Null value can not be supplied as the configuration value.")
	}
	for _, p := range v.Problems {
		if p.Field == connector.KeyName && v.Given[connector.KeyName] == "" {
			problems[p.Field] = append(problems[p.Field], `Missing required configuration "name" which has no default value.`)
			continue
		}
		problems[p.Field] = append(problems[p.Field], problemText(v.Spec, p, v.Resolved[p.Field])...)
	}
	for _, step := range v.Spec.Steps {
		out.Groups = append(out.Groups, step.Title)
		for i, f := range step.Fields {
			d := definitionOf(v.Spec, f, step.Title, i+1, env)
			out.add(&d, entryValue(f, v, env, problems[f.Key]))
			delete(problems, f.Key)
		}
	}
	for _, k := range nulls { // a key that no field declares
		if messages, left := problems[k]; left {
			out.add(nil, configValue{Name: k, Recommended: []string{}, Errors: messages, Visible: true})
			delete(problems, k)
		}
	}
	for _, p := range v.Problems { // what belongs to no field that is declared
		if messages, left := problems[p.Field]; left {
			out.add(nil, configValue{Name: p.Field, Recommended: []string{}, Errors: messages, Visible: true})
			delete(problems, p.Field)
		}
	}
	return out
}

func (v *validation) add(d *definition, value configValue) {
	v.Errors += len(value.Errors)
	v.Configs = append(v.Configs, configEntry{d, value})
}

func entryValue(f connector.Field, v control.Validation, env connector.Env, errors []string) configValue {
	out := configValue{Name: f.Key, Recommended: []string{}, Errors: []string{}, Visible: f.Shown(v.Resolved, env)}
	out.Errors = append(out.Errors, errors...)
	if text, present := v.Resolved[f.Key]; present && !unreadable(f, text) {
		out.Value = &text
	}
	for _, o := range f.Options {
		out.Recommended = append(out.Recommended, o.Value)
	}
	return out
}
