package kafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Offsets reads and commits positions of consumer groups, and the bounds of
// partitions. It has a sarama client of its own: on a consumer's client a commit
// would wait behind the long poll of its fetches. Its methods may be called at the
// same time.
type Offsets struct{ *conn }

// answerWithin is how long a commit or heartbeat may go without an answer, well
// below the session timeout of a group.
const answerWithin = 8 * time.Second

// OpenOffsets connects.
func OpenOffsets(ctx context.Context, c Cluster) (*Offsets, error) {
	k, err := open(ctx, c, func(conf *sarama.Config) {
		conf.Net.ReadTimeout, conf.Net.WriteTimeout = answerWithin, answerWithin
	})
	if err != nil {
		return nil, err
	}
	return &Offsets{k}, nil
}

// Close ends the client. Calls that wait return an error.
func (o *Offsets) Close() error { return o.close() }

// Fetch reads the group's positions of tps. A partition without one has Offset -1.
// Where the brokers offer it (2.5) positions that belong to an undecided transaction
// are waited for, until ctx or 20 s end (ErrUnstable).
func (o *Offsets) Fetch(ctx context.Context, group string, tps []TP) (map[TP]Committed, error) {
	if len(tps) == 0 {
		return map[TP]Committed{}, nil
	}
	got, err := o.fetch(ctx, group, byTopic(tps))
	if err != nil {
		return nil, fmt.Errorf("reading positions of group %s: %w", group, err)
	}
	for _, tp := range tps {
		if _, ok := got[tp]; !ok {
			got[tp] = Committed{Offset: -1}
		}
	}
	return got, nil
}

// FetchAll reads every position that the group has.
func (o *Offsets) FetchAll(ctx context.Context, group string) (map[TP]Committed, error) {
	got, err := o.fetch(ctx, group, nil)
	if err != nil {
		return nil, fmt.Errorf("reading all positions of group %s: %w", group, err)
	}
	for tp, c := range got {
		if c.Offset < 0 {
			delete(got, tp)
		}
	}
	return got, nil
}

// fetch asks for partitions, nil for all, until the answer is stable.
func (o *Offsets) fetch(ctx context.Context, group string, partitions map[string][]int32) (map[TP]Committed, error) {
	var got map[TP]Committed
	err := o.coordinate(ctx, group, func(b *sarama.Broker) (bool, error) {
		// sarama changes the request's version to what the broker answers.
		req := sarama.NewOffsetFetchRequest(o.conf.Version, group, partitions)
		req.RequireStable = o.conf.Version.IsAtLeast(sarama.V2_5_0_0)
		r, err := await(ctx, func() (*sarama.OffsetFetchResponse, error) { return b.FetchOffset(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		got, err = positionsOf(r)
		return moved(err) || errors.Is(err, sarama.ErrUnstableOffsetCommit) || leaderMoved(err), err
	})
	return got, err
}

// positionsOf reads an answer; any partition's error is the answer's.
func positionsOf(r *sarama.OffsetFetchResponse) (map[TP]Committed, error) {
	if e := r.GroupError(); e != sarama.ErrNoError {
		if errors.Is(e, sarama.ErrGroupIDNotFound) {
			return map[TP]Committed{}, nil
		}
		return nil, e
	}
	got := make(map[TP]Committed)
	for topic, ps := range r.Blocks {
		for p, b := range ps {
			switch {
			case b.Err == sarama.ErrNoError:
				got[TP{topic, p}] = Committed{Offset: b.Offset, Metadata: b.Metadata}
			case errors.Is(b.Err, sarama.ErrUnknownTopicOrPartition):
				got[TP{topic, p}] = Committed{Offset: -1}
			default:
				return nil, fmt.Errorf("%s/%d: %w", topic, p, b.Err)
			}
		}
	}
	return got, nil
}

// Delete removes the group's positions of tps; absent ones are fine. It needs
// brokers ≥ 2.4. ErrGroupInUse: members are subscribed to the topic.
func (o *Offsets) Delete(ctx context.Context, group string, tps []TP) error {
	if len(tps) == 0 {
		return nil
	}
	if !o.conf.Version.IsAtLeast(sarama.V2_4_0_0) {
		return fmt.Errorf("deleting positions of group %s: %w", group, ErrUnsupported)
	}
	err := o.coordinate(ctx, group, func(b *sarama.Broker) (bool, error) {
		req := &sarama.DeleteOffsetsRequest{Group: group}
		for _, tp := range tps {
			req.AddPartition(tp.Topic, tp.Partition)
		}
		r, err := await(ctx, func() (*sarama.DeleteOffsetsResponse, error) { return b.DeleteOffsets(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		if r.ErrorCode == sarama.ErrGroupIDNotFound {
			return false, nil
		}
		if r.ErrorCode != sarama.ErrNoError {
			return moved(r.ErrorCode), r.ErrorCode
		}
		for topic, ps := range r.Errors {
			for p, e := range ps {
				if e != sarama.ErrNoError && e != sarama.ErrUnknownTopicOrPartition {
					return moved(e), fmt.Errorf("%s/%d: %w", topic, p, e)
				}
			}
		}
		return false, nil
	})
	if err != nil {
		return fmt.Errorf("deleting positions of group %s: %w", group, err)
	}
	return nil
}

// byTopic groups partitions by their topic.
func byTopic(tps []TP) map[string][]int32 {
	m := make(map[string][]int32)
	for _, tp := range tps {
		m[tp.Topic] = append(m[tp.Topic], tp.Partition)
	}
	return m
}
