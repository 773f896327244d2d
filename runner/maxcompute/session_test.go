package maxcompute_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// three are records of three table partitions.
func three() []*record.Record {
	return []*record.Record{rec(10, 0, "a"), rec(11, 60, "b"), rec(12, 120, "c"), rec(14, 1, "late")}
}

// whole fails unless the rows of three are in the table once, and no other.
func (b *bed) whole() {
	b.t.Helper()
	want := map[string][]string{
		"pt=" + hour(0): {"orders|1|10|k|a", "orders|1|14|k|late"},
		"pt=" + hour(1): {"orders|1|11|k|b"},
		"pt=" + hour(2): {"orders|1|12|k|c"},
	}
	if got := b.rows(); fmt.Sprint(got) != fmt.Sprint(want) {
		b.t.Fatalf("rows %v, want %v", got, want)
	}
}

func TestRowsByPartition(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	c, in := fill(t, b.sink(), nil, three()...)
	if b.count() != 0 {
		t.Error("something is visible before it is published")
	}
	publish(t, c)
	b.whole()
	if c.Held() != 0 {
		t.Errorf("a published chunk holds %d bytes", c.Held())
	}
	expect(t, b.sink(), in, connector.Done)
	c.Discard()
	b.whole()
}

// TestSessionStates is the table of what a session may have become when a process looks
// at the intent of another: rows are there once, whatever it was.
func TestSessionStates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name  string
		spoil func(*bed)
		want  connector.OutcomeKind
	}{
		{"NORMAL", func(*bed) {}, connector.Done},
		{"one CANCELED", func(b *bed) { b.setSession(hour(1), "CANCELED") }, connector.Redo},
		{"one CRITICAL", func(b *bed) { b.setSession(hour(0), "CRITICAL") }, connector.Redo},
		{"one EXPIRED", func(b *bed) { b.setSession(hour(2), "EXPIRED") }, connector.Redo},
		{"one unknown", func(b *bed) { b.odps.ForgetSession(b.session(hour(2)).ID) }, connector.Redo},
		{"all EXPIRED", func(b *bed) {
			for n := range 3 {
				b.setSession(hour(n), "EXPIRED")
			}
		}, connector.Redo},
		{"partition dropped", func(b *bed) {
			if _, err := b.odps.Query(b.t.Context(), sandbox.DefaultODPSProject, "ALTER TABLE kafka_messages DROP PARTITION (pt='"+hour(1)+"')"); err != nil {
				b.t.Fatal(err)
			}
		}, connector.Redo},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			_, in := fill(t, b.sink(), nil, three()...)
			c.spoil(b)
			s := b.sink()
			out := expect(t, s, in, c.want)
			if out.Detail == "" {
				t.Error("no detail")
			}
			if c.want == connector.Redo {
				before := len(b.odps.Sessions())
				again, rewritten := fill(t, s, &in, three()...)
				if made := len(b.odps.Sessions()) - before; made < 1 || c.name != "all EXPIRED" && made != 1 {
					t.Errorf("%d sessions were opened again", made)
				}
				publish(t, again)
				expect(t, b.sink(), rewritten, connector.Done)
			}
			b.whole()
		})
	}
}

// TestRepeat: sessions that are given up between the intent and their commit make the
// range repeat, and only their rows are written again.
func TestRepeat(t *testing.T) {
	t.Parallel()
	for _, status := range []string{"CANCELED", "CRITICAL", "EXPIRED", "forgotten"} {
		t.Run(status, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			s := b.sink()
			c, in := fill(t, s, nil, three()...)
			if status == "forgotten" {
				b.odps.ForgetSession(b.session(hour(1)).ID)
			} else {
				b.setSession(hour(1), status)
			}
			_, err := c.Publish(t.Context(), free)
			if connector.CauseOf(err) != connector.CauseRepeat {
				t.Fatalf("publishing: %v", err)
			}
			c.Discard()
			expect(t, s, in, connector.Redo)
			again, rewritten := fill(t, s, &in, three()...)
			if string(rewritten.Payload) == string(in.Payload) {
				t.Error("the intent was not rewritten")
			}
			publish(t, again)
			b.whole()
			if n := len(b.odps.Sessions()); n > 4 {
				t.Errorf("%d sessions for 3 partitions and one repetition", n)
			}
		})
	}
}

