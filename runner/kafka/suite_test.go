package kafka_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// suite is what must hold on every broker, the embedded one and a real one.
func suite(t *testing.T, cluster func(t *testing.T) kafka.Cluster) {
	for name, f := range map[string]func(*testing.T, context.Context, *bed){
		"admin": testAdmin, "reader": testReader, "positions": testPositions, "fencing": testFencing,
		"unanswered": testUnanswered, "consumer": testConsumer, "many partitions": testManyPartitions, "txn": testTxn, "producer": testProducer, "stream": testStream, "stream refusals": testStreamRefusals, "stream cuts": testStreamCuts, "stream close": testStreamClose, "stream called off": testStreamCalledOff, "stream silence": testStreamSilence, "stream steps": testStreamSteps, "stream ledger": testStreamLedger,
		"missing topic": testMissingTopic, "cancel join": testCancelJoin, "at time": testAtTime,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, time.Minute)
			f(t, ctx, open(t, ctx, cluster(t)))
		})
	}
}

func TestFake(t *testing.T) {
	t.Parallel()
	suite(t, func(t *testing.T) kafka.Cluster { return fake(t) })
}

func testAdmin(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, map[string]string{"max.message.bytes": "2000000"})
	if created := must[bool](t)(b.admin.CreateTopic(ctx, kafka.TopicSpec{Name: name, Partitions: 2})); created {
		t.Error("made twice")
	}
	topic := must[kafka.Topic](t)(b.admin.Topic(ctx, name))
	if topic.ID == "" || !slices.Equal(topic.Partitions, []int32{0, 1}) || topic.Replicas != 1 || topic.Internal {
		t.Errorf("topic %+v", topic)
	}
	if n := must[int](t)(b.admin.MaxMessageBytes(ctx, name)); n != 2000000 {
		t.Errorf("max.message.bytes %d", n)
	}
	check(t, b.admin.SetTopicConfig(ctx, name, map[string]string{"retention.ms": "60000"}))
	if config := must[map[string]string](t)(b.admin.TopicConfig(ctx, name)); config["retention.ms"] != "60000" || config["max.message.bytes"] != "2000000" {
		t.Errorf("settings %v", config)
	}
	check(t, b.admin.AddPartitions(ctx, name, 3))
	check(t, b.admin.AddPartitions(ctx, name, 2))
	if n := len(must[kafka.Topic](t)(b.admin.Topic(ctx, name)).Partitions); n != 3 {
		t.Errorf("%d partitions", n)
	}
	all := must[[]kafka.Topic](t)(b.admin.Topics(ctx))
	if !slices.ContainsFunc(all, func(x kafka.Topic) bool { return x.Name == name }) {
		t.Errorf("%s is not listed", name)
	}
	check(t, b.admin.DeleteTopics(ctx, name, name+"-never"))
	_, err := b.admin.Topic(ctx, name)
	wantErr(t, err, kafka.ErrNoTopic)
	_, err = b.admin.CreateTopic(ctx, kafka.TopicSpec{Name: name})
	if err == nil {
		t.Error("a topic without partitions was made")
	}

	group := name + "-g"
	if g := must[kafka.Group](t)(b.admin.DescribeGroup(ctx, group)); g.State != "Dead" || len(g.Members) != 0 {
		t.Errorf("group %+v", g)
	}
	check(t, b.admin.DeleteGroup(ctx, group))
	check(t, b.admin.RemoveMembers(ctx, group, "nobody"))
}

