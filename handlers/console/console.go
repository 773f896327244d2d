// Package console serves the pages: server-rendered HTML whose forms work without a
// script, and whose parts a script asks for alone (HX-Request). Every route stands in
// one list with the role it needs (routes.go); everything that is done goes through
// package control.
package console

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/static"
)

// Store is what the console asks of the model beside the use cases: who signs in, and
// the lists that pages show. *models.Store implements it.
type Store interface {
	// Authenticate answers models.ErrWrongCredentials or *models.ThrottledError.
	Authenticate(ctx context.Context, name, password, address string) (models.User, error)
	UserByName(ctx context.Context, name string) (models.User, error)
	NewSession(ctx context.Context, userID int64, address, agent string) (secret string, err error)
	SessionBySecret(ctx context.Context, secret string) (models.Session, models.User, error)
	Sessions(ctx context.Context, userID int64) ([]models.Session, error)
	RevokeSession(ctx context.Context, id int64) error
	Audit(ctx context.Context, e models.AuditEntry) error
	AuditEntries(ctx context.Context, q models.AuditQuery) ([]models.AuditEntry, error)
	ListConnectors(ctx context.Context, q models.ConnectorQuery) (models.ConnectorList, error)
}

// Options are what the console needs. Sandbox and Logger may be nil.
type Options struct {
	Control *control.Service
	Store   Store
	Sandbox Sandbox // nil: the sandbox is off and its pages do not exist
	Logger  *slog.Logger
	Version string // shown in the footer
	Secure  bool   // served over TLS: cookies are Secure and carry the __Host- prefix
	Now     func() time.Time
}

// Console holds the handlers of all pages.
type Console struct {
	control *control.Service
	store   Store
	sandbox Sandbox
	log     *slog.Logger
	version string
	secure  bool
	now     func() time.Time
	cross   *http.CrossOriginProtection
	checks  *checkRuns
	later   *laterAnswers
}

// New makes the console.
func New(o Options) *Console {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return &Console{control: o.Control, store: o.Store, sandbox: o.Sandbox, log: o.Logger, version: o.Version, secure: o.Secure, now: o.Now,
		cross: http.NewCrossOriginProtection(), checks: newCheckRuns(o.Now), later: newLaterAnswers(o.Now)}
}

// Routes adds every page and the assets to r. The engine should answer what has no
// route by NotFound and MethodNotAllowed, and must not trust forwarded headers.
func (c *Console) Routes(r gin.IRouter) {
	assets := gin.WrapH(static.Handler())
	r.GET(static.Prefix+"*path", assets)
	r.HEAD(static.Prefix+"*path", assets)
	for _, rt := range c.routes() {
		r.Handle(rt.method, rt.path, c.serve(rt))
		if rt.method == http.MethodGet {
			r.Handle(http.MethodHead, rt.path, c.serve(rt))
		}
	}
}

// NotFound answers an address that has no route.
func (c *Console) NotFound(g *gin.Context) {
	c.serve(route{method: g.Request.Method, path: "", open: true, to: func(q *request) error { return q.notFound() }})(g)
}

// MethodNotAllowed answers a method that an address does not take; the engine has set
// Allow.
func (c *Console) MethodNotAllowed(g *gin.Context) {
	c.serve(route{method: http.MethodGet, path: "", open: true, to: func(q *request) error { return q.methodNotAllowed() }})(g)
}

// Untrusted answers what a page of another site sent.
func (c *Console) Untrusted(g *gin.Context) {
	c.serve(route{method: http.MethodGet, path: "", open: true, to: func(q *request) error { return q.tokenError() }})(g)
}
