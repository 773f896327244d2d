package fc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// settle publishes as the runner does: again while refusals may pass.
func settle(t *testing.T, c *chunk) (refused []connector.Refusal, rounds int) {
	t.Helper()
	for rounds = 1; rounds < 100; rounds++ {
		var err error
		if refused, err = c.Publish(t.Context(), free); err != nil {
			t.Fatal(err)
		}
		if !slices.ContainsFunc(refused, func(r connector.Refusal) bool { return r.Err.Retry }) {
			return refused, rounds
		}
	}
	t.Fatal("it is retried without end")
	return nil, 0
}

// poisoned are n records from offset 10 on, one of which the function fails on.
func poisoned(n, at int) []*record.Record {
	rs := records(10, n)
	rs[at].Value = []byte(refuseMe)
	return rs
}

// TestWholeBatchIsRefused: the batch that the function fails on goes, as the service
// sees it; those beside it stay, also in order.
func TestWholeBatchIsRefused(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "5", connector.KeyRetries: "2"})
	c, _ := fill(t, b.sink(t), nil, poisoned(15, 7)...)
	refused, rounds := settle(t, c)
	if got := offsetsOf(refused); !slices.Equal(got, []int64{15, 16, 17, 18, 19}) {
		t.Errorf("refused %v", got)
	}
	if rounds != 3 {
		t.Errorf("%d rounds, want the first and 2 more", rounds)
	}
	if got := b.offsets("orders", 1, false); !slices.Equal(got, []int64{10, 11, 12, 13, 14, 20, 21, 22, 23, 24}) {
		t.Errorf("delivered %v", got)
	}
	text := refused[0].Err.Error()
	for _, part := range []string{"the batch of 5 records, offsets 15 to 19", "UnhandledInvocationError", "ValueError: cannot take it", "request req-1", "the end of its log: line 1\npoison met"} {
		if !strings.Contains(text, part) {
			t.Errorf("%q does not say %q", text, part)
		}
	}
	if refused[0].Err.DeadLetter || refused[0].Err.Code != "function" {
		t.Errorf("%+v", refused[0].Err)
	}
}

// TestRequestThatIsTooLarge: what the service says about the data is of the record's own,
// and has as many further attempts as a function's error.
func TestRequestThatIsTooLarge(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "async", keyBatchSize: "1", connector.KeyRetries: "2"})
	asked := 0
	b.hook = func(w http.ResponseWriter, _ *http.Request, body []byte) bool {
		if !bytes.Contains(body, []byte(refuseMe)) {
			return false
		}
		asked++
		w.WriteHeader(http.StatusRequestEntityTooLarge)
		return true
	}
	c, _ := fill(t, b.sink(t), nil, poisoned(3, 1)...)
	refused, _ := settle(t, c)
	if got := offsetsOf(refused); !slices.Equal(got, []int64{11}) || asked != 3 {
		t.Errorf("refused %v after %d attempts, want offset 11 after the first and 2 more", got, asked)
	}
	if got := b.offsets("orders", 1, true); !slices.Equal(got, []int64{10, 12}) {
		t.Errorf("delivered %v", got)
	}
}

// TestOrderWaitsForRetries: with order, nothing behind a batch that may still pass is
// sent; without, the others are.
func TestOrderWaitsForRetries(t *testing.T) {
	t.Parallel()
	for ordering, want := range map[string]int{"partition": 0, "none": 2} {
		t.Run(ordering, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "5", keyOrdering: ordering, connector.KeyRetries: "1"})
			c, _ := fill(t, b.sink(t), nil, poisoned(15, 0)...)
			refused, err := c.Publish(t.Context(), free)
			if err != nil || len(refused) != 5 || !refused[0].Err.Retry {
				t.Fatalf("%v, %v", refused, err)
			}
			if got := len(b.bodies()); got != want {
				t.Errorf("%d batches were sent beside the one that failed, want %d", got, want)
			}
			refused, _ = settle(t, c)
			if len(refused) != 5 || refused[0].Err.Retry || len(b.bodies()) != 2 {
				t.Errorf("%d refused, %d batches", len(refused), len(b.bodies()))
			}
		})
	}
}

