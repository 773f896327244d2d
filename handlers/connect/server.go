// Package connect serves Apache Kafka Connect's REST API for the connectors of each
// instance, under /connect/<instance>/. Paths, codes, bodies and their member order
// are those of Connect 4.3.1; where Sluice differs on purpose, the user guide says so.
//
// Gin's router cannot give Connect's answers (404 before 401, JSON for 405 and 415,
// names that hold escapes, every trailing slash), so this package routes by itself.
package connect

import (
	"context"
	"log/slog"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// APIVersion is the version of Kafka Connect whose API is spoken; clients decide by
// it which calls they may use.
const APIVersion = "4.3.1"

// Prefix is where the API is served.
const Prefix = "/connect"

// Options configures a Server.
type Options struct {
	Control      *control.Service
	Authenticate web.Authenticate
	// Commit names the build; GET / shows it.
	Commit string
	// Healthy says why the server cannot work as it should; nil when it can.
	Healthy func(context.Context) error
	Loggers *Loggers // nil: only the root logger, without effect
	Logger  *slog.Logger
}

// Server is the API as an http.Handler.
type Server struct {
	o      Options
	routes []route
}

// New makes a Server.
func New(o Options) *Server {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Healthy == nil {
		o.Healthy = func(context.Context) error { return nil }
	}
	if o.Loggers == nil {
		o.Loggers = NewLoggers("INFO", nil)
	}
	return &Server{o: o, routes: routes()}
}

// action is what one route does; an error is answered by fail.
type action func(s *Server, c *call) error

// route is one path pattern with its methods. A segment in braces matches anything.
type route struct {
	pattern []string
	methods map[string]action
}

// routes lists every path below /connect/<instance>/.
func routes() []route {
	on := func(path string, methods map[string]action) route {
		var pattern []string
		if path != "" {
			pattern = strings.Split(path, "/")
		}
		return route{pattern, methods}
	}
	const get, post, put, patch, del = http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete
	return []route{
		on("", map[string]action{get: rootShow}),
		on("health", map[string]action{get: healthShow}),
		on("connectors", map[string]action{get: connectorList, post: connectorCreate}),
		on("connectors/{c}", map[string]action{get: connectorShow, del: connectorDelete}),
		on("connectors/{c}/config", map[string]action{get: configShow, put: configReplace, patch: configPatch}),
		on("connectors/{c}/status", map[string]action{get: statusShow}),
		on("connectors/{c}/pause", map[string]action{put: connectorPause}),
		on("connectors/{c}/resume", map[string]action{put: connectorResume}),
		on("connectors/{c}/stop", map[string]action{put: connectorStop}),
		on("connectors/{c}/restart", map[string]action{post: connectorRestart}),
		on("connectors/{c}/fence", map[string]action{put: internalOnly}),
		on("connectors/{c}/tasks", map[string]action{get: taskList, post: internalOnly}),
		on("connectors/{c}/tasks/{n}/status", map[string]action{get: taskStatusShow}),
		on("connectors/{c}/tasks/{n}/restart", map[string]action{post: taskRestart}),
		on("connectors/{c}/topics", map[string]action{get: topicsShow}),
		on("connectors/{c}/topics/reset", map[string]action{put: topicsReset}),
		on("connectors/{c}/offsets", map[string]action{get: offsetsShow, patch: offsetsAlter, del: offsetsReset}),
		on("connector-plugins", map[string]action{get: pluginList}),
		on("connector-plugins/{p}/config", map[string]action{get: pluginConfig}),
		on("connector-plugins/{p}/config/validate", map[string]action{put: pluginValidate}),
		on("admin/loggers", map[string]action{get: loggerList}),
		on("admin/loggers/{l}", map[string]action{get: loggerShow, put: loggerSet}),
	}
}

// call is one request on its way through.
type call struct {
	w        http.ResponseWriter
	r        *http.Request
	ctx      context.Context
	instance string
	args     []string // what the braces of the pattern matched, decoded
	row      control.Instance
}

func (c *call) name() string { return c.args[0] }

// ServeHTTP answers one request. The order of refusals is the real worker's: path,
// method, types, and only then credentials.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c := &call{w: w, r: r}
	defer func() {
		if p := recover(); p != nil {
			s.o.Logger.Error("serving Connect's API", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
			WriteError(w, http.StatusInternalServerError, "Something went wrong inside Sluice; the server's log says what.")
		}
	}()
	act, err := s.match(c)
	if err == nil {
		err = s.admit(c)
	}
	if err == nil && r.Method == http.MethodOptions {
		s.options(c)
		return
	}
	if err == nil {
		err = act(s, c)
	}
	if err != nil {
		s.fail(c, err)
	}
}

// match finds the action of a path and method and checks the media types.
func (s *Server) match(c *call) (action, error) {
	segments, err := split(strings.TrimPrefix(c.r.URL.EscapedPath(), Prefix))
	if err != nil {
		return nil, err
	}
	if len(segments) == 0 {
		return nil, status(http.StatusNotFound)
	}
	c.instance = segments[0]
	found, args := s.find(segments[1:])
	if found == nil {
		return nil, status(http.StatusNotFound)
	}
	c.args = args
	method := c.r.Method
	if method == http.MethodHead {
		method = http.MethodGet
	}
	act, ok := found.methods[method]
	if !ok && method != http.MethodOptions {
		return nil, status(http.StatusMethodNotAllowed)
	}
	if !acceptable(c.r) {
		return nil, status(http.StatusUnsupportedMediaType)
	}
	if !wantsJSON(c.r.Header.Values("Accept")) {
		return nil, status(http.StatusNotAcceptable)
	}
	return act, nil
}

func (s *Server) find(segments []string) (*route, []string) {
	for i := range s.routes {
		if args, ok := s.routes[i].match(segments); ok {
			return &s.routes[i], args
		}
	}
	return nil, nil
}

func (r *route) match(segments []string) (args []string, ok bool) {
	if len(segments) != len(r.pattern) {
		return nil, false
	}
	for i, p := range r.pattern {
		switch {
		case strings.HasPrefix(p, "{"):
			if p == "{n}" && !isTaskNumber(segments[i]) {
				return nil, false
			}
			args = append(args, segments[i])
		case p != segments[i]:
			return nil, false
		}
	}
	return args, true
}

func (s *Server) options(c *call) {
	found, _ := s.find(mustSplit(c.r)[1:])
	var allow []string
	for _, m := range []string{http.MethodPost, http.MethodGet, http.MethodPut, http.MethodPatch, http.MethodDelete} {
		if _, ok := found.methods[m]; ok {
			allow = append(allow, m)
		}
	}
	if slices.Contains(allow, http.MethodGet) {
		allow = append([]string{http.MethodHead}, allow...)
	}
	text := strings.Join(append(allow, http.MethodOptions), ", ")
	c.w.Header().Set("Allow", text)
	c.w.Header().Set("Content-Type", "text/plain")
	c.w.WriteHeader(http.StatusOK)
	_, _ = c.w.Write([]byte(text)) // the client has gone: nobody to tell
}

// admit checks credentials and that the instance exists.
func (s *Server) admit(c *call) error {
	if c.r.ContentLength > web.MaxBody {
		return web.ErrTooLarge
	}
	actor, err := s.o.Authenticate.Actor(c.r)
	if err != nil {
		return err
	}
	c.ctx = control.WithActor(c.r.Context(), actor)
	c.row, err = s.o.Control.InstanceRow(c.ctx, c.instance)
	return err
}
