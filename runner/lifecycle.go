package runner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Status is the roll-up of one connector, whatever it is meant to do.
func (s *Supervisor) Status(ctx context.Context, id int64) (ConnectorStatus, error) {
	if r := s.runOf(id); r != nil {
		return r.rollUp(), nil
	}
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return ConnectorStatus{}, err
	}
	return s.restStatus(c), nil
}

// RollUp is the state of a connector by what runs of it here, or, when nothing does, by
// what is wanted of it and the last states of its tasks.
func (s *Supervisor) RollUp(c Connector, tasks []TaskStatus) connector.Status {
	if r := s.runOf(c.ID); r != nil {
		return r.rollUp().Status
	}
	st := s.restStatus(c).Status
	if c.Desired == DesiredRunning && len(tasks) > 0 {
		st.State = connector.StateRunning
		return combine(st, tasks)
	}
	return st
}

func (s *Supervisor) restStatus(c Connector) ConnectorStatus {
	st := restState(&c)
	return ConnectorStatus{Status: st, Worker: s.o.Worker, Tasks: s.expectedTasks(&c, st)}
}

// Statuses are the roll-ups of all connectors that are no drafts.
func (s *Supervisor) Statuses(ctx context.Context) (map[int64]ConnectorStatus, error) {
	rows, err := s.o.Store.Connectors(ctx)
	if err != nil {
		return nil, err
	}
	out := make(map[int64]ConnectorStatus, len(rows))
	for _, c := range rows {
		if r := s.runOf(c.ID); r != nil {
			out[c.ID] = r.rollUp()
		} else {
			out[c.ID] = s.restStatus(c)
		}
	}
	return out, nil
}

// DeploySteps is what deploying has done so far, for the page that shows it happen.
func (s *Supervisor) DeploySteps(id int64) []string {
	r := s.runOf(id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.steps)
}

// StoreTrouble is why the model could not be written last time; nil when it could.
func (s *Supervisor) StoreTrouble() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.storeErr
}

// chooseWait is how long a choice waits for tasks that are just joining their group:
// every choice, and every change of the configuration, makes them join anew.
const chooseWait = 15 * time.Second

// Choose answers a Gap or an unknown intent.
func (s *Supervisor) Choose(ctx context.Context, id int64, topic string, partition int32, choice string, offset int64) error {
	deadline := time.Now().Add(chooseWait)
	for {
		err := s.choose(ctx, id, kafka.TP{Topic: topic, Partition: partition}, choice, offset)
		var joining *joiningError
		if !errors.As(err, &joining) {
			return err
		}
		if time.Now().After(deadline) || !wait(ctx, 200*time.Millisecond) {
			return joining.refusal
		}
	}
}

// joiningError: a task is between two sessions, so that a choice cannot be carried out
// just now; refusal is what to say if it stays so.
type joiningError struct{ refusal error }

func (e *joiningError) Error() string { return e.refusal.Error() }

func (s *Supervisor) choose(ctx context.Context, id int64, tp kafka.TP, choice string, offset int64) error {
	r := s.runOf(id)
	if r == nil {
		return ErrNoChoice
	}
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	joining := len(tasks) == 0
	for _, t := range tasks {
		joining = joining || t.task.joining()
		for _, p := range t.task.Status().Partitions {
			if p.Topic == tp.Topic && p.Partition == tp.Partition && len(p.Choices) > 0 {
				return t.task.Choose(ctx, tp, choice, offset)
			}
		}
	}
	if joining {
		return &joiningError{ErrNoChoice}
	}
	return ErrNoChoice
}

// ErrNoChoice: the partition does not wait for a choice.
var ErrNoChoice = errors.New("the partition does not wait for a choice")

// ErrNoTask: the connector has no such task at the moment.
var ErrNoTask = errors.New("no such task")

// RestartTask makes one task try again what stopped it.
func (s *Supervisor) RestartTask(_ context.Context, id int64, task int) error {
	r := s.runOf(id)
	if r == nil {
		return ErrNoTask
	}
	r.mu.Lock()
	tasks := r.tasks
	r.mu.Unlock()
	if task < 0 || task >= len(tasks) {
		return ErrNoTask
	}
	select {
	case <-tasks[task].done:
		go func() { r.stop(errRestart); s.Notify(id) }()
	default:
		tasks[task].task.Retry()
	}
	return nil
}

