// Package static holds the console's style sheet, scripts and icons, embedded in the binary and served under URLs
// that name their content, so that a browser may keep them for a year and never shows an old one.
package static

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"sort"
	"strconv"
	"strings"
	"sync"
)

//go:embed css/*.css js/*.js img/*.svg vendor/htmx/htmx.min.js vendor/lucide/icons/*.svg
var files embed.FS

// Prefix is the URL path under which Handler serves, with a slash at both ends.
const Prefix = "/static/"

// Names of the assets that pages link, as Path takes them.
const (
	StyleSheet = "css/app.css"
	Script     = "js/app.js"
	HTMX       = "vendor/htmx/htmx.min.js"
	Favicon    = "img/favicon.svg"
)

// asset is one served file: its bytes, the hash in its URL, and its media type.
type asset struct {
	body []byte
	hash string
	kind string
}

// index is read-only once built: it is derived from embedded bytes alone.
var index = sync.OnceValue(buildIndex)

// buildIndex hashes every embedded file and joins the parts of the style sheet into one.
func buildIndex() map[string]asset {
	out := map[string]asset{}
	var sheet bytes.Buffer
	var parts []string
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if path.Dir(name) == "css" {
			parts = append(parts, name)
			return nil
		}
		body, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		out[name] = newAsset(name, body)
		return nil
	})
	if err != nil {
		panic("static: reading embedded files: " + err.Error()) // cannot happen: the files are in the binary
	}
	sort.Strings(parts)
	for _, name := range parts {
		body, _ := files.ReadFile(name)
		sheet.Write(body)
		sheet.WriteByte('\n')
	}
	out[StyleSheet] = newAsset(StyleSheet, sheet.Bytes())
	return out
}

func newAsset(name string, body []byte) asset {
	sum := sha256.Sum256(body)
	return asset{body: body, hash: hex.EncodeToString(sum[:6]), kind: mediaType(name)}
}

func mediaType(name string) string {
	switch path.Ext(name) {
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".svg":
		return "image/svg+xml"
	default:
		return "application/octet-stream"
	}
}

// Path returns the URL path of an asset, "/static/<hash>/css/app.css" for "css/app.css". A name that is not
// embedded gives a URL that Handler answers with 404; TestTemplatesLinkWhatExists guards against it.
func Path(name string) string {
	if found, ok := index()[name]; ok {
		return Prefix + found.hash + "/" + name
	}
	return Prefix + "missing/" + name
}

// Handler serves the assets. Mount it at Prefix, without stripping it. A URL with a hash that is not the present
// one is redirected to the present one, so that a page from before an upgrade keeps its looks.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, "only GET and HEAD are allowed here", http.StatusMethodNotAllowed)
			return
		}
		hash, name, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, Prefix), "/")
		found, ok := index()[name]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if hash != found.hash {
			w.Header().Set("Cache-Control", "no-cache")
			http.Redirect(w, r, Path(name), http.StatusFound)
			return
		}
		serve(w, r, found)
	})
}

func serve(w http.ResponseWriter, r *http.Request, found asset) {
	header := w.Header()
	tag := strconv.Quote(found.hash)
	header.Set("Cache-Control", "public, max-age=31536000, immutable")
	header.Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	header.Set("Content-Type", found.kind)
	header.Set("Content-Length", strconv.Itoa(len(found.body)))
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		return
	}
	_, _ = w.Write(found.body) // the client went away: nobody is left to tell
}

// Icon returns what stands inside the <svg> element of a lucide icon ("circle-check"), drawn for a view box of
// 24 by 24 with a stroke. It fails for an icon that is not vendored.
func Icon(name string) (string, error) {
	found, ok := index()["vendor/lucide/icons/"+name+".svg"]
	if !ok {
		return "", fmt.Errorf("icon %q is not vendored: copy it from lucide-static to static/vendor/lucide/icons and add it to CHECKSUMS", name)
	}
	text := string(found.body)
	start := strings.Index(text, "<svg")
	open := strings.Index(text[max(start, 0):], ">")
	end := strings.LastIndex(text, "</svg>")
	if start < 0 || open < 0 || end < start+open {
		return "", fmt.Errorf("icon %q is not an SVG document", name)
	}
	return strings.Join(strings.Fields(text[start+open+1:end]), " "), nil
}
