package kafka_test

import (
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/sluice-io/sluice/runner/kafka"
)

// What each answer to a batch leads to.
func TestFakeStreamAnswers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		answer *kerr.Error
		times  int32 // the broker says so; then it does what it should
		want   error
	}{
		{kerr.NotLeaderForPartition, 3, nil},
		{kerr.NotEnoughReplicas, 3, nil},
		{kerr.RequestTimedOut, 1, nil},
		{kerr.ConcurrentTransactions, 3, nil},
		{kerr.KafkaStorageError, 1, nil},
		{kerr.UnknownTopicOrPartition, 10, nil},
		{kerr.UnknownTopicOrPartition, 1 << 20, kafka.ErrNoTopic},
		{kerr.MessageTooLarge, 2, nil},
		{kerr.MessageTooLarge, 1 << 20, kafka.ErrMessageTooLarge},
		{kerr.TopicAuthorizationFailed, 1, kafka.ErrDenied},
		{kerr.InvalidProducerEpoch, 1, kafka.ErrProducerFenced},
		{kerr.ProducerFenced, 1, kafka.ErrProducerFenced},
		{kerr.OutOfOrderSequenceNumber, 1, errAny},
		{kerr.DuplicateSequenceNumber, 1, errAny}, // nothing was sent before
		{kerr.UnknownProducerID, 1, errAny},
		{kerr.InvalidTxnState, 1, errAny},
		{kerr.CorruptMessage, 1, errAny},
		{kerr.InvalidRecord, 1, kafka.ErrInvalidRecord},
	} {
		t.Run(fmt.Sprint(c.answer.Message, c.times), func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 30*time.Second)
			f, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
			check(t, err)
			t.Cleanup(f.Close)
			b := open(t, ctx, kafka.Cluster{Bootstrap: f.ListenAddrs()})
			name := b.topic(t, ctx, 2, map[string]string{"max.message.bytes": "5000"})
			s := openStream(t, ctx, b.c, name, "lz4")
			must[int32](t)(s.Partitions(ctx, name))
			batch := s.NewBatch()
			var want []string
			for i := range 300 {
				v := fmt.Sprintf("%d of a few words", i)
				batch.Append(kafka.TP{Topic: name}, nil, []byte(v), nil, 0)
				batch.Append(kafka.TP{Topic: name, Partition: 1}, nil, []byte(v), nil, 0)
				want = append(want, v)
			}
			check(t, s.Commit(ctx, batch)) // several may be under way from now on
			var said atomic.Int32
			f.ControlKey(int16(kmsg.Produce), func(r kmsg.Request) (kmsg.Response, error, bool) {
				f.KeepControl()
				if said.Add(1) > c.times {
					return nil, nil, false
				}
				return refuse(r.(*kmsg.ProduceRequest), c.answer.Code), nil, true
			})
			err = s.Commit(ctx, batch)
			rounds := 2
			if c.want != nil {
				rounds = 1
			}
			if c.want == errAny && err == nil || c.want != errAny && !errors.Is(err, c.want) || errors.Is(err, kafka.ErrUnanswered) {
				t.Errorf("error %v, want %v", err, c.want)
			}
			if s.Broken() != (c.want != nil) {
				t.Errorf("broken: %v", s.Broken())
			}
			openStream(t, ctx, b.c, name, "none").Close()
			for p := range int32(2) {
				if got := values(b.visible(t, ctx, kafka.TP{Topic: name, Partition: p})); !slices.Equal(got, slices.Concat(want, want)[:rounds*len(want)]) {
					t.Errorf("partition %d: %d records, want %d times %d in order", p, len(got), rounds, len(want))
				}
			}
		})
	}
}

var errAny = errors.New("any error")

// refuse answers every batch of a request with an error; nothing is written.
func refuse(r *kmsg.ProduceRequest, code int16) kmsg.Response {
	answer := r.ResponseKind().(*kmsg.ProduceResponse)
	for _, topic := range r.Topics {
		at := kmsg.NewProduceResponseTopic()
		at.Topic = topic.Topic
		for _, p := range topic.Partitions {
			ap := kmsg.NewProduceResponseTopicPartition()
			ap.Partition, ap.ErrorCode = p.Partition, code
			at.Partitions = append(at.Partitions, ap)
		}
		answer.Topics = append(answer.Topics, at)
	}
	return answer
}