// Restart restarts the connector: with tasks, or those that failed.
func (s *Supervisor) Restart(_ context.Context, id int64, onlyFailed, includeTasks bool) error {
	r := s.runOf(id)
	if r == nil {
		return nil
	}
	r.mu.Lock()
	tasks, own := r.tasks, r.status
	r.mu.Unlock()
	if len(tasks) == 0 {
		if own.State == connector.StateFailed || own.State == connector.StateRecovering || !onlyFailed && includeTasks {
			go func() { r.stop(errRestart); s.Notify(id) }()
		}
		return nil
	}
	if !includeTasks && !onlyFailed {
		return nil
	}
	if includeTasks && !onlyFailed {
		go func() { r.stop(errRestart); s.Notify(id) }()
		return nil
	}
	for i, t := range tasks {
		if st := t.task.Status().State; st == connector.StateFailed || st == connector.StateDegraded || st == connector.StateRecovering {
			if err := s.RestartTask(context.Background(), id, i); err != nil {
				return err
			}
		}
	}
	return nil
}

// Positions are the committed positions of a connector's group.
func (s *Supervisor) Positions(ctx context.Context, id int64) ([]PositionRow, error) {
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return nil, err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return nil, err
	}
	offsets, err := kafka.OpenOffsets(ctx, sub.cluster)
	if err != nil {
		return nil, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer offsets.Close()
	all, err := offsets.FetchAll(ctx, sub.names.group)
	if err != nil {
		return nil, fmt.Errorf("reading positions: %w", err)
	}
	var out []PositionRow
	for tp, at := range all {
		if at.Offset < 0 {
			continue
		}
		_, in, _ := decodeMetadata(at.Metadata)
		out = append(out, PositionRow{Topic: tp.Topic, Partition: tp.Partition, Offset: at.Offset, Pending: in != nil})
	}
	slices.SortFunc(out, func(a, b PositionRow) int {
		if a.Topic != b.Topic {
			if a.Topic < b.Topic {
				return -1
			}
			return 1
		}
		return int(a.Partition - b.Partition)
	})
	return out, nil
}

// AlterPositions sets positions of a stopped connector; nil removes one. Intents are
// resolved first; a new replay epoch begins.
func (s *Supervisor) AlterPositions(ctx context.Context, id int64, to map[kafka.TP]*int64, force bool) error {
	return s.changePositions(ctx, id, force, func(sub *subject, offsets *kafka.Offsets, ids map[string]string) error {
		set := map[kafka.TP]kafka.Committed{}
		var mirrored []MirroredPosition
		var gone []kafka.TP
		for tp, at := range to {
			if at == nil {
				gone = append(gone, tp)
				continue
			}
			meta, err := encodeMetadata(newHeader(ids[tp.Topic], sub.row.Epoch, sub.spec.Hash(sub.config), sub.spec.EncoderVersion), nil)
			if err != nil {
				return err
			}
			set[tp] = kafka.Committed{Offset: *at, Metadata: meta}
			mirrored = append(mirrored, MirroredPosition{ConnectorID: id, Topic: tp.Topic, Partition: tp.Partition, Offset: *at, Metadata: meta, TopicID: ids[tp.Topic], UpdatedAt: time.Now().UTC()})
		}
		if len(set) > 0 {
			if err := offsets.Commit(ctx, kafka.Member{Group: sub.names.group}, set); err != nil {
				return commitOutside(err, sub.names.group)
			}
		}
		if len(gone) > 0 {
			if err := offsets.Delete(ctx, sub.names.group, gone); err != nil {
				return fmt.Errorf("removing positions: %w", err)
			}
			if err := s.o.Store.SetDeployed(ctx, id, false); err != nil {
				return err
			}
		}
		return s.o.Store.SaveMirrored(ctx, mirrored)
	})
}

// ResetPositions removes every position of a stopped connector, the mirrored ones
// too: it starts again as at its first deploy.
func (s *Supervisor) ResetPositions(ctx context.Context, id int64, force bool) error {
	return s.changePositions(ctx, id, force, func(sub *subject, offsets *kafka.Offsets, _ map[string]string) error {
		all, err := offsets.FetchAll(ctx, sub.names.group)
		if err != nil {
			return fmt.Errorf("reading positions: %w", err)
		}
		var tps []kafka.TP
		for tp := range all {
			tps = append(tps, tp)
		}
		if len(tps) > 0 {
			if err := offsets.Delete(ctx, sub.names.group, tps); err != nil {
				return fmt.Errorf("removing positions: %w", err)
			}
		}
		return s.o.Store.SetDeployed(ctx, id, false)
	})
}

