// Command importlint checks the rules of this repository that a compiler does not: which part may import
// which, no init functions, no sleeping tests, no text that means something only on one machine. It
// prints a line a violation and exits with 1 when there is any. Run it in the module's root.
package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
)

// goPackage is what `go list -json` tells of a package, as far as it is needed.
type goPackage struct {
	ImportPath string
	Dir        string
	Imports    []string
	Module     *struct{ Path string }
	Error      *struct{ Err string }
}

func main() {
	var r report
	if err := run(&r); err != nil {
		fmt.Fprintln(os.Stderr, "importlint:", err)
		os.Exit(2)
	}
	for _, w := range r.warnings {
		fmt.Println("warning:", w)
	}
	for _, p := range r.problems {
		fmt.Println(p)
	}
	if len(r.problems) > 0 {
		fmt.Printf("importlint: %d violations\n", len(r.problems))
		os.Exit(1)
	}
}

// run checks the imports of every package, and then
// every file that git knows or would take.
func run(r *report) error {
	out, err := exec.Command("go", "list", "-e", "-json=ImportPath,Dir,Imports,Module,Error", "./...").Output()
	if err != nil {
		return fmt.Errorf("listing packages: %w", explained(err))
	}
	if err := checkImports(r, bytes.NewReader(out)); err != nil {
		return err
	}
	names, err := exec.Command("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard").Output()
	if err != nil {
		return fmt.Errorf("listing files: %w", explained(err))
	}
	for name := range strings.SplitSeq(strings.TrimRight(string(names), "\x00"), "\x00") {
		content, err := os.ReadFile(name)
		if errors.Is(err, os.ErrNotExist) {
			continue // deleted, not yet committed
		}
		if err != nil {
			return fmt.Errorf("reading %s: %w", name, err)
		}
		r.checkText(name, content)
		if strings.HasSuffix(name, ".go") {
			r.checkGo(name, content)
		}
	}
	return nil
}

// checkImports applies the table of rules to the output of go list.
func checkImports(r *report, list io.Reader) error {
	dec := json.NewDecoder(list)
	for {
		var p goPackage
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return fmt.Errorf("reading go list: %w", err)
		}
		if p.Module == nil {
			continue
		}
		imports := slices.Clone(p.Imports)
		slices.Sort(imports)
		for _, to := range imports {
			if rule, ok := allowed(p.Module.Path, p.ImportPath, to); !ok {
				r.problem(strings.TrimPrefix(p.ImportPath, p.Module.Path+"/"), "%s", rule)
			}
		}
	}
}

// explained adds what a command wrote to its standard error.
func explained(err error) error {
	var exit *exec.ExitError
	if errors.As(err, &exit) && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}
