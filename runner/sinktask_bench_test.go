package runner

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// BenchmarkReadLine measures what the reading stage costs a record over the sink's own
// work: the sink of this benchmark does nothing.
func BenchmarkReadLine(b *testing.B) {
	for _, size := range []int{20, 200, 2000} {
		b.Run(fmt.Sprint(size), func(b *testing.B) { benchmarkRead(b, size) })
	}
}

func benchmarkRead(b *testing.B, size int) {
	ctx, cancel := context.WithCancelCause(b.Context())
	budget := NewBudget(256 << 20)
	spec := &connector.Spec{}
	o := taskOptions{Spec: spec, Config: connector.Config{connector.KeyFlushSize: "10000", connector.KeyFlushInterval: "60000", connector.KeyFlushBytes: "64MiB"}}.withDefaults()
	t := &sinkTask{o: o, tuning: newSinkTuning(o.Config)}
	l := &partitionLine{t: t, st: newPartitionState(kafka.TP{Topic: "t"}), queue: make(chan *closedChunk, 1), wake: make(chan struct{}, 1),
		found: &finding{}, ctx: ctx, cancel: cancel, timer: time.NewTimer(time.Hour)}
	l.settler = settler{o: &t.o, sink: idleSink{}, persist: func(_ context.Context, _ int, act func() error) error { return act() }}
	l.share = budget.share(l.wake)
	l.claim = &endlessClaim{left: b.N, value: make([]byte, size), cancel: cancel}
	go func() {
		for c := range l.queue {
			c.drop(l.st)
		}
	}()
	b.ReportAllocs()
	b.ResetTimer()
	if err := l.read(); err == nil {
		b.Fatal("reading did not end")
	}
}

type idleSink struct{}

func (idleSink) Begin(context.Context, connector.Range, *connector.Intent) (connector.Chunk, error) {
	return &idleChunk{}, nil
}
func (idleSink) Resolve(context.Context, connector.Intent, connector.Guard) (connector.Outcome, error) {
	return connector.Outcome{Kind: connector.Done}, nil
}
func (idleSink) Close() error { return nil }

type idleChunk struct{ held int64 }

func (c *idleChunk) Add(_ context.Context, r *record.Record) error {
	c.held += int64(len(r.Value))
	return nil
}
func (c *idleChunk) Full() bool                              { return false }
func (c *idleChunk) Held() int64                             { return c.held }
func (c *idleChunk) Prepare(context.Context) ([]byte, error) { return nil, nil }
func (c *idleChunk) Publish(context.Context, connector.Guard) ([]connector.Refusal, error) {
	return nil, nil
}
func (c *idleChunk) Discard() {}

type endlessClaim struct {
	left   int
	next   int64
	value  []byte
	cancel context.CancelCauseFunc
}

func (c *endlessClaim) TP() kafka.TP         { return kafka.TP{Topic: "t"} }
func (c *endlessClaim) InitialOffset() int64 { return 0 }
func (c *endlessClaim) Buffered() int        { return c.left }
func (c *endlessClaim) HighWaterMark() int64 { return 1 << 40 }
func (c *endlessClaim) Next(ctx context.Context, r *record.Record, _ <-chan struct{}, _ <-chan time.Time) error {
	if c.left == 0 {
		c.cancel(errSessionEnd)
		return context.Cause(ctx)
	}
	c.left--
	r.Offset, r.Value, r.Timestamp = c.next, c.value, 1
	c.next++
	return nil
}
