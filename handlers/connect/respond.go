package connect

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// httpError is a refusal with its code.
type httpError struct {
	code    int
	message string
}

func (e *httpError) Error() string { return e.message }

// status is the refusal that the real worker's server makes without an endpoint.
func status(code int) error {
	return &httpError{code, fmt.Sprintf("HTTP %d %s", code, http.StatusText(code))}
}

func bad(format string, args ...any) error {
	return &httpError{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

// errorBody is Connect's error: these two members only.
type errorBody struct {
	Code    int    `json:"error_code"`
	Message string `json:"message"`
}

// WriteError answers a refusal in Connect's form.
func WriteError(w http.ResponseWriter, code int, message string) {
	writeJSON(w, code, errorBody{code, message})
}

func writeJSON(w http.ResponseWriter, code int, body any) {
	web.WriteJSON(w, "application/json", code, body)
}

// empty answers without a body.
func (c *call) empty(code int) error {
	c.w.WriteHeader(code)
	return nil
}

func (c *call) json(code int, body any) error {
	writeJSON(c.w, code, body)
	return nil
}

// fail turns an error into its code and message.
func (s *Server) fail(c *call, err error) {
	var (
		own       *httpError
		throttled *web.ThrottledError
		body      *web.BadBodyError
	)
	switch {
	case errors.As(err, &own):
		WriteError(c.w, own.code, own.message)
	case errors.Is(err, web.ErrUnauthorized):
		c.w.Header().Set("WWW-Authenticate", web.Challenge)
		WriteError(c.w, http.StatusUnauthorized, "User cannot access the resource.")
	case errors.As(err, &throttled):
		web.SetRetryAfter(c.w.Header(), throttled.After)
		WriteError(c.w, http.StatusTooManyRequests, throttled.Error())
	case errors.Is(err, web.ErrTooLarge):
		WriteError(c.w, http.StatusRequestEntityTooLarge, "The body is larger than 1 MiB.")
	case errors.As(err, &body):
		WriteError(c.w, http.StatusBadRequest, body.Text)
	default:
		s.failControl(c, control.AsError(err))
	}
}

func (s *Server) failControl(c *call, e *control.Error) {
	code := http.StatusInternalServerError
	switch e.Kind {
	case control.NotFound:
		code = http.StatusNotFound
	case control.Conflict:
		code = http.StatusConflict
	case control.Invalid:
		code = http.StatusBadRequest
	case control.Forbidden, control.Quota:
		code = http.StatusForbidden
	case control.Unavailable:
		code = http.StatusServiceUnavailable
	case control.TooLarge:
		code = http.StatusRequestEntityTooLarge
	case control.TooMany:
		code = http.StatusTooManyRequests
		web.SetRetryAfter(c.w.Header(), e.After)
	}
	if code >= http.StatusInternalServerError {
		s.o.Logger.Error("serving Connect's API", "method", c.r.Method, "path", c.r.URL.Path, "err", e.Err)
	}
	message := e.Message
	if e.Kind == control.Invalid {
		message = e.Error()
	}
	WriteError(c.w, code, message)
}

// lost replaces the text of a connector that does not exist by the endpoint's own.
func lost(err error, format string, args ...any) error {
	if err != nil && control.AsError(err).Kind == control.NotFound {
		return &httpError{http.StatusNotFound, fmt.Sprintf(format, args...)}
	}
	return err
}
