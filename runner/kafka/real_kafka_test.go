//go:build kafka

package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// real is the cluster that SLUICE_TEST_KAFKA names.
func real(t testing.TB) kafka.Cluster {
	t.Helper()
	bootstrap := os.Getenv("SLUICE_TEST_KAFKA")
	if bootstrap == "" {
		t.Skip("SLUICE_TEST_KAFKA is not set")
	}
	return kafka.Cluster{Bootstrap: strings.Split(bootstrap, ",")}
}

func TestReal(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) kafka.Cluster { return real(t) })
}

type committed = map[kafka.TP]kafka.Committed

func TestRealProbe(t *testing.T) {
	t.Parallel()
	info := must[kafka.Info](t)(kafka.Probe(within(t, 10*time.Second), real(t)))
	if info.ClusterID == "" || len(info.Brokers) == 0 || info.Version < "4" ||
		!info.Idempotent || !info.Transactions || !info.RequireStable || !info.StaticMembership || !info.TopicIDs {
		t.Errorf("%+v", info)
	}
}

func TestRealBadTopicName(t *testing.T) {
	t.Parallel()
	ctx := within(t, 10*time.Second)
	b := open(t, ctx, real(t))
	for _, spec := range []kafka.TopicSpec{{Name: "no blanks", Partitions: 1}, {Name: "too-many-replicas", Partitions: 1, Replicas: 9}} {
		_, err := b.admin.CreateTopic(ctx, spec)
		if err == nil || errors.Is(err, kafka.ErrNoTopic) || kafka.Remedy(err) == "" {
			t.Errorf("%s: %v", spec.Name, err)
		}
	}
	_, err := b.admin.CreateTopic(ctx, kafka.TopicSpec{Name: "bad-config", Partitions: 1, Config: map[string]string{"cleanup.policy": "nonsense"}})
	if err == nil || !strings.Contains(err.Error(), "nonsense") {
		t.Errorf("bad setting: %v", err)
	}
}

// A killed client's seat is taken over at once, with no rebalance for others.
func TestRealTakeover(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 3, nil)
	b.fill(t, ctx, name, 0, 0, 10)
	o := kafka.ConsumerOptions{Group: name, InstanceID: "n1", Topics: []string{name}}
	proxy := newTap(t, b.c.Bootstrap[0])
	h := newTask()
	runCtx, stop := context.WithCancelCause(ctx)
	zombie, errs := run(t, runCtx, proxy.through(b.c), o, h)
	m := h.session(t, ctx).Member()
	h.wait(t, ctx, 10)
	proxy.listener.Close()
	proxy.set(true, false) // from now on the client hears nothing and its heartbeats still arrive
	h2 := newTask()
	begin := time.Now()
	run(t, ctx, b.c, o, h2)
	m2 := h2.session(t, ctx).Member()
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("took over after %s", took)
	}
	if m2.Generation != m.Generation {
		t.Logf("the generation went from %d to %d", m.Generation, m2.Generation)
	}
	h2.wait(t, ctx, 10)
	tp := kafka.TP{Topic: name}
	wantErr(t, b.offsets.Commit(ctx, m, committed{tp: {Offset: 3}}), kafka.ErrFenced)
	check(t, b.offsets.Commit(ctx, m2, committed{tp: {Offset: 4}}))
	if got := must[committed](t)(b.offsets.FetchAll(ctx, name)); got[tp].Offset != 4 {
		t.Errorf("position %v", got)
	}
	// Its runner notices by heartbeats of its own and ends it, although the broker is
	// silent for it.
	mine := errors.New("no heartbeat was answered")
	begin = time.Now()
	stop(mine)
	wantErr(t, <-errs, mine)
	zombie.Close(true) // cannot say good-bye, and may say so
	if took := time.Since(begin); took > 7*time.Second {
		t.Errorf("the zombie ended after %s", took)
	}
	// Its good-bye did not arrive: the seat is the second's.
	check(t, b.offsets.Commit(ctx, m2, committed{tp: {Offset: 5}}))
}

