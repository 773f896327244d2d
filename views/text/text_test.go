package text_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/views/text"
)

func TestT(t *testing.T) {
	t.Parallel()
	ctx := context.Background()
	if got := text.T(ctx, "no.such.message"); got != "no.such.message" {
		t.Errorf("unknown ID gives %q", got)
	}
	if got := text.N(ctx, "count.brokers", 1); got != "1 broker" {
		t.Errorf("one: %q", got)
	}
	if got := text.N(ctx, "count.brokers", 12345); got != "12,345 brokers" {
		t.Errorf("other: %q", got)
	}
	if got := text.T(text.WithLanguage(ctx, "xx"), "nav.help"); got != "Help" {
		t.Errorf("unknown language: %q", got)
	}
	if got := text.T(ctx, "quota.used", "{1}", 3); got != "{1} of 3 used" {
		t.Errorf("an argument with braces: %q", got)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", -1234567: "−1,234,567", 10000000: "10,000,000"} {
		if got := text.Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
}

// TestEveryKeyExistsAndIsUsed reads the templates and the handlers: what they name must be in the catalogue, and
// nothing may stay in the catalogue that nobody names. N(id) counts as naming id.one and id.other.
func TestEveryKeyExistsAndIsUsed(t *testing.T) {
	t.Parallel()
	call := regexp.MustCompile(`text\.(T|N)\(\s*[\w.()]+,\s*"([^"]+)"`)
	word := regexp.MustCompile(`"([a-z][a-zA-Z0-9_]*(?:\.[a-zA-Z0-9_]+)+)"`)
	known := map[string]bool{}
	for _, id := range text.IDs(text.Default) {
		known[id] = true
	}
	used := map[string]bool{}
	calls := 0
	for _, top := range []string{"..", "../../handlers"} {
		err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() {
				return err
			}
			name := entry.Name()
			if strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, "_test.go") || !(strings.HasSuffix(name, ".go") || strings.HasSuffix(name, ".templ")) {
				return nil
			}
			body, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			for _, found := range call.FindAllStringSubmatch(string(body), -1) {
				calls++
				ids := []string{found[2]}
				if found[1] == "N" {
					ids = []string{found[2] + ".one", found[2] + ".other"}
				}
				for _, id := range ids {
					if !known[id] {
						t.Errorf("%s: %q is not in the catalogue", path, id)
					}
				}
			}
			for _, found := range word.FindAllStringSubmatch(string(body), -1) {
				used[found[1]], used[found[1]+".one"], used[found[1]+".other"] = true, true, true
			}
			return nil
		})
		if err != nil && !os.IsNotExist(err) {
			t.Fatal(err)
		}
	}
	if calls < 50 {
		t.Fatalf("only %d uses found: the search is broken", calls)
	}
	for id := range known {
		if !used[id] {
			t.Errorf("%q is in the catalogue and named nowhere", id)
		}
	}
}

// TestArgumentsAreNumberedFromZero catches a placeholder that no argument can fill.
func TestArgumentsAreNumberedFromZero(t *testing.T) {
	t.Parallel()
	place := regexp.MustCompile(`\{(\d)\}`)
	for _, id := range text.IDs(text.Default) {
		message := text.T(context.Background(), id)
		if message == "" {
			t.Errorf("%s is empty", id)
		}
		for _, found := range place.FindAllStringSubmatch(message, -1) {
			if n := found[1][0]; n > '0' && !strings.Contains(message, "{"+string(n-1)+"}") && !strings.HasSuffix(id, ".one") {
				t.Errorf("%s: {%c} without the one before it", id, n)
			}
		}
	}
}
