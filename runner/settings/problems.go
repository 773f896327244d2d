package settings

import (
	"errors"
	"fmt"
	"strings"
)

// ErrHelp: help was asked for; print Help() and exit with 0.
var ErrHelp = errors.New("help was asked for")

// Problem is one thing wrong with the settings.
type Problem struct {
	Name    string // as it was given: --addr, SLUICE_ADDR, or "addr" in sluice.yaml
	Value   string // "" for secrets
	Message string // what is wrong and what would be right
}

func (p Problem) Error() string {
	if p.Value == "" {
		return p.Name + ": " + p.Message
	}
	return fmt.Sprintf("%s=%q: %s", p.Name, clip(p.Value), p.Message)
}

// Problems are all that were found, in the order of help.
type Problems []Problem

func (ps Problems) Error() string {
	lines := make([]string, len(ps))
	for i, p := range ps {
		lines[i] = p.Error()
	}
	return strings.Join(lines, "\n")
}

// clip keeps long values short in messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 80 {
		return string(r[:80]) + "…"
	}
	return s
}

// nearest gives the known name that is one or two edits away from a mistyped one.
func nearest(name string, known []string) string {
	best, found := 3, ""
	for _, k := range known {
		if d := distance(name, k); d < best {
			best, found = d, k
		}
	}
	return found
}

// distance is Levenshtein's.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := diagonal
			if a[i] != b[j] {
				cost++
			}
			diagonal = row[j+1]
			row[j+1] = min(cost, row[j+1]+1, row[j]+1)
		}
	}
	return row[len(b)]
}
