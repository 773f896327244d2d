package console

import (
	"context"
	"crypto/rand"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

const (
	maxRuns    = 64 // that are remembered at once
	runKept    = 15 * time.Minute
	runTimeout = 90 * time.Second
	// runHead is how long a form waits for a run before it shows the run's page: long
	// enough for refusals of values and for checks that are done at once.
	runHead = 400 * time.Millisecond
)

// checkRuns are live checks that go on while a page looks at them. A run belongs to
// the user who began it and keeps the values it checks, so that the form beside the
// findings loses nothing; secrets among them stay in memory and are never shown.
type checkRuns struct {
	now func() time.Time
	mu  sync.Mutex
	m   map[string]*checkRun
}

// checkRun is one "Test connection".
type checkRun struct {
	id     string
	owner  int64
	began  time.Time
	values connector.Config
	done   chan struct{}

	mu       sync.Mutex
	findings []connector.Finding
	err      error
	// noted says, by the field that it is about, what became of a suggestion; page is the
	// form to show anew because values in it changed, "" when none did.
	noted map[string]string
	page  string
}

func newCheckRuns(now func() time.Time) *checkRuns {
	return &checkRuns{now: now, m: map[string]*checkRun{}}
}

// start begins work in the background. It keeps the request's values but not its
// deadline; runTimeout ends it. after is what follows from the findings of work that did
// not fail. TooMany when too many runs are under way.
func (c *checkRuns) start(q *request, values connector.Config, work func(ctx context.Context, emit func(connector.Finding)) error, after ...func(context.Context, *checkRun) error) (*checkRun, error) {
	r := &checkRun{id: rand.Text(), owner: q.user.ID, began: c.now(), values: values, done: make(chan struct{})}
	if !c.keep(r) {
		return nil, &control.Error{Kind: control.TooMany, After: 10 * time.Second, Message: text.T(q.Request.Context(), "check_run.too_many")}
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(q.Request.Context()), runTimeout)
	go func() {
		defer cancel()
		defer close(r.done)
		defer func() {
			if cause := recover(); cause != nil {
				q.c.log.Error("running live checks", "panic", cause)
				r.end(&control.Error{Kind: control.Internal, Message: "Something went wrong inside Sluice; the server's log says what."})
			}
		}()
		err := work(ctx, r.emit)
		for _, then := range after {
			if err == nil {
				err = then(ctx, r)
			}
		}
		r.end(err)
	}()
	r.await(q.Request.Context(), runHead)
	return r, nil
}

// keep remembers a run and forgets old ones; false when all are under way.
func (c *checkRuns) keep(r *checkRun) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	var oldest *checkRun
	for id, other := range c.m {
		if !other.isDone() {
			continue
		}
		if c.now().Sub(other.began) > runKept {
			delete(c.m, id)
		} else if oldest == nil || other.began.Before(oldest.began) {
			oldest = other
		}
	}
	if len(c.m) >= maxRuns {
		if oldest == nil {
			return false
		}
		delete(c.m, oldest.id)
	}
	c.m[r.id] = r
	return true
}

// of finds a run of the request's user; nil when there is none.
func (c *checkRuns) of(q *request, id string) *checkRun {
	c.mu.Lock()
	defer c.mu.Unlock()
	if r := c.m[id]; r != nil && r.owner == q.user.ID && c.now().Sub(r.began) <= runKept {
		return r
	}
	return nil
}

func (r *checkRun) emit(f connector.Finding) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.findings = append(r.findings, f)
}

// all are the findings so far.
func (r *checkRun) all() []connector.Finding {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.findings)
}

// took notes that suggestions were taken into the form at page.
func (r *checkRun) took(page string, noted map[string]string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.page, r.noted = page, noted
}

// mark says at the fields of a form what the checks had to do with their values.
func (r *checkRun) mark(groups []components.Group) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, g := range groups {
		for i := range g.Fields {
			if f := &g.Fields[i]; r.noted[f.Key] != "" {
				f.Why = r.noted[f.Key]
			}
		}
	}
}

// changed is the form that the run changed, once it is done.
func (r *checkRun) changed() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.isDone() {
		return r.page
	}
	return ""
}

func (r *checkRun) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.err = err
}

func (r *checkRun) isDone() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// await waits until the run is done, at most for d.
func (r *checkRun) await(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-r.done:
	case <-t.C:
	case <-ctx.Done():
	}
}

// failure is why the checks could not begin, once they are done.
func (r *checkRun) failure() error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.err
}

// shown is what a page shows of the run: what is finished, and that more is awaited.
func (r *checkRun) shown(ctx context.Context) []components.Finding {
	done := r.isDone()
	r.mu.Lock()
	defer r.mu.Unlock()
	out := findingsOf(r.findings, r.noted)
	if !done {
		out = append(out, components.Finding{Name: text.T(ctx, "check_run.running"), Status: "running"})
	} else if r.err != nil {
		out = append(out, components.Finding{Name: text.T(ctx, "check_run.name"), Status: "failed", Detail: control.AsError(r.err).Error()})
	} else if len(out) == 0 {
		out = append(out, components.Finding{Name: text.T(ctx, "check_run.name"), Status: "skipped", Detail: text.T(ctx, "check_run.nothing")})
	}
	return out
}

func findingsOf(list []connector.Finding, noted map[string]string) []components.Finding {
	out := make([]components.Finding, 0, len(list)+1)
	for _, f := range list {
		shown := components.Finding{Name: f.Name, Status: string(f.Status), Detail: f.Detail, Remedy: f.Remedy, Millis: f.Millis}
		for _, key := range slices.Sorted(maps.Keys(f.Suggest)) {
			if noted[key] != "" {
				shown.Notes = append(shown.Notes, noted[key])
			}
		}
		out = append(out, shown)
	}
	return out
}
