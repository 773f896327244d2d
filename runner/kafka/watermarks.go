package kafka

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Watermarks reads the bounds of partitions. On brokers below 0.11 LSO is End.
// Start is read first and End last, so that Start ≤ LSO ≤ End holds unless the topic
// is made anew meanwhile.
func (o *Offsets) Watermarks(ctx context.Context, tps ...TP) (map[TP]Watermarks, error) {
	got := make(map[TP]Watermarks, len(tps))
	for _, ask := range []struct {
		time      int64
		isolation sarama.IsolationLevel
		set       func(*Watermarks, int64)
	}{
		{sarama.OffsetOldest, sarama.ReadUncommitted, func(w *Watermarks, o int64) { w.Start = o }},
		{sarama.OffsetNewest, sarama.ReadCommitted, func(w *Watermarks, o int64) { w.LSO = o }},
		{sarama.OffsetNewest, sarama.ReadUncommitted, func(w *Watermarks, o int64) { w.End = o }},
	} {
		offsets, err := o.list(ctx, tps, ask.time, ask.isolation)
		if err != nil {
			return nil, fmt.Errorf("reading watermarks: %w", err)
		}
		for tp, offset := range offsets {
			w := got[tp]
			ask.set(&w, offset)
			got[tp] = w
		}
	}
	return got, nil
}

// AtTime is the first offset whose record's timestamp is not before t, or -1 when
// there is none.
func (o *Offsets) AtTime(ctx context.Context, tp TP, t time.Time) (int64, error) {
	got, err := o.list(ctx, []TP{tp}, max(t.UnixMilli(), 0), sarama.ReadUncommitted)
	if err != nil {
		return 0, fmt.Errorf("looking for %s in %s/%d: %w", t.UTC().Format(time.RFC3339), tp.Topic, tp.Partition, err)
	}
	return got[tp], nil
}

// list asks the leaders for one offset of each partition. Leaders are asked at the
// same time, one request each; partitions whose leader moved are asked again.
func (o *Offsets) list(ctx context.Context, tps []TP, time int64, isolation sarama.IsolationLevel) (map[TP]int64, error) {
	got := make(map[TP]int64, len(tps))
	groups := make(map[int32][]TP)
	for _, tp := range tps {
		id := int32(-1) // its leader is not known: it goes alone
		if b, err := await(ctx, func() (*sarama.Broker, error) { return o.client.Leader(tp.Topic, tp.Partition) }, nil); err == nil {
			id = b.ID()
		}
		groups[id] = append(groups[id], tp)
	}
	var (
		mu    sync.Mutex
		wg    sync.WaitGroup
		first error
	)
	for id, members := range groups {
		wg.Go(func() {
			left := members
			if id >= 0 {
				left = o.listOf(ctx, members, time, isolation, &mu, got)
			}
			for _, tp := range left {
				if err := o.listOne(ctx, tp, time, isolation, &mu, got); err != nil {
					mu.Lock()
					if first == nil {
						first = fmt.Errorf("%s/%d: %w", tp.Topic, tp.Partition, err)
					}
					mu.Unlock()
					return
				}
			}
		})
	}
	wg.Wait()
	return got, first
}

// listOf asks one leader for many partitions and returns those without an answer.
func (o *Offsets) listOf(ctx context.Context, tps []TP, time int64, isolation sarama.IsolationLevel, mu *sync.Mutex, got map[TP]int64) []TP {
	b, err := await(ctx, func() (*sarama.Broker, error) { return o.client.Leader(tps[0].Topic, tps[0].Partition) }, nil)
	if err != nil || o.ready(ctx, b) != nil {
		return tps
	}
	r, err := await(ctx, func() (*sarama.OffsetResponse, error) {
		return b.GetAvailableOffsets(listRequest(o.conf.Version, tps, time, isolation))
	}, nil)
	if err != nil {
		return tps
	}
	var left []TP
	mu.Lock()
	defer mu.Unlock()
	for _, tp := range tps {
		if block := r.GetBlock(tp.Topic, tp.Partition); block != nil && block.Err == sarama.ErrNoError {
			got[tp] = block.Offset
		} else {
			left = append(left, tp)
		}
	}
	return left
}

// listOne asks for one partition and follows its leader.
func (o *Offsets) listOne(ctx context.Context, tp TP, time int64, isolation sarama.IsolationLevel, mu *sync.Mutex, got map[TP]int64) error {
	return o.lead(ctx, tp, func(b *sarama.Broker) (bool, error) {
		r, err := await(ctx, func() (*sarama.OffsetResponse, error) {
			return b.GetAvailableOffsets(listRequest(o.conf.Version, []TP{tp}, time, isolation))
		}, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		block := r.GetBlock(tp.Topic, tp.Partition)
		if block == nil {
			return true, sarama.ErrIncompleteResponse
		}
		if block.Err != sarama.ErrNoError {
			return leaderMoved(block.Err), block.Err
		}
		mu.Lock()
		got[tp] = block.Offset
		mu.Unlock()
		return false, nil
	})
}

func listRequest(v sarama.KafkaVersion, tps []TP, time int64, isolation sarama.IsolationLevel) *sarama.OffsetRequest {
	req := sarama.NewOffsetRequest(v)
	if req.Version >= 2 {
		req.IsolationLevel = isolation
	}
	for _, tp := range tps {
		req.AddBlock(tp.Topic, tp.Partition, time, 1)
	}
	return req
}
