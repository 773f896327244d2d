package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// openStream opens a Stream that the test closes.
func openStream(t *testing.T, ctx context.Context, c kafka.Cluster, id, compression string) *kafka.Stream {
	t.Helper()
	s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, c, kafka.StreamOptions{TransactionalID: id, Timeout: 10 * time.Second, Compression: compression}))
	t.Cleanup(func() { s.Close() })
	return s
}

// visible is what a read_committed reader sees of a partition, when no transaction is
// open any more: the markers of a commit follow its answer.
func (b *bed) visible(t *testing.T, ctx context.Context, tp kafka.TP) []record.Record {
	t.Helper()
	for {
		w := must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
		if w.LSO == w.End {
			return b.read(t, ctx, tp, 0, w.LSO, 1<<20)
		}
		if ctx.Err() != nil {
			t.Fatalf("%v: a transaction is open: %+v", tp, w)
		}
	}
}

func testStream(t *testing.T, ctx context.Context, b *bed) {
	for _, compression := range kafka.Compressions() {
		t.Run(compression, func(t *testing.T) {
			t.Parallel()
			const partitions, rounds, each = 3, 4, 500
			name := b.topic(t, ctx, partitions, map[string]string{"max.message.bytes": "20000"})
			s := openStream(t, ctx, b.c, name+"-x", compression)
			if n := must[int32](t)(s.Partitions(ctx, name)); n != partitions {
				t.Errorf("%d partitions", n)
			}
			if n := must[int](t)(s.MaxMessageBytes(ctx, name)); n != 20000 {
				t.Errorf("max.message.bytes %d", n)
			}
			batch := s.NewBatch()
			want := make([][]string, partitions)
			for round := range rounds {
				for i := range each {
					p := int32(i % partitions)
					v := fmt.Sprintf("%d/%d %s", round, i, strings.Repeat("abc", i))
					batch.Append(kafka.TP{Topic: name, Partition: p}, []byte{byte(i)}, []byte(v), []record.Header{{Key: "h", Value: []byte("1")}, {Key: "n"}}, 0)
					want[p] = append(want[p], v)
				}
				check(t, s.Commit(ctx, batch))
				batch.Reset()
			}
			check(t, s.Commit(ctx, batch))
			for p := range int32(partitions) {
				rs := b.visible(t, ctx, kafka.TP{Topic: name, Partition: p})
				if !slices.Equal(values(rs), want[p]) {
					t.Errorf("partition %d: %d records, want %d in order", p, len(rs), len(want[p]))
				}
				for _, r := range rs {
					if len(r.Headers) != 2 || r.Headers[0].Key != "h" || string(r.Headers[0].Value) != "1" || r.Headers[1].Value != nil || r.Timestamp < time.Now().Add(-time.Hour).UnixMilli() {
						t.Fatalf("record %+v", r)
					}
				}
			}
		})
	}
}

func testStreamRefusals(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, map[string]string{"max.message.bytes": "20000"})
	good := b.topic(t, ctx, 1, nil)
	id := name + "-x"
	for _, c := range []struct {
		name string
		fill func(*kafka.Batch)
		want error
	}{
		{"too large", func(x *kafka.Batch) { x.Append(kafka.TP{Topic: name}, nil, make([]byte, 30000), nil, 0) }, kafka.ErrMessageTooLarge},
		{"no topic", func(x *kafka.Batch) { x.Append(kafka.TP{Topic: name + "-never"}, nil, []byte("x"), nil, 0) }, kafka.ErrNoTopic},
		{"no partition", func(x *kafka.Batch) { x.Append(kafka.TP{Topic: name, Partition: 7}, nil, []byte("x"), nil, 0) }, kafka.ErrNoTopic},
	} {
		s := openStream(t, ctx, b.c, id, "none")
		batch := s.NewBatch()
		batch.Append(kafka.TP{Topic: good}, nil, []byte(c.name), nil, 0)
		c.fill(batch)
		err := s.Commit(ctx, batch)
		if !errors.Is(err, c.want) || errors.Is(err, kafka.ErrUnanswered) {
			t.Fatalf("%s: %v, want %v", c.name, err, c.want)
		}
		if !s.Broken() {
			t.Errorf("%s: not broken", c.name)
		}
		if err := s.Commit(ctx, batch); err == nil {
			t.Errorf("%s: a broken producer wrote", c.name)
		}
	}
	// The limit was not asked for: batches that are too large are cut.
	s := openStream(t, ctx, b.c, id, "none")
	batch := s.NewBatch()
	var want []string
	for i := range 100 {
		v := fmt.Sprintf("%d %s", i, strings.Repeat("x", i*100))
		batch.Append(kafka.TP{Topic: name, Partition: 1}, nil, []byte(v), nil, 0)
		want = append(want, v)
	}
	check(t, s.Commit(ctx, batch))
	if got := values(b.visible(t, ctx, kafka.TP{Topic: name, Partition: 1})); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d in order", len(got), len(want))
	}
	if got := b.visible(t, ctx, kafka.TP{Topic: good}); len(got) != 0 {
		t.Errorf("became visible: %v", values(got))
	}
	// Another one with its identity fences it.
	openStream(t, ctx, b.c, id, "none")
	err := s.Commit(ctx, batch)
	if !errors.Is(err, kafka.ErrFenced) || !errors.Is(err, kafka.ErrProducerFenced) || errors.Is(err, kafka.ErrUnanswered) {
		t.Errorf("fenced: %v", err)
	}
}