func testReader(t *testing.T, ctx context.Context, b *bed) {
	tp := kafka.TP{Topic: b.topic(t, ctx, 1, nil)}
	now := time.Now().UnixMilli()
	check(t, b.prod.SendAll(ctx, []kafka.Out{
		{Topic: tp.Topic, Key: nil, Value: []byte{}, Timestamp: now, Headers: []record.Header{{Key: "h", Value: []byte("x")}, {Key: "n"}}},
		{Topic: tp.Topic, Key: []byte{}, Value: nil, Timestamp: now + 5},
	}))
	b.fill(t, ctx, tp.Topic, 0, 2, 1000)
	rs := b.read(t, ctx, tp, 0, 1000, 1)
	if len(rs) != 1000 || rs[999].Offset != 999 || string(rs[999].Value) != "v999" {
		t.Fatalf("%d records", len(rs))
	}
	first, second := rs[0], rs[1]
	if first.Key != nil || first.Value == nil || first.Timestamp != now || len(first.Headers) != 2 || first.Headers[0].Key != "h" || first.Headers[1].Value != nil {
		t.Errorf("first record %+v", first)
	}
	if second.Key == nil || second.Value != nil || second.Timestamp != now+5 || second.Headers != nil {
		t.Errorf("second record %+v", second)
	}
	page := must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 500, 1<<20, time.Second))
	if len(page.Records) == 0 || page.Records[0].Offset != 500 || page.End != 1000 || page.LSO != 1000 || page.Start != 0 {
		t.Errorf("page from 500: %d records, %+v", len(page.Records), page.Watermarks)
	}
	begin := time.Now()
	page = must[kafka.Page](t)(b.reader.Fetch(ctx, tp, 1000, 1<<20, 200*time.Millisecond))
	if len(page.Records) != 0 || page.Next != 1000 || time.Since(begin) < 100*time.Millisecond {
		t.Errorf("page at the end: %+v after %s", page, time.Since(begin))
	}
	_, err := b.reader.Fetch(ctx, tp, 1001, 1, 0)
	wantErr(t, err, kafka.ErrOutOfRange)
}

func testAtTime(t *testing.T, ctx context.Context, b *bed) {
	tp := kafka.TP{Topic: b.topic(t, ctx, 1, nil)}
	base := time.Now().Add(-time.Hour).Truncate(time.Millisecond)
	for i := range 3 {
		_, offset, err := b.prod.Send(ctx, kafka.Out{Topic: tp.Topic, Partition: 0, Value: []byte("x"), Timestamp: base.Add(time.Duration(i) * time.Minute).UnixMilli()})
		if err != nil || offset != int64(i) {
			t.Fatal(offset, err)
		}
	}
	for _, c := range []struct {
		after time.Duration
		want  int64
	}{{-time.Hour, 0}, {0, 0}, {time.Millisecond, 1}, {2 * time.Minute, 2}, {2*time.Minute + time.Millisecond, -1}} {
		if got := must[int64](t)(b.offsets.AtTime(ctx, tp, base.Add(c.after))); got != c.want {
			t.Errorf("%s after the first: %d, want %d", c.after, got, c.want)
		}
	}
}

func testPositions(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, nil)
	group := name + "-g"
	p0, p1 := kafka.TP{Topic: name}, kafka.TP{Topic: name, Partition: 1}
	got := must[map[kafka.TP]kafka.Committed](t)(b.offsets.Fetch(ctx, group, []kafka.TP{p0, p1}))
	if got[p0].Offset != -1 || got[p1].Offset != -1 {
		t.Errorf("before the first commit: %v", got)
	}
	m := kafka.Member{Group: group}
	check(t, b.offsets.Commit(ctx, m, map[kafka.TP]kafka.Committed{p0: {Offset: 5, Metadata: "äh"}}))
	check(t, b.offsets.Commit(ctx, m, map[kafka.TP]kafka.Committed{p0: {Offset: 5, Metadata: "again"}}))
	got = must[map[kafka.TP]kafka.Committed](t)(b.offsets.Fetch(ctx, group, []kafka.TP{p0, p1}))
	if got[p0] != (kafka.Committed{Offset: 5, Metadata: "again"}) || got[p1].Offset != -1 {
		t.Errorf("after commits: %v", got)
	}
	if all := must[map[kafka.TP]kafka.Committed](t)(b.offsets.FetchAll(ctx, group)); len(all) != 1 || all[p0].Offset != 5 {
		t.Errorf("all: %v", all)
	}
	check(t, b.offsets.Delete(ctx, group, []kafka.TP{p0, p1}))
	if all := must[map[kafka.TP]kafka.Committed](t)(b.offsets.FetchAll(ctx, group)); len(all) != 0 {
		t.Errorf("after delete: %v", all)
	}
	check(t, b.offsets.Delete(ctx, group+"-never", []kafka.TP{p0}))
	b.fill(t, ctx, name, 1, 0, 7)
	w := must[map[kafka.TP]kafka.Watermarks](t)(b.offsets.Watermarks(ctx, p0, p1))
	if w[p0] != (kafka.Watermarks{}) || w[p1] != (kafka.Watermarks{LSO: 7, End: 7}) {
		t.Errorf("watermarks %v", w)
	}
	_, err := b.offsets.Watermarks(ctx, kafka.TP{Topic: name + "-never"})
	wantErr(t, err, kafka.ErrNoTopic)
}

