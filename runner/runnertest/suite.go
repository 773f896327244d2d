package runnertest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"testing"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// SinkUnderTest is what SinkSuite needs of a sink. Each function may be called several
// times within one test; New gives a sink as a new process would make it, on the same
// destination.
type SinkUnderTest struct {
	New func(t *testing.T) connector.Sink
	// Record makes the ith record of a partition, one that the sink takes. Nil: a short
	// JSON value. Offsets must be those of the arguments.
	Record func(topic string, partition int32, offset int64) record.Record
	// Poison changes a record so that Add refuses it; nil when nothing is refused there.
	Poison func(*record.Record)
	// Refuse changes a record so that Publish refuses it; nil when nothing is refused there.
	Refuse func(*record.Record)
	// Visible is what stands at the destination: names (objects, invocations, rows) and
	// their bytes. It must be the same for the same content.
	Visible func(t *testing.T) map[string][]byte
	// Offsets tells which offsets of a partition are visible, in the order in which the
	// destination keeps them; an offset that is there twice is listed twice.
	Offsets func(t *testing.T, topic string, partition int32) []int64
	// Away switches the destination off and on; every request fails as a network does.
	Away func(t *testing.T, off bool)
	// LoseAnswers makes the destination carry out requests whose answers do not arrive.
	LoseAnswers func(t *testing.T, on bool)
	// MaxHeld bounds Chunk.Held for 1,000 records of 1,000 bytes; 0 = 4 MiB.
	MaxHeld int64
}

// SinkSuite is what every sink must pass.
func SinkSuite(t *testing.T, open func(t *testing.T) SinkUnderTest) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, *sinkCase){
		"order":                 testOrder,
		"redelivery":            testRedelivery,
		"poison leaves no mark": testPoison,
		"refusals":              testRefusals,
		"probe":                 testProbe,
		"outage":                testOutage,
		"lost answers":          testLostAnswers,
		"guard":                 testGuard,
		"discard":               testDiscard,
		"crash":                 testCrash,
		"memory":                testMemory,
		"partitions together":   testConcurrent,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := open(t)
			if u.Record == nil {
				u.Record = plainRecord
			}
			f(t, &sinkCase{SinkUnderTest: u, sink: u.New(t)})
		})
	}
}

type sinkCase struct {
	SinkUnderTest
	sink connector.Sink
}

const suiteTopic = "suite"

func plainRecord(topic string, partition int32, offset int64) record.Record {
	return record.Record{Topic: topic, Partition: partition, Offset: offset, Timestamp: 1_700_000_000_000 + offset,
		Key: fmt.Appendf(nil, "k%d", offset), Value: fmt.Appendf(nil, `{"n":%d}`, offset)}
}

func (c *sinkCase) records(partition int32, first int64, n int) []record.Record {
	out := make([]record.Record, n)
	for i := range out {
		out[i] = c.Record(suiteTopic, partition, first+int64(i))
	}
	return out
}

// allow is the guard of a process that owns its partition.
func allow() error { return nil }

// fill opens a chunk and adds the records; refused ones are left out of the sum.
func (c *sinkCase) fill(t *testing.T, sink connector.Sink, rs []record.Record, redo *connector.Intent) (connector.Chunk, connector.Intent) {
	t.Helper()
	ctx := t.Context()
	at := connector.Range{Topic: suiteTopic, Partition: rs[0].Partition, First: rs[0].Offset, TopicID: "topic-id", Epoch: "epoch"}
	chunk, err := sink.Begin(ctx, at, redo)
	if err != nil {
		t.Fatalf("Begin: %v", err)
	}
	in := connector.Intent{Range: at, Config: "config", Encoder: 1}
	in.Next = rs[len(rs)-1].Offset + 1
	var sum record.Sum
	for i := range rs {
		r := rs[i] // the caller reuses the struct, as the delivery loop does
		err := chunk.Add(ctx, &r)
		var refused *connector.RecordError
		if errors.As(err, &refused) {
			continue
		}
		if err != nil {
			t.Fatalf("Add: %v", err)
		}
		if chunk.Held() < 0 {
			t.Fatal("Held is negative")
		}
		in.Count++
		sum.Add(&rs[i])
		r = record.Record{}
	}
	in.Sum = sum.Sum64()
	return chunk, in
}

