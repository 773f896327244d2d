package models

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"gorm.io/gorm"
	"gorm.io/gorm/clause"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// statusEvery is how often a task's figures reach the disk while its state stays the
// same; a kill loses at most that much of them. A change of state is written at once.
const statusEvery = 5 * time.Second

type taskStatusRow struct {
	ConnectorID int64  `gorm:"primaryKey"`
	Task        int    `gorm:"primaryKey"`
	Status      string // JSON of runner.TaskStatus
	UpdatedAt   int64  `gorm:"autoUpdateTime:false"`
}

func (taskStatusRow) TableName() string { return "task_statuses" }

// statusCache holds the latest state of every task, so that lists of all connectors
// read none of it from the disk.
type statusCache struct {
	mu sync.RWMutex
	by map[int64]map[int]cachedStatus
	// lists are the same, ordered by task; a list is never changed, only replaced.
	lists map[int64][]runner.TaskStatus
}

type cachedStatus struct {
	runner.TaskStatus
	written time.Time // when the row was last written
	dirty   bool
}

// tasks are shared: the caller copies what it changes or gives away.
func (c *statusCache) tasks(connectorID int64) []runner.TaskStatus {
	c.mu.RLock()
	defer c.mu.RUnlock()
	return c.lists[connectorID]
}

// list makes the list of a connector's tasks anew. The caller holds mu.
func (c *statusCache) list(connectorID int64) {
	m := c.by[connectorID]
	if len(m) == 0 {
		delete(c.lists, connectorID)
		return
	}
	out := make([]runner.TaskStatus, 0, len(m))
	for _, task := range slices.Sorted(maps.Keys(m)) {
		out = append(out, m[task].TaskStatus)
	}
	c.lists[connectorID] = out
}

func (c *statusCache) drop(connectorID int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.by, connectorID)
	delete(c.lists, connectorID)
}

func (s *Store) loadStatuses(ctx context.Context) error {
	var rows []taskStatusRow
	if err := s.read(ctx).Find(&rows).Error; err != nil {
		return fail("reading task states", err)
	}
	s.status.by = map[int64]map[int]cachedStatus{}
	for _, r := range rows {
		t := cachedStatus{written: fromMillis(r.UpdatedAt)}
		if err := json.Unmarshal([]byte(r.Status), &t.TaskStatus); err != nil {
			return fmt.Errorf("reading the state of task %d of connector %d: %w", r.Task, r.ConnectorID, err)
		}
		if s.status.by[r.ConnectorID] == nil {
			s.status.by[r.ConnectorID] = map[int]cachedStatus{}
		}
		s.status.by[r.ConnectorID][r.Task] = t
	}
	s.status.lists = make(map[int64][]runner.TaskStatus, len(s.status.by))
	for id := range s.status.by {
		s.status.list(id)
	}
	return nil
}

// SaveTaskStatus keeps the latest state of a task. Readers see it at once.
func (s *Store) SaveTaskStatus(ctx context.Context, t runner.TaskStatus) error {
	now := s.o.Now()
	t.Partitions = slices.Clone(t.Partitions)
	s.status.mu.RLock()
	old, known := s.status.by[t.ConnectorID][t.Task]
	s.status.mu.RUnlock()
	entry := cachedStatus{TaskStatus: t, written: old.written, dirty: true}
	if !known || !sameStates(old.TaskStatus, t) || now.Sub(old.written) >= statusEvery || now.Before(old.written) {
		if err := s.writeStatuses(ctx, []runner.TaskStatus{t}); err != nil {
			return err
		}
		entry.written, entry.dirty = now, false
	}
	s.status.mu.Lock()
	defer s.status.mu.Unlock()
	if s.status.by[t.ConnectorID] == nil {
		s.status.by[t.ConnectorID] = map[int]cachedStatus{}
	}
	s.status.by[t.ConnectorID][t.Task] = entry
	s.status.list(t.ConnectorID)
	return nil
}

// sameStates tells whether only figures differ.
func sameStates(a, b runner.TaskStatus) bool {
	if a.Status != b.Status || a.Node != b.Node || len(a.Partitions) != len(b.Partitions) {
		return false
	}
	for i := range a.Partitions {
		p, q := &a.Partitions[i], &b.Partitions[i]
		if p.Topic != q.Topic || p.Partition != q.Partition || p.Status != q.Status || p.Lost != q.Lost {
			return false
		}
	}
	return true
}

