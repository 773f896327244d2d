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
	counts  counters
}

// taskRun is one task with what ended it.
type taskRun struct {
	index  int
	task   *sinkTask
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

func idleState(d Desired) connector.State {
	switch d {
	case DesiredPaused:
		return connector.StateSuspended
	case DesiredStopped:
		return connector.StateStopped
	case DesiredNotDeployed:
		return connector.StateNotDeployed
	case DesiredDraft:
		return connector.StateDraft
	case DesiredDeleting:
		return connector.StateDeleting
	}
	return connector.StateDeploying
}

// restState is the state of a connector by what is wanted of it, as long as nothing else
// is known. One that was deployed before runs as soon as it is to run: what comes now is
// a start, no deployment, and programs that resume or modify it expect that.
func restState(c *Connector) connector.Status {
	st := connector.Status{State: idleState(c.Desired), Since: c.UpdatedAt}
	if c.Desired == DesiredRunning {
		st.Cause = startingCause
		if c.Deployed {
			st.State = connector.StateRunning
		}
	}
	return st
}

const startingCause = "Starting."

// expectedTasks stand for the tasks of a connector that is starting.
func (s *Supervisor) expectedTasks(c *Connector, st connector.Status) []TaskStatus {
	spec, err := connector.Find(s.o.Specs, c.Class)
	if err != nil || c.Desired != DesiredRunning || st.State != connector.StateRunning {
		return nil
	}
	out := make([]TaskStatus, max(spec.Resolve(c.Config, connector.Env{}).Int(connector.KeyTasksMax), 1))
	for i := range out {
		out[i] = TaskStatus{ConnectorID: c.ID, Task: i, Node: s.o.Worker, Status: st}
	}
	return out
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
		t.task.Retry()
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

// serve runs the connector's parts beside each other until ctx ends or one of them
// says that the configuration cannot work.
func (r *run) serve(ctx context.Context, sub *subject) error {
	j, mirror, err := r.openRecords(ctx, sub)
	if err != nil {
		return err
	}
	defer j.close()
	mirror.start(j.prod)
	defer mirror.close()
	outer := ctx
	ctx, give := context.WithCancelCause(outer)
	defer give(nil)
	go j.watch(ctx, give)
	r.startTasks(ctx, sub, j, mirror)
	reporterDone := make(chan struct{})
	side, stopSide := context.WithCancel(context.WithoutCancel(ctx))
	go func() { defer close(reporterDone); r.report(side, sub, j) }()
	leader := r.startLeader(ctx, side, sub, j)
	r.waitTasks(ctx)
	stopSide()
	<-reporterDone
	<-leader
	r.mu.Lock()
	r.tasks = nil
	r.mu.Unlock()
	r.logEnd(outer)
	return lost(ctx)
}

// openRecords reads the configuration topic and the mirrored positions and frees seats,
// all at the same time, and claims the connector for this installation.
func (r *run) openRecords(ctx context.Context, sub *subject) (*journal, *mirror, error) {
	var (
		j                *journal
		m                *mirror
		reading, mirrors error
		all              sync.WaitGroup
	)
	all.Go(func() { j, reading = openJournal(ctx, r.s, sub) })
	all.Go(func() { m, mirrors = readMirror(ctx, r.s, sub) })
	all.Go(func() { r.freeSeats(ctx, sub) })
	all.Wait()
	if reading != nil {
		return nil, nil, reading
	}
	err := j.claim(ctx)
	if err == nil {
		err = mirrors
	}
	if err != nil {
		j.close()
		return nil, nil, err
	}
	return j, m, nil
}

// logEnd tells in the connector's log why its tasks have ended.
func (r *run) logEnd(ctx context.Context) {
	text := ""
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, errSuspend):
		text = "Suspended: all tasks have ended, the positions are kept."
	case errors.Is(cause, errRestart):
		text = "All tasks have ended and start again."
	case errors.Is(cause, errShutdown):
		text = "All tasks have ended because Sluice stops."
	default:
		return
	}
	r.log(LogInfo, -1, text, nil)
}

// freeSeatsTimeout bounds freeSeats, without which partitions only wait longer.
const freeSeatsTimeout = 5 * time.Second

// freeSeats removes from the group the seats of this node's tasks that are no more
// since tasks.max became smaller: their partitions would wait for the session timeout.
func (r *run) freeSeats(ctx context.Context, sub *subject) {
	if sub.spec.Kind != connector.KindSink {
		return
	}
	used := map[string]bool{}
	for i := range int(sub.config.Int(connector.KeyTasksMax)) {
		used[seatOf(r.s.o.Node, sub.row.Name, i)] = true
	}
	ctx, cancel := context.WithTimeout(ctx, freeSeatsTimeout)
	defer cancel()
	err := func() error {
		admin, err := kafka.OpenAdmin(ctx, sub.cluster)
		if err != nil {
			return fmt.Errorf("connecting to the instance: %w", err)
		}
		defer admin.Close()
		g, err := admin.DescribeGroup(ctx, sub.names.group)
		if err != nil {
			return fmt.Errorf("describing group %s: %w", sub.names.group, err)
		}
		var left []string
		for _, m := range g.Members {
			if strings.HasPrefix(m.InstanceID, r.s.o.Node+"-") && !used[m.InstanceID] {
				left = append(left, m.InstanceID)
			}
		}
		if len(left) == 0 {
			return nil
		}
		return admin.RemoveMembers(ctx, sub.names.group, left...)
	}()
	if err != nil {
		r.s.log.Warn("freeing the seats of ended tasks", "connector", sub.row.Name, "err", err)
	}
}

