package runner

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// serve runs the connector's parts beside each other until ctx ends or one of them
// says that the configuration cannot work.
func (r *run) serve(ctx context.Context, sub *subject) error {
	j, mirror, err := r.openRecords(ctx, sub)
	if err != nil {
		return err
	}
	defer j.close()
	if mirror != nil {
		mirror.start(j.prod)
		defer mirror.close()
	}
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
// all at the same time, and claims the connector for this installation. A source has no
// mirrored positions: its own are in the offset topic.
func (r *run) openRecords(ctx context.Context, sub *subject) (*journal, *mirror, error) {
	var (
		j                *journal
		m                *mirror
		reading, mirrors error
		all              sync.WaitGroup
	)
	all.Go(func() { j, reading = openJournal(ctx, r.s, sub) })
	if sub.spec.Kind == connector.KindSink {
		all.Go(func() { m, mirrors = readMirror(ctx, r.s, sub) })
		all.Go(func() { r.freeSeats(ctx, sub) })
	}
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

func (r *run) startTasks(ctx context.Context, sub *subject, j *journal, m *mirror) {
	made := r.makeTasks(sub, j, m)
	started := make([]*taskRun, 0, len(made))
	for i, made := range made {
		taskCtx, cancel := context.WithCancelCause(ctx)
		t := &taskRun{index: i, cancel: cancel, done: make(chan struct{}), task: made}
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
	r.log(LogInfo, -1, "Started "+plural(len(started), "task")+".", map[string]string{"version": fmt.Sprint(sub.row.Version), "config": sub.spec.Hash(sub.config)})
}

// makeTasks makes as many sink tasks as the configuration says, or the one task of a
// source.
func (r *run) makeTasks(sub *subject, j *journal, m *mirror) []task {
	if sub.spec.Kind == connector.KindSource {
		r.leads = newLeadership(r.s.o.SessionTimeout)
		return []task{newSourceTask(r.sourceOptions(sub))}
	}
	r.leads = nil
	out := make([]task, sub.config.Int(connector.KeyTasksMax))
	for i := range out {
		out[i] = newSinkTask(r.taskOptions(sub, j, m, i))
	}
	return out
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