func (s *Supervisor) changePositions(ctx context.Context, id int64, force bool, act func(*subject, *kafka.Offsets, map[string]string) error) error {
	release, err := s.hold(id, errSuspend)
	if err != nil {
		return err
	}
	defer release()
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return err
	}
	sub, err := s.subject(ctx, c)
	if err != nil {
		return err
	}
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	if c.Deployed { // seats that a restart had kept, or a killed process, hold the group's positions
		s.removeSeats(ctx, admin, sub.names.group)
	}
	if err := s.settle(ctx, sub, force); err != nil {
		return err
	}
	ids := map[string]string{}
	for _, name := range sub.config.List(connector.KeyTopics) {
		if t, err := admin.Topic(ctx, name); err == nil {
			ids[name] = t.ID
		} else if !errors.Is(err, kafka.ErrNoTopic) {
			return fmt.Errorf("reading topic %s: %w", name, err)
		}
	}
	offsets, err := kafka.OpenOffsets(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer offsets.Close()
	// The epoch is stored before the positions: a crash between leaves positions of the
	// old epoch, which are read as they are.
	if sub.row.Epoch, err = s.o.Store.NewEpoch(ctx, id); err != nil {
		return fmt.Errorf("beginning a replay epoch: %w", err)
	}
	if c.Deployed {
		if err := s.clearMirror(ctx, sub); err != nil {
			return err
		}
	}
	return act(sub, offsets, ids)
}

func (s *Supervisor) clearMirror(ctx context.Context, sub *subject) error {
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		return err
	}
	defer j.close()
	return s.forgetMirror(ctx, sub, j)
}

// settle resolves the intents that stand in the group's metadata.
func (s *Supervisor) settle(ctx context.Context, sub *subject, force bool) error {
	rows, err := s.Positions(ctx, sub.row.ID)
	if err != nil {
		return err
	}
	var pending []kafka.TP
	for _, p := range rows {
		if p.Pending {
			pending = append(pending, kafka.TP{Topic: p.Topic, Partition: p.Partition})
		}
	}
	if len(pending) == 0 {
		return nil
	}
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		if force {
			return nil
		}
		return err
	}
	defer j.close()
	r := &run{id: sub.row.ID, s: s, log: func(level LogLevel, task int, message string, fields map[string]string) {
		s.lines.add(LogLine{ConnectorID: sub.row.ID, Time: time.Now(), Level: level, Task: task, Message: message, Fields: fields})
	}}
	m := &mirror{s: s, sub: sub, known: map[kafka.TP]MirroredPosition{}, dirty: map[kafka.TP]bool{}}
	left, err := resolveIntents(ctx, r.taskOptions(sub, j, m, 0), pending, force)
	if force {
		return nil
	}
	if len(left) > 0 {
		return &PendingError{Pending: left}
	}
	return err
}

// Remove stops a connector, settles what was about to become visible, and deletes
// its topics and groups but those that another connector names.
func (s *Supervisor) Remove(ctx context.Context, id int64, o RemoveOptions) error {
	release, err := s.hold(id, errDelete)
	if err != nil {
		return err
	}
	defer release()
	c, err := s.o.Store.ConnectorByID(ctx, id)
	if err != nil {
		return err
	}
	sub, err := s.subject(ctx, c)
	var wrong *connector.WrongError
	if errors.As(err, &wrong) && !c.Deployed {
		return nil // nothing was ever made for a configuration that cannot work
	}
	if err != nil {
		return err
	}
	foreign, err := s.foreign(ctx, sub)
	if err != nil {
		return err
	}
	if foreign {
		s.log.Warn("the resources of a deleted connector belong to another installation and are kept", "connector", c.Name, "topic", sub.names.configTopic)
		return nil
	}
	if c.Deployed {
		if err := s.settle(ctx, sub, o.Force); err != nil {
			return err
		}
	}
	if o.KeepResources {
		return s.release(ctx, sub)
	}
	return s.removeResources(ctx, sub)
}

