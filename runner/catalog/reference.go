package catalog

import (
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// Reference is the reference page of a task type in Markdown, made of its declaration
// alone: what the wizard asks for, what REST takes.
func Reference(s *connector.Spec) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# %s\n\n", s.Class)
	fmt.Fprintf(&b, "%s\n\n%s\n\n", s.Title, s.Summary)
	b.WriteString("Every key below is a member of the flat configuration object that `POST /connect/<instance>/connectors` takes, and a field of the wizard. ")
	b.WriteString("A secret is write-only: it is answered as `" + connector.Masked + "`, and sent back like that it keeps what is stored.\n")
	for _, step := range s.Steps {
		fmt.Fprintf(&b, "\n## %s\n", step.Title)
		for i := range step.Fields {
			writeField(&b, &step.Fields[i])
		}
	}
	return b.String()
}

func writeField(b *strings.Builder, f *connector.Field) {
	fmt.Fprintf(b, "\n### `%s`\n\n", f.Key)
	fmt.Fprintf(b, "**%s.** %s\n\n", f.Label, f.Help)
	fmt.Fprintf(b, "- Type: %s\n", fieldType(f))
	if d := defaultText(f); d != "" {
		fmt.Fprintf(b, "- Default: %s\n", d)
	}
	if f.Example != "" {
		fmt.Fprintf(b, "- Example: `%s`\n", f.Example)
	}
	for _, line := range fieldNotes(f) {
		fmt.Fprintf(b, "- %s\n", line)
	}
	for _, o := range f.Options {
		if o.Label != "" || o.Help != "" {
			fmt.Fprintf(b, "- `%s`: %s\n", o.Value, strings.TrimSpace(strings.TrimSuffix(o.Label+". "+o.Help, " ")))
		}
	}
}

func fieldType(f *connector.Field) string {
	t := string(f.Kind)
	switch f.Kind {
	case connector.Duration:
		t = "whole number of milliseconds"
	case connector.Int:
		t = "whole number"
	case connector.Bytes:
		t = "number of bytes, or a number with KiB, MiB or GiB"
	case connector.Enum:
		t = "one of the values below"
	case connector.List:
		t = "comma-separated list"
	case connector.Bool:
		t = "`true` or `false`"
	}
	if f.Min == 0 && f.Max == 0 {
		return t
	}
	switch f.Kind {
	case connector.Int, connector.Bytes, connector.Duration:
		return fmt.Sprintf("%s, from %d to %d", t, f.Min, f.Max)
	}
	return fmt.Sprintf("%s of at most %d characters", t, f.Max)
}

// placeholder is a valid name that no default holds by itself.
const placeholder = "the-connectors-name"

// defaultText shows a default as it is for a connector named <name> on an instance in
// <region>; a default that follows from either is shown with the placeholder.
func defaultText(f *connector.Field) string {
	if f.Default == nil {
		return ""
	}
	env := connector.Env{Region: "cn-hangzhou", VPCID: "", VSwitchID: ""}
	d := f.Default(connector.Config{connector.KeyName: placeholder}, env)
	if d == "" {
		return ""
	}
	d = strings.ReplaceAll(d, placeholder, "<name>")
	if strings.Contains(d, env.Region) {
		return "by region, for example `" + d + "`"
	}
	return "`" + d + "`"
}

func fieldNotes(f *connector.Field) []string {
	var out []string
	if f.Required {
		out = append(out, "Required.")
	}
	switch f.Fixed {
	case connector.FixedAlways:
		out = append(out, "Fixed from creation on.")
	case connector.FixedAfterDelivery:
		out = append(out, strings.TrimSpace("Fixed once the connector has delivered something. "+f.Instead))
	}
	if f.Shapes {
		out = append(out, "Shapes what is delivered: a change holds from the next chunk on.")
	}
	if f.Informational {
		out = append(out, "Informational.")
	}
	for _, c := range f.When {
		switch {
		case len(c.In) > 0:
			out = append(out, fmt.Sprintf("Only when `%s` is `%s`.", c.Key, strings.Join(c.In, "` or `")))
		case c.DiffersFrom == "instance.region":
			out = append(out, fmt.Sprintf("Only when `%s` differs from the instance's region.", c.Key))
		}
	}
	return out
}
