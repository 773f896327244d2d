package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
)

// event is one line of `go test -json` (`go doc test2json`).
type event struct {
	Action     string
	Package    string
	ImportPath string // of build-output and build-fail
	Test       string
	Elapsed    float64 // seconds
	Output     string
}

// tally counts tests, subtests included. A package that fails outside its tests counts as one failure.
type tally struct{ passed, failed, skipped int }

// packageRun is what is known of a package while it runs.
type packageRun struct {
	output map[string]*strings.Builder // by test, "" is the package's own
	tally  tally
}

// summarize reads events until the end and prints packages and failures.
func summarize(in io.Reader, out io.Writer) (tally, error) {
	var total tally
	runs := map[string]*packageRun{}
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			var e event
			if json.Unmarshal(line, &e) != nil {
				fmt.Fprintf(out, "%s", line) // go itself speaking, for example of a bad flag
			} else {
				e.apply(runs, &total, out)
			}
		}
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, fmt.Errorf("reading the output of go test: %w", err)
		}
	}
}

func (e event) apply(runs map[string]*packageRun, total *tally, out io.Writer) {
	if e.Action == "build-output" {
		fmt.Fprint(out, e.Output)
		return
	}
	run := runs[e.Package]
	if run == nil {
		run = &packageRun{output: map[string]*strings.Builder{}}
		runs[e.Package] = run
	}
	switch e.Action {
	case "output":
		if run.output[e.Test] == nil {
			run.output[e.Test] = &strings.Builder{}
		}
		run.output[e.Test].WriteString(e.Output)
	case "pass", "fail", "skip":
		if e.Test != "" {
			run.testEnded(e, out)
			return
		}
		run.packageEnded(e, out)
		total.passed += run.tally.passed
		total.failed += run.tally.failed
		total.skipped += run.tally.skipped
		delete(runs, e.Package)
	}
}

func (run *packageRun) testEnded(e event, out io.Writer) {
	switch e.Action {
	case "pass":
		run.tally.passed++
	case "skip":
		run.tally.skipped++
		fmt.Fprintf(out, "skip\t%s\t%s\n", e.Package, e.Test)
	case "fail":
		run.tally.failed++
		if b := run.output[e.Test]; b != nil {
			fmt.Fprint(out, b.String())
		}
	}
	delete(run.output, e.Test)
}

func (run *packageRun) packageEnded(e event, out io.Writer) {
	switch {
	case e.Action == "skip":
		return // no test files
	case e.Action == "pass":
		fmt.Fprintf(out, "ok  \t%s\t%.1fs\t%d passed\n", e.Package, e.Elapsed, run.tally.passed)
		return
	}
	// What never ended: a panic or a time-out cut it off, and its output holds the reason.
	for _, test := range slices.Sorted(maps.Keys(run.output)) {
		fmt.Fprint(out, run.output[test].String())
	}
	if run.tally.failed == 0 {
		run.tally.failed = 1
	}
	fmt.Fprintf(out, "FAIL\t%s\t%.1fs\t%d passed, %d failed\n", e.Package, e.Elapsed, run.tally.passed, run.tally.failed)
}
