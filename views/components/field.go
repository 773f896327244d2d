package components

import "strings"

// Kinds of form fields.
const (
	KindText      = "text"      // one line
	KindNumber    = "number"    // a whole number with an optional unit
	KindSecret    = "secret"    // write-only: what is stored is never shown
	KindTextarea  = "textarea"  // several lines
	KindSelect    = "select"    // one of many
	KindRadio     = "radio"     // one of a few, each with its explanation
	KindCards     = "cards"     // one of a few, as cards with a title and a sentence
	KindSegmented = "segmented" // one of two to four short words
	KindCheckbox  = "checkbox"  // yes or no; posts "true", and "false" by a hidden field when it is off
	KindMulti     = "multi"     // several of many, as a list with boxes; posts the key once for each
	KindPicker    = "picker"    // one of what the server lists, by typing with suggestions
	KindTopics    = "topics"    // several of what the server lists, searchable, with typing as the fallback
)

// Field is one form field, ready to show.
type Field struct {
	Key         string // name it posts under, and key of its documentation
	Kind        string // one of the Kind constants
	Label       string // above the control
	Help        string // one line below it
	Unit        string // inside the control on the right: "ms", "records"
	Placeholder string // an example, shown while it is empty
	Value       string
	Values      []string // what is chosen, of KindMulti and KindTopics
	Options     []Option
	OptionError string // why the server's list could not be had; typing still works
	Required    bool
	Optional    bool   // say "optional" beside the label
	Advanced    bool   // FieldGroup folds it away
	Changed     bool   // differs from its default: counted on the folded group
	Stored      bool   // of KindSecret: one is kept, leaving the field blank keeps it
	Fixed       string // why it cannot be changed now; empty means it can
	Why         string // why the field is here ("the regions differ"); shown in blue below the label
	Error       string // what is wrong and what would be right
	DocURL      string // its place in the reference
	CheckURL    string // where a script posts the form on leaving the field; answers with the field alone
	UpdateURL   string // where a script posts the form when this field changes what other fields there are; answers with the form
	Min, Max    *int64 // of KindNumber
	Rows        int    // of KindTextarea
	Mono        bool   // machine text: PEM, JSON
	Short       bool   // a narrow control, for numbers and ports
	Autofocus   bool
	Complete    string // autocomplete attribute; "off" when empty
}

// Option is one choice of a field.
type Option struct {
	Value    string
	Label    string // Value when empty
	Hint     string // a sentence, or a detail such as "6 partitions"
	Icon     string // of KindCards
	Disabled bool
}

func (o Option) label() string {
	if o.Label != "" {
		return o.Label
	}
	return o.Value
}

// ID returns the id of the field's control: the target of labels and of the error summary's links.
func (f Field) ID() string { return domID("f-", f.Key) }

// describedBy lists the elements that explain the control.
func (f Field) describedBy() string {
	var ids []string
	if f.Error != "" {
		ids = append(ids, f.ID()+"-error")
	}
	if f.Why != "" {
		ids = append(ids, f.ID()+"-why")
	}
	if f.Help != "" || f.Fixed != "" || f.Stored {
		ids = append(ids, f.ID()+"-help")
	}
	return strings.Join(ids, " ")
}

// attrs are the attributes every kind of control shares.
func (f Field) attrs() map[string]any {
	out := map[string]any{"id": f.ID(), "name": f.Key}
	f.shared(out)
	if f.Required {
		out["required"] = true
	}
	if f.Placeholder != "" {
		out["placeholder"] = f.Placeholder
	}
	if f.Autofocus {
		out["autofocus"] = true
	}
	out["autocomplete"] = "off"
	if f.Complete != "" {
		out["autocomplete"] = f.Complete
	}
	return out
}

// shared adds what also a group of choices has.
func (f Field) shared(out map[string]any) {
	if f.Error != "" {
		out["aria-invalid"] = "true"
	}
	if ids := f.describedBy(); ids != "" {
		out["aria-describedby"] = ids
	}
	if f.Fixed != "" {
		out["disabled"] = true
	}
	if f.UpdateURL != "" {
		out["hx-post"], out["hx-trigger"], out["hx-target"], out["hx-swap"] = f.UpdateURL, "change", "closest form", "outerMorph"
		out["hx-validate"], out["hx-sync"] = "false", inOrder
	} else if f.CheckURL != "" {
		out["hx-post"], out["hx-trigger"], out["hx-target"], out["hx-swap"] = f.CheckURL, "change", "#field-"+f.ID(), "outerMorph"
		out["hx-vals"] = `{"_field":"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(f.Key) + `"}`
		out["hx-validate"], out["hx-sync"] = "false", inOrder
	}
}

// inOrder lets a form's requests go one after the other: each carries the whole form, and an older one that came later
// would take back what was filled in since.
const inOrder = "closest form:queue all"

// grouped says whether the control is several inputs, so that a legend takes the place of a label.
func (f Field) grouped() bool {
	switch f.Kind {
	case KindRadio, KindCards, KindSegmented:
		return true
	case KindMulti, KindTopics:
		return len(f.Options) > 0 // else it is one line to type in
	}
	return false
}

func (f Field) chosen(value string) bool {
	for _, v := range f.Values {
		if v == value {
			return true
		}
	}
	return false
}

// unlisted returns the chosen values that the server's list does not have: they go into the text box.
func (f Field) unlisted() string {
	var out []string
	for _, v := range f.Values {
		listed := false
		for _, o := range f.Options {
			listed = listed || o.Value == v
		}
		if !listed {
			out = append(out, v)
		}
	}
	return strings.Join(out, ", ")
}

// Group is a titled part of a form.
type Group struct {
	Title  string
	Intro  string
	Fields []Field
}

// plain returns the fields that are always shown.
func (g Group) plain() []Field { return g.pick(false) }

// advanced returns the fields that are folded away.
func (g Group) advanced() []Field { return g.pick(true) }

func (g Group) pick(advanced bool) []Field {
	var out []Field
	for _, f := range g.Fields {
		if f.Advanced == advanced {
			out = append(out, f)
		}
	}
	return out
}

// changed counts the advanced fields that differ from their default.
func (g Group) changed() int {
	n := 0
	for _, f := range g.advanced() {
		if f.Changed {
			n++
		}
	}
	return n
}

// open says whether the advanced fields must be shown: one of them is wrong.
func (g Group) open() bool {
	for _, f := range g.advanced() {
		if f.Error != "" {
			return true
		}
	}
	return false
}

// Errors collects the fields with an error, in order, for an ErrorSummary.
func Errors(groups ...Group) []Field {
	var out []Field
	for _, g := range groups {
		for _, f := range g.Fields {
			if f.Error != "" {
				out = append(out, f)
			}
		}
	}
	return out
}

// sentence makes a sentence of what a check said of a field without naming it: "must be from 1 to 9" begins with a
// capital below its field.
func sentence(message string) string {
	if rest, ok := strings.CutPrefix(message, "must "); ok {
		return "Must " + rest
	}
	return message
}
