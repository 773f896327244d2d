//go:build kafka

package kafka_test

import (
	"context"
	"errors"
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

// While others join, the old generation's commits are still taken, although its
// heartbeats are answered with a rebalance.
func TestRealCommitWhileRebalancing(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	b := open(t, ctx, real(t))
	name := b.topic(t, ctx, 2, nil)
	tp := kafka.TP{Topic: name}
	first := &stubborn{task: newTask(), hold: make(chan struct{})}
	o := kafka.ConsumerOptions{Group: name, InstanceID: "a", Topics: []string{name}}
	run(t, ctx, b.c, o, first)
	s := first.session(t, ctx)
	o.InstanceID = "b"
	second := newTask()
	run(t, ctx, b.c, o, second)
	poll(ctx, 5*time.Millisecond, func() bool { return b.offsets.Heartbeat(ctx, s.Member()) != nil })
	wantErr(t, b.offsets.Heartbeat(ctx, s.Member()), kafka.ErrRebalance)
	if g := must[kafka.Group](t)(b.admin.DescribeGroup(ctx, name)); g.State != "PreparingRebalance" {
		t.Errorf("state %s", g.State)
	}
	check(t, b.offsets.Commit(ctx, s.Member(), committed{tp: {Offset: 3}}))
	if got := must[committed](t)(b.offsets.FetchAll(ctx, name)); got[tp].Offset != 3 {
		t.Errorf("position %v", got)
	}
	close(first.hold)
	m := second.session(t, ctx).Member()
	if m.Generation == s.Member().Generation {
		t.Error("the generation did not change")
	}
	err := b.offsets.Commit(ctx, s.Member(), committed{tp: {Offset: 99}})
	wantErr(t, err, kafka.ErrRebalance)
	if got := must[committed](t)(b.offsets.FetchAll(ctx, name)); got[tp].Offset != 3 {
		t.Errorf("position %v after a stale commit", got)
	}
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
	// A fetch that is out when Pause comes ends by itself after 500 ms and would take
	// what is written meanwhile.
	quiet, cancel := context.WithTimeout(ctx, 700*time.Millisecond)
	defer cancel()
	<-quiet.Done()
	b.fill(t, ctx, name, 0, 10, 20)
	check(t, b.admin.DeleteRecords(tp, 15))
	s.Resume(map[string][]int32{name: {0}})
	ended := func() []error {
		h.mu.Lock()
		defer h.mu.Unlock()
		return h.closed
	}
	if !poll(ctx, 10*time.Millisecond, func() bool { return len(ended()) > 0 || len(h.records()) > 10 }) {
		t.Fatal("the claim goes on")
	}
	if n := len(h.records()); n > 10 {
		t.Fatalf("records were delivered behind the gap: %v", values(h.records()))
	}
	wantErr(t, ended()[0], kafka.ErrClaimClosed)
	if s.Context().Err() != nil {
		t.Error("the session ended")
	}
	_, err := b.reader.Fetch(ctx, tp, 10, 1<<20, 0)
	wantErr(t, err, kafka.ErrOutOfRange)
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
		commitSome(t, ctx, b)
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

// poll calls done until it is true; false when ctx ended before.
func poll(ctx context.Context, every time.Duration, done func() bool) bool {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for !done() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return false
		}
	}
	return true
}