// Records of open and aborted transactions are never read, positions in them are
// waited for, and InitProducerId frees both.
func TestRealOpenTransaction(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	m := kafka.Member{Group: name}
	check(t, b.offsets.Commit(ctx, m, committed{tp: {Offset: 1}}))
	b.fill(t, ctx, name, 0, 0, 5)
	txn := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, b.c, name, time.Minute))
	defer txn.Close()
	check(t, txn.Begin(ctx, []kafka.Out{{Topic: name, Partition: 0, Value: []byte("aborted")}}, m, committed{tp: {Offset: 2}}))
	b.fill(t, ctx, name, 0, 5, 8)
	w := must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
	if w.LSO != 5 || w.End != 9 {
		t.Errorf("watermarks %+v", w)
	}
	page := must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 0, 1<<20, time.Second))
	if page.LSO != 5 || page.Next != 5 || len(page.Records) != 5 {
		t.Errorf("page with an open transaction: next %d, %d records, %+v", page.Next, len(page.Records), page.Watermarks)
	}
	page = must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 5, 1<<20, 100*time.Millisecond))
	if page.Next != 5 || len(page.Records) != 0 {
		t.Errorf("page behind the LSO: next %d, %d records", page.Next, len(page.Records))
	}
	short, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	_, err := b.offsets.Fetch(short, name, []kafka.TP{tp})
	if !errors.Is(err, kafka.ErrUnstable) && !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("positions while a transaction is open: %v", err)
	}
	begin := time.Now()
	txn2 := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, b.c, name, time.Minute))
	defer txn2.Close()
	got := must[committed](t)(b.offsets.Fetch(ctx, name, []kafka.TP{tp}))
	t.Logf("freed after %s", time.Since(begin))
	if got[tp].Offset != 1 {
		t.Errorf("position %v, want 1", got)
	}
	w = must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
	if w.LSO != 10 || w.End != 10 {
		t.Errorf("watermarks after the abort: %+v", w)
	}
	for _, maxBytes := range []int32{1, 100, 1 << 20} {
		if rs := b.read(t, ctx, tp, 0, w.LSO, maxBytes); len(rs) != 8 {
			t.Errorf("%d bytes a page: %v", maxBytes, values(rs))
		}
	}
	// Only a control batch is left: Next moves over them.
	page = must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 9, 1<<20, time.Second))
	if page.Next != 10 || len(page.Records) != 0 {
		t.Errorf("page over the marker: %+v", page)
	}
	err = txn.End(ctx, true)
	wantErr(t, err, kafka.ErrFenced)
	if errors.Is(err, kafka.ErrUnanswered) {
		t.Errorf("a clear refusal: %v", err)
	}
	wantErr(t, func() error {
		return txn.Write(ctx, []kafka.Out{{Topic: name, Partition: 0, Value: []byte("zombie")}}, m, nil)
	}(), kafka.ErrFenced)
}

// The answer to a transaction's commit is lost.
func TestRealUnansweredTransaction(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	m := kafka.Member{Group: name}
	proxy := newTap(t, b.c.Bootstrap[0])
	for _, c := range []struct {
		name    string
		back    time.Duration // until answers arrive again; 0 = never
		offset  int64
		wantErr error
	}{{"for a moment", 200 * time.Millisecond, 1, nil}, {"for good", 0, 2, kafka.ErrUnanswered}} {
		proxy.set(false, false)
		txn := must[*kafka.Txn](t)(kafka.OpenTxn(ctx, proxy.through(b.c), name, time.Minute))
		check(t, txn.Begin(ctx, []kafka.Out{{Topic: name, Partition: 0, Value: []byte(c.name)}}, m, committed{tp: {Offset: c.offset}}))
		proxy.set(false, true)
		if c.back > 0 {
			time.AfterFunc(c.back, func() { proxy.set(false, false) })
		}
		short, cancel := context.WithTimeout(ctx, 3*time.Second)
		if err := txn.End(short, true); !errors.Is(err, c.wantErr) {
			t.Errorf("%s: %v, want %v", c.name, err, c.wantErr)
		}
		cancel()
		proxy.set(false, false)
		txn.Close()
		// It was committed all the same: the caller finds out by reading the position.
		if got := must[committed](t)(b.offsets.Fetch(ctx, name, []kafka.TP{tp})); got[tp].Offset != c.offset {
			t.Errorf("%s: position %v, want %d", c.name, got, c.offset)
		}
	}
}

// sarama resets a position out of range: InitialOffset tells it.
func TestRealResetInvalidOffsets(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 3, nil)
	for p := range int32(3) {
		b.fill(t, ctx, name, p, 0, 10)
	}
	tp := func(p int32) kafka.TP { return kafka.TP{Topic: name, Partition: p} }
	check(t, b.admin.DeleteRecords(tp(1), 5))
	check(t, b.offsets.Commit(ctx, kafka.Member{Group: name}, committed{tp(0): {Offset: 1000}, tp(1): {Offset: 2}, tp(2): {Offset: 7}}))
	h := newTask()
	run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}, h)
	h.wait(t, ctx, 10+5+3)
	h.mu.Lock()
	defer h.mu.Unlock()
	for p, want := range []int64{-2, -2, 7} {
		if got := h.initial[tp(int32(p))]; got != want {
			t.Errorf("partition %d: initial offset %d, want %d", p, got, want)
		}
	}
}

