package control

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/record"
)

func TestRoles(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		have, need Role
		may        bool
	}{{Admin, Viewer, true}, {Operator, Operator, true}, {Viewer, Operator, false}, {Operator, Admin, false}, {"", Viewer, false}, {"root", Viewer, false}, {Viewer, "", true}, {"", "", false}} {
		if got := c.have.May(c.need); got != c.may {
			t.Errorf("%q may %q: %v", c.have, c.need, got)
		}
	}
	var e *Error
	if err := need(t.Context(), Viewer); !errors.As(err, &e) || e.Kind != Forbidden {
		t.Errorf("nobody may: %v", err)
	}
	if err := need(WithActor(t.Context(), Actor{Role: Operator}), Operator); err != nil {
		t.Error(err)
	}
}

func TestAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{
		"4.3": true, "2.8.0": true, "1": true, "0.11": true, "0.10.2": true, "0.10.2.1": true, "0.10.1": false, "0.10": false, "0.9": false, "": false, "x": false, "0.10.2-IV0": true,
	} {
		if got := atLeast(version, 0, 10, 2); got != want {
			t.Errorf("%q: %v", version, got)
		}
	}
}

func TestLimiterRefillsAndSeparatesUsers(t *testing.T) {
	t.Parallel()
	l := limiter{every: time.Second, burst: 2}
	now := time.Unix(1000, 0)
	for i := range 2 {
		if err := l.take("a", now); err != nil {
			t.Fatalf("token %d: %v", i, err)
		}
	}
	var e *Error
	if err := l.take("a", now); !errors.As(err, &e) || e.Kind != TooMany || e.After <= 0 || e.After > time.Second {
		t.Fatalf("third: %v", err)
	}
	if err := l.take("b", now); err != nil {
		t.Errorf("another user: %v", err)
	}
	if err := l.take("a", now.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
}

func TestKeyedLocksWaitAndGiveUp(t *testing.T) {
	t.Parallel()
	var k keyedLocks
	unlock, err := k.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := k.lock(t.Context(), "b"); err != nil {
		t.Fatal(err)
	} else {
		other()
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := k.lock(ctx, "a"); AsError(err).Kind != Conflict {
		t.Errorf("held: %v", err)
	}
	unlock()
	again, err := k.lock(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	again()
	if len(k.m) != 0 {
		t.Errorf("%d locks are kept", len(k.m))
	}
}

func TestFromSupervisor(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		err  error
		kind Kind
	}{
		{&runner.PendingError{Pending: []string{"p"}}, Conflict},
		{fmt.Errorf("x: %w", runner.ErrNoTask), NotFound},
		{runner.ErrNoChoice, Conflict},
		{runner.ErrNotFound, NotFound},
		{&connector.WrongError{Err: errors.New("no bucket"), Remedy: "make it"}, Conflict},
		{&connector.AwayError{System: "OSS", Err: errors.New("503")}, Unavailable},
		{errors.New("dial tcp: refused"), Unavailable},
		{context.DeadlineExceeded, Unavailable},
	} {
		got := AsError(fromSupervisor(c.err))
		if got.Kind != c.kind || got.Message == "" {
			t.Errorf("%v: %s %q", c.err, got.Kind, got.Message)
		}
	}
	if fromSupervisor(nil) != nil {
		t.Error("nil became an error")
	}
}

func TestCheckChoice(t *testing.T) {
	t.Parallel()
	waiting := []Waiting{{Topic: "t", Partition: 1, Options: []connector.Choice{{Choice: "end"}, {Choice: "position"}}}}
	at := int64(7)
	negative := int64(-1)
	for _, c := range []struct {
		topic     string
		partition int32
		choice    string
		offset    *int64
		want      int64
		kind      Kind
	}{
		{"t", 1, "end", nil, -1, ""},
		{"t", 1, "position", &at, 7, ""},
		{"t", 1, "position", nil, 0, Invalid},
		{"t", 1, "position", &negative, 0, Invalid},
		{"t", 1, "other", nil, 0, Invalid},
		{"t", 0, "end", nil, 0, Conflict},
		{"u", 1, "end", nil, 0, Conflict},
	} {
		got, err := checkChoice(waiting, c.topic, c.partition, c.choice, c.offset)
		if c.kind == "" && (err != nil || got != c.want) || c.kind != "" && (err == nil || AsError(err).Kind != c.kind) {
			t.Errorf("%+v: %d %v", c, got, err)
		}
	}
}

// pages is a partition of diverted records whose reader counts its fetches.
type pages struct {
	records []record.Record
	fetches int
	size    int
}

func (p *pages) Fetch(_ context.Context, _ kafka.TP, offset int64, _ int32, _ time.Duration) (kafka.Page, error) {
	p.fetches++
	end := min(len(p.records), int(offset)+p.size)
	return kafka.Page{Records: p.records[offset:end], Next: int64(end)}, nil
}

func (p *pages) Close() error { return nil }

func TestSearchBackFindsTheOriginAndIsBounded(t *testing.T) {
	t.Parallel()
	const n = 30_000
	p := &pages{size: 1000}
	for i := range n {
		p.records = append(p.records, record.Record{Offset: int64(i), Headers: []record.Header{
			{Key: headerTopic, Value: []byte("orders")}, {Key: headerPartition, Value: []byte("2")}, {Key: headerOffset, Value: fmt.Append(nil, i)},
			{Key: headerConnector, Value: []byte("c")}, {Key: headerMessage, Value: fmt.Append(nil, "why ", i)}}})
	}
	at, marks := kafka.TP{Topic: "errors", Partition: 3}, kafka.Watermarks{Start: 0, LSO: n, End: n}
	for _, c := range []struct {
		offset int64
		name   string
		where  string
	}{
		{n - 1, "c", "errors-3 at offset 29999"},
		{n - 700, "c", "errors-3 at offset 29300"},
		{n - fateWindow, "c", "errors-3 at offset 10000"},
		{n - fateWindow - 1, "c", ""}, // beyond the window
		{n - 1, "other", ""},
	} {
		p.fetches = 0
		why, where, err := searchBack(t.Context(), p, at, marks, origin{kafka.TP{Topic: "orders", Partition: 2}, c.offset, c.name})
		if err != nil || where != c.where || where != "" && why != fmt.Sprintf("why %d", c.offset) {
			t.Errorf("%d: %q %q %v", c.offset, why, where, err)
		}
		if p.fetches > 2*fateWindow/p.size {
			t.Errorf("%d: %d fetches", c.offset, p.fetches)
		}
	}
}

func TestClipBody(t *testing.T) {
	t.Parallel()
	if got := clipBody("plain\n文"); got != "plain\n文" {
		t.Errorf("%q", got)
	}
	if got := clipBody("a\xffb"); got != `"a\xffb"` {
		t.Errorf("%q", got)
	}
	long := make([]byte, 1<<20)
	for i := range long {
		long[i] = "文"[i%3]
	}
	if got := clipBody(string(long[:len(long)/3*3])); len(got) > previewBody+60 {
		t.Errorf("%d bytes", len(got))
	}
}

func TestMergeIsAMergePatch(t *testing.T) {
	t.Parallel()
	set := func(s string) *string { return &s }
	old := map[string]string{"a": "1", "b": "2"}
	got := merge(old, map[string]*string{"a": nil, "absent": nil, "b": set("3"), "c": set("")})
	if len(got) != 2 || got["b"] != "3" || got["c"] != "" || old["a"] != "1" {
		t.Errorf("%v from %v", got, old)
	}
}

func FuzzBootstrap(f *testing.F) {
	for _, s := range []string{"k:1", "k:1,l:2", "[::1]:9", ":1", "k:01", "a..b:1", "k:1,,", "-:1", "[k]:1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if validBootstrap(s) != nil {
			return
		}
		for _, server := range (connector.Config{"b": s}).List("b") {
			if len(server) > 253+7 && server[0] != '[' {
				t.Errorf("%q passed with a host that is too long", server)
			}
		}
	})
}
