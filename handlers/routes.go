// Package handlers puts the surfaces of the server together: the console's pages,
// Kafka Connect's REST API and /api/v1. Their routes stand in one list each:
// console/routes.go, connect/server.go, api/api.go.
package handlers

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"runtime/debug"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/handlers/api"
	"github.com/sluice-io/sluice/handlers/connect"
	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
)

// Pages is the console: it adds its routes and answers what has none.
type Pages interface {
	Routes(gin.IRouter)
	NotFound(*gin.Context)
	MethodNotAllowed(*gin.Context)
	// Untrusted answers what a page of another site sent.
	Untrusted(*gin.Context)
}

// Users verifies names and passwords; *models.Store does.
type Users interface {
	Authenticate(ctx context.Context, name, password, address string) (models.User, error)
}

// Options are what the server needs.
type Options struct {
	Control *control.Service
	Users   Users
	Pages   Pages             // nil: no console
	Faults  api.SandboxFaults // nil: the sandbox is off
	// Ready says why requests cannot be served yet or any more; nil when they can.
	Ready    func(context.Context) error
	Loggers  *connect.Loggers
	Commit   string          // names the build
	Stopping <-chan struct{} // closed when the server stops
	Logger   *slog.Logger
}

// New makes the engine with every route. Requests that a page of another site sent and
// that could change something are refused by all of them.
func New(o Options) *gin.Engine {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Ready == nil {
		o.Ready = func(context.Context) error { return nil }
	}
	gin.SetMode(gin.ReleaseMode)
	e := gin.New()
	_ = e.SetTrustedProxies(nil) // with nil it cannot fail
	e.HandleMethodNotAllowed = true
	e.RedirectTrailingSlash = false
	e.ContextWithFallback = true
	e.Use(recoverWith(o.Logger), sameOrigin(o.Pages))

	who := Authenticator(o.Users)
	kafkaConnect := connect.New(connect.Options{Control: o.Control, Authenticate: who, Commit: o.Commit, Healthy: o.Ready, Loggers: o.Loggers, Logger: o.Logger})
	e.Any(connect.Prefix, gin.WrapH(kafkaConnect))
	e.Any(connect.Prefix+"/*path", gin.WrapH(kafkaConnect))
	api.New(api.Options{Control: o.Control, Authenticate: who, Faults: o.Faults, Stopping: o.Stopping, Logger: o.Logger}).Routes(e)
	health(e, o.Ready)
	if o.Pages != nil {
		o.Pages.Routes(e)
	}
	e.NoRoute(func(g *gin.Context) { noRoute(g, kafkaConnect, o.Pages) })
	e.NoMethod(func(g *gin.Context) { noMethod(g, kafkaConnect, o.Pages) })
	return e
}

// health adds the probes that need no sign-in.
func health(r gin.IRouter, ready func(context.Context) error) {
	for _, method := range []string{http.MethodGet, http.MethodHead} {
		r.Handle(method, "/healthz", func(g *gin.Context) { g.String(http.StatusOK, "ok\n") })
		r.Handle(method, "/readyz", func(g *gin.Context) {
			if err := ready(g.Request.Context()); err != nil {
				g.String(http.StatusServiceUnavailable, "not ready\n")
				return
			}
			g.String(http.StatusOK, "ready\n")
		})
	}
}

// sameOrigin refuses by the browser's own statement (Sec-Fetch-Site, Origin), each
// surface in its own words.
func sameOrigin(pages Pages) gin.HandlerFunc {
	const refusal = "The request came from a page of another site; such requests change nothing here."
	cross := http.NewCrossOriginProtection()
	return func(g *gin.Context) {
		if cross.Check(g.Request) == nil {
			return
		}
		defer g.Abort() // after the page, which an aborted request does not get
		switch path := g.Request.URL.Path; {
		case below(path, connect.Prefix):
			connect.WriteError(g.Writer, http.StatusForbidden, refusal)
		case below(path, "/api"), pages == nil:
			api.WriteProblem(g.Writer, http.StatusForbidden, refusal, nil)
		default:
			pages.Untrusted(g)
		}
	}
}

func below(path, prefix string) bool {
	return path == prefix || strings.HasPrefix(path, prefix+"/")
}

func noRoute(g *gin.Context, kafkaConnect http.Handler, pages Pages) {
	switch path := g.Request.URL.Path; {
	case below(path, connect.Prefix):
		kafkaConnect.ServeHTTP(g.Writer, g.Request)
	case below(path, "/api"), pages == nil:
		api.NotFound(g)
	default:
		pages.NotFound(g)
	}
}

func noMethod(g *gin.Context, kafkaConnect http.Handler, pages Pages) {
	switch path := g.Request.URL.Path; {
	case below(path, connect.Prefix):
		kafkaConnect.ServeHTTP(g.Writer, g.Request)
	case below(path, "/api"), pages == nil:
		api.MethodNotAllowed(g)
	default:
		pages.MethodNotAllowed(g)
	}
}

// recoverWith answers a panic of a handler with 500; the stack goes to the log only.
func recoverWith(log *slog.Logger) gin.HandlerFunc {
	return func(g *gin.Context) {
		defer func() {
			p := recover()
			if p == nil {
				return
			}
			if err, is := p.(error); is && errors.Is(err, http.ErrAbortHandler) {
				panic(p)
			}
			log.Error("a handler panicked", "method", g.Request.Method, "path", g.Request.URL.Path, "panic", p, "stack", string(debug.Stack()))
			if !g.Writer.Written() {
				api.WriteProblem(g.Writer, http.StatusInternalServerError, "Something went wrong inside Sluice; the server's log says what.", nil)
			}
			g.Abort()
		}()
		g.Next()
	}
}

// Authenticator verifies Basic credentials by the model's users.
func Authenticator(users Users) web.Authenticate {
	return func(ctx context.Context, name, password, address string) (control.Actor, error) {
		u, err := users.Authenticate(ctx, name, password, address)
		var throttled *models.ThrottledError
		switch {
		case errors.As(err, &throttled):
			return control.Actor{}, &web.ThrottledError{After: throttled.RetryAfter}
		case errors.Is(err, models.ErrWrongCredentials):
			return control.Actor{}, web.ErrUnauthorized
		case err != nil:
			return control.Actor{}, control.AsError(err)
		}
		return control.Actor{UserID: u.ID, Name: u.Name, Role: control.Role(u.Role)}, nil
	}
}
