package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

// fake starts an embedded broker.
func fake(t *testing.T, opts ...kfake.Opt) kafka.Cluster {
	t.Helper()
	f, err := kfake.NewCluster(append([]kfake.Opt{kfake.NumBrokers(1), kfake.Ports(0)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(f.Close)
	return kafka.Cluster{Bootstrap: f.ListenAddrs()}
}

func within(t *testing.T, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// must fails the test on an error.
func must[T any](t *testing.T) func(v T, err error) T {
	return func(v T, err error) T {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func wantErr(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) {
		t.Fatalf("error %v, want %v", err, want)
	}
}

// bench holds one client of each kind.
type bed struct {
	c       kafka.Cluster
	admin   *kafka.Admin
	offsets *kafka.Offsets
	reader  *kafka.Reader
	prod    *kafka.Producer
}

func open(t *testing.T, ctx context.Context, c kafka.Cluster) *bed {
	t.Helper()
	if c.Version == "" {
		c.Version = must[kafka.Info](t)(kafka.Probe(ctx, c)).Version
	}
	b := &bed{c: c}
	b.admin = must[*kafka.Admin](t)(kafka.OpenAdmin(ctx, c))
	b.offsets = must[*kafka.Offsets](t)(kafka.OpenOffsets(ctx, c))
	b.reader = must[*kafka.Reader](t)(kafka.OpenReader(ctx, c))
	b.prod = must[*kafka.Producer](t)(kafka.OpenProducer(ctx, c))
	t.Cleanup(func() {
		for _, x := range []io.Closer{b.admin, b.offsets, b.reader, b.prod} {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
	})
	return b
}

// topic makes a topic named after the test.
func (b *bed) topic(t *testing.T, ctx context.Context, partitions int32, config map[string]string) string {
	t.Helper()
	name := strings.NewReplacer("/", "-", " ", "-").Replace(t.Name()) + fmt.Sprintf("-%d", time.Now().UnixNano())
	created := must[bool](t)(b.admin.CreateTopic(ctx, kafka.TopicSpec{Name: name, Partitions: partitions, Config: config}))
	if !created {
		t.Fatalf("topic %s was there", name)
	}
	return name
}

func (b *bed) fill(t *testing.T, ctx context.Context, topic string, partition int32, from, to int) {
	t.Helper()
	var outs []kafka.Out
	for i := from; i < to; i++ {
		outs = append(outs, kafka.Out{Topic: topic, Partition: partition, Key: fmt.Append(nil, "k", i), Value: fmt.Append(nil, "v", i)})
	}
	check(t, b.prod.SendAll(ctx, outs))
}

// read pages through a partition until Next reaches end.
func (b *bed) read(t *testing.T, ctx context.Context, tp kafka.TP, from, end int64, maxBytes int32) []record.Record {
	t.Helper()
	var all []record.Record
	for from < end {
		p := must[kafka.Page](t)(b.reader.Fetch(ctx, tp, from, maxBytes, time.Second))
		if p.Next < from {
			t.Fatalf("Next went back from %d to %d", from, p.Next)
		}
		all = append(all, p.Records...)
		from = p.Next
		if ctx.Err() != nil {
			t.Fatalf("stuck at %d", from)
		}
	}
	return all
}

func values(rs []record.Record) []string {
	var vs []string
	for _, r := range rs {
		vs = append(vs, string(r.Value))
	}
	return vs
}

// task is a Handler that collects records and parks until its session ends.
type task struct {
	mu       sync.Mutex
	sessions []kafka.Session
	got      []record.Record
	initial  map[kafka.TP]int64
	closed   []error
	setup    chan kafka.Session
	arrived  chan struct{}
}

func newTask() *task {
	return &task{setup: make(chan kafka.Session, 100), arrived: make(chan struct{}, 100000), initial: map[kafka.TP]int64{}}
}

func (h *task) Setup(s kafka.Session) error {
	h.mu.Lock()
	h.sessions = append(h.sessions, s)
	h.mu.Unlock()
	h.setup <- s
	return nil
}

func (h *task) Consume(s kafka.Session, c kafka.Claim) error {
	h.mu.Lock()
	h.initial[c.TP()] = c.InitialOffset()
	h.mu.Unlock()
	var r record.Record
	for {
		err := c.Next(s.Context(), &r, nil, nil)
		if err != nil {
			h.mu.Lock()
			h.closed = append(h.closed, err)
			h.mu.Unlock()
			<-s.Context().Done()
			return nil
		}
		h.mu.Lock()
		h.got = append(h.got, r)
		h.mu.Unlock()
		h.arrived <- struct{}{}
	}
}

func (h *task) Cleanup(kafka.Session) error { return nil }

func (h *task) records() []record.Record {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.got)
}

// session waits for the next generation.
func (h *task) session(t *testing.T, ctx context.Context) kafka.Session {
	t.Helper()
	select {
	case s := <-h.setup:
		return s
	case <-ctx.Done():
		t.Fatal("no session came")
		return nil
	}
}

// wait waits for n more records.
func (h *task) wait(t *testing.T, ctx context.Context, n int) {
	t.Helper()
	for range n {
		select {
		case <-h.arrived:
		case <-ctx.Done():
			t.Fatalf("%d records came, more were expected", len(h.records()))
		}
	}
}

// run runs sessions until ctx ends and returns the consumer.
func run(t *testing.T, ctx context.Context, c kafka.Cluster, o kafka.ConsumerOptions, h kafka.Handler) (*kafka.Consumer, chan error) {
	t.Helper()
	cons := must[*kafka.Consumer](t)(kafka.NewConsumer(c, o))
	t.Cleanup(func() { cons.Close(true) })
	errs := make(chan error, 100)
	go func() {
		defer close(errs)
		for ctx.Err() == nil {
			err := cons.RunSession(ctx, h)
			errs <- err
			if !errors.Is(err, kafka.ErrRebalance) {
				return
			}
		}
	}()
	return cons, errs
}

// tap is a TCP proxy in front of a broker that can swallow what comes back.
type tap struct {
	listener net.Listener
	target   string
	mu       sync.Mutex
	mute     bool // nothing is sent back any more
	cut      bool // connections are closed when something would be sent back
}

func newTap(t *testing.T, target string) *tap {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	check(t, err)
	p := &tap{listener: l, target: target}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

func (p *tap) serve(c net.Conn) {
	defer c.Close()
	up, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer up.Close()
	go func() { io.Copy(up, c); up.Close() }()
	buf := make([]byte, 64<<10)
	for {
		n, err := up.Read(buf)
		if err != nil {
			return
		}
		p.mu.Lock()
		mute, cut := p.mute, p.cut
		p.mu.Unlock()
		if cut {
			return
		}
		if mute {
			continue
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

func (p *tap) set(mute, cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mute, p.cut = mute, cut
}

// through is the cluster with every connection through the proxy.
func (p *tap) through(c kafka.Cluster) kafka.Cluster {
	c.Dial = func(ctx context.Context, network, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, network, p.listener.Addr().String())
	}
	return c
}
