package runner

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/kafka"
)

// run is one connector's life in this process: deploying, its tasks, its place in the
// connector group, the mirror of its positions. One goroutine (loop) owns it.
type run struct {
	id  int64
	s   *Supervisor
	log func(level LogLevel, task int, message string, fields map[string]string)

	cancel context.CancelCauseFunc
	done   chan struct{}

	mu      sync.Mutex
	row     Connector
	restart int64
	status  connector.Status // of the run itself, while it has no tasks
	steps   []string         // what deploying has done so far
	tasks   []*taskRun
	sub     *subject
	leads   *leadership // of a source
	counts  counters
}

// taskRun is one task with what ended it.
type taskRun struct {
	index  int
	task   task
	cancel context.CancelCauseFunc
	done   chan struct{}
	err    error
}

func startRun(parent context.Context, s *Supervisor, c Connector) *run {
	ctx, cancel := context.WithCancelCause(context.WithoutCancel(parent))
	r := &run{id: c.ID, s: s, row: c, restart: c.Restart, cancel: cancel, done: make(chan struct{})}
	r.log = func(level LogLevel, task int, message string, fields map[string]string) {
		s.lines.add(LogLine{ConnectorID: c.ID, Time: time.Now(), Level: level, Task: task, Message: message, Fields: fields})
	}
	st := restState(&c)
	r.set(st.State, st.Cause, "")
	go r.loop(ctx)
	return r
}

func (r *run) set(st connector.State, cause, remedy string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.status.State != st || r.status.Cause != cause {
		r.status.Since = time.Now().UTC()
	}
	r.status.State, r.status.Cause, r.status.Remedy = st, cause, remedy
	r.status.Field, r.status.Claimant = "", ""
}

func (r *run) finished() bool {
	select {
	case <-r.done:
		return true
	default:
		return false
	}
}

// matches tells whether the run still is what the row asks for.
func (r *run) matches(c Connector) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.row.Desired == c.Desired && r.row.Version == c.Version && r.row.Epoch == c.Epoch && r.row.UUID == c.UUID
}

func (r *run) causeFor(c Connector) error {
	switch {
	case c.Desired == DesiredRunning:
		return errRestart
	case c.Desired == DesiredDeleting:
		return errDelete
	}
	return errSuspend
}

func (r *run) retries(c Connector) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return c.Restart != r.restart
}

// retry makes every task try again what a policy or a cause stopped; a run that has
// failed before its tasks starts over.
func (r *run) retry(restart int64) {
	r.mu.Lock()
	r.restart = restart
	tasks := r.tasks
	r.mu.Unlock()
	alive := 0
	for _, t := range tasks {
		select {
		case <-t.done:
		default:
			alive++
		}
	}
	if alive < len(tasks) || len(tasks) == 0 {
		go r.stop(errRestart)
		return
	}
	for _, t := range tasks {
		if !t.task.Retry() {
			go r.stop(errRestart)
			return
		}
	}
}

func (r *run) stop(cause error) { r.stopWithin(cause, stopDeadline) }

// stopWithin cancels the run and waits; false when it still runs at the deadline.
func (r *run) stopWithin(cause error, d time.Duration) bool {
	if errors.Is(cause, errSuspend) && !r.finished() {
		r.set(connector.StateSuspending, "", "")
	}
	r.cancel(cause)
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-r.done:
		return true
	case <-timer.C:
		return false
	}
}

// loop brings the connector up, trying again after passing causes, until it is told
// to stop or its configuration cannot work.
func (r *run) loop(ctx context.Context) {
	defer r.s.Notify(r.id) // what follows it starts at once
	defer close(r.done)
	pause := backoff{min: time.Second, max: 60 * time.Second}
	for {
		err := r.once(ctx)
		if ctx.Err() != nil {
			return
		}
		if wrong := final(err); wrong != nil {
			r.fail(wrong)
			<-ctx.Done()
			return
		}
		if err != nil {
			r.set(connector.StateRecovering, sentence(err), kafka.Remedy(err))
			r.log(LogWarn, -1, "The connector could not start; it will try again.", map[string]string{"error": err.Error()})
		}
		if !wait(ctx, pause.next()) {
			return
		}
	}
}

// final is err as what only a person can put right; nil when trying again may help.
func final(err error) *connector.WrongError {
	var (
		wrong   *connector.WrongError
		refused *egress.Refused
	)
	switch {
	case errors.As(err, &wrong):
		return wrong
	case errors.As(err, &refused):
		return &connector.WrongError{Err: err, Remedy: refused.Remedy}
	}
	return nil
}

func (r *run) fail(wrong *connector.WrongError) {
	r.set(connector.StateFailed, sentence(wrong), wrong.Remedy)
	r.mu.Lock()
	r.status.Field = wrong.Field
	if claimed := new(ClaimedError); errors.As(wrong, &claimed) {
		r.status.Claimant = claimed.Installation
	}
	r.mu.Unlock()
	r.log(LogError, -1, "The connector failed: "+wrong.Error(), map[string]string{"remedy": wrong.Remedy, "field": wrong.Field})
}

// once does everything from reading the row to the end of the tasks. Nil means it was
// told to stop.
func (r *run) once(ctx context.Context) error {
	row, err := r.s.o.Store.ConnectorByID(ctx, r.id)
	if err != nil {
		return fmt.Errorf("reading the connector: %w", err)
	}
	sub, err := r.s.subject(ctx, row)
	if err != nil {
		return err
	}
	if row.Desired != DesiredRunning {
		return r.idle(ctx, sub)
	}
	if !row.Deployed {
		r.set(connector.StateDeploying, "Deploying: topics and groups are made and the first positions are taken.", "")
		if err := r.s.deploy(ctx, sub, r.step); err != nil {
			return err
		}
		sub.row.Deployed, sub.fresh = true, true
	}
	r.mu.Lock()
	r.row, r.sub = sub.row, sub
	r.mu.Unlock()
	return r.serve(ctx, sub)
}

func (r *run) step(text string) {
	r.mu.Lock()
	r.steps = append(r.steps, text)
	r.mu.Unlock()
	r.log(LogInfo, -1, text, nil)
}

// sentence is an error as a cause: in brief, capitalised, with a full stop. A name at its
// beginning (a table, an address) stays as it is written.
func sentence(err error) string {
	s := connector.Brief(err)
	if s == "" {
		return ""
	}
	word, _, _ := strings.Cut(s, " ")
	if s[0] >= 'a' && s[0] <= 'z' && !strings.ContainsAny(strings.TrimRight(word, ".,:;!?"), "._:/") {
		s = string(s[0]-32) + s[1:]
	}
	if last := s[len(s)-1]; last != '.' && last != '!' && last != '?' {
		s += "."
	}
	return s
}

func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
