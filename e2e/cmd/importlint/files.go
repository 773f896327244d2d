package main

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"slices"
	"strings"
)

// Limits above which a file or a function is told, as a warning: some read better whole.
const (
	longFile     = 400
	longFunction = 60
)

// report collects what was found. Problems fail the run, warnings do not.
type report struct {
	problems []string
	warnings []string
}

func (r *report) problem(where, format string, args ...any) {
	r.problems = append(r.problems, where+": "+fmt.Sprintf(format, args...))
}

func (r *report) warn(where, format string, args ...any) {
	r.warnings = append(r.warnings, where+": "+fmt.Sprintf(format, args...))
}

// homeFolders are where paths of one person's machine begin, which mean nothing to
// whoever reads the repository.
var homeFolders = []string{"root", "home", "Users"}

// checkText looks for paths of home folders in any file that is no test.
func (r *report) checkText(name string, content []byte) {
	if isTest(name) || bytes.IndexByte(content, 0) >= 0 {
		return
	}
	for _, folder := range homeFolders {
		text := "/" + folder + "/"
		if i := bytes.Index(content, []byte(text)); i >= 0 {
			line := 1 + bytes.Count(content[:i], []byte("\n"))
			r.problem(fmt.Sprintf("%s:%d", name, line), "mentions %q, a path of one person's machine", text)
		}
	}
}

// checkGo looks for init functions, for sleeping tests, and for what is too long to read at once.
func (r *report) checkGo(name string, content []byte) {
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, content, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		r.problem(name, "does not parse: %v", err)
		return
	}
	if ast.IsGenerated(file) {
		return
	}
	if lines := bytes.Count(content, []byte("\n")); lines > longFile {
		r.warn(name, "%d lines (about %d is the limit)", lines, longFile)
	}
	timeName := importName(file, "time")
	for _, decl := range file.Decls {
		if fn, ok := decl.(*ast.FuncDecl); ok {
			r.checkFunction(set, fn, timeName, isTest(name))
		}
	}
}

func (r *report) checkFunction(set *token.FileSet, fn *ast.FuncDecl, timeName string, test bool) {
	at := set.Position(fn.Pos())
	where := fmt.Sprintf("%s:%d", at.Filename, at.Line)
	if fn.Recv == nil && fn.Name.Name == "init" {
		r.problem(where, "func init: do the work in a constructor that main calls")
	}
	if lines := set.Position(fn.End()).Line - at.Line + 1; lines > longFunction && !test {
		r.warn(where, "%s has %d lines (about %d is the limit)", fn.Name.Name, lines, longFunction)
	}
	if !test || timeName == "" || fn.Body == nil {
		return
	}
	ast.Inspect(fn.Body, func(n ast.Node) bool {
		if inBubble(n) {
			return false // its clock is fake: a sleep is how time passes
		}
		if sel, ok := n.(*ast.SelectorExpr); ok && sel.Sel.Name == "Sleep" {
			if x, ok := sel.X.(*ast.Ident); ok && x.Name == timeName {
				pos := set.Position(sel.Pos())
				r.problem(fmt.Sprintf("%s:%d", pos.Filename, pos.Line), "time.Sleep in a test: poll with a deadline, or wait for a signal")
			}
		}
		return true
	})
}

// inBubble tells whether n is a call of synctest.Test.
func inBubble(n ast.Node) bool {
	call, ok := n.(*ast.CallExpr)
	if !ok {
		return false
	}
	sel, ok := call.Fun.(*ast.SelectorExpr)
	if !ok || sel.Sel.Name != "Test" {
		return false
	}
	x, ok := sel.X.(*ast.Ident)
	return ok && x.Name == "synctest"
}

// importName is the name under which a file knows a package, or "" when it does not import it.
func importName(file *ast.File, path string) string {
	for _, spec := range file.Imports {
		if spec.Path.Value != `"`+path+`"` {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return filepath.Base(path)
	}
	return ""
}

// isTest tells whether a path is a test or a test's data.
func isTest(name string) bool {
	return strings.HasSuffix(name, "_test.go") || slices.Contains(strings.Split(filepath.ToSlash(name), "/"), "testdata")
}
