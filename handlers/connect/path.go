package connect

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
)

// split cuts an escaped path into decoded segments; a trailing slash does not count.
// What cannot be addressed without doubt (empty segments, dot segments, escaped
// slashes, percent signs and dots) is a 400, as the real worker's server has it.
func split(escaped string) ([]string, error) {
	if strings.Contains(escaped, "//") {
		return nil, ambiguous("an empty segment")
	}
	lower := strings.ToLower(escaped)
	for _, bad := range []string{"%2f", "%25", "%2e", "%5c", "%00"} {
		if strings.Contains(lower, bad) {
			return nil, ambiguous("the escape " + bad)
		}
	}
	escaped = strings.TrimSuffix(strings.TrimPrefix(escaped, "/"), "/")
	if escaped == "" {
		return nil, nil
	}
	segments := strings.Split(escaped, "/")
	for i, seg := range segments {
		decoded, err := url.PathUnescape(seg)
		if err != nil {
			return nil, ambiguous("an incomplete escape")
		}
		if decoded == "." || decoded == ".." {
			return nil, ambiguous("a dot segment")
		}
		segments[i] = decoded
	}
	return segments, nil
}

func ambiguous(what string) error {
	return &httpError{http.StatusBadRequest, "The path is ambiguous: it holds " + what + "."}
}

func mustSplit(r *http.Request) []string {
	segments, _ := split(strings.TrimPrefix(r.URL.EscapedPath(), Prefix)) // match has accepted it
	return segments
}

func isTaskNumber(s string) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	return err == nil && n >= 0
}

// acceptable tells whether the request's Content-Type is one: JSON wherever there is
// a body, and wherever a type is named by a method that may carry one.
func acceptable(r *http.Request) bool {
	kinds := r.Header.Values("Content-Type")
	body := r.ContentLength != 0
	plain := slices.Contains([]string{http.MethodGet, http.MethodHead, http.MethodOptions}, r.Method)
	if len(kinds) == 0 {
		return !body
	}
	if plain && !body {
		return true
	}
	return len(kinds) == 1 && web.IsJSON(kinds[0])
}

// wantsJSON tells whether an Accept header allows application/json: the most specific
// range that matches decides.
func wantsJSON(accept []string) bool {
	best, allowed, ranges := -1, true, 0
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, _ := strings.Cut(item, ";")
		kind = strings.ToLower(strings.TrimSpace(kind))
		if kind == "" {
			continue
		}
		ranges++
		specific := slices.Index([]string{"*/*", "application/*", "application/json"}, kind)
		if kind == "*" {
			specific = 0
		}
		if specific > best {
			best, allowed = specific, quality(params) > 0
		}
	}
	return ranges == 0 || best >= 0 && allowed
}

func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		k, v, _ := strings.Cut(p, "=")
		if strings.EqualFold(strings.TrimSpace(k), "q") {
			q, err := strconv.ParseFloat(strings.TrimSpace(v), 64)
			if err != nil {
				return 1
			}
			return q
		}
	}
	return 1
}
