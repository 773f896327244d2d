package console

import (
	"bytes"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/a-h/templ"
	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
)

// request is one request being answered. Its context (g.Request.Context()) carries who
// asks for package control, and what components need.
type request struct {
	*gin.Context
	c       *Console
	id      string // in answers that blame Sluice, and in the log
	secret  string // of the session; "" when nobody is signed in
	session models.Session
	user    models.User
	actor   control.Actor
	token   string // the form token
	flashes []flash
	zone    *time.Location
	lists   lists
	regions map[string]string // names by ID, once asked for
}

// signedIn tells whether the request belongs to a session.
func (q *request) signedIn() bool { return q.secret != "" }

// may tells whether the user's role includes another.
func (q *request) may(role control.Role) bool { return q.signedIn() && q.actor.Role.May(role) }

// fragment tells whether a script asks for a part of a page. htmx says so, except when
// it restores a page from the history.
func (q *request) fragment() bool {
	return q.GetHeader("HX-Request") == "true" && q.GetHeader("HX-History-Restore-Request") != "true"
}

// instance is the instance that the path names.
func (q *request) instance() string { return q.Param("instance") }

// value is the last value of a posted field: a box posts "false" before its "true".
func (q *request) value(key string) string {
	all := q.Request.PostForm[key]
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// has tells whether a field was posted, empty or not.
func (q *request) has(key string) bool { return len(q.Request.PostForm[key]) > 0 }

// values are all values of a posted field, empty ones left out.
func (q *request) values(key string) []string {
	var out []string
	for _, v := range q.Request.PostForm[key] {
		if strings.TrimSpace(v) != "" {
			out = append(out, v)
		}
	}
	return out
}

// queryInt is a number of the address's query, within bounds; or else otherwise.
func (q *request) queryInt(key string, low, high, otherwise int64) int64 {
	n, err := strconv.ParseInt(q.Query(key), 10, 64)
	if err != nil || n < low || n > high {
		return otherwise
	}
	return n
}

// render answers with a whole page or a part. It is rendered before anything is sent,
// so that a failure is still an error page.
func (q *request) render(status int, page templ.Component) error {
	var body bytes.Buffer
	if err := page.Render(q.Request.Context(), &body); err != nil {
		return err
	}
	if q.signedIn() && len(q.flashes) > 0 && !q.fragment() {
		q.clearFlash()
	}
	h := q.Writer.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "HX-Request")
	q.Writer.WriteHeader(status)
	_, _ = q.Writer.Write(body.Bytes()) // the client went away: nobody is left to tell
	return nil
}

// renderPart answers a script with the part it asked for, and everybody else with the
// whole page that contains it.
func (q *request) renderPart(status int, page, part templ.Component) error {
	if q.fragment() {
		return q.render(status, part)
	}
	return q.render(status, page)
}

// redirect leads on with a GET. path must be the program's own; what came from outside
// goes through localPath first.
func (q *request) redirect(path string) error {
	if q.fragment() {
		q.Header("HX-Redirect", path)
		q.Status(http.StatusNoContent)
		return nil
	}
	q.Header("Location", path)
	q.Status(http.StatusSeeOther)
	q.Writer.WriteHeaderNow()
	return nil
}

// own is the path and query of this page, for the theme switch and the way back.
func (q *request) own() string {
	if q.Request.Method == http.MethodGet || q.Request.Method == http.MethodHead {
		return q.Request.URL.RequestURI()
	}
	return "/"
}

// localPath returns a path of this program, or "/" for anything that leads elsewhere:
// another host, a scheme, what browsers read as one ("//", "/\"), control characters.
func localPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 2048 || strings.ContainsAny(s, "\\\x7f") {
		return "/"
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' }) {
		return "/"
	}
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "" || u.Host != "" || u.User != nil || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(u.Path, "//") || strings.Contains(u.Path, "\\") {
		return "/"
	}
	if u.Path == "/login" || u.Path == "/logout" {
		return "/"
	}
	return s
}

// back is the posted field "return" as a path of this program.
func (q *request) back() string { return localPath(q.value("return")) }

// componentsRequest is what components know of the request.
func (q *request) componentsRequest() components.Request {
	return components.Request{CSRF: q.token, Language: q.language(), Now: q.c.now(), Location: q.zone}
}