// TestRestartAtEachStep: a process may die between any two requests; the next one brings
// the range to its end, once.
func TestRestartAtEachStep(t *testing.T) {
	t.Parallel()
	for acts := range 4 {
		t.Run(fmt.Sprintf("after %d commits", acts), func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			c, in := fill(t, b.sink(), nil, three()...)
			left := make(chan struct{}, 4)
			for range acts {
				left <- struct{}{}
			}
			dead := errors.New("killed")
			_, err := c.Publish(t.Context(), func() error {
				select {
				case <-left:
					return nil
				default:
					return dead
				}
			})
			if acts < 3 && !errors.Is(err, dead) {
				t.Fatalf("publishing: %v", err)
			}
			expect(t, b.sink(), in, connector.Done)
			b.whole()
		})
	}
	t.Run("before the intent", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil)
		c, _ := fill(t, b.sink(), nil, three()...)
		c.Discard()
		c, _ = fill(t, b.sink(), nil, three()...)
		publish(t, c)
		b.whole()
	})
}

// TestLostCommitAnswer: a commit that was carried out and not answered is found out by
// looking, by the same process and by another.
func TestLostCommitAnswer(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Operation: "CommitUpload", Rate: 1, Cut: sandbox.CutAfter},
		{Operation: "CommitUpload", Rate: 1, Status: 502, AfterStoring: true},
		{Operation: "CommitUpload", Rate: 1, Status: 504, AfterStoring: true},
		{Operation: "CommitUpload", Rate: 1, Status: 409, Code: "StatusConflict", Max: 1},
		{Operation: "CommitUpload", Rate: 1, Status: 500, Code: "InternalServerError", Max: 3},
		{Operation: "GetUpload", Rate: 1, Cut: sandbox.CutBefore, Max: 2},
	} {
		for _, same := range []bool{true, false} {
			t.Run(fmt.Sprint(f.Operation, f.Cut, f.Status, same), func(t *testing.T) {
				t.Parallel()
				b := newBed(t, nil)
				s := b.sink()
				c, in := fill(t, s, nil, three()...)
				b.fault(f)
				if !same {
					_, _ = c.Publish(t.Context(), free)
					b.noFault()
					expect(t, b.sink(), in, connector.Done)
					b.whole()
					return
				}
				for attempt := 0; ; attempt++ {
					_, err := c.Publish(t.Context(), free)
					if err == nil {
						break
					}
					if cause := connector.CauseOf(err); cause != connector.CauseAway || attempt > 6 {
						t.Fatalf("attempt %d: %s: %v", attempt, cause, err)
					}
				}
				b.whole()
			})
		}
	}
}

// TestForgottenSession: where nobody knows, the table is asked; where that cannot be, a
// person.
func TestForgottenSession(t *testing.T) {
	t.Parallel()
	forget := func(t *testing.T, b *bed, published bool, records ...*record.Record) (connector.Sink, connector.Intent) {
		c, in := fill(t, b.sink(), nil, records...)
		if published {
			publish(t, c)
		}
		for _, s := range b.odps.Sessions() {
			b.odps.ForgetSession(s.ID)
		}
		return b.sink(), in
	}
	t.Run("all there", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil)
		s, in := forget(t, b, true, three()...)
		expect(t, s, in, connector.Done)
		b.whole()
	})
	t.Run("part there", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil)
		c, _ := fill(t, b.sink(), nil, rec(10, 0, "a"))
		publish(t, c)
		s, in := forget(t, b, false, three()...)
		out := expect(t, s, in, connector.Unknown)
		var choices []string
		for _, c := range out.Choices {
			choices = append(choices, c.Choice)
			if c.Title == "" || c.Risk == "" {
				t.Errorf("choice %+v", c)
			}
		}
		if !slices.Equal(choices, []string{"done", "redo", "stay"}) || !strings.Contains(out.Detail, "1 rows of these offsets are in the table") {
			t.Errorf("%+v", out)
		}
	})
	t.Run("statements are slow and refused at first", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil, func(o *sandbox.ODPSOptions) { o.SQLTakes = 150 * time.Millisecond })
		s, in := forget(t, b, false, three()...)
		b.fault(sandbox.Fault{Operation: "CreateInstance", Rate: 1, Status: 503, Max: 1})
		if _, err := s.Resolve(t.Context(), in, free); connector.CauseOf(err) != connector.CauseAway {
			t.Fatalf("resolving: %v", err)
		}
		expect(t, s, in, connector.Redo)
	})
	t.Run("statements are not permitted", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, nil)
		s, in := forget(t, b, false, three()...)
		b.fault(sandbox.Fault{Operation: "CreateInstance", Rate: 1, Status: 403, Code: "NoPermission"})
		expect(t, s, in, connector.Unknown)
	})
	t.Run("no columns to count by", func(t *testing.T) {
		t.Parallel()
		b := newBed(t, connector.Config{"odps.table": "objects", "odps.mapping": "json"})
		s, in := forget(t, b, false, rec(10, 0, `{"n":1}`))
		out := expect(t, s, in, connector.Unknown)
		if !strings.Contains(out.Detail, "no columns") {
			t.Errorf("%+v", out)
		}
		var mismatch *connector.MismatchError
		if _, err := s.Begin(t.Context(), orders, &in); !errors.As(err, &mismatch) {
			t.Errorf("a redo of what is unknown: %v", err)
		}
	})
}

