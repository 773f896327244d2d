package api

import (
	"errors"
	"net/http"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// problem is an RFC 9457 body.
type problem struct {
	Type   string                 `json:"type"`
	Title  string                 `json:"title"`
	Status int                    `json:"status"`
	Detail string                 `json:"detail"`
	Errors []connector.FieldError `json:"errors"`
}

// statusError is a refusal of the surface itself.
type statusError struct {
	status int
	detail string
}

func (e *statusError) Error() string { return e.detail }

// WriteProblem answers a refusal; fields may be nil.
func WriteProblem(w http.ResponseWriter, status int, detail string, fields []connector.FieldError) {
	if fields == nil {
		fields = []connector.FieldError{}
	}
	web.WriteJSON(w, "application/problem+json", status, problem{"about:blank", http.StatusText(status), status, detail, fields})
}

func (a *API) fail(g *gin.Context, err error) {
	g.Abort()
	var (
		own       *statusError
		throttled *web.ThrottledError
		body      *web.BadBodyError
	)
	switch {
	case errors.As(err, &own):
		WriteProblem(g.Writer, own.status, own.detail, nil)
	case errors.Is(err, web.ErrUnauthorized):
		g.Header("WWW-Authenticate", web.Challenge)
		WriteProblem(g.Writer, http.StatusUnauthorized, "Sign in with a user's name and password (HTTP Basic).", nil)
	case errors.As(err, &throttled):
		web.SetRetryAfter(g.Writer.Header(), throttled.After)
		WriteProblem(g.Writer, http.StatusTooManyRequests, throttled.Error(), nil)
	case errors.Is(err, web.ErrTooLarge):
		WriteProblem(g.Writer, http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.", nil)
	case errors.As(err, &body):
		WriteProblem(g.Writer, http.StatusBadRequest, body.Text, nil)
	default:
		a.failControl(g, control.AsError(err))
	}
}

func (a *API) failControl(g *gin.Context, e *control.Error) {
	status := statusOf(e)
	if e.Kind == control.TooMany {
		web.SetRetryAfter(g.Writer.Header(), e.After)
	}
	if status >= http.StatusInternalServerError {
		a.o.Logger.Error("serving /api/v1", "method", g.Request.Method, "path", g.Request.URL.Path, "err", e.Err)
	}
	fields := e.Fields
	for _, p := range e.Pending {
		fields = append(fields, connector.FieldError{Field: "pending", Message: p})
	}
	WriteProblem(g.Writer, status, e.Message, fields)
}

func statusOf(e *control.Error) int {
	switch e.Kind {
	case control.NotFound:
		return http.StatusNotFound
	case control.Conflict:
		return http.StatusConflict
	case control.Invalid:
		return http.StatusUnprocessableEntity
	case control.Forbidden, control.Quota:
		return http.StatusForbidden
	case control.Unavailable:
		return http.StatusServiceUnavailable
	case control.TooLarge:
		return http.StatusRequestEntityTooLarge
	case control.TooMany:
		return http.StatusTooManyRequests
	}
	return http.StatusInternalServerError
}

// NotFound answers an address below Prefix that has no route.
func NotFound(g *gin.Context) {
	WriteProblem(g.Writer, http.StatusNotFound, "There is nothing at this address.", nil)
}

// MethodNotAllowed answers a method that an address does not take.
func MethodNotAllowed(g *gin.Context) {
	WriteProblem(g.Writer, http.StatusMethodNotAllowed, "This address does not take "+clip(g.Request.Method)+".", nil)
}
