// Package api serves /api/v1: what Kafka Connect's REST API has no word for. Errors
// are application/problem+json; lists are {"<noun>":[…],"next":"<cursor>"}.
package api

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// Prefix is where the API is served.
const Prefix = "/api/v1"

// SandboxFaults switches the faults of the sandbox's stand-ins. Refusals are
// *control.Error.
type SandboxFaults interface {
	// Faults lists what a part is told to do wrong, as JSON answers it.
	Faults(part string) (any, error)
	// SetFaults replaces the list by a JSON array.
	SetFaults(part string, faults []byte) error
}

// Options configures an API.
type Options struct {
	Control      *control.Service
	Authenticate web.Authenticate
	Faults       SandboxFaults   // nil: the sandbox is off
	Stopping     <-chan struct{} // closed when the server stops: followed logs end
	Logger       *slog.Logger
}

// API holds the handlers.
type API struct {
	o Options
}

// New makes an API.
func New(o Options) *API {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return &API{o}
}

// Routes adds every path of the API to r.
func (a *API) Routes(r gin.IRouter) {
	g := r.Group(Prefix)
	on := func(method, path string, to func(*call) error, parameters ...string) {
		g.Handle(method, path, a.serve(to, parameters))
		if method == http.MethodGet {
			g.Handle(http.MethodHead, path, a.serve(to, parameters))
		}
	}
	const instance, one = "/instances/:instance", "/instances/:instance/connectors/:connector"
	on("GET", "/instances", instanceList, "limit", "cursor")
	on("POST", "/instances", instanceCreate)
	on("GET", instance, instanceShow)
	on("PATCH", instance, instancePatch)
	on("DELETE", instance, instanceDelete)
	on("POST", instance+"/enable", instanceEnable)
	on("POST", instance+"/quota-requests", quotaRequest)
	on("POST", instance+"/checks", checkRun)
	on("POST", instance+"/preview", previewShow)
	on("GET", instance+"/topics", topicList, "limit", "cursor")
	on("POST", instance+"/topics", topicCreate)
	on("GET", instance+"/topics/:topic", topicShow)
	on("POST", instance+"/topics/:topic/records", recordSend)
	on("GET", instance+"/topics/:topic/records/:partition/:offset/fate", recordFate, "connector")
	on("GET", one+"/logs", logShow, "level", "task", "from", "to", "q", "limit", "follow")
	on("GET", one+"/versions", versionList)
	on("GET", one+"/resources", resourceList)
	on("GET", one+"/choices", choiceList)
	on("POST", one+"/choose", choiceMake)
	on("GET", one+"/progress", progressShow)
	on("POST", one+"/snapshot", snapshotStart)
	on("GET", one+"/claim", claimShow)
	on("POST", one+"/take-over", claimTake)
	on("GET", "/sandbox/:part/faults", faultList)
	on("POST", "/sandbox/:part/faults", faultSet)
}

// call is one request on its way through.
type call struct {
	*gin.Context
	a   *API
	svc *control.Service
}

// serve wraps an action: who asks, its query parameters, then the action, then its error
// as a problem.
func (a *API) serve(to func(*call) error, parameters []string) gin.HandlerFunc {
	return func(g *gin.Context) {
		actor, err := a.o.Authenticate.Actor(g.Request)
		if err != nil {
			a.fail(g, err)
			return
		}
		g.Request = g.Request.WithContext(control.WithActor(g.Request.Context(), actor))
		if err := onlyParameters(g.Request.URL.RawQuery, parameters); err != nil {
			a.fail(g, err)
			return
		}
		if err := to(&call{g, a, a.o.Control}); err != nil {
			a.fail(g, err)
		}
	}
}

// ok answers JSON.
func (c *call) ok(status int, body any) error {
	web.WriteJSON(c.Writer, "application/json", status, body)
	return nil
}

// created answers 201 with where the thing is; the segments are escaped here.
func (c *call) created(body any, segments ...string) error {
	path := Prefix
	for _, s := range segments {
		path += "/" + url.PathEscape(s)
	}
	c.Header("Location", path)
	return c.ok(http.StatusCreated, body)
}

// jsonType tells whether the request's body may be read: JSON, or for a PATCH a merge
// patch. No type at all is taken for JSON.
func (c *call) jsonType() bool {
	kind := c.GetHeader("Content-Type")
	if kind == "" || web.IsJSON(kind) {
		return true
	}
	base, _, _ := strings.Cut(kind, ";")
	return c.Request.Method == http.MethodPatch && strings.EqualFold(strings.TrimSpace(base), "application/merge-patch+json")
}

// object reads the body as a JSON object with no members but those named.
func (c *call) object(members ...string) (values, error) {
	body, err := c.body()
	if err != nil {
		return nil, err
	}
	o, err := web.DecodeObject(body)
	if err != nil {
		return nil, err
	}
	return o, values(o).only(members)
}

func (c *call) body() ([]byte, error) {
	if !c.jsonType() {
		return nil, &statusError{http.StatusUnsupportedMediaType, "Send JSON with Content-Type: application/json."}
	}
	return web.ReadBody(c.Writer, c.Request)
}
