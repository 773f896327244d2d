package catalog

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
)

// environments are the instances that defaults must be valid on.
func environments() map[string]connector.Env {
	return map[string]connector.Env{
		"self-hosted": {Instance: "own", Region: "self-hosted"},
		"cloud":       {Instance: "cloud", Region: "cn-hangzhou", Version: "3.9", Brokers: 3, VPCID: "vpc-1", VSwitchID: "vsw-1"},
	}
}

func TestClassesAndKeysAreUnique(t *testing.T) {
	t.Parallel()
	classes := map[string]bool{}
	for _, s := range All() {
		if upper := strings.ToUpper(s.Class); s.Class != upper || classes[upper] {
			t.Errorf("class %q is not upper-case or stands twice", s.Class)
		}
		classes[strings.ToUpper(s.Class)] = true
		if s.Title == "" || s.Summary == "" || s.Version == "" || s.EncoderVersion < 1 {
			t.Errorf("%s: title, summary, version or encoder version is missing", s.Class)
		}
		if (s.NewSink == nil) == (s.NewSource == nil) {
			t.Errorf("%s: exactly one of NewSink and NewSource must be set", s.Class)
		}
		if (s.NewSink != nil) != (s.Kind == connector.KindSink) {
			t.Errorf("%s: kind %q does not fit its constructor", s.Class, s.Kind)
		}
		if s.Check == nil || s.Preview == nil || s.Reach == nil {
			t.Errorf("%s: check, preview or reach is missing", s.Class)
		}
		keys := map[string]bool{}
		for _, f := range s.Fields() {
			if keys[f.Key] {
				t.Errorf("%s: the key %s stands twice", s.Class, f.Key)
			}
			keys[f.Key] = true
		}
	}
}

func TestEveryFieldIsDescribed(t *testing.T) {
	t.Parallel()
	for _, s := range All() {
		for _, f := range s.Fields() {
			where := s.Class + " " + f.Key
			if f.Label == "" || f.Help == "" || !strings.HasSuffix(f.Help, ".") {
				t.Errorf("%s: label and help (a sentence) are required", where)
			}
			if f.Kind == connector.Enum && len(f.Options) == 0 {
				t.Errorf("%s: an enumeration without options", where)
			}
			values := map[string]bool{}
			for _, o := range f.Options {
				if o.Value == "" || values[o.Value] {
					t.Errorf("%s: the option %q is empty or stands twice", where, o.Value)
				}
				values[o.Value] = true
			}
			if f.Min > f.Max {
				t.Errorf("%s: min %d is above max %d", where, f.Min, f.Max)
			}
			if f.Kind == connector.Secret && (f.Default != nil || f.Shapes) {
				t.Errorf("%s: a secret has no default and shapes nothing", where)
			}
			if f.Informational && f.Shapes {
				t.Errorf("%s: what nothing reads cannot shape", where)
			}
			for _, c := range f.When {
				if _, known := s.Field(c.Key); !known || c.Reason == "" || c.Key == f.Key {
					t.Errorf("%s: the condition on %q names no other field, or gives no reason", where, c.Key)
				}
				if len(c.In) == 0 && c.DiffersFrom == "" {
					t.Errorf("%s: the condition on %q tests nothing", where, c.Key)
				}
			}
		}
	}
}

// TestDefaultsAreValid resolves a configuration that gives only what is required and
// has no default: nothing but those may be complained about without them.
func TestDefaultsAreValid(t *testing.T) {
	t.Parallel()
	for _, s := range All() {
		for name, env := range environments() {
			given := connector.Config{connector.KeyName: "a-name", connector.KeyClass: s.Class}
			for _, p := range s.Problems(s.Resolve(given, env), env) {
				f, known := s.Field(p.Field)
				// A field that is required, or becomes so by another's value, has no default here.
				if known && s.Resolve(given, env)[p.Field] != "" {
					t.Errorf("%s on %s: the default of %s is refused: %s", s.Class, name, f.Key, p.Message)
				}
				if !known {
					t.Errorf("%s on %s: a problem of %q, which no field declares", s.Class, name, p.Field)
				}
			}
		}
	}
}

// TestOptionsAreValid gives each option of each field: none may be refused by the
// field itself.
func TestOptionsAreValid(t *testing.T) {
	t.Parallel()
	env := environments()["cloud"]
	for _, s := range All() {
		for _, f := range s.Fields() {
			for _, o := range f.Options {
				given := connector.Config{connector.KeyName: "a-name", connector.KeyClass: s.Class, f.Key: o.Value}
				for _, c := range f.When {
					if len(c.In) > 0 {
						given[c.Key] = c.In[0]
					}
				}
				resolved := s.Resolve(given, env)
				if resolved[f.Key] != o.Value {
					t.Errorf("%s: %s=%s is lost in resolving", s.Class, f.Key, o.Value)
				}
				for _, p := range s.Problems(resolved, env) {
					if p.Field == f.Key {
						t.Errorf("%s: the option %s=%s is refused: %s", s.Class, f.Key, o.Value, p.Message)
					}
				}
			}
		}
	}
}

