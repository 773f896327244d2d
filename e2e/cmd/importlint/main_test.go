package main

import (
	"fmt"
	"strings"
	"testing"
)

func TestAllowed(t *testing.T) {
	t.Parallel()
	const module = "example.org/sluice"
	tests := []struct {
		from, to string
		rule     string // part of the refusal; "" when it is allowed
	}{
		{"", "runner/catalog", ""},
		{"", "models", ""},
		{"handlers/console", "views", ""},
		{"handlers/console", "handlers", ""},
		{"handlers/api", "models", ""},
		{"handlers/api", "runner", "handlers imports runner; it may import only"},
		{"handlers", "runner/sandbox", "handlers imports sandbox"},
		{"views", "views/layout", ""},
		{"views", "models", "views imports models"},
		{"models", "runner", ""},
		{"models", "runner/kafka", "models imports kafka"},
		{"runner", "runner/kafka", ""},
		{"runner", "runner/catalog", "runner imports catalog"},
		{"runner", "models", "runner imports models"},
		{"runner/record", "runner/connector", "it may import nothing of the project"},
		{"runner/connector", "runner/record", ""},
		{"runner/kafka", "runner/connector", "kafka imports connector"},
		{"runner/oss", "runner/aliyun", ""},
		{"runner/oss", "runner/fc", "oss imports fc"},
		{"runner/oss", "runner/kafka", "oss imports kafka"},
		{"runner/mysql", "runner/kafka", ""},
		{"runner/catalog", "runner/oss", ""},
		{"runner/catalog", "runner", "catalog imports runner"},
		{"runner/control", "runner/catalog", "control imports catalog"},
		{"runner/runnertest", "runner/catalog", "runnertest imports catalog"},
		{"runner/oss", "runner/runnertest", "oss imports runnertest"},
		{"runner", "e2e/harness", "runner imports e2e"},
		{"e2e/standin", "runner/sandbox", ""},
		{"bench/oss", "e2e/harness", ""},
		{"plugins/extra", "runner", "in no area of the layout"},
	}
	for _, tt := range tests {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			t.Parallel()
			rule, ok := allowed(module, strings.TrimSuffix(module+"/"+tt.from, "/"), module+"/"+tt.to)
			checkVerdict(t, rule, ok, tt.rule)
		})
	}
}

func TestAllowedForeign(t *testing.T) {
	t.Parallel()
	tests := []struct{ from, to, rule string }{
		{"runner/connector", "context", ""},
		{"runner/connector", "encoding/json", ""},
		{"runner/connector", "github.com/IBM/sarama", "only the standard library"},
		{"runner/kafka", "github.com/IBM/sarama", ""},
		{"runner", "gorm.io/gorm", "must not know that library"},
		{"runner/oss", "github.com/gin-gonic/gin", "must not know that library"},
		{"models", "gorm.io/gorm", ""},
		{"views", "gorm.io/gorm", "must not know that library"},
		{"views/layout", "github.com/a-h/templ", ""},
		{"handlers", "github.com/gin-gonic/gin", ""},
	}
	for _, tt := range tests {
		t.Run(tt.from+" to "+tt.to, func(t *testing.T) {
			t.Parallel()
			rule, ok := allowed("example.org/sluice", "example.org/sluice/"+tt.from, tt.to)
			checkVerdict(t, rule, ok, tt.rule)
		})
	}
}

func checkVerdict(t *testing.T, rule string, ok bool, want string) {
	t.Helper()
	if ok != (want == "") || !strings.Contains(rule, want) {
		t.Errorf("got allowed=%v %q, want a refusal with %q (empty: allowed)", ok, rule, want)
	}
}

func TestCheckImportsReadsGoList(t *testing.T) {
	t.Parallel()
	list := `{"ImportPath":"m.org/s/views","Imports":["m.org/s/models","fmt"],"Module":{"Path":"m.org/s"}}
{"ImportPath":"m.org/s/models","Imports":["gorm.io/gorm"],"Module":{"Path":"m.org/s"}}`
	var r report
	if err := checkImports(&r, strings.NewReader(list)); err != nil {
		t.Fatal(err)
	}
	if len(r.problems) != 1 || !strings.HasPrefix(r.problems[0], "views: views imports models") {
		t.Errorf("problems = %q, want the one import of models by views", r.problems)
	}
	if err := checkImports(&r, strings.NewReader(`{"ImportPath":`)); err == nil {
		t.Error("a cut list was accepted")
	}
}

func TestCheckGo(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, file, source string
		problem, warning   string
	}{
		{name: "clean", file: "a.go", source: "package a\nfunc f() {}\n"},
		{name: "init", file: "a.go", source: "package a\nfunc init() {}\n", problem: "a.go:2: func init"},
		{name: "init method is none", file: "a.go", source: "package a\ntype t int\nfunc (t) init() {}\n"},
		{name: "sleep in a test", file: "a_test.go", source: "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n", problem: "a_test.go:3: time.Sleep"},
		{name: "sleep in a closure", file: "a_test.go", source: "package a\nimport \"time\"\nfunc f() { go func() { time.Sleep(1) }() }\n", problem: "time.Sleep"},
		{name: "sleep under another name", file: "a_test.go", source: "package a\nimport clock \"time\"\nfunc f() { clock.Sleep(1) }\n", problem: "time.Sleep"},
		{name: "sleep of a fake clock", file: "a_test.go", source: "package a\nimport (\n\"testing/synctest\"\n\"time\"\n)\nfunc f() { synctest.Test(nil, func() { time.Sleep(1) }) }\n"},
		{name: "another Sleep", file: "a_test.go", source: "package a\nimport \"m.org/clock\"\nfunc f() { clock.Sleep(1) }\n"},
		{name: "sleep outside tests", file: "a.go", source: "package a\nimport \"time\"\nfunc f() { time.Sleep(1) }\n"},
		{name: "long file", file: "a.go", source: "package a\n" + strings.Repeat("\n", longFile), warning: "lines (about 400"},
		{name: "long function", file: "a.go", source: "package a\nfunc f() {" + strings.Repeat("\n", longFunction) + "}\n", warning: "f has 61 lines"},
		{name: "generated", file: "a.go", source: "// Code generated by x. DO NOT EDIT.\npackage a\nfunc init() {}\n"},
		{name: "broken", file: "a.go", source: "package", problem: "does not parse"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var r report
			r.checkGo(tt.file, []byte(tt.source))
			checkFound(t, "problems", r.problems, tt.problem)
			checkFound(t, "warnings", r.warnings, tt.warning)
		})
	}
}

func TestCheckText(t *testing.T) {
	t.Parallel()
	for _, folder := range homeFolders {
		text := "/" + folder + "/somebody"
		t.Run(folder, func(t *testing.T) {
			t.Parallel()
			content := []byte(fmt.Sprintf("first\nsee %s\n", text))
			var r report
			r.checkText("docs/a.md", content)
			checkFound(t, "problems", r.problems, "docs/a.md:2")
			var tests report
			tests.checkText("a/b_test.go", content)
			tests.checkText("a/testdata/x", content)
			tests.checkText("picture.png", append([]byte{0}, content...))
			checkFound(t, "problems", tests.problems, "")
		})
	}
}

func checkFound(t *testing.T, what string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 {
		t.Errorf("%s = %q, want none", what, got)
	}
	if want != "" && (len(got) != 1 || !strings.Contains(got[0], want)) {
		t.Errorf("%s = %q, want one with %q", what, got, want)
	}
}
