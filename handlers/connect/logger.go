package connect

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// rootLogger is the one that everything inherits from.
const rootLogger = "root"

// loggerLevel is Connect's LoggerLevel.
type loggerLevel struct {
	Level    string `json:"level"`
	Modified *int64 `json:"last_modified"` // ms since the epoch
}

// Loggers are the levels that GET and PUT /admin/loggers show and change.
type Loggers struct {
	mu     sync.Mutex
	levels map[string]loggerLevel
	apply  func(name, level string)
}

// NewLoggers begins with the root logger at a level. apply, which may be nil, makes a
// change take effect.
func NewLoggers(level string, apply func(name, level string)) *Loggers {
	return &Loggers{levels: map[string]loggerLevel{rootLogger: {Level: level}}, apply: apply}
}

// set changes a logger and those below it, and returns the names that changed.
func (l *Loggers) set(name, level string, now time.Time) []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	if _, known := l.levels[name]; !known {
		l.levels[name] = loggerLevel{}
	}
	changed := []string{}
	at := now.UnixMilli()
	for _, n := range slices.Sorted(maps.Keys(l.levels)) {
		below := name == rootLogger || n == name || strings.HasPrefix(n, name+".")
		if !below || l.levels[n].Level == level {
			continue
		}
		l.levels[n] = loggerLevel{level, &at}
		changed = append(changed, n)
		if l.apply != nil {
			l.apply(n, level)
		}
	}
	return changed
}

// all copies the levels.
func (l *Loggers) all() map[string]loggerLevel {
	l.mu.Lock()
	defer l.mu.Unlock()
	return maps.Clone(l.levels)
}

// loggerList answers GET /admin/loggers.
func loggerList(s *Server, c *call) error { return c.json(http.StatusOK, s.o.Loggers.all()) }

// loggerShow answers GET /admin/loggers/{l}.
func loggerShow(s *Server, c *call) error {
	level, known := s.o.Loggers.all()[c.args[0]]
	if !known {
		return &httpError{http.StatusNotFound, "Logger " + plain(c.args[0]) + " not found."}
	}
	return c.json(http.StatusOK, level)
}

// maxLoggers bounds how many names clients may set.
const maxLoggers = 1000

// loggerSet answers PUT /admin/loggers/{l}.
func loggerSet(s *Server, c *call) error {
	if !control.ActorFrom(c.ctx).Role.May(control.Admin) {
		return &control.Error{Kind: control.Forbidden, Message: "Your role does not allow this: it needs the role admin."}
	}
	body, err := c.object()
	if err != nil {
		return err
	}
	if body["level"] == nil {
		return bad("Desired 'level' parameter was not specified in request.")
	}
	text, ok := web.Scalar(body["level"])
	level := strings.ToUpper(text)
	if !ok || !slices.Contains([]string{"OFF", "FATAL", "ERROR", "WARN", "INFO", "DEBUG", "TRACE", "ALL"}, level) {
		return &httpError{http.StatusNotFound, "invalid log level '" + shown(body["level"]) + "'."}
	}
	all := s.o.Loggers.all()
	if _, known := all[c.args[0]]; !known && (len(all) >= maxLoggers || len(c.args[0]) > 256) {
		return bad("Too many loggers, or too long a name.")
	}
	changed := s.o.Loggers.set(c.args[0], level, time.Now())
	if strings.EqualFold(c.r.URL.Query().Get("scope"), "cluster") {
		return c.empty(http.StatusNoContent)
	}
	return c.json(http.StatusOK, changed)
}