func (c *sinkCase) prepare(t *testing.T, chunk connector.Chunk, in *connector.Intent) {
	t.Helper()
	payload, err := chunk.Prepare(t.Context())
	if err != nil {
		t.Fatalf("Prepare: %v", err)
	}
	if len(payload) > connector.MaxPayload || !utf8.Valid(payload) || len(payload) > 0 && !json.Valid(payload) {
		t.Fatalf("payload is not JSON of at most %d bytes: %q", connector.MaxPayload, payload)
	}
	in.Payload = payload
}

// deliver brings the records to the destination whole.
func (c *sinkCase) deliver(t *testing.T, sink connector.Sink, rs []record.Record) (connector.Intent, []connector.Refusal) {
	t.Helper()
	chunk, in := c.fill(t, sink, rs, nil)
	c.prepare(t, chunk, &in)
	refused, err := chunk.Publish(t.Context(), allow)
	if err != nil {
		t.Fatalf("Publish: %v", err)
	}
	chunk.Discard()
	return in, refused
}

func (c *sinkCase) want(t *testing.T, partition int32, want []int64) {
	t.Helper()
	if got := c.Offsets(t, suiteTopic, partition); !slices.Equal(got, want) {
		t.Errorf("partition %d: visible offsets %v, want %v", partition, got, want)
	}
}

func span(first, next int64) []int64 {
	var out []int64
	for o := first; o < next; o++ {
		out = append(out, o)
	}
	return out
}

func testOrder(t *testing.T, c *sinkCase) {
	for i := range int64(4) {
		c.deliver(t, c.sink, c.records(0, i*10, 10))
	}
	c.want(t, 0, span(0, 40))
}

// A range that is delivered again under its intent gives the same names and bytes.
func testRedelivery(t *testing.T, c *sinkCase) {
	rs := c.records(0, 5, 20)
	in, _ := c.deliver(t, c.sink, rs)
	before := c.Visible(t)
	sink := c.New(t)
	chunk, again := c.fill(t, sink, rs, &in)
	if again.Count != in.Count || again.Sum != in.Sum {
		t.Fatal("the suite itself is wrong")
	}
	c.prepare(t, chunk, &again)
	if _, err := chunk.Publish(t.Context(), allow); err != nil {
		t.Fatalf("Publish again: %v", err)
	}
	if after := c.Visible(t); !maps.EqualFunc(before, after, bytes.Equal) {
		t.Errorf("the destination changed: %v, before %v", slices.Sorted(maps.Keys(after)), slices.Sorted(maps.Keys(before)))
	}
	c.want(t, 0, span(5, 25))
}

func testPoison(t *testing.T, c *sinkCase) {
	if c.Poison == nil {
		t.Skip("this sink refuses nothing when adding")
	}
	rs := c.records(0, 0, 5)
	c.Poison(&rs[2])
	chunk, in := c.fill(t, c.sink, rs, nil)
	if in.Count != 4 {
		t.Fatalf("%d records were taken, want 4", in.Count)
	}
	c.prepare(t, chunk, &in)
	if _, err := chunk.Publish(t.Context(), allow); err != nil {
		t.Fatalf("Publish: %v", err)
	}
	c.want(t, 0, []int64{0, 1, 3, 4})
}

func testRefusals(t *testing.T, c *sinkCase) {
	if c.Refuse == nil {
		t.Skip("this sink refuses nothing when publishing")
	}
	rs := c.records(0, 0, 5)
	c.Refuse(&rs[3])
	in, refused := c.deliver(t, c.sink, rs)
	if len(refused) != 1 || refused[0].Offset != 3 || refused[0].Err == nil {
		t.Fatalf("refused %v", refused)
	}
	c.want(t, 0, []int64{0, 1, 2, 4})
	// After a crash before the refusal was diverted it must be told again.
	out, err := c.New(t).Resolve(t.Context(), in, allow)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	if out.Kind == connector.Done {
		t.Error("a range with refusals resolves to done: the refused record would be lost")
	}
}

