package runner_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// taskBed is a cluster with a topic, a destination, and what outlives a task: the
// configurations deployed so far and the mirrored positions.
type taskBed struct {
	t       *testing.T
	ctx     context.Context
	cluster kafka.Cluster
	admin   *kafka.Admin
	offsets *kafka.Offsets
	reader  *kafka.Reader
	prod    *kafka.Producer
	dest    *runnertest.Destination
	spec    *connector.Spec
	topic   string
	name    string
	parts   int32
	given   connector.Config
	epoch   string
	wrote   []string // values that should be delivered, in the order they were written

	mu       sync.Mutex
	configs  map[string]connector.Config
	mirrored map[kafka.TP]runner.MirroredPosition
	logs     []string
	useMirror,
	delivered bool
}

// realKafka is the bootstrap address of a real broker, "" for the embedded one.
func realKafka() string { return os.Getenv("SLUICE_TEST_KAFKA") }

func newTaskBed(t *testing.T, partitions int32) *taskBed {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 90*time.Second)
	t.Cleanup(cancel)
	c := kafka.Cluster{}
	if b := realKafka(); b != "" {
		c.Bootstrap = []string{b}
	} else {
		f, err := kfake.NewCluster(kfake.NumBrokers(1), kfake.Ports(0))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(f.Close)
		c.Bootstrap = f.ListenAddrs()
	}
	info, err := kafka.Probe(ctx, c)
	if err != nil {
		t.Fatal(err)
	}
	c.Version = info.Version
	name := fmt.Sprintf("c%d", time.Now().UnixNano())
	b := &taskBed{t: t, ctx: ctx, cluster: c, dest: runnertest.NewDestination(), topic: "in-" + name, name: name, parts: partitions, epoch: "e1",
		configs: map[string]connector.Config{}, mirrored: map[kafka.TP]runner.MirroredPosition{}, useMirror: true}
	b.spec = runnertest.MemSpec(b.dest)
	b.given = connector.Config{"name": name, "topics": b.topic, "connector.class": runnertest.Class, "group.id": "connect-" + name,
		connector.KeyFlushSize: "10", connector.KeyFlushInterval: "200"}
	b.admin = need(t)(kafka.OpenAdmin(ctx, c))
	b.offsets = need2(t)(kafka.OpenOffsets(ctx, c))
	b.reader = need3(t)(kafka.OpenReader(ctx, c))
	b.prod = need4(t)(kafka.OpenProducer(ctx, c))
	t.Cleanup(func() {
		_ = b.prod.Close()
		_ = b.reader.Close()
		_ = b.offsets.Close()
		_ = b.admin.Close()
	})
	b.makeTopic(b.topic, partitions)
	b.makeTopic("errors-"+name, 1)
	b.deploy()
	return b
}

func needed[T any](t *testing.T) func(T, error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func need(t *testing.T) func(*kafka.Admin, error) *kafka.Admin      { return needed[*kafka.Admin](t) }
func need2(t *testing.T) func(*kafka.Offsets, error) *kafka.Offsets { return needed[*kafka.Offsets](t) }
func need3(t *testing.T) func(*kafka.Reader, error) *kafka.Reader   { return needed[*kafka.Reader](t) }
func need4(t *testing.T) func(*kafka.Producer, error) *kafka.Producer {
	return needed[*kafka.Producer](t)
}

func (b *taskBed) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

func (b *taskBed) makeTopic(name string, partitions int32) {
	b.t.Helper()
	_, err := b.admin.CreateTopic(b.ctx, kafka.TopicSpec{Name: name, Partitions: partitions})
	b.check(err)
}

func (b *taskBed) tp(p int32) kafka.TP { return kafka.TP{Topic: b.topic, Partition: p} }

func (b *taskBed) config() connector.Config { return b.spec.Resolve(b.given, connector.Env{}) }

// deploy commits the first positions, as the first deploy of a connector does.
func (b *taskBed) deploy() {
	b.t.Helper()
	for p := range b.parts {
		b.commit(p, 0, nil)
	}
}

// commit sets a position from outside, while the group is empty.
func (b *taskBed) commit(p int32, offset int64, in *connector.Intent) {
	b.t.Helper()
	top, err := b.admin.Topic(b.ctx, b.topic)
	b.check(err)
	text, err := runner.EncodeMetadata(runner.NewHeader(top.ID, b.epoch, b.spec.Hash(b.config()), 1), in)
	b.check(err)
	b.check(b.offsets.Commit(b.ctx, kafka.Member{Group: "connect-" + b.name}, map[kafka.TP]kafka.Committed{b.tp(p): {Offset: offset, Metadata: text}}))
}

// put writes values to a partition; those that begin with a special word are not
// expected at the destination.
func (b *taskBed) put(p int32, values ...string) {
	b.t.Helper()
	var outs []kafka.Out
	for _, v := range values {
		outs = append(outs, kafka.Out{Topic: b.topic, Partition: p, Key: []byte("k"), Value: []byte(v)})
		if !strings.HasPrefix(v, runnertest.Poison) && !strings.HasPrefix(v, runnertest.Refused) {
			b.wrote = append(b.wrote, v)
		}
	}
	b.check(b.prod.SendAll(b.ctx, outs))
}

func numbered(prefix string, from, to int) []string {
	var out []string
	for i := from; i < to; i++ {
		out = append(out, fmt.Sprintf("%s%d", prefix, i))
	}
	return out
}

// options of the next task.
func (b *taskBed) options() runner.TaskOptions {
	cfg := b.config()
	hash := b.spec.Hash(cfg)
	b.mu.Lock()
	b.configs[hash] = cfg
	b.mu.Unlock()
	return runner.TaskOptions{
		Connector: runner.Connector{ID: 1, Name: b.name, Epoch: b.epoch, Config: b.given, Delivered: b.delivered},
		Spec:      b.spec, Config: cfg, Hash: hash, Cluster: b.cluster, Node: "n1", Budget: runner.NewBudget(64 << 20),
		ConfigByHash: func(_ context.Context, h string) (connector.Config, bool, error) {
			b.mu.Lock()
			defer b.mu.Unlock()
			c, ok := b.configs[h]
			return c, ok, nil
		},
		Mirrored: func(tp kafka.TP) (runner.MirroredPosition, bool) {
			b.mu.Lock()
			defer b.mu.Unlock()
			m, ok := b.mirrored[tp]
			return m, ok && b.useMirror
		},
		OnCommit: func(m runner.MirroredPosition) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.mirrored[kafka.TP{Topic: m.Topic, Partition: m.Partition}] = m
		},
		Log: func(l runner.LogLevel, msg string, f map[string]string) {
			b.mu.Lock()
			defer b.mu.Unlock()
			line := fmt.Sprint(time.Now().Format("05.000 "), l, " ", msg, " ", f)
			b.logs = append(b.logs, line)
		},
		DeadLetterTopic: "errors-" + b.name, AbnormalTopic: "errors-" + b.name, SessionTimeout: 10 * time.Second,
	}
}

