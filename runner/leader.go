package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// leader takes part in the connector's own group. The node that owns the
// configuration topic's only partition leads: it writes the roll-up and the states of
// the tasks to the status topic, for other tools and for recovery.
type leader struct {
	r   *run
	sub *subject
	j   *journal
	// written is what this run has put into the status topic, by key. One goroutine at a
	// time uses it: the session's, and after the last session the run's.
	written map[string]string
	// leads is told whether this node leads; nil when no task asks.
	leads *leadership
}

const (
	// statusEvery is how often the states are compared with what was written last.
	statusEvery = time.Second
	// lastStatusTimeout bounds the closing write of a run.
	lastStatusTimeout = 2 * time.Second
)

// startLeader runs until ctx ends; the channel closes when it has left the group and,
// after side has ended, written the last states.
func (r *run) startLeader(ctx, side context.Context, sub *subject, j *journal) <-chan struct{} {
	done := make(chan struct{})
	l := &leader{r: r, sub: sub, j: j, written: map[string]string{}, leads: r.leads}
	go func() {
		defer close(done)
		defer func() {
			<-side.Done()
			l.close(ctx)
		}()
		pause := backoff{min: time.Second, max: 30 * time.Second}
		if l.leads != nil {
			pause.max = 5 * time.Second // nothing is read until the group is joined
		}
		for ctx.Err() == nil {
			began := time.Now()
			err := l.member(ctx)
			if l.leads != nil && errors.Is(err, kafka.ErrFenced) && ctx.Err() == nil {
				// Joining again would put out the process that has the seat now, and it us.
				l.leads.fence(err)
				<-ctx.Done()
				return
			}
			if l.leads != nil && err != nil && !errors.Is(err, kafka.ErrRebalance) && ctx.Err() == nil {
				l.leads.troubled(err)
			}
			if err != nil && ctx.Err() == nil {
				r.s.log.Warn("taking part in the connector group", "connector", sub.row.Name, "group", sub.names.clusterGroup, "err", err)
			}
			if time.Since(began) > time.Minute {
				pause.reset()
			}
			wait(ctx, pause.next())
		}
	}()
	return done
}

// member is one stay in the group.
func (l *leader) member(ctx context.Context) error {
	c, err := kafka.NewConsumer(l.sub.cluster, kafka.ConsumerOptions{
		Group: l.sub.names.clusterGroup, InstanceID: l.r.s.o.Node + "-" + l.sub.row.Name,
		Topics: []string{l.sub.names.configTopic}, SessionTimeout: l.r.s.o.SessionTimeout,
	})
	if err != nil {
		return err
	}
	defer func() {
		// A source that was suspended, deleted or taken over lets the next node begin at once;
		// after a restart the next run takes the seat back.
		cause := context.Cause(ctx)
		_ = c.Close(l.leads != nil && (errors.Is(cause, errSuspend) || errors.Is(cause, errDelete)))
	}()
	for ctx.Err() == nil {
		if err := c.RunSession(ctx, l); err != nil {
			return err
		}
	}
	return nil
}

// Setup, Consume and Cleanup make leader a kafka.Handler.
func (l *leader) Setup(s kafka.Session) error {
	if l.leads != nil && len(s.Claims()[l.sub.names.configTopic]) == 0 {
		l.leads.denied()
	}
	return nil
}
func (l *leader) Cleanup(kafka.Session) error { return nil }

// Consume leads as long as the session lives. It does not read the topic: owning the
// partition is all there is to it.
func (l *leader) Consume(s kafka.Session, c kafka.Claim) error {
	ctx := s.Context()
	if l.leads != nil {
		l.leads.won(s)
		defer l.leads.left(s)
	}
	s.Pause(map[string][]int32{c.TP().Topic: {c.TP().Partition}}) // a fetch under way would hold the end up
	tick := time.NewTicker(statusEvery)
	defer tick.Stop()
	for {
		if err := l.write(ctx); err != nil && ctx.Err() == nil {
			l.r.s.log.Warn("writing the status topic", "connector", l.sub.row.Name, "topic", l.sub.names.statusTopic, "err", err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// statusRecord is the value in the status topic; keys are "connector" and "task/<n>".
type statusRecord struct {
	Name   string           `json:"name"`
	Task   *int             `json:"task,omitempty"`
	State  string           `json:"state"` // Kafka Connect's word
	Worker string           `json:"worker_id"`
	Hash   string           `json:"config"`
	Detail connector.Status `json:"detail"`
}

// write sends what has changed since the last time.
func (l *leader) write(ctx context.Context) error {
	st := l.r.rollUp()
	states := map[string]statusRecord{"connector": l.record(st.Worker, st.Status)}
	for i := range st.Tasks {
		t := &st.Tasks[i]
		rec := l.record(t.Node, t.Status)
		rec.Task = &t.Task
		states[fmt.Sprintf("task/%d", t.Task)] = rec
	}
	return l.send(ctx, states)
}

func (l *leader) record(worker string, st connector.Status) statusRecord {
	return statusRecord{Name: l.sub.row.Name, State: st.State.ConnectWord(), Worker: worker, Hash: l.sub.spec.Hash(l.sub.config), Detail: st}
}

// send writes the records that differ from what was written, and removes those that
// are no more.
func (l *leader) send(ctx context.Context, states map[string]statusRecord) error {
	var out []kafka.Out
	fresh := map[string]string{}
	for key, rec := range states {
		value, err := json.Marshal(rec)
		if err != nil {
			return fmt.Errorf("encoding the status: %w", err)
		}
		fresh[key] = string(value)
		if l.written[key] != string(value) {
			out = append(out, kafka.Out{Topic: l.sub.names.statusTopic, Partition: -1, Key: []byte(key), Value: value})
		}
	}
	for key := range l.written {
		if _, still := fresh[key]; !still {
			out = append(out, kafka.Out{Topic: l.sub.names.statusTopic, Partition: -1, Key: []byte(key)})
		}
	}
	if len(out) == 0 {
		return nil
	}
	if err := l.j.prod.SendAll(ctx, out); err != nil {
		return err
	}
	l.written = fresh
	return nil
}

// close leaves the state in which the connector rests, and no tasks, when this run has
// written states: nobody writes the topic again before the next start.
func (l *leader) close(ended context.Context) {
	if len(l.written) == 0 || lost(ended) != nil { // another installation writes it now
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ended), lastStatusTimeout)
	defer cancel()
	row, err := l.r.s.o.Store.ConnectorByID(ctx, l.r.id)
	if err != nil || row.Desired == DesiredDeleting {
		return // it goes with its topics
	}
	rest := connector.Status{State: idleState(row.Desired), Since: time.Now().UTC()}
	if row.Desired == DesiredRunning {
		rest.Cause = "Its tasks were ended and start again with the next run."
		if errors.Is(context.Cause(ended), errRestart) {
			rest.State = connector.StateRunning
		}
	}
	if err := l.send(ctx, map[string]statusRecord{"connector": l.record("", rest)}); err != nil {
		l.r.s.log.Warn("writing the last status", "connector", l.sub.row.Name, "topic", l.sub.names.statusTopic, "err", err)
	}
}
