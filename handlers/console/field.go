package console

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/views/components"
)

// fieldForm turns declared fields into form fields: of an instance, a wizard's step, a
// configuration to be modified.
type fieldForm struct {
	spec *connector.Spec
	env  connector.Env
	// values are what stands in the form: given ones, and defaults for the rest. A
	// secret that is kept reads connector.Masked.
	values   connector.Config
	defaults connector.Config  // to tell what was changed; nil: spec's own
	problems map[string]string // by key
	fixed    func(f connector.Field) string
	options  map[string][]connector.Option // live lists by key
	listErr  map[string]string             // why a list could not be had, by key
	checkURL string                        // answers one field
	// updateURL answers the whole form, for fields on which others depend.
	updateURL string
	docURL    string // reference page; "" links nothing
}

// fields returns those that are shown with the present values.
func (f *fieldForm) fields(declared []connector.Field) []components.Field {
	var out []components.Field
	for _, d := range declared {
		if d.Shown(f.values, f.env) {
			out = append(out, f.field(d))
		}
	}
	return out
}

// field is one of them.
func (f *fieldForm) field(d connector.Field) components.Field {
	out := components.Field{
		Key: d.Key, Kind: kindOf(d), Label: d.Label, Help: d.Help, Unit: d.Unit, Placeholder: d.Example,
		Value: f.values.Get(d.Key), Required: d.Required, Optional: !d.Required && d.Default == nil && d.Kind != connector.Bool,
		Advanced: d.Advanced, Error: capital(f.problems[d.Key]), Why: why(d), Mono: d.Kind == connector.Text, Complete: "off",
		Short: d.Kind == connector.Int || d.Kind == connector.Bytes || d.Kind == connector.Duration,
	}
	if d.Kind == connector.Duration && out.Unit == "" {
		out.Unit = "ms"
	}
	if out.Kind == components.KindNumber && d.Min != d.Max {
		out.Min, out.Max = &d.Min, &d.Max
	}
	if out.Kind == components.KindTextarea {
		out.Rows = 6
	}
	if d.Kind == connector.Secret {
		out.Stored, out.Value, out.Complete = out.Value == connector.Masked, "", "new-password"
	}
	if f.docURL != "" {
		out.DocURL = f.docURL + "#" + d.Key
	}
	f.choices(&out, d)
	out.Changed = d.Advanced && f.values.Get(d.Key) != f.defaultOf(d)
	if f.fixed != nil {
		out.Fixed = f.fixed(d)
	}
	out.CheckURL = f.checkURL
	if f.spec != nil && f.updateURL != "" && decides(f.spec, d.Key) {
		out.UpdateURL = f.updateURL
	}
	return out
}

// choices fills in what can be chosen from: declared options, or what the system lists.
func (f *fieldForm) choices(out *components.Field, d connector.Field) {
	list := d.Options
	if live, ok := f.options[d.Key]; ok {
		list = live
	}
	for _, o := range list {
		out.Options = append(out.Options, components.Option{Value: o.Value, Label: o.Label, Hint: o.Help})
	}
	out.OptionError = f.listErr[d.Key]
	if out.Kind == components.KindTopics || out.Kind == components.KindMulti {
		out.Values = f.values.List(d.Key)
	}
	if out.Kind == components.KindSelect && out.Value != "" && !listed(out.Options, out.Value) {
		out.Options = append(out.Options, components.Option{Value: out.Value, Label: out.Value})
	}
}

func listed(options []components.Option, value string) bool {
	for _, o := range options {
		if o.Value == value {
			return true
		}
	}
	return false
}

func (f *fieldForm) defaultOf(d connector.Field) string {
	if f.defaults != nil {
		return f.defaults.Get(d.Key)
	}
	if d.Default == nil {
		return ""
	}
	return d.Default(f.values, f.env)
}

// kindOf chooses the control of a declared field.
func kindOf(d connector.Field) string {
	switch d.Kind {
	case connector.Secret:
		return components.KindSecret
	case connector.Text:
		return components.KindTextarea
	case connector.Bool:
		return components.KindCheckbox
	case connector.Int:
		if d.Open && len(d.Options) > 0 {
			return components.KindPicker
		}
		if len(d.Options) > 0 {
			return enumKind(d)
		}
		return components.KindNumber
	case connector.Duration:
		return components.KindNumber
	case connector.Enum:
		if d.Open {
			return components.KindPicker
		}
		return enumKind(d)
	case connector.List:
		if d.Lookup != nil || d.Key == "topics" {
			return components.KindTopics
		}
	}
	if d.Lookup != nil {
		return components.KindPicker
	}
	return components.KindText
}

// enumKind: a few choices are all visible, explained ones under each other; many are a list.
func enumKind(d connector.Field) string {
	explained, long := false, false
	for _, o := range d.Options {
		explained = explained || o.Help != ""
		long = long || len(o.Label)+len(o.Value) > 24
	}
	switch {
	case len(d.Options) > 6 || len(d.Options) == 0:
		return components.KindSelect
	case explained:
		return components.KindRadio
	case len(d.Options) <= 4 && !long:
		return components.KindSegmented
	}
	return components.KindSelect
}

// why says what makes a field appear.
func why(d connector.Field) string {
	for _, w := range d.When {
		if w.DiffersFrom != "" {
			return w.Reason // others follow from a choice right above
		}
	}
	return ""
}

// decides tells whether fields appear or vanish by the value of a key.
func decides(spec *connector.Spec, key string) bool {
	for _, f := range spec.Fields() {
		for _, w := range f.When {
			if w.Key == key {
				return true
			}
		}
	}
	return false
}

// posted reads the values that a form sent of declared fields. A secret left blank is
// connector.Masked when keep holds one of that name, else absent. Lists are joined.
func (q *request) posted(declared []connector.Field, keep connector.Config) connector.Config {
	out := connector.Config{}
	for _, d := range declared {
		if !q.has(d.Key) {
			continue
		}
		switch {
		case d.Kind == connector.List:
			out[d.Key] = strings.Join(q.values(d.Key), ",")
		case d.Kind == connector.Secret && q.value(d.Key) == "":
			if keep.Get(d.Key) != "" {
				out[d.Key] = connector.Masked
			}
		case d.Kind == connector.Secret, d.Kind == connector.Text:
			out[d.Key] = strings.ReplaceAll(q.value(d.Key), "\r\n", "\n")
		default:
			out[d.Key] = strings.TrimSpace(q.value(d.Key))
		}
	}
	return out
}

// capital makes a sentence of a message that was written to follow a field's name.
func capital(s string) string {
	r, n := utf8.DecodeRuneInString(s)
	if n == 0 {
		return s
	}
	return string(unicode.ToUpper(r)) + s[n:]
}
