package connect

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// object reads the body as a JSON object.
func (c *call) object() (map[string]any, error) {
	b, err := web.ReadBody(c.w, c.r)
	if err != nil {
		return nil, err
	}
	return web.DecodeObject(b)
}

// flat turns a decoded object into a configuration: numbers and booleans become
// text. A nil value stands for null.
func flat(o map[string]any) (map[string]*string, error) {
	out := make(map[string]*string, len(o))
	for _, k := range slices.Sorted(maps.Keys(o)) {
		if o[k] == nil {
			out[k] = nil
			continue
		}
		text, ok := web.Scalar(o[k])
		if !ok {
			return nil, bad("The value of configuration %s must be a string, not %s: a configuration is a flat object of strings.", plain(k), web.KindOf(o[k]))
		}
		out[k] = &text
	}
	return out, nil
}

// whole is flat without nulls.
func whole(o map[string]any) (connector.Config, error) {
	values, err := flat(o)
	if err != nil {
		return nil, err
	}
	cfg := connector.Config{}
	for _, k := range slices.Sorted(maps.Keys(values)) {
		if values[k] == nil {
			return nil, refusal([]string{fmt.Sprintf("Invalid value null for configuration %s: Null value can not be supplied as the configuration value.", plain(k))})
		}
		cfg[k] = *values[k]
	}
	return cfg, nil
}

// sameName refuses a configuration that names another connector than the path does.
func sameName(cfg connector.Config, name string) error {
	if given, present := cfg[connector.KeyName]; present && given != name {
		return bad("Connector name configuration (%s) doesn't match connector name in the URL (%s)", plain(given), plain(name))
	}
	return nil
}

// checkClass gives the real worker's texts for a class that is missing or unknown.
func (s *Server) checkClass(cfg connector.Config) error {
	class, present := cfg[connector.KeyClass]
	if !present {
		return bad("Connector config %s contains no connector type", javaMap((&connector.Spec{}).Mask(cfg)))
	}
	if _, err := s.o.Control.Spec(class); err != nil {
		var names []string
		for _, spec := range s.o.Control.Specs() {
			names = append(names, spec.Class)
		}
		return bad("Failed to find any class that implements Connector and which name matches %s, available connectors are: %s", plain(class), strings.Join(names, ", "))
	}
	return nil
}

// javaMap prints a map as Java does, shortened.
func javaMap(cfg connector.Config) string {
	parts := make([]string, 0, len(cfg))
	for _, k := range slices.Sorted(maps.Keys(cfg)) {
		parts = append(parts, plain(k)+"="+plain(cfg[k]))
	}
	text := "{" + strings.Join(parts, ", ") + "}"
	if len(text) > 2000 {
		text = strings.ToValidUTF8(text[:2000], "") + "…}"
	}
	return text
}

// plain keeps a hostile value short and on one line; clients cut messages at lines.
func plain(s string) string {
	s = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}

// refusal is the validation error, to the letter: clients cut its last line off.
func refusal(messages []string) error {
	var b strings.Builder
	fmt.Fprintf(&b, "Connector configuration is invalid and contains the following %d error(s):", len(messages))
	for _, m := range messages {
		b.WriteString("\n" + m)
	}
	b.WriteString("\nYou can also find the above list of errors at the endpoint `/connector-plugins/{connectorType}/config/validate`")
	return bad("%s", b.String())
}

// refused turns the problems of a configuration into Connect's refusal.
func (s *Server) refused(err error, cfg connector.Config) error {
	if err == nil {
		return nil
	}
	e := control.AsError(err)
	if e.Kind != control.Invalid {
		return err
	}
	spec, specErr := s.o.Control.Spec(cfg[connector.KeyClass])
	if specErr != nil {
		spec = &connector.Spec{}
	}
	shown := spec.Mask(cfg)
	var messages []string
	for _, p := range e.Fields {
		messages = append(messages, problemText(spec, p, shown[p.Field])...)
	}
	return refusal(messages)
}

// problemText words one problem of a field as Connect's ConfigDef does. A number that
// cannot be read gives two messages there: one of the type, one of the range.
func problemText(spec *connector.Spec, p connector.FieldError, value string) []string {
	f, known := spec.Field(p.Field)
	key := plain(p.Field)
	switch {
	case p.Field == connector.KeyName && strings.TrimSpace(value) == "":
		return []string{"Invalid value  for configuration name: String may not be empty"}
	case p.Field == connector.KeyName && controls(value) != "":
		return []string{"Invalid value " + plain(value) + " for configuration name: String may not contain control sequences but had the following ASCII chars: " + controls(value)}
	case known && f.Required && strings.TrimSpace(value) == "":
		text := fmt.Sprintf("Missing required configuration \"%s\" which has no default value.", key)
		if _, reason, has := strings.Cut(p.Message, ": "); has { // why it is required here
			text += " " + plainLong(strings.ToUpper(reason[:1])+reason[1:])
		}
		return []string{text}
	case known && unreadable(f, value):
		kind := definitionType(f)
		first := fmt.Sprintf("Invalid value %s for configuration %s: Not a number of type %s", plain(value), key, kind)
		if f.Min == 0 && f.Max == 0 {
			return []string{first}
		}
		return []string{first, fmt.Sprintf("Invalid value null for configuration %s: Value must be non-null", key)}
	case known && f.Kind == connector.Bool && !isBool(value):
		return []string{fmt.Sprintf("Invalid value %s for configuration %s: Expected value to be either true or false", plain(value), key)}
	}
	return []string{fmt.Sprintf("Invalid value %s for configuration %s: %s", plain(value), key, plainLong(p.Message))}
}

// plainLong is plain for our own sentences, which may be longer.
func plainLong(s string) string { return strings.Join(strings.Fields(s), " ") }

func isBool(v string) bool {
	v = strings.TrimSpace(v)
	return strings.EqualFold(v, "true") || strings.EqualFold(v, "false")
}

// controls lists the codes of a text's control characters.
func controls(s string) string {
	var codes []string
	for _, r := range s {
		if r < ' ' || r == 0x7f {
			codes = append(codes, fmt.Sprint(int(r)))
		}
	}
	return strings.Join(codes, ", ")
}