// Retention passes a claim that is paused: the feed ends while the session lives.
func TestRealRetentionPassesClaim(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	h := newTask()
	run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}, h)
	s := h.session(t, ctx)
	b.fill(t, ctx, name, 0, 0, 10)
	h.wait(t, ctx, 10)
	s.Pause(map[string][]int32{name: {0}})
	time.Sleep(700 * time.Millisecond) // a fetch that waits ends by itself after 500 ms
	b.fill(t, ctx, name, 0, 10, 20)
	check(t, b.admin.DeleteRecords(tp, 15))
	s.Resume(map[string][]int32{name: {0}})
	for {
		h.mu.Lock()
		closed := h.closed
		h.mu.Unlock()
		if len(closed) > 0 {
			wantErr(t, closed[0], kafka.ErrClaimClosed)
			break
		}
		if len(h.records()) > 10 {
			t.Fatalf("records were delivered behind the gap: %v", values(h.records()))
		}
		if ctx.Err() != nil {
			t.Fatal("the claim goes on")
		}
		time.Sleep(10 * time.Millisecond)
	}
	if s.Context().Err() != nil {
		t.Error("the session ended")
	}
	_, err := b.reader.Fetch(ctx, tp, 10, 1<<20, 0)
	wantErr(t, err, kafka.ErrOutOfRange)
}

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
	for deadline := time.Now().Add(100 * time.Second); ; {
		send(b.prod, "roll")
		w := must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, tp))[tp]
		n := 0
		for from := int64(0); from < w.LSO; from++ {
			rs := b.read(t, ctx, tp, from, w.LSO, 1<<20)
			if from == 0 {
				n = len(rs)
			}
		}
		if int64(n) < w.LSO-15 {
			t.Logf("%d of %d records are left", n, w.LSO)
			// Before the end of a page that holds only empty batches: one byte at a time.
			b.read(t, ctx, tp, 0, w.LSO, 1)
			page := must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 20, 1, time.Second))
			if len(page.Records) != 0 || page.Next <= 20 {
				t.Errorf("page over the empty batch at 20: %d records, next %d", len(page.Records), page.Next)
			}
			return
		}
		if time.Now().After(deadline) {
			t.Skip("the cleaner did not run in time")
		}
		time.Sleep(2 * time.Second)
	}
}

// SLUICE_TEST_KAFKA_SASL lists users of SASL_PLAINTEXT listeners as
// mechanism,user,password,host:port with blanks between them.
func TestRealSignIn(t *testing.T) {
	t.Parallel()
	users := strings.Fields(os.Getenv("SLUICE_TEST_KAFKA_SASL"))
	if len(users) == 0 {
		t.Skip("SLUICE_TEST_KAFKA_SASL is not set")
	}
	ctx := within(t, time.Minute)
	for _, u := range users {
		f := strings.Split(u, ",")
		c := kafka.Cluster{Bootstrap: f[3:], Protocol: "SASL_PLAINTEXT", Mechanism: f[0], Username: f[1], Password: f[2]}
		for _, s := range steps(ctx, c) {
			if s.Status != kafka.StepOK {
				t.Errorf("%s: %+v", f[0], s)
			}
		}
		b := open(t, ctx, c)
		b.fill(t, ctx, b.topic(t, ctx, 1, nil), 0, 0, 10)
		c.Password = "wrong"
		_, err := kafka.OpenAdmin(ctx, c)
		wantErr(t, err, kafka.ErrAuth)
		c.Version = "4.3"
		_, err = kafka.OpenOffsets(ctx, c)
		wantErr(t, err, kafka.ErrAuth)
		got := steps(ctx, c)
		if s := got[2]; s.Name != kafka.StepAuth || s.Status != kafka.StepFailed || !strings.Contains(s.Remedy, "password") {
			t.Errorf("%s: %+v", f[0], got)
		}
		c.Mechanism = "PLAIN"
		if f[0] == "PLAIN" {
			c.Protocol = "SSL"
		}
		got = steps(ctx, c)
		t.Logf("%s: %+v", f[0], got)
	}
}

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