func testFencing(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	o := kafka.ConsumerOptions{Group: name + "-g", InstanceID: "node-1", Topics: []string{name}}
	h := newTask()
	cons, _ := run(t, ctx, b.c, o, h)
	m := h.session(t, ctx).Member()
	at := func(n int64) map[kafka.TP]kafka.Committed { return map[kafka.TP]kafka.Committed{tp: {Offset: n}} }
	check(t, b.offsets.Commit(ctx, m, at(1)))
	check(t, b.offsets.Heartbeat(ctx, m))
	for _, c := range []struct {
		name   string
		change func(*kafka.Member)
		want   error
	}{
		{"generation", func(m *kafka.Member) { m.Generation-- }, kafka.ErrRebalance},
		{"dynamic member", func(m *kafka.Member) { m.ID, m.InstanceID = "stranger", "" }, kafka.ErrRebalance},
		{"same instance, other id", func(m *kafka.Member) { m.ID = "stranger" }, kafka.ErrFenced},
		{"tool", func(m *kafka.Member) { *m = kafka.Member{Group: m.Group} }, kafka.ErrRebalance},
	} {
		stale := m
		c.change(&stale)
		err := b.offsets.Commit(ctx, stale, at(99))
		if !errors.Is(err, c.want) {
			t.Errorf("%s: commit says %v, want %v", c.name, err, c.want)
		}
		if stale.ID != "" {
			if err := b.offsets.Heartbeat(ctx, stale); !errors.Is(err, c.want) {
				t.Errorf("%s: heartbeat says %v, want %v", c.name, err, c.want)
			}
		}
	}
	wantErr(t, b.admin.DeleteGroup(ctx, o.Group), kafka.ErrGroupInUse)
	wantErr(t, b.offsets.Delete(ctx, o.Group, []kafka.TP{tp}), kafka.ErrGroupInUse)
	g := must[kafka.Group](t)(b.admin.DescribeGroup(ctx, o.Group))
	if g.State != "Stable" || len(g.Members) != 1 || g.Members[0].InstanceID != "node-1" || !slices.Equal(g.Members[0].Assigned[name], []int32{0}) {
		t.Errorf("group %+v", g)
	}
	// Another process takes the seat: the first is a zombie.
	h2 := newTask()
	begin := time.Now()
	second, _ := run(t, ctx, b.c, o, h2)
	m2 := h2.session(t, ctx).Member()
	t.Logf("taken over after %s, generation %d to %d", time.Since(begin), m.Generation, m2.Generation)
	if m2.ID == m.ID {
		t.Error("the member id did not change")
	}
	wantErr(t, b.offsets.Commit(ctx, m, at(50)), kafka.ErrFenced)
	wantErr(t, b.offsets.Heartbeat(ctx, m), kafka.ErrFenced)
	check(t, b.offsets.Commit(ctx, m2, at(2)))
	if got := must[map[kafka.TP]kafka.Committed](t)(b.offsets.FetchAll(ctx, o.Group)); got[tp].Offset != 2 {
		t.Errorf("position %v, want 2", got)
	}
	check(t, cons.Close(false))
	// Without leaving the seat stays.
	check(t, second.Close(false))
	if g := must[kafka.Group](t)(b.admin.DescribeGroup(ctx, o.Group)); len(g.Members) != 1 {
		t.Errorf("after close: %+v", g)
	}
	check(t, b.admin.RemoveMembers(ctx, o.Group, "node-1", "nobody"))
	if g := must[kafka.Group](t)(b.admin.DescribeGroup(ctx, o.Group)); len(g.Members) != 0 {
		t.Errorf("after removal: %+v", g)
	}
	check(t, b.admin.DeleteGroup(ctx, o.Group))
	if names := must[[]string](t)(b.admin.Groups(ctx)); slices.Contains(names, o.Group) {
		t.Error("the group is still listed")
	}
}

