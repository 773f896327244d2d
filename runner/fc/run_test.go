package fc

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// TestRunsFitTheirTime: how many requests a run has follows from how long one takes.
func TestRunsFitTheirTime(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]int{0: firstRun, time.Millisecond: 500, 100 * time.Millisecond: 5, 10 * time.Minute: 1} {
		s := &sink{shape: shape{size: 10, limit: usualSyncBytes}, buffers: &buffers{}, inflight: 1}
		if took > 0 {
			s.took(took)
		}
		begun, err := s.Begin(t.Context(), orders, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, n := begun.(*chunk), 0
		for ; !c.Full() && n < 10_000; n++ {
			if err := c.Add(t.Context(), rec(int64(10+n), "v")); err != nil {
				t.Fatal(err)
			}
		}
		if n != 10*want || c.open.count != 0 {
			t.Errorf("requests of %s: a run of %d records, want %d", took, n, 10*want)
		}
	}
}

// TestFullKeepsBatchesFull: a run that is cut by bytes does not end with a batch of one record.
func TestFullKeepsBatchesFull(t *testing.T) {
	t.Parallel()
	s := &sink{shape: shape{size: 10_000, limit: 64 << 10}, buffers: &buffers{}, inflight: 1}
	s.took(10 * time.Second)
	begun, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := begun.(*chunk)
	for i := int64(10); !c.Full(); i++ {
		if err := c.Add(t.Context(), rec(i, strings.Repeat("v", 900))); err != nil {
			t.Fatal(err)
		}
	}
	if !c.Ready() {
		t.Error("a full run is not ready")
	}
	if _, err := c.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(c.batches) != 1 || len(c.batches[0].body()) < 63<<10 {
		t.Errorf("batches %v", c.sizes())
	}
}

// TestIntentStaysShort: a log full of holes closes the run before its intent is too long.
func TestIntentStaysShort(t *testing.T) {
	t.Parallel()
	s := &sink{shape: shape{size: 1, limit: 64 << 10}, buffers: &buffers{}, inflight: 1}
	s.took(time.Microsecond)
	begun, err := s.Begin(t.Context(), connector.Range{Topic: "orders"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := begun.(*chunk)
	for i := int64(1); !c.Full(); i++ {
		if err := c.Add(t.Context(), rec(i*i*i*1_000_003, "v")); err != nil {
			t.Fatal(err)
		}
	}
	text, err := c.Prepare(t.Context())
	if err != nil || len(text) > connector.MaxPayload || len(text) < connector.MaxPayload/2 {
		t.Errorf("an intent of %d bytes, %v", len(text), err)
	}
}

// TestOldIntentIsAQuestion: the service forgets IDs after seven days.
func TestOldIntentIsAQuestion(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	s := b.sink(t)
	begun, err := s.Begin(t.Context(), orders, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := begun.(*chunk)
	for _, r := range records(10, 3) {
		if err := c.Add(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	for age, want := range map[time.Duration]connector.OutcomeKind{time.Hour: connector.Redo, 6 * 24 * time.Hour: connector.Redo, 7 * 24 * time.Hour: connector.Unknown} {
		c.made = time.Now().Add(-age)
		text, err := c.Prepare(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		out, err := s.Resolve(t.Context(), connector.Intent{Range: orders, Payload: text}, free)
		if err != nil || out.Kind != want || out.Detail == "" {
			t.Errorf("an intent of %s ago: %+v, %v", age, out, err)
		}
	}
}

// TestRedoUnderTheIntentsCuts: a redo makes the batches of its intent even where the
// settings would now cut otherwise, so that their IDs are the same.
func TestRedoUnderTheIntentsCuts(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyBatchSize: "3"})
	rs := records(10, 10)
	c, in := fill(t, b.sink(t), nil, rs...)
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	b.cfg[keyBatchSize] = "7"
	again, in2 := fill(t, b.sink(t), &in, rs...)
	if string(in2.Payload) != string(in.Payload) {
		t.Errorf("the intent %s became %s", in.Payload, in2.Payload)
	}
	if _, err := again.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	if got := b.offsets("orders", 1, false); !slices.Equal(got, offsetsFrom(rs)) {
		t.Errorf("delivered %v", got)
	}
}
