package maxcompute_test

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestManyPartitions: a chunk closes before its intent could not name another session.
func TestManyPartitions(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.partition": "MINUTE"})
	s := b.sink()
	var sizes []int
	next := int64(10)
	for range 2 {
		c, err := s.Begin(t.Context(), orders, nil)
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for !c.Full() {
			if err := c.Add(t.Context(), rec(next, int(next), "v")); err != nil {
				t.Fatal(err)
			}
			next++
			n++
		}
		in := prepared(t, c, next, n)
		publish(t, c)
		expect(t, b.sink(), in, connector.Done)
		sizes = append(sizes, n)
	}
	if sizes[0] < 20 || sizes[1] != 40 {
		t.Errorf("table partitions in the chunks: %v", sizes)
	}
	if b.count() != sizes[0]+sizes[1] {
		t.Errorf("%d rows", b.count())
	}
}

// TestRefusedRecordLeavesNoTrace: neither a row nor a partition.
func TestRefusedRecordLeavesNoTrace(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.binary": "dlq"})
	s := b.sink()
	c, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	var re *connector.RecordError
	for _, r := range []*record.Record{rec(10, 60, "\xff"), rec(11, 0, "a"), rec(12, 0, "\xff"), rec(13, 0, "b")} {
		err := c.Add(t.Context(), r)
		if strings.HasPrefix(string(r.Value), "\xff") != errors.As(err, &re) {
			t.Fatalf("offset %d: %v", r.Offset, err)
		}
	}
	in := prepared(t, c, 14, 2)
	publish(t, c)
	if got := fmt.Sprint(b.rows()); got != "map[pt=01-02-2026 11:[orders|1|11|k|a orders|1|13|k|b]]" {
		t.Errorf("rows %s", got)
	}
	// A redo refuses the same records, also where their partition is done.
	again, err := s.Begin(t.Context(), orders, &in)
	if err != nil {
		t.Fatal(err)
	}
	if err := again.Add(t.Context(), rec(12, 0, "\xff")); !errors.As(err, &re) {
		t.Errorf("redo: %v", err)
	}
	// A chunk of nothing but refused records opens no session.
	none, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = none.Add(t.Context(), rec(12, 0, "\xff")) // refused, as above
	before := len(b.odps.Sessions())
	in = prepared(t, none, 13, 0)
	publish(t, none)
	expect(t, s, in, connector.Done)
	if len(b.odps.Sessions()) != before {
		t.Error("a session was opened for nothing")
	}
}

// TestLargeChunk: blocks go up while records come, memory stays bounded, and all rows
// arrive; an upload that fails at first is made again.
func TestLargeChunk(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.format": "BINARY", "odps.table": "binaries"})
	s := b.sink()
	c, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.fault(sandbox.Fault{Operation: "UploadBlock", Rate: 1, Cut: sandbox.CutAfter, Max: 1})
	rng := rand.NewChaCha8([32]byte{1})
	const n = 1500
	var most int64
	for i := range n {
		value := make([]byte, 64<<10)
		_, _ = rng.Read(value) // never fails
		r := rec(int64(10+i), i%2*60, "")
		r.Value = value
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
		most = max(most, c.Held())
	}
	if len(b.odps.Sessions()) == 0 {
		t.Error("nothing was uploaded before Prepare")
	}
	var in connector.Intent
	for attempt := 0; ; attempt++ {
		payload, err := c.Prepare(t.Context())
		if err == nil {
			in = connector.Intent{Range: orders, Count: n, Payload: payload}
			in.Next = 10 + n
			break
		}
		if attempt > 3 || connector.CauseOf(err) != connector.CauseAway {
			t.Fatal(err)
		}
	}
	if c.Held() != 0 {
		t.Errorf("after Prepare %d bytes are held", c.Held())
	}
	publish(t, c)
	if most > 120<<20 {
		t.Errorf("%d MiB were held of %d", most>>20, n*64>>10)
	}
	if got := b.count(); got != n {
		t.Errorf("%d rows, want %d", got, n)
	}
	blocks := 0
	for _, u := range b.odps.Sessions() {
		blocks += u.Blocks
	}
	if blocks < 4 || blocks > 12 {
		t.Errorf("%d blocks", blocks)
	}
	expect(t, b.sink(), in, connector.Done)
}

// TestSessionGoneWhileFilling: a session that is given up after blocks were uploaded makes
// the range be read again; the task does that.
func TestSessionGoneWhileFilling(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{"odps.format": "BINARY", "odps.table": "binaries"})
	c, err := b.sink().Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.NewChaCha8([32]byte{1})
	add := func(n int) {
		for i := range n {
			r := rec(int64(10+i), 0, "")
			r.Value = make([]byte, 1<<20)
			_, _ = rng.Read(r.Value) // never fails
			if err := c.Add(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
	}
	add(20)
	for c.Held() > 8<<20 { // until the block is up
		if err := c.Add(t.Context(), rec(40, 0, "x")); err != nil {
			t.Fatal(err)
		}
	}
	b.setSession(hour(0), "CANCELED")
	_, err = c.Prepare(t.Context())
	if connector.CauseOf(err) != connector.CauseRepeat {
		t.Errorf("%v", err)
	}
	c.Discard()
	if b.count() != 0 {
		t.Error("rows are visible")
	}
}

func TestPayloadOfOthers(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	for _, payload := range []string{``, `x`, `{"s":["1,1,id"]}`, `{"s":["0,1,id,pt"]}`, `{"s":["1,0,id,pt"]}`, `{"s":["1,-1,id,pt"]}`, `{"s":["1,1,,pt"]}`, `{"s":["zzzzzzzzzzzzzzzzz,1,id,pt"]}`, `{"s":[1]}`} {
		var me *connector.MismatchError
		if _, err := b.sink().Resolve(t.Context(), connector.Intent{Range: orders, Payload: []byte(payload)}, free); !errors.As(err, &me) {
			t.Errorf("%s: %v", payload, err)
		}
	}
}