func testUnanswered(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	tp := kafka.TP{Topic: name}
	proxy := newTap(t, b.c.Bootstrap[0])
	offsets := must[*kafka.Offsets](t)(kafka.OpenOffsets(ctx, proxy.through(b.c)))
	defer offsets.Close()
	m := kafka.Member{Group: name + "-g"}
	check(t, offsets.Commit(ctx, m, map[kafka.TP]kafka.Committed{tp: {Offset: 1}}))
	proxy.set(false, true)
	err := offsets.Commit(ctx, m, map[kafka.TP]kafka.Committed{tp: {Offset: 2}})
	wantErr(t, err, kafka.ErrUnanswered)
	proxy.set(false, false)
	// It was sent once and reached the broker; the client goes on working.
	if got := must[map[kafka.TP]kafka.Committed](t)(offsets.Fetch(ctx, m.Group, []kafka.TP{tp})); got[tp].Offset != 2 {
		t.Errorf("position %v", got)
	}
	proxy.set(true, false)
	short, cancel := context.WithTimeout(ctx, 300*time.Millisecond)
	defer cancel()
	begin := time.Now()
	wantErr(t, offsets.Commit(short, m, map[kafka.TP]kafka.Committed{tp: {Offset: 3}}), kafka.ErrUnanswered)
	if took := time.Since(begin); took > 2*time.Second {
		t.Errorf("the context's end was noticed after %s", took)
	}
	// A broker that cannot be reached was sent nothing.
	proxy.listener.Close()
	proxy.set(false, true)
	gone, cancel2 := context.WithTimeout(ctx, time.Second)
	defer cancel2()
	other := proxy.through(b.c)
	other.Version = "2.8"
	if _, err := kafka.OpenOffsets(gone, other); err == nil || kafka.Remedy(err) == "" {
		t.Errorf("opening without a broker: %v, remedy %q", err, kafka.Remedy(err))
	}
}

func testConsumer(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, nil)
	b.fill(t, ctx, name, 0, 0, 600)
	b.fill(t, ctx, name, 1, 0, 600)
	tp := kafka.TP{Topic: name}
	group := name + "-g"
	check(t, b.offsets.Commit(ctx, kafka.Member{Group: group}, map[kafka.TP]kafka.Committed{tp: {Offset: 100}}))
	h := newTask()
	runCtx, stop := context.WithCancelCause(ctx)
	_, errs := run(t, runCtx, b.c, kafka.ConsumerOptions{Group: group, InstanceID: "i", Topics: []string{name}}, h)
	s := h.session(t, ctx)
	if m := s.Member(); m.ID == "" || m.Generation < 1 || m.InstanceID != "i" || m.Group != group {
		t.Errorf("member %+v", m)
	}
	h.wait(t, ctx, 1100)
	var next [2]int64
	next[0] = 100
	for _, r := range h.records() {
		if r.Offset != next[r.Partition] || r.Topic != name || r.Timestamp <= 0 {
			t.Fatalf("record %+v, offset %d was expected", r, next[r.Partition])
		}
		next[r.Partition]++
	}
	// A paused partition delivers nothing until it is resumed.
	s.Pause(map[string][]int32{name: {0}})
	b.fill(t, ctx, name, 1, 600, 610)
	h.wait(t, ctx, 10)
	// A second member makes a new generation.
	h2 := newTask()
	run(t, ctx, b.c, kafka.ConsumerOptions{Group: group, InstanceID: "j", Topics: []string{name}}, h2)
	h2.session(t, ctx)
	wantErr(t, <-errs, kafka.ErrRebalance)
	wantErr(t, context.Cause(s.Context()), kafka.ErrRebalance)
	s = h.session(t, ctx)
	if n := len(s.Claims()[name]); n != 1 {
		t.Errorf("claims %v", s.Claims())
	}
	mine := errors.New("stopped by the test")
	stop(mine)
	wantErr(t, <-errs, mine)
	wantErr(t, context.Cause(s.Context()), mine)
}