// foreign tells whether another installation runs a connector with these resources:
// its positions and topics are not ours to settle or delete.
func (s *Supervisor) foreign(ctx context.Context, sub *subject) (bool, error) {
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return false, fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	if _, err := admin.Topic(ctx, sub.names.configTopic); errors.Is(err, kafka.ErrNoTopic) {
		return false, nil
	}
	j := &journal{s: s, sub: sub, configs: map[string]connector.Config{}}
	err = readCompacted(ctx, sub.cluster, sub.names.configTopic, j.load)
	var wrong *connector.WrongError
	switch {
	case errors.Is(err, kafka.ErrNoTopic), errors.As(err, &wrong): // gone meanwhile, or nothing of Sluice's
		return false, nil
	case err != nil:
		return false, fmt.Errorf("reading the configuration topic %s: %w", sub.names.configTopic, err)
	}
	return j.current != nil && !j.current.Released && j.current.Installation != s.o.Installation, nil
}

// release marks the configuration topic so that another connector may take it over.
func (s *Supervisor) release(ctx context.Context, sub *subject) error {
	if !sub.row.Deployed {
		return nil
	}
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		return err
	}
	defer j.close()
	return j.write(ctx, sub.spec.Hash(sub.config), true)
}

func (s *Supervisor) removeResources(ctx context.Context, sub *subject) error {
	keep, err := s.namedByOthers(ctx, sub)
	if err != nil {
		return err
	}
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	for _, g := range sub.names.groups() {
		if keep["group "+g] {
			continue
		}
		if err := s.deleteGroup(ctx, admin, g); err != nil {
			return fmt.Errorf("deleting group %s: %w", g, err)
		}
	}
	var topics []string
	for _, t := range sub.names.topics() {
		if !keep["topic "+t] {
			topics = append(topics, t)
		}
	}
	if err := admin.DeleteTopics(ctx, topics...); err != nil {
		return fmt.Errorf("deleting topics: %w", err)
	}
	return nil
}

// deleteGroup removes this node's seats, then the group; members that are just
// leaving are waited for.
func (s *Supervisor) deleteGroup(ctx context.Context, admin *kafka.Admin, group string) error {
	deadline := time.Now().Add(s.o.SessionTimeout + 5*time.Second)
	for {
		s.removeSeats(ctx, admin, group)
		err := admin.DeleteGroup(ctx, group)
		if err == nil || time.Now().After(deadline) || !wait(ctx, 300*time.Millisecond) {
			return err
		}
	}
}

// removeSeats removes this node's static members from a group in which none of its
// tasks runs. It does what it can: without it the session timeout does the same.
func (s *Supervisor) removeSeats(ctx context.Context, admin *kafka.Admin, group string) {
	g, err := admin.DescribeGroup(ctx, group)
	if err != nil {
		return
	}
	var seats []string
	for _, m := range g.Members {
		if strings.HasPrefix(m.InstanceID, s.o.Node) && m.InstanceID != "" {
			seats = append(seats, m.InstanceID)
		}
	}
	if len(seats) == 0 {
		return
	}
	if err := admin.RemoveMembers(ctx, group, seats...); err != nil {
		s.log.Warn("removing group members", "group", group, "err", err)
	}
}

// namedByOthers finds which of a connector's resources another connector on the same
// cluster names, as a resource or as a source topic.
func (s *Supervisor) namedByOthers(ctx context.Context, sub *subject) (map[string]bool, error) {
	rows, err := s.o.Store.Connectors(ctx)
	if err != nil {
		return nil, fmt.Errorf("listing connectors: %w", err)
	}
	out := map[string]bool{}
	for _, c := range rows {
		if c.ID == sub.row.ID {
			continue
		}
		in, err := s.o.Store.Instance(ctx, c.InstanceID)
		if err != nil {
			return nil, fmt.Errorf("reading instance: %w", err)
		}
		if in.ID != sub.instance.ID && (in.ClusterID == "" || in.ClusterID != sub.instance.ClusterID) {
			continue
		}
		spec, err := connector.Find(s.o.Specs, c.Class)
		if err != nil {
			continue
		}
		cfg := spec.Resolve(c.Config, s.env(in))
		names := namesOf(cfg)
		for _, t := range append(names.topics(), cfg.List(connector.KeyTopics)...) {
			out["topic "+t] = true
		}
		for _, g := range names.groups() {
			out["group "+g] = true
		}
	}
	return out, nil
}
