package console

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// pageError is a refusal that comes from no use case: what, why, what now.
type pageError struct {
	status                int
	title, detail, remedy string
}

func (e *pageError) Error() string { return e.title + ": " + e.detail }

func (q *request) notFound() error {
	ctx := q.Request.Context()
	return &pageError{http.StatusNotFound, text.T(ctx, "fail.not_found"), text.T(ctx, "fail.not_found_page"), text.T(ctx, "fail.not_found_remedy")}
}

func (q *request) methodNotAllowed() error {
	ctx := q.Request.Context()
	return &pageError{http.StatusMethodNotAllowed, text.T(ctx, "fail.method"), text.T(ctx, "fail.method_body", clip(q.Request.Method, 20)), ""}
}

func (q *request) tokenError() error {
	ctx := q.Request.Context()
	return &pageError{http.StatusForbidden, text.T(ctx, "fail.token"), text.T(ctx, "fail.token_body"), text.T(ctx, "fail.token_remedy")}
}

func (q *request) formError(status int, detail string) error {
	ctx := q.Request.Context()
	if status == http.StatusRequestEntityTooLarge {
		return &pageError{status, text.T(ctx, "fail.too_large"), text.T(ctx, "fail.too_large_body"), ""}
	}
	return &pageError{status, text.T(ctx, "fail.body"), detail, ""}
}

// statusOf is the HTTP status of a kind of refusal.
func statusOf(k control.Kind) int {
	switch k {
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

// explain puts a refusal into the words of an error page.
func (q *request) explain(err error) views.ErrorPage {
	var own *pageError
	if errors.As(err, &own) {
		return views.ErrorPage{Status: own.status, Title: own.title, Detail: own.detail, Remedy: own.remedy}
	}
	ctx := q.Request.Context()
	e := control.AsError(err)
	page := views.ErrorPage{Status: statusOf(e.Kind), Detail: e.Message}
	switch e.Kind {
	case control.NotFound:
		page.Title, page.Remedy = text.T(ctx, "fail.not_found"), text.T(ctx, "fail.not_found_remedy")
	case control.Conflict:
		page.Title, page.Remedy = text.T(ctx, "fail.conflict"), strings.Join(e.Pending, " ")
	case control.Invalid:
		page.Title, page.Detail, page.Remedy = text.T(ctx, "fail.invalid"), e.Error(), text.T(ctx, "fail.invalid_remedy")
	case control.Forbidden:
		page.Title, page.Remedy = text.T(ctx, "fail.forbidden"), text.T(ctx, "fail.forbidden_remedy", "operator / admin")
	case control.Quota:
		page.Title = text.T(ctx, "fail.quota")
	case control.Unavailable:
		page.Title, page.Remedy = text.T(ctx, "fail.unavailable"), text.T(ctx, "fail.unavailable_remedy")
	case control.TooLarge:
		page.Title = text.T(ctx, "fail.too_large")
	case control.TooMany:
		page.Title, page.Remedy = text.T(ctx, "fail.too_many"), text.T(ctx, "fail.too_many_remedy", web.RetrySeconds(e.After))
		web.SetRetryAfter(q.Writer.Header(), e.After)
	default:
		page.Title, page.Remedy = text.T(ctx, "fail.internal"), text.T(ctx, "fail.internal_remedy")
	}
	return page
}

// fail answers an error with a page of its kind, and logs what is Sluice's own fault.
func (q *request) fail(err error) {
	if q.Request.Context().Err() != nil && errors.Is(err, context.Canceled) {
		return // the client has gone
	}
	page := q.explain(err)
	if page.Status >= http.StatusInternalServerError {
		page.Request = q.id
		cause := errors.Unwrap(err)
		q.c.log.Error("answering a request", "request", q.id, "method", q.Request.Method, "path", q.Request.URL.Path, "status", page.Status, "err", err, "cause", cause)
	}
	if q.Writer.Written() {
		return
	}
	q.Abort()
	page.SignedIn = q.signedIn()
	page.Page = q.page(page.Title, "")
	page.Actions = []components.Action{}
	if rerr := q.render(page.Status, views.Error(page)); rerr != nil {
		q.c.log.Error("rendering an error page", "request", q.id, "err", rerr)
		http.Error(q.Writer, strconv.Itoa(page.Status)+" "+http.StatusText(page.Status), page.Status)
	}
}

// acted ends a form's action: done's flash and the way on, or the refusal as a flash on
// the page where the button stood. What is not about the present state is an error page.
func (q *request) acted(err error, title, body, on string) error {
	if err == nil {
		q.done(title, body)
		return q.redirect(on)
	}
	return q.refused(err, on)
}

// refused shows a refusal as a flash on another page; errors that concern the program,
// the role or the address stay error pages.
func (q *request) refused(err error, back string) error {
	var own *pageError
	e := control.AsError(err)
	switch {
	case errors.As(err, &own), e.Kind == control.NotFound, e.Kind == control.Forbidden, e.Kind == control.Internal:
		return err
	}
	page := q.explain(err)
	q.flash(flash{Tone: components.ToneBad, Title: page.Title, Body: strings.TrimSpace(page.Detail + " " + page.Remedy)})
	return q.redirect(back)
}

// problems takes the field errors out of a refusal that a form shows again (422); ok is
// false when the error is another one.
func problems(err error) (fields map[string]string, general []string, ok bool) {
	if err == nil {
		return nil, nil, true
	}
	var own *pageError
	e := control.AsError(err)
	if errors.As(err, &own) || e.Kind != control.Invalid && !(e.Kind == control.Conflict && len(e.Fields) > 0) {
		return nil, nil, false
	}
	fields = map[string]string{}
	for _, f := range e.Fields {
		if f.Field == "" {
			general = append(general, f.Message)
		} else if fields[f.Field] == "" {
			fields[f.Field] = f.Message
		}
	}
	if len(e.Fields) == 0 {
		general = append(general, e.Message)
	}
	return fields, general, true
}
