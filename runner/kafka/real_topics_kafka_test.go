//go:build kafka

package kafka_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// What is seen of a topic that is deleted, and made again, while it is read.
func TestRealDeletedTopic(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	b.fill(t, ctx, name, 0, 0, 10)
	id := must[kafka.Topic](t)(b.admin.Topic(ctx, name)).ID
	h := newTask()
	begin := time.Now()
	_, errs := run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}, h)
	h.wait(t, ctx, 10)
	check(t, b.admin.DeleteTopics(ctx, name))
	_, err := b.reader.Fetch(ctx, tp, 10, 1<<20, 0)
	wantErr(t, err, kafka.ErrNoTopic)
	_, err = b.offsets.Watermarks(ctx, tp)
	wantErr(t, err, kafka.ErrNoTopic)
	for {
		select {
		case err := <-errs:
			t.Logf("after %s the consumer says: %v", time.Since(begin), err)
			if errors.Is(err, kafka.ErrRebalance) {
				continue
			}
			wantErr(t, err, kafka.ErrNoTopic)
		case <-ctx.Done():
			t.Fatal("the consumer does not notice")
		}
		break
	}
	for _, topic := range must[[]kafka.Topic](t)(b.admin.Topics(ctx)) {
		if topic.Name == name {
			t.Error("a metadata request made the topic again")
		}
	}
	must[bool](t)(b.admin.CreateTopic(ctx, kafka.TopicSpec{Name: name, Partitions: 1}))
	if again := must[kafka.Topic](t)(b.admin.Topic(ctx, name)).ID; again == id || again == "" {
		t.Errorf("the id was %q and is %q", id, again)
	}
}

// Partitions that are added reach the group within 60 s.
func TestRealPartitionsAdded(t *testing.T) {
	t.Parallel()
	ctx := within(t, 90*time.Second)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, nil)
	h := newTask()
	_, errs := run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, InstanceID: "i", Topics: []string{name}}, h)
	h.session(t, ctx)
	begin := time.Now()
	check(t, b.admin.AddPartitions(ctx, name, 4))
	s := h.session(t, ctx)
	t.Logf("noticed after %s", time.Since(begin))
	if len(s.Claims()[name]) != 4 || time.Since(begin) > time.Minute {
		t.Errorf("claims %v", s.Claims())
	}
	wantErr(t, <-errs, kafka.ErrRebalance)
}

// A compacted partition is read to its end from every offset, although compaction
// leaves holes and empty batches.
func TestRealCompacted(t *testing.T) {
	t.Parallel()
	ctx := within(t, 2*time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, map[string]string{
		"cleanup.policy": "compact", "segment.ms": "500", "min.cleanable.dirty.ratio": "0.001", "segment.bytes": "1048576", "max.compaction.lag.ms": "1000",
	})
	tp := kafka.TP{Topic: name}
	other := must[*kafka.Producer](t)(kafka.OpenProducer(ctx, b.c))
	defer other.Close()
	send := func(p *kafka.Producer, key string) {
		_, _, err := p.Send(ctx, kafka.Out{Topic: name, Partition: 0, Key: []byte(key), Value: []byte("v")})
		check(t, err)
	}
	for i := range 20 {
		send(b.prod, fmt.Sprint("a", i%3))
	}
	send(other, "a0") // the last of this producer: its batch stays, empty
	send(b.prod, "a0")
	var w kafka.Watermarks
	compacted := poll(ctx, 2*time.Second, func() bool {
		send(b.prod, "roll")
		w = must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
		return int64(len(b.read(t, ctx, tp, 0, w.LSO, 1<<20))) < w.LSO-15
	})
	if !compacted {
		t.Fatal("the cleaner did not run in time")
	}
	for from := range w.LSO {
		b.read(t, ctx, tp, from, w.LSO, 1<<20)
	}
	b.read(t, ctx, tp, 0, w.LSO, 1)
	page := must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 20, 1, time.Second))
	if len(page.Records) != 0 || page.Next <= 20 {
		t.Errorf("page over the empty batch at 20: %d records, next %d", len(page.Records), page.Next)
	}
}
