package console

import (
	"crypto/rand"
	"encoding/base32"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"runtime/debug"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// maxForm bounds a posted form, in bytes.
const maxForm = 1 << 20

// contentPolicy lets a page use nothing but its own files; no script and no style may
// stand in the page itself. Images may be data: for the arrows in the style sheet.
const contentPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
	"form-action 'self'; frame-ancestors 'none'; base-uri 'none'; manifest-src 'self'"

// secure sets the headers of every answer of the console.
func securityHeaders(h http.Header) {
	h.Set("Content-Security-Policy", contentPolicy)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Permissions-Policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()")
	h.Set("Cache-Control", "no-store")
}

// serve puts around a handler what every page needs: headers, the body's bound, the
// session, the role, the form token, and an answer for its error.
func (c *Console) serve(rt route) gin.HandlerFunc {
	return func(g *gin.Context) {
		q := &request{Context: g, c: c, id: newRequestID(), zone: time.UTC}
		defer q.recover()
		securityHeaders(g.Writer.Header())
		if err := q.prepare(rt); err != nil {
			q.fail(err)
			return
		}
		if g.IsAborted() {
			return
		}
		if err := rt.to(q); err != nil {
			q.fail(err)
		}
	}
}

// prepare reads the session and the form and decides whether the handler may run. It
// aborts when it has answered already.
func (q *request) prepare(rt route) error {
	if err := q.readSession(); err != nil {
		return err
	}
	q.enter()
	if !rt.open && !q.signedIn() {
		return q.toLogin()
	}
	if err := q.readForm(); err != nil {
		return err
	}
	if !rt.open && !q.actor.Role.May(rt.role) {
		q.auditRefused()
		return &control.Error{Kind: control.Forbidden, Message: "Your role does not allow this: it needs the role " + string(rt.role) + "."}
	}
	if rt.method == http.MethodPost && !rt.open {
		return q.checkToken()
	}
	return nil
}

// enter puts who asks, and what components need, into the request's context.
func (q *request) enter() {
	ctx := control.WithActor(q.Request.Context(), q.actor)
	q.Request = q.Request.WithContext(components.With(ctx, q.componentsRequest()))
}

// readForm reads the query and a posted form: at most maxForm bytes, UTF-8 without
// zero bytes, urlencoded.
func (q *request) readForm() error {
	if q.Request.Method == http.MethodPost {
		if q.Request.ContentLength > maxForm {
			return q.formError(http.StatusRequestEntityTooLarge, "")
		}
		kind, params, err := mime.ParseMediaType(q.GetHeader("Content-Type"))
		if q.Request.ContentLength != 0 && (err != nil || kind != "application/x-www-form-urlencoded" || !isUTF8(params["charset"])) {
			return q.formError(http.StatusUnsupportedMediaType, text.T(q.Request.Context(), "fail.body_encoding"))
		}
		q.Request.Body = http.MaxBytesReader(q.Writer, q.Request.Body, maxForm)
	}
	err := q.Request.ParseForm()
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return q.formError(http.StatusRequestEntityTooLarge, "")
	case err != nil:
		return q.formError(http.StatusBadRequest, text.T(q.Request.Context(), "fail.body_encoding"))
	}
	for key, values := range q.Request.Form {
		for _, v := range append(values, key) {
			if !utf8.ValidString(v) || strings.ContainsRune(v, 0) {
				return q.formError(http.StatusBadRequest, text.T(q.Request.Context(), "fail.body_field", fmt.Sprintf("%.60q", key)))
			}
		}
	}
	for _, p := range q.Params {
		if !utf8.ValidString(p.Value) || strings.ContainsRune(p.Value, 0) {
			return q.notFound()
		}
	}
	return nil
}

func isUTF8(charset string) bool { return charset == "" || strings.EqualFold(charset, "utf-8") }

// recover answers a panic, which is a defect of the program, with an error page; the
// process and other requests go on.
func (q *request) recover() {
	cause := recover()
	if cause == nil {
		return
	}
	if cause == http.ErrAbortHandler { //nolint:errorlint // net/http compares it so
		panic(cause)
	}
	q.c.log.Error("answering a request", "panic", fmt.Sprint(cause), "request", q.id, "method", q.Request.Method, "path", q.Request.URL.Path, "stack", string(debug.Stack()))
	if !q.Writer.Written() {
		q.fail(&control.Error{Kind: control.Internal, Message: "Something went wrong inside Sluice; the server's log says what."})
	}
}

// newRequestID is short enough to be read out on the telephone.
func newRequestID() string {
	b := make([]byte, 5)
	_, _ = rand.Read(b) // never fails (crypto/rand)
	return base32.StdEncoding.EncodeToString(b)
}

func (q *request) address() string { return web.ClientAddress(q.Request) }
