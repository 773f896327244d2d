package settings

import (
	"fmt"
	"path/filepath"
	"strings"

	"gopkg.in/yaml.v3"
)

// fromYAML reads a flat mapping. Keys are written data_dir or data-dir; a list may
// stand for a comma-separated value.
func (l *loader) fromYAML(file string, b []byte) {
	base := filepath.Base(file)
	var doc yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		l.problem(base, "", "is no YAML (%s); write lines like addr: 127.0.0.1:8080.", clip(scrub(err)))
		return
	}
	if len(doc.Content) == 0 { // an empty file
		return
	}
	top := doc.Content[0]
	if top.Kind == yaml.ScalarNode && top.Tag == "!!null" {
		return
	}
	if top.Kind != yaml.MappingNode {
		l.problem(base, "", "is not a mapping of settings; write lines like addr: 127.0.0.1:8080.")
		return
	}
	for i := 0; i+1 < len(top.Content); i += 2 {
		l.yamlPair(base, top.Content[i], top.Content[i+1])
	}
}

func (l *loader) yamlPair(base string, k, v *yaml.Node) {
	from := fmt.Sprintf("%s in %s line %d", clip(k.Value), base, k.Line)
	key := strings.ReplaceAll(k.Value, "-", "_")
	s := l.find(func(s *setting) bool { return s.key() == key && s.name != "config" })
	if s == nil {
		var known []string
		for i := range l.table {
			known = append(known, l.table[i].key())
		}
		hint := "see --help for all of them."
		if n := nearest(key, known); n != "" && n != "config" {
			hint = "did you mean " + n + "?"
		}
		l.problem(from, "", "is no setting; %s", hint)
		return
	}
	if _, twice := l.values[s.name]; twice {
		l.problem(from, "", "is given twice; give it once.")
		return
	}
	text, ok := scalar(v)
	if !ok {
		l.problem(from, "", "is not a single value or a list of values; write %s: %s.", s.key(), s.arg)
		return
	}
	l.values[s.name] = value{text, from}
}

// scalar takes the text as it was written, so that on, 0.5 and 007 stay themselves.
func scalar(v *yaml.Node) (string, bool) {
	switch v.Kind {
	case yaml.ScalarNode:
		if v.Tag == "!!null" {
			return "", true
		}
		return v.Value, true
	case yaml.SequenceNode:
		items := make([]string, len(v.Content))
		for i, n := range v.Content {
			if n.Kind != yaml.ScalarNode || strings.Contains(n.Value, ",") {
				return "", false
			}
			items[i] = n.Value
		}
		return strings.Join(items, ","), true
	}
	return "", false
}

// scrub keeps the parser's line number and drops its quotation of the file, where a
// secret may stand.
func scrub(err error) string {
	text := err.Error()
	if i := strings.Index(text, "`"); i >= 0 {
		text = text[:i]
	}
	return strings.TrimSpace(strings.ReplaceAll(text, "\n", " "))
}