// A probe finds out without leaving anything, and tells an absence from a wrong setting.
func testProbe(t *testing.T, c *sinkCase) {
	p, ok := c.sink.(connector.Prober)
	if !ok {
		t.Skip("the sink is not asked before its first delivery")
	}
	if err := p.Probe(t.Context()); err != nil {
		t.Fatalf("Probe of a destination that takes everything: %v", err)
	}
	c.Away(t, true)
	for range 10 { // it stays an absence, however often
		err := p.Probe(t.Context())
		if cause := connector.CauseOf(err); err == nil || cause != connector.CauseAway && cause != connector.CauseOther {
			t.Fatalf("Probe while away: %v", err)
		}
	}
	c.Away(t, false)
	if err := p.Probe(t.Context()); err != nil {
		t.Errorf("Probe when it is back: %v", err)
	}
	if there := c.Visible(t); len(there) != 0 {
		t.Errorf("probing left %d things at the destination", len(there))
	}
	c.deliver(t, c.sink, c.records(0, 0, 3))
	c.want(t, 0, span(0, 3))
}

func testOutage(t *testing.T, c *sinkCase) {
	chunk, in := c.fill(t, c.sink, c.records(0, 0, 10), nil)
	c.prepare(t, chunk, &in)
	c.Away(t, true)
	for range 2 {
		_, err := chunk.Publish(t.Context(), allow)
		if cause := connector.CauseOf(err); err == nil || cause != connector.CauseAway && cause != connector.CauseOther {
			t.Fatalf("Publish while away: %v", err)
		}
	}
	// A sink that can ask nothing always answers Redo; to know more it must ask.
	if out, err := c.New(t).Resolve(t.Context(), in, allow); err == nil && out.Kind != connector.Redo {
		t.Errorf("Resolve knows %q although the destination is away", out.Kind)
	}
	c.Away(t, false)
	if _, err := chunk.Publish(t.Context(), allow); err != nil {
		t.Fatalf("Publish when it is back: %v", err)
	}
	c.want(t, 0, span(0, 10))
}

// An act that was carried out but not answered is not done twice.
func testLostAnswers(t *testing.T, c *sinkCase) {
	if c.LoseAnswers == nil {
		t.Skip("answers cannot be lost here")
	}
	chunk, in := c.fill(t, c.sink, c.records(0, 0, 10), nil)
	c.prepare(t, chunk, &in)
	c.LoseAnswers(t, true)
	_, _ = chunk.Publish(t.Context(), allow)
	c.LoseAnswers(t, false)
	if _, err := chunk.Publish(t.Context(), allow); err != nil {
		t.Fatalf("Publish again: %v", err)
	}
	c.want(t, 0, span(0, 10))
	out, err := c.New(t).Resolve(t.Context(), in, allow)
	if err != nil || out.Kind == connector.Unknown {
		t.Errorf("Resolve: %+v, %v", out, err)
	}
}

// Nothing becomes visible when the guard objects.
func testGuard(t *testing.T, c *sinkCase) {
	chunk, in := c.fill(t, c.sink, c.records(0, 0, 10), nil)
	c.prepare(t, chunk, &in)
	lost := errors.New("the lease is lost")
	if _, err := chunk.Publish(t.Context(), func() error { return lost }); !errors.Is(err, lost) {
		t.Fatalf("Publish against the guard: %v", err)
	}
	c.want(t, 0, nil)
	chunk.Discard()
}

