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

// deploy makes a connector's resources and commits the first position of every
// partition, or a source's first state, before a record is delivered. It may be repeated: what exists is kept.
// On failure the topics it made are removed again.
func (s *Supervisor) deploy(ctx context.Context, sub *subject, step func(string)) (err error) {
	admin, err := kafka.OpenAdmin(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer admin.Close()
	source := sub.spec.Kind == connector.KindSource
	var topics []kafka.Topic // a sink's
	largest := mostDivertedRecord
	if !source {
		if topics, largest, err = readTopics(ctx, admin, sub, step); err != nil {
			return err
		}
	}
	made, err := ensureTopics(ctx, admin, sub, largest, step)
	defer func() { unmake(ctx, admin, made, err, step) }()
	if err != nil {
		return err
	}
	if source && !slices.Contains(made, sub.names.offsetTopic) {
		if err := ownOffsetTopic(ctx, admin, sub); err != nil {
			return err
		}
	}
	s.o.Faults.at("deploy.topics")
	j, err := openJournal(ctx, s, sub)
	if err != nil {
		return err
	}
	defer j.close()
	if err := j.claim(ctx); err != nil {
		return err
	}
	step("Wrote the configuration to " + sub.names.configTopic + ".")
	if source {
		err = s.firstState(ctx, sub, step)
	} else {
		err = s.firstPositions(ctx, sub, j, topics, step)
	}
	if err != nil {
		return err
	}
	s.o.Faults.at("deploy.positions")
	if err := s.o.Store.SetDeployed(ctx, sub.row.ID, true); err != nil {
		return fmt.Errorf("saving that the connector is deployed: %w", err)
	}
	step("Deployed.")
	return nil
}

// readTopics finds the topics that a sink reads, and the largest record that one of them takes, in bytes.
func readTopics(ctx context.Context, admin *kafka.Admin, sub *subject, step func(string)) (topics []kafka.Topic, largest int, err error) {
	names := sub.config.List(connector.KeyTopics)
	if topics, err = sourceTopics(ctx, admin, names); err != nil {
		return nil, 0, err
	}
	step("Found the source topics: " + strings.Join(names, ", ") + ".")
	for _, t := range topics {
		n, err := admin.MaxMessageBytes(ctx, t.Name)
		if err != nil {
			return nil, 0, fmt.Errorf("reading the size limit of %s: %w", t.Name, err)
		}
		largest = max(largest, n)
	}
	return topics, largest, nil
}

// unmake removes the topics that a deployment made which cannot work.
func unmake(ctx context.Context, admin *kafka.Admin, made []string, err error, step func(string)) {
	var wrong *connector.WrongError
	if !errors.As(err, &wrong) || len(made) == 0 {
		return
	}
	if derr := admin.DeleteTopics(context.WithoutCancel(ctx), made...); derr == nil {
		step("Removed the topics that were made: " + strings.Join(made, ", ") + ".")
	}
}

func sourceTopics(ctx context.Context, admin *kafka.Admin, names []string) ([]kafka.Topic, error) {
	var out []kafka.Topic
	for _, name := range names {
		t, err := expectTopic(ctx, admin, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			return nil, &connector.WrongError{Field: connector.KeyTopics, Err: fmt.Errorf("the source topic %s does not exist", name),
				Remedy: "Create the topic " + name + " on the instance, then resume the connector; or correct the topic's name."}
		}
		if err != nil {
			return nil, fmt.Errorf("reading topic %s: %w", name, err)
		}
		out = append(out, t)
	}
	return out, nil
}

// firstPositions resolves and commits the start of every partition that has no
// position yet. Positions that exist are kept: a connector of the same name goes on
// where the last one ended when its resources were kept. All of them are mirrored
// before anything is delivered: that there were positions must be known even if the
// program dies right behind its first delivery and the group is lost.
func (s *Supervisor) firstPositions(ctx context.Context, sub *subject, j *journal, topics []kafka.Topic, step func(string)) error {
	offsets, err := kafka.OpenOffsets(ctx, sub.cluster)
	if err != nil {
		return fmt.Errorf("connecting to instance %s: %w", sub.instance.Name, err)
	}
	defer offsets.Close()
	ids := map[string]string{}
	var tps []kafka.TP
	for _, t := range topics {
		ids[t.Name] = t.ID
		for _, p := range t.Partitions {
			tps = append(tps, kafka.TP{Topic: t.Name, Partition: p})
		}
	}
	have, err := offsets.Fetch(ctx, sub.names.group, tps)
	if err != nil {
		return fmt.Errorf("reading the positions of group %s: %w", sub.names.group, err)
	}
	marks, err := offsets.Watermarks(ctx, tps...)
	if err != nil {
		return fmt.Errorf("reading the ends of the source topics: %w", err)
	}
	fresh := map[kafka.TP]kafka.Committed{}
	var mirrored []MirroredPosition
	note := func(tp kafka.TP, c kafka.Committed) {
		mirrored = append(mirrored, MirroredPosition{ConnectorID: sub.row.ID, Topic: tp.Topic, Partition: tp.Partition,
			Offset: c.Offset, Metadata: c.Metadata, TopicID: ids[tp.Topic], UpdatedAt: time.Now().UTC()})
	}
	kept := 0
	for _, tp := range tps {
		at := have[tp].Offset
		if at >= 0 && ours(have[tp].Metadata) {
			kept++
			note(tp, have[tp])
			continue
		}
		if at < 0 {
			if at = marks[tp].End; sub.config.Get(connector.KeyOffsetReset) == "earliest" {
				at = marks[tp].Start
			}
		}
		meta, err := encodeMetadata(newHeader(ids[tp.Topic], sub.row.Epoch, sub.spec.Hash(sub.config), sub.spec.EncoderVersion), nil)
		if err != nil {
			return err
		}
		fresh[tp] = kafka.Committed{Offset: at, Metadata: meta}
		note(tp, fresh[tp])
	}
	if len(fresh) > 0 {
		if err := offsets.Commit(ctx, kafka.Member{Group: sub.names.group}, fresh); err != nil {
			return commitOutside(err, sub.names.group)
		}
	}
	if err := s.mirrorNow(ctx, sub, j, mirrored); err != nil {
		return err
	}
	if kept > 0 {
		step(fmt.Sprintf("Kept the positions of %d partitions that group %s already had.", kept, sub.names.group))
	}
	step(fmt.Sprintf("Took the first positions of %d partitions (%s).", len(fresh), sub.config.Get(connector.KeyOffsetReset)))
	return nil
}

// ours tells whether a commit's metadata was written by Sluice.
func ours(metadata string) bool {
	_, _, err := decodeMetadata(metadata)
	return err == nil
}

// commitOutside explains why a commit by a non-member was refused.
func commitOutside(err error, group string) error {
	if errors.Is(err, kafka.ErrRebalance) || errors.Is(err, kafka.ErrFenced) {
		return fmt.Errorf("committing positions: the group %s has members; stop whatever else consumes with it: %w", group, err)
	}
	return fmt.Errorf("committing positions of group %s: %w", group, err)
}
