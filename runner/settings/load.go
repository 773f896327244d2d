package settings

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
)

const (
	envPrefix   = "SLUICE_"
	maxFileSize = 1 << 20
)

// value is what was given for a setting, and where.
type value struct{ text, from string }

// loader gathers values from the three places; later ones beat earlier ones.
type loader struct {
	table    []setting
	values   map[string]value // by setting name
	problems Problems
	warnings []string
}

// Load reads and checks everything: args are those after "serve", environ is that of
// os.Environ. The warnings are sentences to log. The error is Problems, all of them at
// once, or ErrHelp when -h or --help was asked for; no secret stands in either.
func Load(args, environ []string) (*Settings, []string, error) {
	l := &loader{table: table(), values: map[string]value{}}
	l.fromEnv(environ)
	fromEnv := maps.Clone(l.values)
	clear(l.values)
	if help := l.fromArgs(args); help {
		return nil, nil, ErrHelp
	}
	fromArgs := maps.Clone(l.values)
	clear(l.values)

	file, ok := fromArgs["config"]
	if !ok {
		file = fromEnv["config"]
	}
	if file.text != "" {
		l.fromFile(file)
	}
	maps.Copy(l.values, fromEnv)
	maps.Copy(l.values, fromArgs)
	s := l.settings()
	if len(l.problems) > 0 {
		return nil, l.warnings, l.problems
	}
	return s, l.warnings, nil
}

func (l *loader) problem(name, value, format string, args ...any) {
	l.problems = append(l.problems, Problem{name, value, fmt.Sprintf(format, args...)})
}

func (l *loader) find(match func(*setting) bool) *setting {
	for i := range l.table {
		if match(&l.table[i]) {
			return &l.table[i]
		}
	}
	return nil
}

func (l *loader) fromEnv(environ []string) {
	for _, pair := range environ {
		name, text, ok := strings.Cut(pair, "=")
		if !ok || !strings.HasPrefix(name, envPrefix) {
			continue
		}
		s := l.find(func(s *setting) bool { return s.env() == name })
		switch {
		case s == nil:
			l.warnings = append(l.warnings, name+" is no setting of Sluice and is ignored.")
		case text != "": // an empty variable counts as not set
			l.values[s.name] = value{text, name}
		}
	}
	slices.Sort(l.warnings)
}

// fromArgs reads --name value, --name=value and the same with one hyphen.
func (l *loader) fromArgs(args []string) (help bool) {
	for len(args) > 0 {
		arg := args[0]
		args = args[1:]
		name, text, given := strings.Cut(strings.TrimPrefix(strings.TrimPrefix(arg, "-"), "-"), "=")
		if !strings.HasPrefix(arg, "-") || name == "" {
			l.problem(clip(arg), "", "is not a flag; settings are given as --name value, see --help.")
			continue
		}
		if name == "h" || name == "help" {
			return true
		}
		s := l.find(func(s *setting) bool { return s.name == name && !s.noFlag })
		if s == nil {
			l.unknownFlag(name)
			if !given && len(args) > 0 && !strings.HasPrefix(args[0], "-") {
				args = args[1:]
			}
			continue
		}
		if !given {
			next := len(args) > 0 && !strings.HasPrefix(args[0], "-")
			switch {
			case next:
				text, args = args[0], args[1:]
			case s.toggle:
				text = "on"
			default:
				l.problem("--"+name, "", "needs a value: --%s %s.", name, s.arg)
				continue
			}
		}
		if _, twice := l.values[name]; twice {
			l.problem("--"+name, "", "is given twice; give it once.")
		}
		l.values[name] = value{text, "--" + name}
	}
	return false
}

func (l *loader) unknownFlag(name string) {
	var known []string
	for i := range l.table {
		if l.table[i].noFlag && l.table[i].name == name {
			l.problem("--"+name, "", "is no flag, because other users of the machine can see arguments; set %s.", l.table[i].env())
			return
		}
		known = append(known, l.table[i].name)
	}
	if n := nearest(name, known); n != "" {
		l.problem("--"+clip(name), "", "is no setting; did you mean --%s? See --help.", n)
		return
	}
	l.problem("--"+clip(name), "", "is no setting; see --help for all of them.")
}

func (l *loader) fromFile(at value) {
	f, err := os.Open(at.text)
	if err != nil {
		l.problem(at.from, at.text, "cannot be read (%v); give a YAML file that exists and can be read.", cause(err))
		return
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, maxFileSize+1))
	switch {
	case err != nil:
		l.problem(at.from, at.text, "cannot be read (%v); give a YAML file that can be read.", cause(err))
	case len(b) > maxFileSize:
		l.problem(at.from, at.text, "is larger than 1 MiB; give a file of settings.")
	default:
		l.fromYAML(at.text, b)
	}
}

// settings applies every value, or its default, and checks what belongs together.
func (l *loader) settings() *Settings {
	s := &Settings{}
	for i := range l.table {
		t := &l.table[i]
		v, given := l.values[t.name]
		if !given {
			if t.def == "" {
				continue
			}
			v = value{t.def, "--" + t.name}
		}
		shown := v.text
		if t.secret {
			shown = ""
		}
		if strings.TrimSpace(v.text) == "" && !t.empty {
			l.problem(v.from, "", "is empty; give %s, or leave it out.", t.arg)
			continue
		}
		if strings.ContainsRune(v.text, 0) {
			l.problem(v.from, "", "contains a NUL character; remove it.")
			continue
		}
		if err := t.read(s, v.text); err != nil {
			l.problem(v.from, shown, "%v.", err)
		}
	}
	l.together(s)
	return s
}

// name is how a setting was given, for messages about several at once.
func (l *loader) name(setting string) string {
	if v, ok := l.values[setting]; ok {
		return v.from
	}
	return "--" + setting
}

func (l *loader) given(setting string) bool {
	_, ok := l.values[setting]
	return ok
}
