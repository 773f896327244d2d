package static_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/static"
)

// TestVendoredFilesAreAsPublished compares every file under vendor/ with CHECKSUMS, both ways.
func TestVendoredFilesAreAsPublished(t *testing.T) {
	t.Parallel()
	list, err := os.Open("vendor/CHECKSUMS")
	if err != nil {
		t.Fatal(err)
	}
	defer list.Close()
	want := map[string]string{}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("CHECKSUMS: bad line %q", lines.Text())
		}
		want[name] = sum
	}
	if len(want) < 10 {
		t.Fatalf("CHECKSUMS lists %d files only", len(want))
	}
	seen := 0
	err = filepath.WalkDir("vendor", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || entry.Name() == "CHECKSUMS" || entry.Name() == "README" {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(body)
		name := strings.TrimPrefix(filepath.ToSlash(path), "vendor/")
		if got := hex.EncodeToString(sum[:]); got != want[name] {
			t.Errorf("%s: SHA-256 %s, CHECKSUMS says %q", name, got, want[name])
		}
		seen++
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen != len(want) {
		t.Errorf("CHECKSUMS lists %d files, %d are there", len(want), seen)
	}
}

func TestHandler(t *testing.T) {
	t.Parallel()
	get := func(method, path, match string) *http.Response {
		request := httptest.NewRequest(method, path, nil)
		if match != "" {
			request.Header.Set("If-None-Match", match)
		}
		recorder := httptest.NewRecorder()
		static.Handler().ServeHTTP(recorder, request)
		return recorder.Result()
	}
	for name, kind := range map[string]string{
		static.StyleSheet: "text/css; charset=utf-8", static.Script: "text/javascript; charset=utf-8",
		static.HTMX: "text/javascript; charset=utf-8", static.Favicon: "image/svg+xml",
	} {
		answer := get("GET", static.Path(name), "")
		if answer.StatusCode != 200 || answer.Header.Get("Content-Type") != kind || answer.ContentLength <= 0 {
			t.Errorf("%s: status %d, type %q, length %d", name, answer.StatusCode, answer.Header.Get("Content-Type"), answer.ContentLength)
		}
		if !strings.Contains(answer.Header.Get("Cache-Control"), "immutable") {
			t.Errorf("%s: Cache-Control %q", name, answer.Header.Get("Cache-Control"))
		}
		if again := get("GET", static.Path(name), answer.Header.Get("ETag")); again.StatusCode != 304 {
			t.Errorf("%s: with its ETag status %d, want 304", name, again.StatusCode)
		}
	}
	for path, status := range map[string]int{
		"/static/old/css/app.css": 302, "/static/": 404, "/static/x/css/none.css": 404,
		"/static/x/../../static.go": 404, "/static/x/vendor/CHECKSUMS": 404, "/static/x/css/10-tokens.css": 404,
	} {
		if got := get("GET", path, "").StatusCode; got != status {
			t.Errorf("GET %s: status %d, want %d", path, got, status)
		}
	}
	if got := get("POST", static.Path(static.Script), "").StatusCode; got != 405 {
		t.Errorf("POST: status %d, want 405", got)
	}
}

func TestIcon(t *testing.T) {
	t.Parallel()
	inner, err := static.Icon("play")
	if err != nil || !strings.HasPrefix(inner, "<path") || strings.Contains(inner, "svg") {
		t.Errorf("Icon(play) = %q, %v", inner, err)
	}
	if _, err := static.Icon("../htmx/htmx.min"); err == nil {
		t.Error("an icon outside the set was found")
	}
}

// TestOwnFilesKeepThePolicy looks for what the content security policy would refuse.
func TestOwnFilesKeepThePolicy(t *testing.T) {
	t.Parallel()
	refused := regexp.MustCompile(`\beval\(|new Function|setAttribute\(["']style|@import|https?://[^w]|setTimeout\(["']`)
	for _, pattern := range []string{"css/*.css", "js/*.js"} {
		names, _ := filepath.Glob(pattern)
		if len(names) == 0 {
			t.Fatalf("no files match %s", pattern)
		}
		for _, name := range names {
			body, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			if found := refused.FindString(string(body)); found != "" {
				t.Errorf("%s: contains %q", name, found)
			}
		}
	}
}
