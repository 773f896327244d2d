package runner

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// counters count what a run has delivered since it started.
type counters struct {
	records, bytes, diverted atomic.Int64
	last                     atomic.Int64 // Unix ms of the last delivery
	rate                     atomic.Pointer[rates]
	tried, told              atomic.Bool // telling the model that something became visible; that it knows
}

type rates struct{ records, bytes float64 }

func (c *counters) add(records, bytes, diverted int64) {
	c.records.Add(records)
	c.bytes.Add(bytes)
	c.diverted.Add(diverted)
	if records > 0 {
		c.last.Store(time.Now().UnixMilli())
	}
}

// delivered counts, and tells the model of the first delivery at once: what is fixed
// from then on is refused from then on, also when the process is killed before the
// next report. A model that cannot be written is tried again by the reports.
func (r *run) delivered(already bool, records, bytes, diverted int64) {
	if records > 0 && !already && r.counts.tried.CompareAndSwap(false, true) {
		ctx, cancel := context.WithTimeout(context.Background(), tellTimeout)
		r.s.noteStore(r.tellDelivered(ctx))
		cancel()
	}
	r.counts.add(records, bytes, diverted)
}

func (r *run) tellDelivered(ctx context.Context) error {
	if r.counts.told.Load() {
		return nil
	}
	err := r.s.o.Store.SetDelivered(ctx, r.id)
	r.counts.told.Store(err == nil)
	return err
}

const (
	// tellTimeout is how long the first delivery of a run waits for the model.
	tellTimeout = time.Second

	reportEvery = 2 * time.Second
	pointEvery  = 10 * time.Second
	// saveEvery is how often an unchanged task status is written all the same.
	saveEvery = 20 * time.Second
)

// report writes what pages and other processes read: task states, chart points,
// totals. It also tells the model when something became visible for the first time.
func (r *run) report(ctx context.Context, sub *subject, _ *journal) {
	rep := &reporter{r: r, sub: sub, saved: map[int]TaskStatus{}, savedAt: map[int]time.Time{}, lastRate: time.Now(), lastPoint: time.Now()}
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
			rep.once(last, true)
			cancel()
			return
		case <-tick.C:
			rep.once(ctx, false)
		}
	}
}

type reporter struct {
	r         *run
	sub       *subject
	saved     map[int]TaskStatus
	savedAt   map[int]time.Time
	totals    [3]int64
	rated     [2]int64
	pointed   [3]int64
	lastRate  time.Time
	lastPoint time.Time
}

func (p *reporter) once(ctx context.Context, final bool) {
	st := p.r.rollUp()
	err := p.saveTasks(ctx, st.Tasks)
	c := &p.r.counts
	now := time.Now()
	records, bytes, diverted := c.records.Load(), c.bytes.Load(), c.diverted.Load()
	if d := now.Sub(p.lastRate).Seconds(); d >= 1 {
		c.rate.Store(&rates{float64(records-p.rated[0]) / d, float64(bytes-p.rated[1]) / d})
		p.rated, p.lastRate = [2]int64{records, bytes}, now
	}
	if records > 0 && !p.sub.row.Delivered {
		err = errors.Join(err, p.r.tellDelivered(ctx))
	}
	if d := [3]int64{records - p.totals[0], bytes - p.totals[1], diverted - p.totals[2]}; d != [3]int64{} {
		if e := p.r.s.o.Store.AddTotals(ctx, p.r.id, d[0], d[1], d[2], st.LastDelivery); e != nil {
			err = errors.Join(err, e)
		} else {
			p.totals = [3]int64{records, bytes, diverted}
		}
	}
	if final || now.Sub(p.lastPoint) >= pointEvery {
		e := p.r.s.o.Store.AppendPoints(ctx, []Point{{ConnectorID: p.r.id, Time: now.UTC(), Records: records - p.pointed[0], Bytes: bytes - p.pointed[1],
			Diverted: diverted - p.pointed[2], Waiting: st.Waiting, LagMillis: st.LagMillis}})
		if e == nil {
			p.pointed, p.lastPoint = [3]int64{records, bytes, diverted}, now
		}
		err = errors.Join(err, e)
	}
	if ctx.Err() == nil {
		p.r.s.noteStore(err)
	}
}