// Where there are many partitions they take turns; nothing is lost, all are read.
func testManyPartitions(t *testing.T, ctx context.Context, b *bed) {
	const partitions = 12
	name := b.topic(t, ctx, partitions, nil)
	for p := range int32(partitions) {
		b.fill(t, ctx, name, p, 0, 300)
	}
	h := newTask()
	runCtx, stop := context.WithCancelCause(ctx)
	// So little may be fetched that only a few partitions fetch at a time.
	_, errs := run(t, runCtx, b.c, kafka.ConsumerOptions{Group: "g-" + name, Topics: []string{name}, FetchBytes: 4 << 10}, h)
	s := h.session(t, ctx)
	h.wait(t, ctx, 300*partitions)
	s.Pause(map[string][]int32{name: {0}})
	for p := range int32(partitions) {
		b.fill(t, ctx, name, p, 300, 310)
	}
	h.wait(t, ctx, 10*(partitions-1))
	s.Resume(map[string][]int32{name: {0}})
	h.wait(t, ctx, 10)
	next := map[int32]int64{}
	for _, r := range h.records() {
		if r.Offset != next[r.Partition] {
			t.Fatalf("offset %d of partition %d, %d was expected", r.Offset, r.Partition, next[r.Partition])
		}
		next[r.Partition]++
	}
	done := errors.New("done")
	stop(done)
	wantErr(t, <-errs, done)
}

func testMissingTopic(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil) + "-never"
	_, err := b.reader.Fetch(ctx, kafka.TP{Topic: name}, 0, 1, 0)
	wantErr(t, err, kafka.ErrNoTopic)
	_, _, err = b.prod.Send(ctx, kafka.Out{Topic: name, Partition: -1, Key: []byte("x")})
	wantErr(t, err, kafka.ErrNoTopic)
	h := newTask()
	_, errs := run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}, h)
	wantErr(t, <-errs, kafka.ErrNoTopic)
	_, err = b.admin.Topic(ctx, name)
	wantErr(t, err, kafka.ErrNoTopic)
}

// testCancelJoin: a join that waits for another member is ended by the context.
func testCancelJoin(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	// The first member never comes back to the group after a rebalance began, because
	// its Cleanup waits.
	hold := make(chan struct{})
	first := &stubborn{task: newTask(), hold: hold}
	defer close(hold)
	run(t, ctx, b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}, first)
	first.session(t, ctx)
	second := must[*kafka.Consumer](t)(kafka.NewConsumer(b.c, kafka.ConsumerOptions{Group: name, Topics: []string{name}}))
	joinCtx, cancel := context.WithCancelCause(ctx)
	mine := errors.New("enough")
	timer := time.AfterFunc(2*time.Second, func() { cancel(mine) })
	defer timer.Stop()
	begin := time.Now()
	wantErr(t, second.RunSession(joinCtx, newTask()), mine)
	if took := time.Since(begin); took > 5*time.Second {
		t.Errorf("the join went on for %s", took)
	}
	begin = time.Now()
	check(t, second.Close(true))
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("closing took %s", took)
	}
}

type stubborn struct {
	*task
	hold chan struct{}
}

func (s *stubborn) Cleanup(kafka.Session) error { <-s.hold; return nil }
