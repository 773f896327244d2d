package runner

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

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
	if sub.spec.Kind == connector.KindSource {
		return nil, nil // see SourcePositions
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
		return cmp.Or(cmp.Compare(a.Topic, b.Topic), cmp.Compare(a.Partition, b.Partition))
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
	if source, err := s.isSource(ctx, id); source || err != nil {
		return errors.Join(err, s.resetSource(ctx, id))
	}
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
