//go:build kafka

package kafka_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// BenchmarkConsume compares Claim.Next with a bare loop over sarama's channel, on
// 1,000,000 records of 200 bytes in 6 partitions. Run it with -benchtime=1x -count=6.
func BenchmarkConsume(b *testing.B) {
	c := real(b)
	ctx := context.Background()
	const total, parts = 1_000_000, 6
	info, err := kafka.Probe(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	c.Version = info.Version
	admin, err := kafka.OpenAdmin(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close()
	topic := "bench-consume-200"
	created, err := admin.CreateTopic(ctx, kafka.TopicSpec{Name: topic, Partitions: parts})
	if err != nil {
		b.Fatal(err)
	}
	if created {
		p, err := kafka.OpenProducer(ctx, c)
		if err != nil {
			b.Fatal(err)
		}
		outs := make([]kafka.Out, 0, total/100)
		value := make([]byte, 200)
		for range 100 {
			outs = outs[:0]
			for i := range cap(outs) {
				outs = append(outs, kafka.Out{Topic: topic, Partition: int32(i % parts), Value: value})
			}
			if err := p.SendAll(ctx, outs); err != nil {
				b.Fatal(err)
			}
		}
		p.Close()
	}
	for _, bare := range []bool{true, false} {
		name := "next"
		if bare {
			name = "bare"
		}
		b.Run(name, func(b *testing.B) {
			for range b.N {
				kafka.ConsumeAll(b, c, topic, total, bare)
			}
			b.ReportMetric(float64(total)*float64(b.N)/b.Elapsed().Seconds(), "records/s")
		})
	}
}

// BenchmarkRequests measures fenced commits and back-to-back transactions.
func BenchmarkRequests(b *testing.B) {
	c := real(b)
	ctx := context.Background()
	admin, err := kafka.OpenAdmin(ctx, c)
	if err != nil {
		b.Fatal(err)
	}
	defer admin.Close()
	topic := "bench-requests"
	if _, err := admin.CreateTopic(ctx, kafka.TopicSpec{Name: topic, Partitions: 6}); err != nil {
		b.Fatal(err)
	}
	m := kafka.Member{Group: topic}
	b.Run("commit", func(b *testing.B) {
		o, err := kafka.OpenOffsets(ctx, c)
		if err != nil {
			b.Fatal(err)
		}
		defer o.Close()
		for i := range b.N {
			if err := o.Commit(ctx, m, committed{{Topic: topic}: {Offset: int64(i), Metadata: strings.Repeat("x", 300)}}); err != nil {
				b.Fatal(err)
			}
		}
	})
	for _, parts := range []int32{1, 6} {
		b.Run(fmt.Sprint("txn-", parts), func(b *testing.B) {
			x, err := kafka.OpenTxn(ctx, c, topic, 10*time.Second)
			if err != nil {
				b.Fatal(err)
			}
			defer x.Close()
			var outs []kafka.Out
			for p := range parts {
				outs = append(outs, kafka.Out{Topic: topic, Partition: p, Value: make([]byte, 200)})
			}
			for i := range b.N {
				if err := x.Write(ctx, outs, m, committed{{Topic: topic}: {Offset: int64(i)}}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
