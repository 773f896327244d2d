package fc

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// TestRunsFitTheirTime: how many requests a run has follows from how long one takes.
func TestRunsFitTheirTime(t *testing.T) {
	t.Parallel()
	for took, want := range map[time.Duration]int{0: firstRun, time.Millisecond: 500, 100 * time.Millisecond: 5, 10 * time.Minute: 1} {
		s := &sink{shape: shape{size: 10, limit: usualSyncBytes}, buffers: &buffers{}, inflight: 1}
		for range 1000 {
			if took > 0 {
				s.took(took)
			}
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

// TestRunsWithSlowRequestsAmongThem: where every twentieth request takes 0.7 s, no run takes much longer than
// runs should: a partition's position moves at a run's end.
func TestRunsWithSlowRequestsAmongThem(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	s := &sink{inflight: 1}
	var longest, all time.Duration
	const runs = 5000
	for range runs {
		var run time.Duration
		for range s.allowed() {
			took := 2 * time.Millisecond
			if random.IntN(20) == 0 {
				took = 700 * time.Millisecond
			}
			s.took(took)
			run += took
		}
		longest, all = max(longest, run), all+run
	}
	if longest > 5*time.Second || all/runs > time.Second {
		t.Errorf("the longest run takes %s, one %s on average", longest, all/runs)
	}
}

// TestRunsAreFilledToTheByte: a run that is cut by bytes ends neither with a batch of one
// record nor before its limit, of whatever size the records are.
func TestRunsAreFilledToTheByte(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		size int // of the last value beside what fills the request exactly, in bytes
		fits bool
	}{
		"to the byte":   {0, true},
		"one byte over": {1, false},
		"far over":      {900, false},
	} {
		s := &sink{shape: shape{size: 10_000, limit: 64 << 10}, buffers: &buffers{}, inflight: 1}
		s.took(10 * time.Second)
		begun, err := s.Begin(t.Context(), orders, nil)
		if err != nil {
			t.Fatal(err)
		}
		c, at := begun.(*chunk), int64(10)
		for ; c.openSize()+1100 <= c.shape.limit; at++ {
			if err := c.Add(t.Context(), rec(at, strings.Repeat("v", 900))); err != nil {
				t.Fatal(err)
			}
		}
		frame, err := record.AppendJSON(nil, rec(at, strings.Repeat("v", 100)), record.BinaryBase64)
		if err != nil {
			t.Fatal(err)
		}
		room := c.shape.limit - c.openSize() - 1 - (len(frame) - 100)
		if room < 100 || room > 999 {
			t.Fatalf("room for %d bytes", room)
		}
		last := rec(at, strings.Repeat("v", room+tc.size))
		if got := c.Fits(last); got != tc.fits || c.Full() {
			t.Errorf("%s: fits %v, full %v", name, got, c.Full())
		}
		if tc.fits {
			if err := c.Add(t.Context(), last); err != nil {
				t.Fatal(err)
			}
			if !c.Ready() || c.Fits(rec(at+1, "")) {
				t.Errorf("%s: a run without room waits for more", name)
			}
		}
		if _, err := c.Prepare(t.Context()); err != nil {
			t.Fatal(err)
		}
		if n := len(c.batches[0].body()); len(c.batches) != 1 || tc.fits != (n == c.shape.limit) {
			t.Errorf("%s: %d batches, the first of %d bytes", name, len(c.batches), n)
		}
	}
}

// TestIntentStaysShort: a log full of holes closes the run before its intent is too long.
func TestIntentStaysShort(t *testing.T) {
	t.Parallel()
	s := &sink{shape: shape{size: 1, limit: 64 << 10}, buffers: &buffers{}, inflight: 1}
	for range 10_000 {
		s.took(time.Microsecond)
	}
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