// Discard is safe at any time, twice, and nothing of the chunk shows.
func testDiscard(t *testing.T, c *sinkCase) {
	empty, err := c.sink.Begin(t.Context(), connector.Range{Topic: suiteTopic, TopicID: "topic-id", Epoch: "epoch"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	empty.Discard()
	empty.Discard()
	chunk, _ := c.fill(t, c.sink, c.records(0, 0, 3), nil)
	chunk.Discard()
	chunk, in := c.fill(t, c.sink, c.records(0, 0, 3), nil)
	c.prepare(t, chunk, &in)
	chunk.Discard()
	chunk.Discard()
	c.want(t, 0, nil)
	c.deliver(t, c.sink, c.records(0, 0, 3))
	c.want(t, 0, span(0, 3))
}

// After a crash at any point the next process finishes the range, once.
func testCrash(t *testing.T, c *sinkCase) {
	for i, crash := range []string{"after prepare", "after publish", "while away"} {
		t.Run(crash, func(t *testing.T) {
			partition := int32(i)
			rs := c.records(partition, 0, 12)
			chunk, in := c.fill(t, c.sink, rs, nil)
			c.prepare(t, chunk, &in)
			switch crash {
			case "after publish":
				if _, err := chunk.Publish(t.Context(), allow); err != nil {
					t.Fatal(err)
				}
			case "while away":
				c.Away(t, true)
				_, _ = chunk.Publish(t.Context(), allow)
				c.Away(t, false)
			}
			c.recover(t, c.New(t), rs, in)
			c.want(t, partition, span(0, 12))
			out, err := c.New(t).Resolve(t.Context(), in, allow)
			if err != nil || out.Kind == connector.Unknown {
				t.Errorf("Resolve of what is done: %+v, %v", out, err)
			}
		})
	}
}

// recover does what the delivery task does with an intent that stands.
func (c *sinkCase) recover(t *testing.T, sink connector.Sink, rs []record.Record, in connector.Intent) {
	t.Helper()
	out, err := sink.Resolve(t.Context(), in, allow)
	if err != nil {
		t.Fatalf("Resolve: %v", err)
	}
	switch out.Kind {
	case connector.Done:
	case connector.Redo:
		chunk, again := c.fill(t, sink, rs, &in)
		c.prepare(t, chunk, &again)
		if _, err := chunk.Publish(t.Context(), allow); err != nil {
			t.Fatalf("Publish of the redo: %v", err)
		}
	default:
		t.Fatalf("Resolve: %+v", out)
	}
}

func testMemory(t *testing.T, c *sinkCase) {
	limit := c.MaxHeld
	if limit == 0 {
		limit = 4 << 20
	}
	rs := c.records(0, 0, 1000)
	for i := range rs {
		rs[i].Value = fmt.Appendf(nil, `{"n":%d,"pad":"%0980d"}`, i, 0)
	}
	chunk, _ := c.fill(t, c.sink, rs, nil)
	if held := chunk.Held(); held > limit || held == 0 {
		t.Errorf("1,000 records of 1,000 bytes hold %d bytes, want 1 to %d", held, limit)
	}
	chunk.Discard()
}

func testConcurrent(t *testing.T, c *sinkCase) {
	var wg sync.WaitGroup
	for p := range int32(8) {
		wg.Go(func() {
			for i := range int64(5) {
				rs := c.records(p, i*10, 10)
				ctx := context.WithoutCancel(t.Context())
				at := connector.Range{Topic: suiteTopic, Partition: p, First: i * 10, TopicID: "topic-id", Epoch: "epoch"}
				chunk, err := c.sink.Begin(ctx, at, nil)
				for j := range rs {
					if err == nil {
						err = chunk.Add(ctx, &rs[j])
					}
				}
				if err == nil {
					_, err = chunk.Prepare(ctx)
				}
				if err == nil {
					_, err = chunk.Publish(ctx, allow)
				}
				if err != nil {
					t.Errorf("partition %d: %v", p, err)
					return
				}
			}
		})
	}
	wg.Wait()
	for p := range int32(8) {
		c.want(t, p, span(0, 50))
	}
}
