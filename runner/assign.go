package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// assign reads positions, topics and log bounds of all claims, judges each, and makes
// a line for each. A partition without a position is given its first one here; then
// the task joins again, because sarama has already read that there is none.
func (s *taskSession) assign(ctx context.Context) error {
	if err := s.lookUp(ctx); err != nil {
		return err
	}
	tps, ask := s.claims()
	if len(tps) == 0 {
		return nil
	}
	at, err := s.clients.positions.Fetch(ctx, s.t.group, ask)
	if err != nil {
		return fmt.Errorf("reading positions of group %s: %w", s.t.group, err)
	}
	bounds, err := s.clients.positions.Watermarks(ctx, tps...)
	if err != nil {
		return fmt.Errorf("reading the bounds of partitions: %w", err)
	}
	started := false
	for _, tp := range tps {
		f := finding{tp: tp, topic: s.topics[tp.Topic], bounds: bounds[tp], at: kafka.Committed{Offset: -1}}
		if c, ok := at[tp]; ok {
			f.at = c
		}
		if c, ok := at[kafka.TP{Topic: tp.Topic}]; !ok || c.Offset < 0 {
			f.noneAtAll = true
		}
		begun, err := s.judge(ctx, &f)
		if err != nil {
			return err
		}
		started = started || begun
		s.lines[tp] = newPartitionLine(s, &f)
	}
	if started {
		return errRejoin
	}
	return nil
}

// lookUp describes every source topic, also those that this task has no partition of:
// it may be the one that has to notice that partitions were added.
func (s *taskSession) lookUp(ctx context.Context) error {
	for _, name := range s.t.o.Config.List(connector.KeyTopics) {
		top, err := s.clients.topic(ctx, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			continue
		}
		if err != nil {
			return fmt.Errorf("looking up topic %s: %w", name, err)
		}
		s.topics[name] = top
	}
	return nil
}

// claims lists the claimed partitions, and these with each topic's first one.
func (s *taskSession) claims() (tps, ask []kafka.TP) {
	for topic, ps := range s.kafka.Claims() {
		first := false
		for _, p := range ps {
			tps = append(tps, kafka.TP{Topic: topic, Partition: p})
			first = first || p == 0
		}
		if !first {
			ask = append(ask, kafka.TP{Topic: topic})
		}
	}
	return tps, append(ask, tps...)
}

// finding is what is known of a claim at assignment, and the verdict.
type finding struct {
	tp        kafka.TP
	topic     kafka.Topic
	at        kafka.Committed
	bounds    kafka.Watermarks
	noneAtAll bool // the topic's first partition has no position either

	header header
	intent *connector.Intent
	stop   *stopError
}

// judge decides whether a position can be gone on from. It fills in header, intent and
// stop, and tells whether it committed a first position.
func (s *taskSession) judge(ctx context.Context, f *finding) (begun bool, err error) {
	if f.at.Offset < 0 {
		return s.judgeMissing(ctx, f)
	}
	h, in, err := decodeMetadata(f.at.Metadata)
	if err != nil {
		f.stop = gapStop(fmt.Sprintf("position %d of %s was set by something else than Sluice (%v)", f.at.Offset, f.name(), err))
		return false, nil
	}
	if in != nil {
		in.Topic, in.Partition = f.tp.Topic, f.tp.Partition
	}
	f.header, f.intent = h, in
	switch mirrored, known := s.t.o.Mirrored(f.tp); {
	case h.TopicID != "" && f.topic.ID != "" && h.TopicID != f.topic.ID:
		f.stop = anewStop(fmt.Sprintf("the topic %s was deleted and made again: position %d belongs to the old one", f.tp.Topic, f.at.Offset))
		f.intent = nil
	case known && mirrored.Offset > f.at.Offset && epochOf(mirrored) == h.Epoch:
		f.stop = gapStop(fmt.Sprintf("the position of %s went back from %d to %d without an act of an operator", f.name(), mirrored.Offset, f.at.Offset))
	case f.at.Offset > f.bounds.End:
		f.stop = gapStop(fmt.Sprintf("the log of %s ends at %d, below the position %d: it was truncated", f.name(), f.bounds.End, f.at.Offset))
	case in == nil && f.at.Offset < f.bounds.Start:
		f.stop = retentionStop(f.tp, f.at.Offset, f.bounds.Start)
	default:
		return false, s.judgeLast(ctx, f)
	}
	return false, nil
}

func (f *finding) name() string { return fmt.Sprintf("%s/%d", f.tp.Topic, f.tp.Partition) }

func epochOf(m MirroredPosition) string {
	h, _, err := decodeMetadata(m.Metadata)
	if err != nil {
		return ""
	}
	return h.Epoch
}

func retentionStop(tp kafka.TP, from, start int64) *stopError {
	return gapStop(fmt.Sprintf("offsets %d to %d of %s/%d were removed by retention before they were delivered", from, start-1, tp.Topic, tp.Partition))
}

// judgeMissing: a position that is missing where there once was one is a gap;
// otherwise the partition is new and starts at its beginning.
func (s *taskSession) judgeMissing(ctx context.Context, f *finding) (begun bool, err error) {
	if mirrored, known := s.t.o.Mirrored(f.tp); known && mirrored.Offset >= 0 {
		if h, _, err := decodeMetadata(mirrored.Metadata); err == nil && h.TopicID != "" && f.topic.ID != "" && h.TopicID != f.topic.ID {
			f.stop = anewStop(fmt.Sprintf("the topic %s was deleted and made again: position %d of partition %d belonged to the old one", f.tp.Topic, mirrored.Offset, f.tp.Partition))
			return false, nil
		}
		f.stop = gapStop(fmt.Sprintf("the position of %s is missing; it was last seen at %d (a group's positions expire when the group is empty for long)", f.name(), mirrored.Offset))
		return false, nil
	}
	if f.noneAtAll && s.t.o.Connector.Delivered {
		f.stop = gapStop(fmt.Sprintf("the positions of topic %s are missing, although the connector has delivered before", f.tp.Topic))
		return false, nil
	}
	f.header = newHeader(f.topic.ID, s.t.o.Connector.Epoch, s.t.o.Hash, s.t.o.Spec.EncoderVersion)
	f.at.Offset = f.bounds.Start
	if err := s.commits.commit(ctx, f.tp, f.at.Offset, f.header, nil, nil); err != nil {
		return false, err
	}
	s.t.o.Log(LogInfo, fmt.Sprintf("Partition %s is new: it starts at its beginning, offset %d.", f.name(), f.at.Offset), nil)
	return true, nil
}

// judgeLast compares the last record that was read below the position with what the
// log holds there now.
func (s *taskSession) judgeLast(ctx context.Context, f *finding) error {
	l := f.header.Last
	if l == nil || l.Offset < f.bounds.Start || l.Offset >= f.bounds.End {
		return nil
	}
	page, err := s.clients.reader.Fetch(ctx, f.tp, l.Offset, 1, redoFetchWait)
	if errors.Is(err, kafka.ErrOutOfRange) {
		return nil // removed meanwhile
	}
	if err != nil {
		return fmt.Errorf("reading offset %d of %s: %w", l.Offset, f.name(), err)
	}
	if len(page.Records) == 0 || page.Records[0].Offset != l.Offset {
		return nil // compacted away
	}
	if !l.same(&page.Records[0]) {
		f.stop = gapStop(fmt.Sprintf("offset %d of %s holds another record than the one that was read there: the log was truncated and filled again", l.Offset, f.name()))
	}
	return nil
}
