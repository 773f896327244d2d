package main

import (
	"fmt"
	"slices"
	"strings"
)

// rules holds, for each area of the tree, the areas that its non-test files may import beside
// themselves. "*" is everything. An area that is missing here may not hold a package at all, so a new
// folder is a decision and not an accident.
func rules() map[string][]string {
	r := map[string][]string{
		"main":       {"*"},
		"handlers":   {"views", "models", "control", "connector", "static"},
		"views":      {"connector", "static"},
		"models":     {"connector", "runner"},
		"static":     {},
		"record":     {},
		"egress":     {},
		"settings":   {},
		"sandbox":    {},
		"runnertest": {"runner", "connector", "record"},
		"connector":  {"record"},
		"kafka":      {"record"},
		"aliyun":     {"connector", "egress"},
		"runner":     {"connector", "record", "kafka", "egress"},
		"control":    {"runner", "connector", "kafka"},
		// The catalog's one function returns the connectors' specs, so it names their type.
		"catalog": {"connector", "oss", "fc", "maxcompute", "mysql"},
		// What measures and tests the program from outside: nothing of the program imports it.
		"e2e":   {"record", "sandbox"},
		"bench": {"e2e", "sandbox", "models", "runner", "catalog", "connector", "record", "kafka"},
	}
	for _, folder := range []string{"oss", "fc", "maxcompute", "mysql"} {
		r[folder] = []string{"connector", "record", "aliyun", "egress"}
	}
	r["mysql"] = append(r["mysql"], "kafka")
	return r
}

// foreign holds, for each area, import path prefixes of other modules that it may not know. "." stands
// for every module that is not the standard library.
func foreign() map[string][]string {
	web := []string{"gorm.io/", "github.com/gin-gonic/", "github.com/a-h/templ"}
	f := map[string][]string{
		"connector": {"."},
		"views":     {"gorm.io/", "github.com/gin-gonic/"},
	}
	for _, area := range []string{"runner", "record", "kafka", "egress", "aliyun", "control", "oss", "fc", "maxcompute", "mysql", "catalog"} {
		f[area] = web
	}
	return f
}

// area names the part of the tree that a package of the module stands in: "main" for the root,
// the folder's name below runner/, otherwise the first folder of the path.
func area(module, path string) string {
	if path == module {
		return "main"
	}
	parts := strings.Split(strings.TrimPrefix(path, module+"/"), "/")
	if parts[0] == "runner" && len(parts) > 1 {
		return parts[1]
	}
	return parts[0]
}

// allowed tells whether a package may import another, and the rule in words when it may not.
func allowed(module, from, to string) (string, bool) {
	here := area(module, from)
	table := rules()
	may, known := table[here]
	if !known {
		return fmt.Sprintf("%s is in no area of the layout: give it a line in rules.go", from), false
	}
	if to != module && !strings.HasPrefix(to, module+"/") {
		return allowedForeign(here, to)
	}
	there := area(module, to)
	if here == there || slices.Contains(may, "*") || slices.Contains(may, there) {
		return "", true
	}
	if len(may) == 0 {
		return fmt.Sprintf("%s imports %s; it may import nothing of the project", here, there), false
	}
	return fmt.Sprintf("%s imports %s; it may import only %s", here, there, strings.Join(may, ", ")), false
}

// allowedForeign is allowed for imports from outside the module.
func allowedForeign(here, to string) (string, bool) {
	for _, prefix := range foreign()[here] {
		if prefix == "." && strings.Contains(strings.SplitN(to, "/", 2)[0], ".") {
			return fmt.Sprintf("%s imports %s; it may import only the standard library", here, to), false
		}
		if prefix != "." && strings.HasPrefix(to, prefix) {
			return fmt.Sprintf("%s imports %s; it must not know that library", here, to), false
		}
	}
	return "", true
}