// TestSlowCommit: a session that is closing is waited for.
func TestSlowCommit(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil, func(o *sandbox.ODPSOptions) { o.CommitTakes = 300 * time.Millisecond })
	c, in := fill(t, b.sink(), nil, three()...)
	published := make(chan error, 1)
	go func() { _, err := c.Publish(t.Context(), free); published <- err }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for len(published) == 0 && b.session(hour(0)).Status != "CLOSING" {
		<-tick.C
	}
	expect(t, b.sink(), in, connector.Done)
	if err := <-published; err != nil {
		t.Error(err)
	}
	b.whole()
}

// TestBlockMissing: a session that has lost a block is never committed.
func TestBlockMissing(t *testing.T) {
	t.Parallel()
	b := newBed(t, nil)
	c, in := fill(t, b.sink(), nil, rec(10, 0, "a"))
	in.Payload = []byte(strings.Replace(string(in.Payload), `["1,`, `["2,`, 1))
	expect(t, b.sink(), in, connector.Redo)
	if b.count() != 0 {
		t.Error("a session with a missing block was committed")
	}
	c.Discard()
}

// TestPrepareGoesOn: what fails while preparing is gone on with, in another session where
// the first was given up.
func TestPrepareGoesOn(t *testing.T) {
	t.Parallel()
	for _, f := range []sandbox.Fault{
		{Operation: "CreateUpload", Rate: 1, Status: 429, Code: "FlowExceeded", Max: 2},
		{Operation: "CreateUpload", Rate: 1, Cut: sandbox.CutAfter, Max: 1},
		{Operation: "CreateUpload", Rate: 1, Status: 404, Code: "NoSuchPartition", Max: 1},
		{Operation: "UploadBlock", Rate: 1, Cut: sandbox.CutBefore, Max: 1},
		{Operation: "UploadBlock", Rate: 1, Cut: sandbox.CutAfter, Max: 2},
		{Operation: "UploadBlock", Rate: 1, Status: 409, Code: "StatusConflict", Max: 1},
		{Operation: "UploadBlock", Rate: 1, Status: 404, Code: "NoSuchUpload", Max: 1},
		{Operation: "UploadBlock", Rate: 1, Status: 400, Code: "CorruptedDataStream", Max: 1},
		{Operation: "UploadBlock", Rate: 1, Status: 400, Code: "RequestTimeout", Max: 1},
	} {
		t.Run(f.Operation+f.Cut+f.Code, func(t *testing.T) {
			t.Parallel()
			b := newBed(t, nil)
			c, err := b.sink().Begin(t.Context(), orders, nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range three() {
				if err := c.Add(t.Context(), r); err != nil {
					t.Fatal(err)
				}
			}
			b.fault(f)
			for attempt := 0; ; attempt++ {
				_, err := c.Prepare(t.Context())
				if err == nil {
					break
				}
				if cause := connector.CauseOf(err); cause != connector.CauseAway && cause != connector.CauseOther || attempt > 5 {
					t.Fatalf("attempt %d: %s: %v", attempt, cause, err)
				}
			}
			publish(t, c)
			b.whole()
		})
	}
}