func (p *reporter) saveTasks(ctx context.Context, tasks []TaskStatus) error {
	var all error
	for _, t := range tasks {
		was := p.saved[t.Task]
		t.UpdatedAt, was.UpdatedAt = time.Time{}, time.Time{}
		if reflect.DeepEqual(t, was) && time.Since(p.savedAt[t.Task]) < saveEvery {
			continue
		}
		kept := t
		t.UpdatedAt = time.Now().UTC()
		if err := p.r.s.o.Store.SaveTaskStatus(ctx, t); err != nil {
			all = errors.Join(all, fmt.Errorf("saving the state of task %d: %w", t.Task, err))
			continue
		}
		p.saved[t.Task], p.savedAt[t.Task] = kept, time.Now()
	}
	if all == nil {
		all = p.r.s.o.Store.DeleteTaskStatus(ctx, p.r.id, len(tasks))
	}
	return all
}

// rollUp is the state of the connector made of its tasks' states.
func (r *run) rollUp() ConnectorStatus {
	r.mu.Lock()
	tasks, own, row := r.tasks, r.status, r.row
	r.mu.Unlock()
	st := ConnectorStatus{Status: own, Worker: r.s.o.Worker, Delivered: r.counts.records.Load(), Bytes: r.counts.bytes.Load(), Diverted: r.counts.diverted.Load()}
	if ms := r.counts.last.Load(); ms > 0 {
		st.LastDelivery = time.UnixMilli(ms).UTC()
	}
	if rt := r.counts.rate.Load(); rt != nil {
		st.RecordsRate, st.BytesRate = rt.records, rt.bytes
	}
	for _, t := range tasks {
		ts := t.task.Status()
		ts.ConnectorID, ts.Task, ts.Node = r.id, t.index, r.s.o.Worker
		select {
		case <-t.done:
			ts.Status = endedStatus(ts.Status, t.err)
		default:
		}
		for i := range ts.Partitions {
			st.Waiting += max(ts.Partitions[i].Lag, 0)
			st.LagMillis = max(st.LagMillis, ts.Partitions[i].LagMillis)
		}
		st.Tasks = append(st.Tasks, ts)
	}
	if len(tasks) == 0 {
		st.Tasks = r.s.expectedTasks(&row, own)
	} else if own.State == connector.StateRunning && row.Desired == DesiredRunning {
		st.Status = combine(own, st.Tasks)
		r.s.mu.Lock()
		trouble := r.s.storeErr
		r.s.mu.Unlock()
		if trouble != nil && st.State == connector.StateRunning {
			st.State, st.Cause = connector.StateRecovering, "States, logs and charts cannot be written: "+sentence(trouble)
			st.Remedy = "Free space in the data directory or mend its disk. Records are delivered meanwhile; positions are kept in Kafka."
		}
	}
	return st
}

// endedStatus is the state of a task whose goroutine has ended.
func endedStatus(st connector.Status, err error) connector.Status {
	if err == nil {
		return st
	}
	st.State, st.Cause = connector.StateFailed, sentence(err)
	var wrong *connector.WrongError
	if errors.As(err, &wrong) {
		st.Remedy = wrong.Remedy
	} else if st.Remedy == "" {
		st.Remedy = kafka.Remedy(err)
	}
	return st
}

// combine rolls the states of tasks up: a connector with a dead task never shows
// Running. Failed only when every task that has partitions, or died, is failed, or when
// the settings cannot work.
func combine(own connector.Status, tasks []TaskStatus) connector.Status {
	working, wrong := 0, false
	worst := own
	rank := map[connector.State]int{connector.StateRunning: 0, connector.StateDeploying: 1, connector.StateRecovering: 2, connector.StateDegraded: 3, connector.StateFailed: 4, connector.StateGap: 5}
	for _, t := range tasks {
		if t.State != connector.StateFailed && len(t.Partitions) > 0 {
			working++
		}
		wrong = wrong || anyWrong(t.Partitions)
		if rank[t.State] > rank[worst.State] {
			stalled := worst.Stalled
			worst = t.Status
			worst.Stalled = worst.Stalled || stalled
		} else {
			worst.Stalled = worst.Stalled || t.Stalled
			if t.State == connector.StateRunning {
				worst = runningSince(worst, t.Since)
			}
		}
	}
	if worst.State == connector.StateFailed && working > 0 && !wrong {
		worst.State = connector.StateDegraded
	}
	return worst
}
