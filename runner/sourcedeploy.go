package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// mostDivertedRecord is the largest record that the error topics of a source take, in
// bytes: what its target topic does not take goes there whole. With the room for headers
// that makes a max.message.bytes of 10 MiB, the most that managed clusters allow.
const mostDivertedRecord = 10<<20 - 64<<10

// offsetsLooked is how many offsets at the end of each partition are looked at.
const offsetsLooked = 200

// ownOffsetTopic refuses an offset topic that something else writes to: another
// connector's positions, mirrored ones of a sink, another program's. The position of a
// source is told apart when it is read.
func ownOffsetTopic(ctx context.Context, admin *kafka.Admin, sub *subject) error {
	topic := sub.names.offsetTopic
	t, err := expectTopic(ctx, admin, topic)
	if err != nil {
		return fmt.Errorf("reading topic %s: %w", topic, err)
	}
	c, err := openCompacted(ctx, sub.cluster)
	if err != nil {
		return err
	}
	defer c.close()
	var tps []kafka.TP
	for _, p := range t.Partitions {
		tps = append(tps, kafka.TP{Topic: topic, Partition: p})
	}
	marks, err := c.offsets.Watermarks(ctx, tps...)
	if err != nil {
		return fmt.Errorf("reading the bounds of %s: %w", topic, err)
	}
	for tp, w := range marks {
		for at := max(w.Start, w.LSO-offsetsLooked); at < w.LSO; {
			page, err := c.reader.Fetch(ctx, tp, at, 1<<20, 0)
			if err != nil {
				return fmt.Errorf("reading %s: %w", topic, err)
			}
			for i := range page.Records {
				if r := &page.Records[i]; r.Value != nil && !isState(r, tp) {
					return &connector.WrongError{Field: connector.KeyOffsetTopic,
						Err:    fmt.Errorf("the task offset topic %s is used by something else: the record at offset %d of partition %d is no position of a source", topic, r.Offset, tp.Partition),
						Remedy: "Name an offset topic that nothing else writes to."}
				}
			}
			if page.Next <= at {
				break
			}
			at = page.Next
		}
	}
	return nil
}

// isState tells whether a record is part of some source's state.
func isState(r *record.Record, tp kafka.TP) bool {
	var s stateRecord
	_, _, ok := splitStateKey(r.Key)
	return ok && tp.Partition == statePartition && json.Unmarshal(r.Value, &s) == nil && s.Seq > 0
}

// firstState writes that nothing is saved, where nothing is. From then on a log without
// state is a loss.
func (s *Supervisor) firstState(ctx context.Context, sub *subject, step func(string)) error {
	return s.changeState(ctx, sub, func(state *sourceState, found bool) ([]connector.Entry, bool, error) {
		switch {
		case found && state.adopted != "":
			step("Took over the position that " + sub.names.offsetTopic + " already had.")
		case found:
			step("Kept the position that " + sub.names.offsetTopic + " already had.")
			return nil, false, nil
		default:
			step("Wrote to " + sub.names.offsetTopic + " that nothing was read yet.")
		}
		return nil, true, nil
	})
}

// changeState writes to the state of a connector whose reader does not run, by its own
// transactional producer: whoever still has that is fenced. change says what to write, and
// whether to write at all.
func (s *Supervisor) changeState(ctx context.Context, sub *subject, change func(state *sourceState, found bool) ([]connector.Entry, bool, error)) error {
	o := s.stateOptions(sub)
	c, err := openSource(ctx, &o, func(string) error { return nil })
	if err != nil {
		return err
	}
	defer c.close()
	state, err := c.load(ctx, &o, func(cause, _ string) {
		if cause != "" {
			s.log.Warn(cause, "connector", sub.row.Name)
		}
	})
	var damaged *damagedState
	found := err == nil
	if errors.Is(err, errNoState) || errors.As(err, &damaged) {
		var atLeast int64
		if atLeast, err = s.mirroredSequence(ctx, sub); err == nil {
			state = anew(&o, left(damaged), atLeast)
		}
	}
	if err != nil {
		return err
	}
	entries, write, err := change(state, found)
	if err != nil || !write {
		return err
	}
	if err := commitState(ctx, c.stream, &o, state, entries); err != nil {
		return fmt.Errorf("writing the position to %s: %w", o.OffsetTopic, err)
	}
	return s.noteSequence(ctx, sub, state.seq)
}

// commitState writes entries in a transaction of their own.
func commitState(ctx context.Context, stream sourceStream, o *sourceOptions, state *sourceState, entries []connector.Entry) error {
	batch := stream.NewBatch()
	now := time.Now().UnixMilli()
	c := state.change(entries, func(key, value []byte) {
		batch.Append(kafka.TP{Topic: o.OffsetTopic, Partition: statePartition}, key, value, nil, now)
	})
	batch.Mark()
	if err := stream.Commit(ctx, batch); err != nil {
		return err
	}
	state.apply(c)
	return nil
}

// releaseState marks the state of a connector that is deleted while its topics are kept.
func (s *Supervisor) releaseState(ctx context.Context, sub *subject) error {
	return s.changeState(ctx, sub, func(state *sourceState, found bool) ([]connector.Entry, bool, error) {
		state.head.Released = true
		return nil, found, nil
	})
}

// mirroredSequence is the highest sequence number that the database has seen; noteSequence
// keeps one.
func (s *Supervisor) mirroredSequence(ctx context.Context, sub *subject) (int64, error) {
	rows, err := s.o.Store.Mirrored(ctx, sub.row.ID)
	if err != nil {
		return 0, fmt.Errorf("reading mirrored positions: %w", err)
	}
	for _, p := range rows {
		if p.Topic == sub.names.offsetTopic && p.Partition == statePartition {
			return p.Offset, nil
		}
	}
	return 0, nil
}

func (s *Supervisor) noteSequence(ctx context.Context, sub *subject, sequence int64) error {
	return s.o.Store.SaveMirrored(ctx, []MirroredPosition{{ConnectorID: sub.row.ID, Topic: sub.names.offsetTopic, Partition: statePartition, Offset: sequence, UpdatedAt: time.Now().UTC()}})
}

func (s *Supervisor) stateOptions(sub *subject) sourceOptions {
	return sourceOptions{
		Connector: sub.row, Spec: sub.spec, Config: sub.config, Deps: s.deps(sub), Cluster: sub.cluster, Node: s.o.Node, Budget: s.o.Budget,
		ConfigTopic: sub.names.configTopic, OffsetTopic: sub.names.offsetTopic, DeadLetterTopic: sub.names.deadLetter, AbnormalTopic: sub.names.abnormal,
	}.withDefaults()
}

// sourceOptions is what the run's one task works with.
func (r *run) sourceOptions(sub *subject) sourceOptions {
	o := r.s.stateOptions(sub)
	o.Leads, o.Faults, o.FirstStart = r.leads, r.s.o.Faults, sub.fresh
	o.Log = func(level LogLevel, message string, fields map[string]string) { r.log(level, 0, message, fields) }
	o.OnDelivered = func(records, bytes, diverted int64) { r.delivered(sub.row.Delivered, records, bytes, diverted) }
	o.Mirrored = func() int64 {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		n, err := r.s.mirroredSequence(ctx, sub)
		r.s.noteStore(err)
		return n
	}
	var saving sync.Mutex
	o.OnSaved = func(sequence int64) { // beside the transactions, which must not wait for a disk
		go func() {
			saving.Lock()
			defer saving.Unlock()
			ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
			defer cancel()
			r.s.noteStore(r.s.noteSequence(ctx, sub, sequence))
		}()
	}
	return o
}
