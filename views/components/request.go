package components

import (
	"context"
	"time"

	"github.com/sluice-io/sluice/views/text"
)

// CSRFName is the name of the hidden form field that carries the form token; scripts send the same token in the
// header X-CSRF-Token.
const CSRFName = "_csrf"

// Request is what every component may need to know of the request being answered.
type Request struct {
	CSRF     string         // form token of the session; empty on pages without forms
	Language string         // "en"
	Now      time.Time      // the moment relative times are counted from; zero means the present
	Location *time.Location // zone of absolute times until a script shows the reader's own; nil means UTC
}

type requestKey struct{}

// With returns the context to render a page with. Handlers call it once per request.
func With(ctx context.Context, request Request) context.Context {
	if request.Now.IsZero() {
		request.Now = time.Now()
	}
	if request.Location == nil {
		request.Location = time.UTC
	}
	return context.WithValue(text.WithLanguage(ctx, request.Language), requestKey{}, request)
}

func requestOf(ctx context.Context) Request {
	if request, ok := ctx.Value(requestKey{}).(Request); ok {
		return request
	}
	return Request{Now: time.Now(), Location: time.UTC}
}

// CSRFToken returns the form token of the context.
func CSRFToken(ctx context.Context) string { return requestOf(ctx).CSRF }