// running is a task at work.
type running struct {
	task   *runner.SinkTask
	b      *taskBed
	cancel context.CancelCauseFunc
	done   chan error
}

func (b *taskBed) start(change ...func(*runner.TaskOptions)) *running {
	o := b.options()
	for _, f := range change {
		f(&o)
	}
	ctx, cancel := context.WithCancelCause(b.ctx)
	r := &running{task: runner.NewSinkTask(o), b: b, cancel: cancel, done: make(chan error, 1)}
	go func() { r.done <- r.task.Run(ctx) }()
	b.t.Cleanup(func() { cancel(runner.ErrShutdown) })
	return r
}

// stop ends the task and waits.
func (r *running) stop(cause error) error {
	r.b.t.Helper()
	r.cancel(cause)
	return r.wait()
}

func (r *running) wait() error {
	r.b.t.Helper()
	select {
	case err := <-r.done:
		return err
	case <-time.After(40 * time.Second):
		r.b.dump()
		r.b.t.Fatal("the task does not end")
		return nil
	}
}

func (b *taskBed) dump() {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.logs {
		b.t.Log(l)
	}
}

// until polls.
func (b *taskBed) until(what string, ok func() bool) {
	b.t.Helper()
	deadline := time.After(45 * time.Second)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !ok() {
		select {
		case <-deadline:
			b.dump()
			b.t.Fatalf("not reached: %s (%d records visible, %d written)", what, b.dest.Count(), len(b.wrote))
		case <-tick.C:
		}
	}
}

// allDelivered waits for every written value and judges what is visible.
func (b *taskBed) allDelivered() {
	b.t.Helper()
	b.until("everything delivered", func() bool { return b.dest.Count() >= len(b.wrote) })
	b.verify()
}

func (b *taskBed) verify() {
	b.t.Helper()
	if problems := b.dest.Problems(); len(problems) > 0 {
		b.dump()
		b.t.Fatalf("problems: %v", problems)
	}
	if missing := b.dest.Missing(b.wrote); len(missing) > 0 || b.dest.Count() != len(b.wrote) {
		b.dump()
		b.t.Fatalf("%d visible, %d written, missing %v", b.dest.Count(), len(b.wrote), missing[:min(len(missing), 10)])
	}
}

// position is what the group has committed.
func (b *taskBed) position(p int32) kafka.Committed {
	b.t.Helper()
	at, err := b.offsets.Fetch(b.ctx, "connect-"+b.name, []kafka.TP{b.tp(p)})
	b.check(err)
	return at[b.tp(p)]
}

// partition waits until the task shows the partition and returns it.
func (r *running) partition(p int32) (out runner.PartitionStatus) {
	for _, x := range r.task.Status().Partitions {
		if x.Topic == r.b.topic && x.Partition == p {
			return x
		}
	}
	return runner.PartitionStatus{Position: -1}
}

func (r *running) untilState(p int32, want connector.State) runner.PartitionStatus {
	r.b.t.Helper()
	r.b.until(fmt.Sprintf("partition %d %s", p, want), func() bool { return r.partition(p).State == want })
	return r.partition(p)
}

// diverted reads the error topic.
func (b *taskBed) diverted() []record.Record {
	b.t.Helper()
	w, err := b.offsets.Watermarks(b.ctx, kafka.TP{Topic: "errors-" + b.name})
	b.check(err)
	var out []record.Record
	end := w[kafka.TP{Topic: "errors-" + b.name}].LSO
	for at := int64(0); at < end; {
		page, err := b.reader.Fetch(b.ctx, kafka.TP{Topic: "errors-" + b.name}, at, 1<<20, time.Second)
		b.check(err)
		out = append(out, page.Records...)
		if page.Next == at {
			break
		}
		at = page.Next
	}
	return out
}

func headerOf(r record.Record, key string) string {
	i := slices.IndexFunc(r.Headers, func(h record.Header) bool { return h.Key == key })
	if i < 0 {
		return ""
	}
	return string(r.Headers[i].Value)
}

func withKiller(k *runnertest.Killer) func(*runner.TaskOptions) {
	return func(o *runner.TaskOptions) { o.Faults = k.Fault }
}

func isKilled(err error) bool { return errors.Is(err, runnertest.ErrKilled) }