// folders maps a class to the folder of its connector.
func folders() map[string]string {
	return map[string]string{"KAFKA2FC": "fc", "KAFKA2ODPS": "maxcompute", "KAFKA2OSS": "oss", "MYSQL2KAFKA": "mysql"}
}

// TestEveryKeyIsReadAndNoOther reads the sources: every key that is not informational
// is read by the connector's folder, by what it shares with others (aliyun), or by
// the runner; and a connector's folder reads no key that it does not declare.
func TestEveryKeyIsReadAndNoOther(t *testing.T) {
	t.Parallel()
	constants := map[string]string{}
	for _, dir := range []string{"connector", "aliyun"} {
		maps.Copy(constants, stringConstants(t, dir, dir+"."))
	}
	shared := map[string][]string{}
	for _, dir := range []string{".", "aliyun"} {
		for k, at := range keysRead(t, dir, constants) {
			shared[k] = append(shared[k], at...)
		}
	}
	// What the form, the lists and the catalogue itself read.
	for _, k := range []string{connector.KeyName, connector.KeyDescription, connector.KeyClass} {
		shared[k] = []string{"everywhere"}
	}
	for _, s := range All() {
		dir, known := folders()[s.Class]
		if !known {
			t.Fatalf("%s: name its folder in folders()", s.Class)
		}
		own := keysRead(t, dir, constants)
		for _, f := range s.Fields() {
			if f.Kind == connector.Enum && !f.Open && len(f.Options) == 1 {
				continue // one value, validated: nothing is left to be read
			}
			if !f.Informational && len(own[f.Key]) == 0 && len(shared[f.Key]) == 0 {
				t.Errorf("%s: nothing reads %s; read it or declare it informational", s.Class, f.Key)
			}
			if f.Informational && len(own[f.Key]) > 0 {
				t.Errorf("%s: %s is informational and yet read at %s", s.Class, f.Key, own[f.Key][0])
			}
		}
		for _, k := range slices.Sorted(maps.Keys(own)) {
			if _, declared := s.Field(k); !declared {
				t.Errorf("%s: %s reads %q, which no field declares", s.Class, own[k][0], k)
			}
		}
	}
}

// parse reads the non-test files of runner/<dir>.
func parse(t *testing.T, dir string) (*token.FileSet, []*ast.File) {
	t.Helper()
	set := token.NewFileSet()
	var out []*ast.File
	names, err := filepath.Glob(filepath.Join("..", dir, "*.go"))
	if err != nil || len(names) == 0 {
		t.Fatalf("no sources in %s: %v", dir, err)
	}
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		f, err := parser.ParseFile(set, name, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, f)
	}
	return set, out
}

// stringConstants collects a folder's string constants by name with a prefix.
func stringConstants(t *testing.T, dir, prefix string) map[string]string {
	t.Helper()
	out := map[string]string{}
	_, files := parse(t, dir)
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			spec, is := n.(*ast.ValueSpec)
			if !is {
				return true
			}
			for i, name := range spec.Names {
				if i < len(spec.Values) {
					if text, ok := literal(spec.Values[i]); ok {
						out[prefix+name.Name] = text
					}
				}
			}
			return true
		})
	}
	return out
}

func literal(e ast.Expr) (string, bool) {
	l, is := e.(*ast.BasicLit)
	if !is || l.Kind != token.STRING {
		return "", false
	}
	text, err := strconv.Unquote(l.Value)
	return text, err == nil
}

// keysRead finds the configuration keys that a folder reads: the arguments of Config's
// methods, and indexes of variables called cfg, config or c.
func keysRead(t *testing.T, dir string, constants map[string]string) map[string][]string {
	t.Helper()
	names := maps.Clone(constants)
	maps.Copy(names, stringConstants(t, dir, ""))
	out := map[string][]string{}
	set, files := parse(t, dir)
	note := func(e ast.Expr) {
		key := ""
		switch x := e.(type) {
		case *ast.BasicLit:
			key, _ = literal(x)
		case *ast.Ident:
			key = names[x.Name]
		case *ast.SelectorExpr:
			if pkg, is := x.X.(*ast.Ident); is {
				key = names[pkg.Name+"."+x.Sel.Name]
			}
		}
		if strings.Contains(key, ".") || key == connector.KeyTopics || key == connector.KeyName {
			out[key] = append(out[key], fmt.Sprint(set.Position(e.Pos())))
		}
	}
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			switch x := n.(type) {
			case *ast.CallExpr:
				sel, is := x.Fun.(*ast.SelectorExpr)
				if is && len(x.Args) == 1 && slices.Contains([]string{"Get", "Int", "Bool", "Bytes", "Millis", "List"}, sel.Sel.Name) {
					note(x.Args[0])
				}
			case *ast.IndexExpr:
				if v, is := x.X.(*ast.Ident); is && slices.Contains([]string{"cfg", "config", "c", "resolved"}, v.Name) {
					note(x.Index)
				}
			}
			return true
		})
	}
	return out
}