func (r *run) startTasks(ctx context.Context, sub *subject, j *journal, m *mirror) {
	n := int(sub.config.Int(connector.KeyTasksMax))
	started := make([]*taskRun, 0, n)
	for i := range n {
		taskCtx, cancel := context.WithCancelCause(ctx)
		t := &taskRun{index: i, cancel: cancel, done: make(chan struct{}), task: newSinkTask(r.taskOptions(sub, j, m, i))}
		started = append(started, t)
		go func() {
			defer close(t.done)
			t.err = t.task.Run(taskCtx)
			if t.err != nil && ctx.Err() == nil {
				r.log(LogError, i, "The task ended: "+t.err.Error(), nil)
			}
		}()
	}
	r.mu.Lock()
	r.tasks = started
	r.mu.Unlock()
	r.set(connector.StateRunning, "", "")
	r.log(LogInfo, -1, fmt.Sprintf("Started %d tasks.", n), map[string]string{"version": fmt.Sprint(sub.row.Version), "config": sub.spec.Hash(sub.config)})
}

func (r *run) taskOptions(sub *subject, j *journal, m *mirror, i int) taskOptions {
	o := &r.s.o
	return taskOptions{
		Connector: sub.row, Spec: sub.spec, Config: sub.config, Hash: sub.spec.Hash(sub.config),
		ConfigByHash: j.byHash,
		Deps:         r.s.deps(sub),
		Cluster:      sub.cluster, Task: i, Node: o.Node, Budget: o.Budget,
		Mirrored: m.last,
		OnCommit: m.note,
		OnDelivered: func(_ kafka.TP, records, bytes, diverted int64) {
			r.delivered(sub.row.Delivered, records, bytes, diverted)
		},
		Log:             func(level LogLevel, message string, fields map[string]string) { r.log(level, i, message, fields) },
		DeadLetterTopic: sub.names.deadLetter, AbnormalTopic: sub.names.abnormal,
		SessionTimeout: o.SessionTimeout, Faults: o.Faults, FirstStart: sub.fresh,
	}
}

// waitTasks returns when every task has ended. Tasks that end by themselves stay
// shown as failed until the run is restarted.
func (r *run) waitTasks(ctx context.Context) {
	<-ctx.Done()
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	for _, t := range tasks {
		<-t.done
	}
}

// idle keeps the group of a suspended connector alive: a member joins once a day.
func (r *run) idle(ctx context.Context, sub *subject) error {
	r.mu.Lock()
	r.row, r.sub = sub.row, sub
	r.mu.Unlock()
	r.set(idleState(sub.row.Desired), "", "")
	keepAlive(ctx, keepAliveFirst, keepAliveEvery, func(ctx context.Context) {
		if err := joinBriefly(ctx, sub); err != nil && ctx.Err() == nil {
			r.log(LogWarn, -1, "The suspended connector could not join its group; its position may expire.", map[string]string{"error": err.Error()})
		}
	})
	return nil
}

// joinBriefly joins the group and leaves it: an empty group's offsets expire, a
// membership starts the time anew.
func joinBriefly(ctx context.Context, sub *subject) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	c, err := kafka.NewConsumer(sub.cluster, kafka.ConsumerOptions{Group: sub.names.group, Topics: sub.config.List(connector.KeyTopics), SessionTimeout: defaultSessionTimeout})
	if err != nil {
		return fmt.Errorf("joining group %s: %w", sub.names.group, err)
	}
	defer c.Close(true)
	joined := &briefMember{cancel: cancel}
	if err := c.RunSession(ctx, joined); err != nil && !joined.joined {
		return fmt.Errorf("joining group %s: %w", sub.names.group, err)
	}
	return nil
}

type briefMember struct {
	joined bool
	cancel context.CancelFunc
}

func (b *briefMember) Setup(kafka.Session) error {
	b.joined = true
	b.cancel()
	return nil
}
func (b *briefMember) Consume(s kafka.Session, _ kafka.Claim) error {
	<-s.Context().Done()
	return nil
}
func (b *briefMember) Cleanup(kafka.Session) error { return nil }

// sentence is an error as a cause: in brief, capitalised, with a full stop.
func sentence(err error) string {
	s := connector.Brief(err)
	if s == "" {
		return ""
	}
	if s[0] >= 'a' && s[0] <= 'z' {
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
