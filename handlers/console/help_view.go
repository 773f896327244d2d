package console

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

func referenceURL(class string) string { return "/help/connectors/" + class }

// referenceName is a valid name that no default holds by itself; <name> is shown for it.
const referenceName = "the-connectors-name"

// referenceEnv is what defaults in the reference are computed for; a default that
// follows from the name or the region shows them as placeholders would.
func referenceEnv() (connector.Config, connector.Env) {
	return connector.Config{connector.KeyName: referenceName}, connector.Env{Instance: "<instance>", Region: "cn-hangzhou"}
}

// paramOf turns a declared field into its entry in the reference.
func paramOf(ctx context.Context, spec *connector.Spec, f connector.Field) views.Param {
	p := views.Param{Key: f.Key, Label: f.Label, Help: f.Help, Type: typeOf(ctx, f), Example: f.Example, Required: f.Required, Advanced: f.Advanced,
		Secret: f.Kind == connector.Secret, FixedAfter: f.Fixed == connector.FixedAfterDelivery, FixedAlways: f.Fixed == connector.FixedAlways, When: whenOf(ctx, spec, f)}
	if f.Default != nil {
		p.Default = strings.ReplaceAll(f.Default(referenceEnv()), referenceName, "<name>")
	}
	for _, o := range f.Options {
		p.Options = append(p.Options, components.Option{Value: o.Value, Label: o.Label, Hint: o.Help})
	}
	return p
}

// typeOf says in words what a value looks like, with its range and unit.
func typeOf(ctx context.Context, f connector.Field) string {
	out := text.T(ctx, map[connector.FieldKind]string{
		connector.String: "type_of.text", connector.Text: "type_of.lines", connector.Secret: "type_of.secret", connector.Int: "type_of.number", connector.Bytes: "type_of.bytes",
		connector.Duration: "type_of.duration", connector.Bool: "type_of.bool", connector.Enum: "type_of.enum", connector.List: "type_of.list",
	}[f.Kind])
	switch f.Kind {
	case connector.Int, connector.Bytes, connector.Duration:
		if f.Min != 0 || f.Max != 0 {
			out = text.T(ctx, "type_of.range", out, text.Number(f.Min), text.Number(f.Max))
		}
	case connector.String, connector.Text:
		if f.Max > 0 {
			out = text.T(ctx, "type_of.length", out, text.Number(f.Max))
		}
	}
	return out
}

// whenOf says in words when a field is asked for.
func whenOf(ctx context.Context, spec *connector.Spec, f connector.Field) string {
	var parts []string
	for _, w := range f.When {
		label := w.Key
		if other, ok := spec.Field(w.Key); ok {
			label = other.Label
		}
		if w.DiffersFrom != "" {
			parts = append(parts, text.T(ctx, "type_of.when_differs", label))
		} else {
			parts = append(parts, text.T(ctx, "type_of.when", label, strings.Join(w.In, " / ")))
		}
	}
	return strings.Join(parts, " ")
}

// exampleOf is a whole configuration: what is required, and what every reader would set.
func exampleOf(spec *connector.Spec) string {
	cfg, env := referenceEnv()
	out := map[string]string{connector.KeyName: "example", connector.KeyClass: spec.Class}
	given := connector.Config{connector.KeyName: "example", connector.KeyClass: spec.Class}
	resolved := spec.Resolve(given, env)
	for _, f := range spec.Fields() {
		if !f.Required || f.Key == connector.KeyName || f.Key == connector.KeyClass || !f.Shown(resolved, env) {
			continue
		}
		switch {
		case f.Kind == connector.Secret:
			out[f.Key] = connector.Masked
		case f.Example != "":
			out[f.Key] = f.Example
		case f.Default != nil:
			out[f.Key] = f.Default(cfg, env)
		case len(f.Options) > 0:
			out[f.Key] = f.Options[0].Value
		default:
			out[f.Key] = "…"
		}
	}
	body, err := json.MarshalIndent(out, "", "  ")
	if err != nil {
		return "" // strings always encode
	}
	return string(body)
}

// titleOf is the destination of a sink, the source of a source: what a reader looks for.
func (c *Console) titleOf(spec *connector.Spec) string {
	path := c.dumpPath(spec.Class)
	if spec.Kind == connector.KindSource {
		return path.Source
	}
	return path.Destination
}