// TestSplitSparesTheNeighbours: one poison record alone is refused, wherever it stands.
func TestSplitSparesTheNeighbours(t *testing.T) {
	t.Parallel()
	for _, ordering := range []string{"partition", "none"} {
		for _, at := range []int{0, 7, 12, 19} {
			t.Run(fmt.Sprint(ordering, at), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, connector.Config{keyMode: "sync", keyOnError: "split", keyOrdering: ordering, connector.KeyRetries: "1"})
				c, _ := fill(t, b.sink(t), nil, poisoned(20, at)...)
				refused, _ := settle(t, c)
				if got := offsetsOf(refused); !slices.Equal(got, []int64{int64(10 + at)}) {
					t.Errorf("refused %v", got)
				}
				got := b.offsets("orders", 1, false)
				want := offsetsFrom(records(10, 20))
				want = slices.Delete(want, at, at+1)
				if !slices.Equal(got, want) {
					t.Errorf("delivered %v", got)
				}
				if !strings.Contains(refused[0].Err.Error(), "poison met") {
					t.Errorf("the log's end is missing: %s", refused[0].Err)
				}
			})
		}
	}
}

// TestFailStopsInOrder: where the partition is to stop at a refused record, with order
// nothing behind it is sent, and a run holds one batch; a redo sends all, for the policy
// may have changed.
func TestFailStopsInOrder(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "5", keyOnError: "split", connector.KeyTolerance: connector.ToleranceFail})
	s := b.sink(t)
	rs := poisoned(15, 2)
	c, in := fill(t, s, nil, rs...)
	refused, _ := settle(t, c)
	if got := offsetsOf(refused); !slices.Equal(got, []int64{12}) {
		t.Errorf("refused %v", got)
	}
	if got := b.offsets("orders", 1, false); !slices.Equal(got, []int64{10, 11}) {
		t.Errorf("delivered %v", got)
	}
	again, _ := fill(t, s, &in, rs...)
	if refused, _ = settle(t, again); len(refused) != 1 {
		t.Errorf("refused %v", offsetsOf(refused))
	}
	if got := b.offsets("orders", 1, true); len(got) != 14 {
		t.Errorf("delivered %v", got)
	}
	s.took(time.Microsecond)
	if got := s.allowed(); got != 1 {
		t.Errorf("a run of %d batches", got)
	}
}

func offsetsFrom(rs []*record.Record) []int64 {
	var out []int64
	for _, r := range rs {
		out = append(out, r.Offset)
	}
	return out
}

// TestFunctionThatRecovers: a failure that passes costs an attempt and no record.
func TestFunctionThatRecovers(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", connector.KeyRetries: "2"})
	failures := 2
	b.hook = func(w http.ResponseWriter, r *http.Request, body []byte) bool {
		fail := false
		b.set(func() { failures--; fail = failures >= 0 })
		if fail {
			w.Header().Set("X-Fc-Error-Type", "HandledInvocationError")
			_, _ = io.WriteString(w, "not now")
		}
		return fail
	}
	c, _ := fill(t, b.sink(t), nil, records(10, 20)...)
	if refused, rounds := settle(t, c); len(refused) != 0 || rounds != 3 {
		t.Errorf("%d refused in %d rounds", len(refused), rounds)
	}
	if got := b.offsets("orders", 1, false); len(got) != 20 {
		t.Errorf("delivered %v", got)
	}
}

// TestPublishGoesOnWhereItStopped: after an outage in the middle nothing is sent twice.
func TestPublishGoesOnWhereItStopped(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"sync", "async"} {
		for _, ordering := range []string{"partition", "none"} {
			t.Run(mode+" "+ordering, func(t *testing.T) {
				t.Parallel()
				b := newBed(t, connector.Config{keyMode: mode, keyOrdering: ordering, keyBatchSize: "2", keyAsyncID: "false"})
				n := 0
				b.hook = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
					down := false
					b.set(func() { n++; down = n > 3 && n < 12 })
					if down {
						w.WriteHeader(http.StatusServiceUnavailable)
					}
					return down
				}
				c, _ := fill(t, b.sink(t), nil, records(10, 20)...)
				var err error
				for range 50 {
					if _, err = c.Publish(t.Context(), free); err == nil {
						break
					}
					if connector.CauseOf(err) != connector.CauseAway {
						t.Fatal(err)
					}
				}
				got := b.offsets("orders", 1, false)
				slices.Sort(got)
				if err != nil || !slices.Equal(got, offsetsFrom(records(10, 20))) {
					t.Errorf("%v, delivered %v", err, got)
				}
			})
		}
	}
}

