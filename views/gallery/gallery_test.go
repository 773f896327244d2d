// Package gallery renders every page and component with sample data. Its tests check what all pages promise, and
// with SLUICE_GALLERY=<folder> write the pages there to be looked at.
package gallery

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/static"
	"github.com/sluice-io/sluice/views/components"
)

func render(t *testing.T, page templ.Component) string {
	t.Helper()
	ctx := components.With(context.Background(), components.Request{CSRF: "token-1", Language: "en", Now: now()})
	var out bytes.Buffer
	if err := page.Render(ctx, &out); err != nil {
		t.Fatalf("rendering: %v", err)
	}
	return out.String()
}

// TestPages renders every page and checks what holds for all of them.
func TestPages(t *testing.T) {
	t.Parallel()
	for name, page := range pages() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			body := render(t, page)
			checkPage(t, body)
			if folder := os.Getenv("SLUICE_GALLERY"); folder != "" {
				if err := os.WriteFile(filepath.Join(folder, name+".html"), []byte(body), 0o600); err != nil {
					t.Fatal(err)
				}
			}
		})
	}
}

// TestAssets asks for what all pages load, and writes it beside the pages.
func TestAssets(t *testing.T) {
	t.Parallel()
	for _, name := range []string{static.StyleSheet, static.Script, static.HTMX, static.Favicon} {
		path := static.Path(name)
		got := httptest.NewRecorder()
		static.Handler().ServeHTTP(got, httptest.NewRequest(http.MethodGet, path, nil))
		if got.Code != http.StatusOK || got.Body.Len() == 0 {
			t.Errorf("%s: %d, %d bytes", path, got.Code, got.Body.Len())
		}
		if folder := os.Getenv("SLUICE_GALLERY"); folder != "" {
			file := filepath.Join(folder, filepath.FromSlash(path))
			if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, got.Body.Bytes(), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
}

var inline = regexp.MustCompile(`(?i)<[^>]+\s(style|on[a-z]+)=|javascript:|<style|hx-on|hx-vals="js`)

func checkPage(t *testing.T, body string) {
	t.Helper()
	if found := inline.FindString(body); found != "" {
		t.Errorf("the content security policy would refuse %q", found)
	}
	doc, err := goquery.NewDocumentFromReader(strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	if doc.Find("html[lang]").Length() != 1 || doc.Find("main#main").Length() != 1 {
		t.Error("no lang attribute or no main element")
	}
	if n := doc.Find("h1").Length(); n != 1 {
		t.Errorf("%d h1 elements, want one", n)
	}
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, s *goquery.Selection) {
		id, _ := s.Attr("id")
		if ids[id] {
			t.Errorf("id %q stands twice", id)
		}
		ids[id] = true
	})
	doc.Find("label[for], [aria-describedby], [aria-labelledby], [form], [data-copy], [data-open-dialog]").Each(func(_ int, s *goquery.Selection) {
		for _, attr := range []string{"for", "aria-describedby", "aria-labelledby", "form", "data-copy", "data-open-dialog"} {
			value, _ := s.Attr(attr)
			for _, id := range strings.Fields(value) {
				if !ids[id] {
					t.Errorf("%s=%q points nowhere", attr, id)
				}
			}
		}
	})
	doc.Find(`[hx-trigger^="every"] details:not(.menu), form:has([hx-target="closest form"]) details:not(.menu)`).Each(func(_ int, s *goquery.Selection) {
		if _, named := s.Attr("id"); !named {
			t.Errorf("what is replaced while somebody looks at it folds up again, having no id: %s", s.Find("summary").Text())
		}
	})
	doc.Find("form[method=post]").Each(func(_ int, s *goquery.Selection) {
		if s.Find("input[name="+components.CSRFName+"][value=token-1]").Length() != 1 {
			t.Error("a form that posts has no form token")
		}
		if s.Find("form").Length() > 0 {
			t.Error("a form within a form")
		}
	})
	doc.Find("input:not([type=hidden]), select, textarea").Each(func(_ int, s *goquery.Selection) {
		id, _ := s.Attr("id")
		_, labelled := s.Attr("aria-label")
		if !labelled && s.Closest("label").Length() == 0 && doc.Find(`label[for="`+id+`"]`).Length() == 0 {
			html, _ := goquery.OuterHtml(s)
			t.Errorf("no label: %s", html)
		}
	})
	doc.Find("a, button, summary").Each(func(_ int, s *goquery.Selection) {
		_, labelled := s.Attr("aria-label")
		if !labelled && strings.TrimSpace(s.Text()) == "" {
			html, _ := goquery.OuterHtml(s)
			t.Errorf("no name: %s", html)
		}
	})
	checkLinks(t, doc)
	checkWords(t, doc)
}

var onePlural = regexp.MustCompile(`(?:^|[^\d.,])1 (?:records|partitions|connectors|brokers|objects|changes|settings|faults|entries|steps)\b`)

// checkWords looks for plurals of one thing and for headings that skip a level, which a screen reader stumbles over.
func checkWords(t *testing.T, doc *goquery.Document) {
	t.Helper()
	if found := onePlural.FindString(doc.Text()); found != "" {
		t.Errorf("%q: one is no plural", found)
	}
	level := 1
	doc.Find("main").Find("h1, h2, h3, h4").Each(func(_ int, s *goquery.Selection) {
		next := int(goquery.NodeName(s)[1] - '0')
		if next > level+1 {
			t.Errorf("a heading of level %d follows one of level %d: %s", next, level, strings.TrimSpace(s.Text()))
		}
		level = next
	})
}

// checkLinks looks for assets and icons that are not there, and message IDs without a text.
func checkLinks(t *testing.T, doc *goquery.Document) {
	t.Helper()
	doc.Find("link[href], script[src], img[src]").Each(func(_ int, s *goquery.Selection) {
		url := s.AttrOr("href", s.AttrOr("src", ""))
		if !strings.HasPrefix(url, static.Prefix) || strings.Contains(url, "/missing/") {
			t.Errorf("asset %q is not embedded", url)
		}
	})
	if doc.Find(`svg circle[cx="12"][r="9"]`).Length() > 0 {
		t.Error("an icon is not vendored")
	}
	doc.Find("a[href]").Each(func(_ int, s *goquery.Selection) {
		if strings.Contains(s.AttrOr("href", ""), "about:invalid") {
			t.Errorf("unsafe link: %s", s.Text())
		}
	})
}

// TestServe serves the gallery on SLUICE_GALLERY_ADDR until the test is interrupted; without it, it is skipped.
func TestServe(t *testing.T) {
	address, folder := os.Getenv("SLUICE_GALLERY_ADDR"), os.Getenv("SLUICE_GALLERY")
	if address == "" || folder == "" {
		t.Skip("set SLUICE_GALLERY_ADDR and SLUICE_GALLERY to look at the pages")
	}
	mux := http.NewServeMux()
	mux.Handle(static.Prefix, static.Handler())
	files := http.FileServer(http.Dir(folder))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Security-Policy", "default-src 'self'; script-src 'self'; style-src 'self'; img-src 'self' data:; frame-ancestors 'none'; base-uri 'none'; form-action 'self'")
		files.ServeHTTP(w, r)
	})
	if err := http.ListenAndServe(address, mux); err != nil {
		t.Fatal(err)
	}
}