func (s *Store) writeStatuses(ctx context.Context, ts []runner.TaskStatus) error {
	if len(ts) == 0 {
		return nil
	}
	rows := make([]taskStatusRow, len(ts))
	for i, t := range ts {
		b, err := json.Marshal(t)
		if err != nil {
			return fmt.Errorf("writing the state of a task: %w", err)
		}
		rows[i] = taskStatusRow{t.ConnectorID, t.Task, string(b), millis(s.o.Now())}
	}
	return s.write(ctx, "saving the state of a task", func(tx *gorm.DB) error {
		return tx.Clauses(clause.OnConflict{UpdateAll: true}).CreateInBatches(&rows, 200).Error
	})
}

// flushStatuses writes the figures that were held back.
func (s *Store) flushStatuses(ctx context.Context) error {
	var pending []runner.TaskStatus
	s.status.mu.Lock()
	for _, m := range s.status.by {
		for task, t := range m {
			if t.dirty {
				pending = append(pending, t.TaskStatus)
				t.dirty, t.written = false, s.o.Now()
				m[task] = t
			}
		}
	}
	s.status.mu.Unlock()
	err := s.writeStatuses(ctx, pending)
	if errors.Is(err, runner.ErrNotFound) { // a connector was deleted meanwhile
		for _, t := range pending {
			if err := s.writeStatuses(ctx, []runner.TaskStatus{t}); err != nil && !errors.Is(err, runner.ErrNotFound) {
				return err
			}
		}
		return nil
	}
	return err
}

// DeleteTaskStatus removes the states of tasks from fromTask on.
func (s *Store) DeleteTaskStatus(ctx context.Context, connectorID int64, fromTask int) error {
	s.status.mu.Lock()
	gone := false
	for task := range s.status.by[connectorID] {
		if task >= fromTask {
			delete(s.status.by[connectorID], task)
			gone = true
		}
	}
	s.status.list(connectorID)
	s.status.mu.Unlock()
	if !gone { // the usual case; the cache holds every row
		return nil
	}
	return s.write(ctx, "removing states of tasks", func(tx *gorm.DB) error {
		return tx.Where("connector_id = ? AND task >= ?", connectorID, fromTask).Delete(&taskStatusRow{}).Error
	})
}

// TaskStatuses lists the latest states of a connector's tasks.
func (s *Store) TaskStatuses(_ context.Context, connectorID int64) ([]runner.TaskStatus, error) {
	return slices.Clone(s.status.tasks(connectorID)), nil
}

// connectorStatus rolls up what is known of a connector.
func (s *Store) connectorStatus(c runner.Connector, withTasks bool) runner.ConnectorStatus {
	totals := s.totals.of(c.ID)
	tasks := s.status.tasks(c.ID)
	rollUp := s.o.RollUp
	if rollUp == nil {
		rollUp = worstTask
	}
	out := runner.ConnectorStatus{Status: rollUp(c, tasks), Delivered: totals.Records, Bytes: totals.Bytes, Diverted: totals.Diverted, LastDelivery: totals.Last}
	out.RecordsRate, out.BytesRate = s.rates.of(c.ID, s.o.Now())
	for j := range tasks {
		t := &tasks[j]
		out.Worker = t.Node
		for i := range t.Partitions {
			p := &t.Partitions[i]
			out.Waiting += p.Lag
			out.LagMillis = max(out.LagMillis, p.LagMillis)
			if p.LastDelivery.After(out.LastDelivery) {
				out.LastDelivery = p.LastDelivery
			}
		}
	}
	if withTasks {
		out.Tasks = slices.Clone(tasks)
	}
	return out
}

// worstTask is the roll-up when none is given: what is wanted, and the worst task of a
// running connector.
func worstTask(c runner.Connector, tasks []runner.TaskStatus) connector.Status {
	st := connector.Status{Since: c.UpdatedAt}
	switch c.Desired {
	case runner.DesiredPaused:
		st.State = connector.StateSuspended
		return st
	case runner.DesiredRunning:
		st.State = connector.StateDeploying
	default:
		st.State = connector.State(c.Desired)
		return st
	}
	failed := 0
	for i := range tasks {
		t := tasks[i].Status
		stalled := st.Stalled || t.Stalled
		if i == 0 || badness(t.State) > badness(st.State) {
			st = t
		}
		st.Stalled = stalled
		if t.State == connector.StateFailed {
			failed++
		}
	}
	if st.State == connector.StateFailed && failed < len(tasks) {
		st.State = connector.StateDegraded
	}
	return st
}

// badness orders states by how much they want a person.
func badness(st connector.State) int {
	switch st {
	case connector.StateFailed:
		return 9
	case connector.StateGap:
		return 8
	case connector.StateDegraded:
		return 7
	case connector.StateRecovering:
		return 5
	case connector.StateDeploying, connector.StateSuspending, connector.StateDeleting:
		return 4
	case connector.StateRunning:
		return 3
	case connector.StateSuspended, connector.StateStopped:
		return 2
	case connector.StateNotDeployed:
		return 1
	}
	return 0
}
