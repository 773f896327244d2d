package kafka

import (
	"context"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Reader reads pages of single partitions, without a group. It has a client of its
// own; calls for partitions of the same broker follow one another.
type Reader struct{ *conn }

// OpenReader connects.
func OpenReader(ctx context.Context, c Cluster) (*Reader, error) {
	k, err := open(ctx, c, nil)
	if err != nil {
		return nil, err
	}
	return &Reader{k}, nil
}

// Close ends the client. Calls that wait return an error.
func (r *Reader) Close() error { return r.close() }

// Fetch reads one page of tp that starts at offset, read_committed: records of open
// and aborted transactions and control records are never in it. When nothing is there
// it waits up to wait for something (at most 20 s are used). A batch larger than
// maxBytes (at least 1) still comes, alone.
//
// ErrOutOfRange: offset is below the log's start or above its end. ErrNoTopic: the
// topic or partition does not exist.
func (r *Reader) Fetch(ctx context.Context, tp TP, offset int64, maxBytes int32, wait time.Duration) (Page, error) {
	var page Page
	wait = min(max(wait, 0), requestTimeout-10*time.Second)
	err := r.lead(ctx, tp, func(b *sarama.Broker) (bool, error) {
		req := fetchRequest(r.conf.Version, tp, offset, max(maxBytes, 1), wait)
		resp, err := await(ctx, func() (*sarama.FetchResponse, error) { return b.Fetch(req) }, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		block := resp.GetBlock(tp.Topic, tp.Partition)
		if block == nil {
			return true, sarama.ErrIncompleteResponse
		}
		if block.Err != sarama.ErrNoError {
			return leaderMoved(block.Err), block.Err
		}
		page, err = pageOf(block, tp, offset, req.Version)
		return false, err
	})
	if err != nil {
		return Page{}, fmt.Errorf("reading %s/%d at %d: %w", tp.Topic, tp.Partition, offset, err)
	}
	return page, nil
}

func fetchRequest(v sarama.KafkaVersion, tp TP, offset int64, maxBytes int32, wait time.Duration) *sarama.FetchRequest {
	req := &sarama.FetchRequest{
		Version: fetchVersion(v), MaxWaitTime: int32(wait / time.Millisecond), MinBytes: 1, MaxBytes: maxBytes,
	}
	if req.Version >= 4 {
		req.Isolation = sarama.ReadCommitted
	}
	if req.Version >= 7 {
		req.SessionEpoch = -1 // no fetch session
	}
	req.AddBlock(tp.Topic, tp.Partition, offset, maxBytes, -1)
	return req
}