// TestLoneFailures: a request that fails among others that are taken is tried again at
// once; when nothing is taken any more that is an outage, and asked for once a time.
func TestLoneFailures(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "1"})
	n, down := 0, false
	b.hook = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		fails := false
		b.set(func() { n++; fails = down || n%5 == 0 })
		if fails {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
		return fails
	}
	s := b.sink(t)
	c, _ := fill(t, s, nil, records(10, 20)...)
	if refused, err := c.Publish(t.Context(), free); err != nil || len(refused) != 0 {
		t.Fatalf("%v, %v", refused, err)
	}
	if got := b.offsets("orders", 1, false); !slices.Equal(got, offsetsFrom(records(10, 20))) {
		t.Errorf("delivered %v", got)
	}
	b.set(func() { n, down = 0, true })
	c, _ = fill(t, s, nil, records(30, 5)...)
	for _, want := range []int{1 + quickTries, 2 + quickTries} {
		_, err := c.Publish(t.Context(), free)
		b.set(func() {
			if connector.CauseOf(err) != connector.CauseAway || n != want {
				t.Errorf("%v after %d requests in an outage, want %d", err, n, want)
			}
		})
	}
}

// TestAskedRightBeforeEachPost: no invocation starts after the guard has objected.
func TestAskedRightBeforeEachPost(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyBatchSize: "2"})
	c, _ := fill(t, b.sink(t), nil, records(10, 20)...)
	asked, lost := 0, errors.New("the lease is lost")
	_, err := c.Publish(t.Context(), func() error {
		if asked++; asked > 4 {
			return lost
		}
		return nil
	})
	if !errors.Is(err, lost) || b.requests != 4 {
		t.Errorf("%v after %d requests", err, b.requests)
	}
}

// TestThrottlingSlowsDown: 429 asks for ever longer pauses, and refuses nothing.
func TestThrottlingSlowsDown(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{connector.KeyRetries: "0"})
	after := ""
	b.hook = func(w http.ResponseWriter, _ *http.Request, _ []byte) bool {
		if after == "over" {
			return false
		}
		w.Header().Set("Retry-After", after)
		w.WriteHeader(http.StatusTooManyRequests)
		_, _ = io.WriteString(w, `{"ErrorCode":"ResourceThrottled","ErrorMessage":"slow down"}`)
		return true
	}
	s := b.sink(t)
	c, _ := fill(t, s, nil, records(10, 5)...)
	pause := func() time.Duration {
		t.Helper()
		_, err := c.Publish(t.Context(), free)
		var away *connector.AwayError
		if !errors.As(err, &away) {
			t.Fatal(err)
		}
		return away.After
	}
	first, second := pause(), pause()
	if first <= 0 || second <= first {
		t.Errorf("pauses %s, then %s", first, second)
	}
	b.set(func() { after = "7" })
	if got := pause(); got != 7*time.Second {
		t.Errorf("asked for 7 s, the pause is %s", got)
	}
	b.set(func() { after = "over" })
	if refused, _ := settle(t, c); len(refused) != 0 || len(b.offsets("orders", 1, false)) != 5 {
		t.Errorf("refused %v", refused)
	}
	if s.classify.throttles.Load() != 0 {
		t.Error("the next throttling begins with a long pause")
	}
}

// TestCancelEndsARequest: a function that hangs is left when the session ends.
func TestCancelEndsARequest(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync"})
	arrived := make(chan struct{})
	b.hook = func(_ http.ResponseWriter, r *http.Request, _ []byte) bool {
		close(arrived)
		<-r.Context().Done()
		panic(http.ErrAbortHandler)
	}
	c, _ := fill(t, b.sink(t), nil, records(10, 5)...)
	over := errors.New("the session is over")
	ctx, cancel := context.WithCancelCause(t.Context())
	go func() { <-arrived; cancel(over) }()
	if _, err := c.Publish(ctx, free); !errors.Is(err, over) {
		t.Errorf("%v", err)
	}
	c.Discard()
}

// TestEarlyAnswer: a server that answers before it has read a request leaves bodies
// that are still being written; they are not used again meanwhile.
func TestEarlyAnswer(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "1000"})
	var rs []*record.Record
	for i := range int64(40) {
		rs = append(rs, rec(10+i, strings.Repeat("x", 100_000)))
	}
	s := b.sink(t)
	early := newEarlyServer(t)
	s.client.base.Host = early
	c, _ := fill(t, s, nil, rs...)
	body := c.units[0].body
	want := bytes.Clone(body)
	refused, err := c.Publish(t.Context(), free)
	if err == nil && len(refused) != len(rs) {
		t.Fatalf("%d refused, %v", len(refused), err)
	}
	if !c.loud {
		t.Skip("the request was written before its answer came")
	}
	c.Discard()
	for range 64 { // what was given back would be overwritten here
		buf := s.buffers.get(4 << 20)
		buf = buf[:cap(buf)]
		for i := range buf {
			buf[i] = '!'
		}
	}
	if !bytes.Equal(body, want) {
		t.Error("a body was used again while it might still be read")
	}
}
