package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"

	"github.com/IBM/sarama"
)

// PartitionErrors are the partitions of a commit that the coordinator refused; those
// that are not in it were committed. errors.Is looks at all of them.
type PartitionErrors map[TP]error

// Error names the partitions.
func (e PartitionErrors) Error() string {
	parts := make([]string, 0, len(e))
	for tp, err := range e {
		parts = append(parts, fmt.Sprintf("%s/%d: %v", tp.Topic, tp.Partition, err))
	}
	sort.Strings(parts)
	if len(parts) > 3 {
		parts = append(parts[:3], fmt.Sprintf("and %d more partitions", len(parts)-3))
	}
	return strings.Join(parts, "; ")
}

// Unwrap returns the partitions' errors.
func (e PartitionErrors) Unwrap() []error {
	errs := make([]error, 0, len(e))
	for _, err := range e {
		errs = append(errs, err)
	}
	return errs
}

// Commit writes positions in one OffsetCommit request, fenced by the member's id,
// generation and instance id. It returns nil when every partition was committed.
//
//   - ErrUnanswered: the request may have been sent and its answer did not arrive, or
//     the coordinator could not say whether the log took it. It is not sent again:
//     leave the group's client, join anew and read the positions.
//   - ErrRebalance: the coordinator no longer knows this member or generation, or
//     waits for the leader's assignment (REBALANCE_IN_PROGRESS is answered in the
//     state CompletingRebalance only; while members still join, commits of the old
//     generation are taken). Nothing was committed.
//   - ErrFenced: another member holds the instance id. Nothing was committed.
//   - PartitionErrors: what the coordinator said of single partitions. All of the
//     above except ErrUnanswered come inside it.
//
// An answer that the coordinator moved, is not available or still loads is followed
// to the new one. That is no blind repetition: had the log taken the first request
// after all, the second stands behind it with the same content. When the end of such
// a search is not a good answer, that is ErrUnanswered too.
func (o *Offsets) Commit(ctx context.Context, m Member, ps map[TP]Committed) error {
	if len(ps) == 0 {
		return nil
	}
	left := ps
	refused := PartitionErrors{}
	doubtful := false // a coordinator answered so that its log may have taken the request
	err := o.coordinate(ctx, m.Group, func(b *sarama.Broker) (bool, error) {
		req := commitRequest(o.conf.Version, m, left)
		r, err := await(ctx, func() (*sarama.OffsetCommitResponse, error) { return b.CommitOffset(req) }, nil)
		if err != nil {
			if unsent(err) {
				return ctx.Err() == nil, err
			}
			return false, fmt.Errorf("%w: %w", ErrUnanswered, err)
		}
		again := make(map[TP]Committed)
		var last error
		for tp, c := range left {
			e, ok := r.Errors[tp.Topic][tp.Partition]
			switch {
			case !ok:
				return false, fmt.Errorf("%w: the answer leaves out %s/%d", ErrUnanswered, tp.Topic, tp.Partition)
			case e == sarama.ErrNoError:
			case moved(e):
				again[tp], last = c, e
				doubtful = doubtful || e != sarama.ErrOffsetsLoadInProgress
			case e == sarama.ErrRequestTimedOut:
				return false, fmt.Errorf("%w: %w", ErrUnanswered, e)
			default:
				refused[tp] = classify(e)
			}
		}
		left = again
		return len(left) > 0, last
	})
	switch {
	case err != nil && doubtful && !errors.Is(err, ErrUnanswered):
		err = fmt.Errorf("%w: %w", ErrUnanswered, err)
	case err == nil && len(refused) > 0:
		err = refused
	}
	if err != nil {
		return fmt.Errorf("committing positions of group %s: %w", m.Group, err)
	}
	return nil
}

// commitRequest is the request in the version that v allows.
func commitRequest(v sarama.KafkaVersion, m Member, ps map[TP]Committed) *sarama.OffsetCommitRequest {
	req := &sarama.OffsetCommitRequest{
		Version: commitVersion(v), ConsumerGroup: m.Group, ConsumerID: m.ID, ConsumerGroupGeneration: m.Generation,
	}
	if m.ID == "" {
		req.ConsumerGroupGeneration = sarama.GroupGenerationUndefined
	}
	if req.Version >= 7 && m.InstanceID != "" {
		req.GroupInstanceId = &m.InstanceID
	}
	if req.Version < 5 {
		req.RetentionTime = -1 // the broker's own
	}
	for tp, c := range ps {
		req.AddBlockWithLeaderEpoch(tp.Topic, tp.Partition, c.Offset, -1, 0, c.Metadata)
	}
	return req
}

// unsent tells whether a request's error proves that no byte of it left.
func unsent(err error) bool {
	var encoding sarama.PacketEncodingError
	return errors.Is(err, sarama.ErrNotConnected) || errors.Is(err, sarama.ErrUnsupportedVersion) ||
		errors.Is(err, sarama.ErrClosedClient) || errors.As(err, &encoding)
}

// Heartbeat tells the coordinator that the member lives and checks that it still is
// one, with the classification of Commit. It is a sign of life only: ErrRebalance may
// mean that the group waits for its members to join while this one still belongs to
// it. A lost answer is returned as the network's error; repeating it is harmless.
func (o *Offsets) Heartbeat(ctx context.Context, m Member) error {
	err := o.coordinate(ctx, m.Group, func(b *sarama.Broker) (bool, error) {
		req := &sarama.HeartbeatRequest{
			Version: heartbeatVersion(o.conf.Version), GroupId: m.Group, MemberId: m.ID, GenerationId: m.Generation,
		}
		if req.Version >= 3 && m.InstanceID != "" {
			req.GroupInstanceId = &m.InstanceID
		}
		r, err := await(ctx, func() (*sarama.HeartbeatResponse, error) { return b.Heartbeat(req) }, nil)
		if err != nil {
			return false, err
		}
		if r.Err != sarama.ErrNoError {
			return moved(r.Err), r.Err
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("heartbeat of group %s: %w", m.Group, err)
	}
	return nil
}
