package kafka_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

func testTxn(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, map[string]string{"max.message.bytes": "20000"})
	tp := kafka.TP{Topic: name}
	group := name + "-g"
	h := newTask()
	run(t, ctx, b.c, kafka.ConsumerOptions{Group: group, InstanceID: "i", Topics: []string{name}}, h)
	m := h.session(t, ctx).Member()
	txn := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, b.c, name+"-x", 10*time.Second))
	defer txn.Close()
	at := func(n int64) map[kafka.TP]kafka.Committed {
		return map[kafka.TP]kafka.Committed{tp: {Offset: n, Metadata: "m"}}
	}
	out := func(v string) []kafka.Out {
		return []kafka.Out{{Topic: name, Partition: 0, Key: []byte("a"), Value: []byte(v), Headers: []record.Header{{Key: "h", Value: []byte("1")}}},
			{Topic: name, Partition: 1, Value: []byte(v)}}
	}
	for i := range 5 {
		check(t, txn.Write(ctx, out("good"), m, at(int64(i+1))))
	}
	// More than one batch takes in a topic with a small limit.
	big := make([]kafka.Out, 30)
	for i := range big {
		big[i] = kafka.Out{Topic: name, Partition: 0, Value: make([]byte, 3000)}
	}
	check(t, txn.Write(ctx, big, kafka.Member{}, nil))
	if got := must[map[kafka.TP]kafka.Committed](t)(b.offsets.Fetch(ctx, group, []kafka.TP{tp})); got[tp] != (kafka.Committed{Offset: 5, Metadata: "m"}) {
		t.Errorf("position %v", got)
	}
	w := must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
	if w.LSO != w.End {
		t.Errorf("watermarks %+v", w)
	}
	if rs := b.read(t, ctx, tp, 0, w.LSO, 4096); len(rs) != 35 {
		t.Errorf("%d records", len(rs))
	}
	if txn.Broken() {
		t.Error("broken without an error")
	}
	err := txn.Write(ctx, []kafka.Out{{Topic: name, Partition: 1, Value: []byte("lost")}, {Topic: name, Partition: 0, Value: make([]byte, 30000)}}, m, at(77))
	wantErr(t, err, kafka.ErrMessageTooLarge)
	if !txn.Broken() {
		t.Error("not broken after an error")
	}
	if err := txn.Write(ctx, out("x"), m, at(6)); err == nil {
		t.Error("a broken producer wrote")
	}
	txn2 := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, b.c, name+"-x", 10*time.Second))
	defer txn2.Close()
	stale := m
	stale.Generation--
	err = txn2.Write(ctx, out("stale"), stale, at(88))
	wantErr(t, err, kafka.ErrRebalance)
	if errors.Is(err, kafka.ErrUnanswered) {
		t.Errorf("a refusal is no doubt: %v", err)
	}
	if got := must[map[kafka.TP]kafka.Committed](t)(b.offsets.Fetch(ctx, group, []kafka.TP{tp})); got[tp].Offset != 5 {
		t.Errorf("position %v", got)
	}
	w = must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
	for _, v := range values(b.read(t, ctx, tp, 0, w.LSO, 1<<20)) {
		if v == "stale" || v == "lost" {
			t.Errorf("%q became visible", v)
		}
	}
	txn3 := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, b.c, name+"-x", 10*time.Second))
	defer txn3.Close()
	wantErr(t, txn3.Write(ctx, []kafka.Out{{Topic: name + "-never", Partition: 0}}, m, nil), kafka.ErrNoTopic)
}

func testProducer(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 6, nil)
	// The hashes that Kafka's own client tests itself with (UtilsTest.testMurmur2).
	for key, hash := range map[string]int32{"21": -973932308, "foobar": -790332482, "a-little-bit-long-string": -985981536, "abc": 479470107} {
		want := hash & 0x7fffffff % 6
		p, offset, err := b.prod.Send(ctx, kafka.Out{Topic: name, Partition: -1, Key: []byte(key), Value: []byte("v")})
		if err != nil || offset < 0 {
			t.Fatal(offset, err)
		}
		if p != want {
			t.Errorf("key %q is in partition %d, want %d", key, p, want)
		}
	}
	small := b.topic(t, ctx, 1, map[string]string{"max.message.bytes": "5000"})
	_, _, err := b.prod.Send(ctx, kafka.Out{Topic: small, Partition: 0, Value: make([]byte, 6000)})
	wantErr(t, err, kafka.ErrMessageTooLarge)
	if _, _, err := b.prod.Send(ctx, kafka.Out{Topic: small, Partition: 0, Value: make([]byte, 1000)}); err != nil {
		t.Error(err)
	}
	// The answer to a record is lost: it is written once all the same.
	proxy := newTap(t, b.c.Bootstrap[0])
	prod := must[*kafka.Producer](t)(kafka.OpenProducer(ctx, proxy.through(b.c)))
	defer prod.Close()
	one := kafka.Out{Topic: small, Partition: 0, Value: []byte("once")}
	if _, _, err := prod.Send(ctx, one); err != nil {
		t.Fatal(err)
	}
	proxy.set(false, true)
	back := time.AfterFunc(300*time.Millisecond, func() { proxy.set(false, false) })
	defer back.Stop()
	if _, _, err := prod.Send(ctx, one); err != nil {
		t.Fatal(err)
	}
	if rs := b.read(t, ctx, kafka.TP{Topic: small}, 0, 3, 1<<20); len(rs) != 3 {
		t.Errorf("%d records, want 3", len(rs))
	}
}
