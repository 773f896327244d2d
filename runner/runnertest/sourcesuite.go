package runnertest

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// SourceUnderTest is what SourceSuite needs of a source and of the system that it reads.
type SourceUnderTest struct {
	// New gives a source as a new process would make it, on the same system.
	New func(t *testing.T) connector.Source
	// Change makes the nth change (from 0 on), which is one fact of at least one record.
	// Several changes touch the same key.
	Change func(t *testing.T, n int)
	// Content is what the system holds, by key.
	Content func(t *testing.T) map[string]string
	// Apply is what a record says of the content: value "" removes the key. Records that say
	// nothing of it give no key.
	Apply func(r record.Record) (key, value string)
	// ID tells changes apart: every record of a change, and of a copy, has another one. Nil:
	// they cannot be told apart.
	ID func(r record.Record) string
	// Whole tells what is wrong with the records of one fact; nil: nothing can be.
	Whole func(fact []record.Record) error
	// Away switches the system off and on; nil: it cannot be.
	Away func(t *testing.T, off bool)
	// Part is one that Snapshotter takes; "" when the source is none.
	Part string
	// MaxOpen bounds what is written between two Marks while the changes are small, in bytes;
	// 0 = 1 MiB.
	MaxOpen int64
	// Patience bounds every wait; 0 = 20 s.
	Patience time.Duration
}

// SourceSuite is what every source must pass.
func SourceSuite(t *testing.T, open func(t *testing.T) SourceUnderTest) {
	t.Helper()
	for name, f := range map[string]func(*testing.T, *sourceCase){
		"follows":              testFollows,
		"killed before a mark": func(t *testing.T, c *sourceCase) { testKilled(t, c, false) },
		"killed after a mark":  func(t *testing.T, c *sourceCase) { testKilled(t, c, true) },
		"stops":                testStops,
		"waits":                testWaits,
		"outlet fails":         testOutletFails,
		"away":                 testSourceAway,
		"now":                  testNow,
		"asked to copy":        testAsked,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			u := open(t)
			if u.Patience == 0 {
				u.Patience = 20 * time.Second
			}
			if u.MaxOpen == 0 {
				u.MaxOpen = 1 << 20
			}
			c := &sourceCase{SourceUnderTest: u, box: NewOutbox()}
			f(t, c)
			for _, b := range c.box.Breaches() {
				t.Error(b)
			}
		})
	}
}

type sourceCase struct {
	SourceUnderTest
	box *Outbox
	n   int // changes so far
}

func (c *sourceCase) change(t *testing.T, times int) {
	t.Helper()
	for range times {
		c.Change(t, c.n)
		c.n++
	}
}

// sourceLife is one run.
type sourceLife struct {
	c      *sourceCase
	source connector.Source
	cancel context.CancelFunc
	done   chan error
}

func (c *sourceCase) run(t *testing.T, choice string, onMark func(int) (bool, error)) *sourceLife {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	l := &sourceLife{c: c, source: c.New(t), cancel: cancel, done: make(chan error, 1)}
	out := c.box.Open()
	out.OnMark = onMark
	start := connector.Start{Saved: c.box.Saved(), Choice: choice}
	go func() {
		err := l.source.Run(ctx, start, out)
		out.Close()
		if n := out.Largest(); n > c.MaxOpen {
			out.complain("%d bytes were written without a Mark", n)
		}
		if cerr := l.source.Close(); err == nil {
			err = cerr
		}
		l.done <- err
	}()
	t.Cleanup(cancel)
	return l
}

// wait waits for the end of the run.
func (l *sourceLife) wait(t *testing.T) error {
	t.Helper()
	select {
	case err := <-l.done:
		return err
	case <-time.After(l.c.Patience):
		t.Fatal("the source does not end")
		return nil
	}
}

// changeUntilEnd goes on changing until a run ends.
func (c *sourceCase) changeUntilEnd(t *testing.T, l *sourceLife) error {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for range int(c.Patience / (20 * time.Millisecond)) {
		select {
		case err := <-l.done:
			return err
		case <-tick.C:
			c.change(t, 1)
		}
	}
	t.Fatal("the source does not end")
	return nil
}

func (l *sourceLife) stop(t *testing.T) {
	t.Helper()
	l.cancel()
	if err := l.wait(t); err != nil {
		t.Errorf("Run ended with %v when its context did", err)
	}
}

func (c *sourceCase) content() map[string]string {
	out := map[string]string{}
	for _, r := range c.box.Records() {
		if r.Topic == DivertedTopic {
			continue
		}
		switch key, value := c.Apply(r); {
		case key == "":
		case value == "":
			delete(out, key)
		default:
			out[key] = value
		}
	}
	return out
}

func (c *sourceCase) until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	deadline := time.Now().Add(c.Patience)
	for !ok() {
		if time.Now().After(deadline) {
			t.Fatalf("waited %v for %s", c.Patience, what)
		}
		<-time.After(2 * time.Millisecond) // polls, with a deadline
	}
}

// agree waits until what is visible adds up to what the system holds, and checks the
// facts.
func (c *sourceCase) agree(t *testing.T) {
	t.Helper()
	want := c.Content(t)
	deadline := time.Now().Add(c.Patience)
	for got := c.content(); !maps.Equal(got, want); got = c.content() {
		if time.Now().After(deadline) {
			t.Fatalf("the system holds %v, the records add up to %v", want, got)
		}
		<-time.After(2 * time.Millisecond) // polls, with a deadline
	}
	seen := map[string]bool{}
	for _, fact := range c.box.Facts() {
		if c.Whole != nil {
			if err := c.Whole(fact); err != nil {
				t.Errorf("a fact is not whole: %v", err)
			}
		}
		for _, r := range fact {
			if c.ID == nil || r.Topic == DivertedTopic {
				continue
			}
			if id := c.ID(r); id != "" && seen[id] {
				t.Errorf("%s is visible twice", id)
			} else {
				seen[id] = true
			}
		}
	}
}

// What is there and what changes arrives, also over a stop.
func testFollows(t *testing.T, c *sourceCase) {
	c.change(t, 20)
	l := c.run(t, "", nil)
	c.agree(t)
	c.change(t, 20)
	c.agree(t)
	l.stop(t)
	c.change(t, 20)
	l = c.run(t, "", nil)
	c.agree(t)
	if len(c.box.Saved()) == 0 {
		t.Error("nothing is saved")
	}
	l.stop(t)
}

// The process dies at each of the first Marks of a life, with the fact visible or not.
func testKilled(t *testing.T, c *sourceCase, visible bool) {
	c.change(t, 30)
	for nth := 1; nth <= 8; nth++ {
		l := c.run(t, "", func(n int) (bool, error) {
			if n == nth {
				return visible, ErrBox
			}
			return true, nil
		})
		c.change(t, 10)
		err := c.changeUntilEnd(t, l) // what was changed before it began may be one copy
		if !errors.Is(err, ErrBox) {
			t.Fatalf("killed at Mark %d Run returned %v", nth, err)
		}
	}
	l := c.run(t, "", nil)
	c.agree(t)
	l.stop(t)
}

// A source stops at once, whatever it does, and goes on.
func testStops(t *testing.T, c *sourceCase) {
	for i := range 10 {
		c.change(t, 10)
		l := c.run(t, "", nil)
		if i%2 == 1 {
			c.until(t, "something", func() bool { return len(c.box.Facts()) > 0 })
		}
		began := time.Now()
		l.stop(t)
		if d := time.Since(began); d > 5*time.Second {
			t.Errorf("it took %v to stop", d)
		}
	}
	l := c.run(t, "", nil)
	c.agree(t)
	l.stop(t)
}

// A Mark that waits holds the source up, and nothing is lost by it; it can be stopped all
// the same.
func testWaits(t *testing.T, c *sourceCase) {
	c.change(t, 5)
	ready := make(chan struct{})
	l := c.run(t, "", func(n int) (bool, error) {
		if n == 1 {
			<-ready
		}
		return true, nil
	})
	c.change(t, 50)
	close(ready)
	c.agree(t)
	l.stop(t)
}

// What the outlet says comes back as it is.
func testOutletFails(t *testing.T, c *sourceCase) {
	wrong := &connector.WrongError{Err: ErrBox, Remedy: "None."}
	l := c.run(t, "", func(int) (bool, error) { return false, fmt.Errorf("writing: %w", wrong) })
	c.change(t, 5)
	err := l.wait(t)
	var got *connector.WrongError
	if !errors.As(err, &got) || got != wrong || !errors.Is(err, ErrBox) {
		t.Errorf("Run returned %v", err)
	}
}

func testSourceAway(t *testing.T, c *sourceCase) {
	if c.Away == nil {
		t.Skip("the system cannot be switched off")
	}
	c.change(t, 10)
	l := c.run(t, "", nil)
	c.agree(t)
	c.Away(t, true)
	// Either it says so and tries again itself, or it ends with an error that passes.
	ended := false
	c.until(t, "a word about the absence", func() bool {
		select {
		case err := <-l.done:
			ended = true
			if cause := connector.CauseOf(err); err == nil || cause != connector.CauseAway && cause != connector.CauseOther {
				t.Fatalf("Run ended with %v while the system was away", err)
			}
		default:
		}
		return ended || c.box.Aways() > 0
	})
	c.Away(t, false)
	c.change(t, 10)
	for !ended {
		select {
		case err := <-l.done:
			if cause := connector.CauseOf(err); err == nil || cause != connector.CauseAway && cause != connector.CauseOther {
				t.Fatalf("Run ended with %v after the system was away", err)
			}
			ended = true
		default:
			if maps.Equal(c.content(), c.Content(t)) {
				c.agree(t)
				l.stop(t)
				return
			}
			<-time.After(2 * time.Millisecond)
		}
	}
	l = c.run(t, "", nil)
	c.agree(t)
	l.stop(t)
}

// Where the position is lost "now" goes on without what was before, "snapshot" with all of
// it.
func testNow(t *testing.T, c *sourceCase) {
	c.change(t, 10)
	l := c.run(t, connector.ChoiceNow, nil)
	c.until(t, "the choice to be saved", func() bool { return len(c.box.Saved()) > 0 })
	if n := len(c.box.Records()); n != 0 {
		t.Errorf("%d records of what was there before", n)
	}
	first := c.n
	c.change(t, 5)
	c.until(t, "what changed since", func() bool { return len(c.box.Facts()) > 0 })
	l.stop(t)
	c.box = NewOutbox()
	l = c.run(t, connector.ChoiceSnapshot, nil)
	c.agree(t)
	l.stop(t)
	if c.n != first+5 {
		t.Fatal("the suite itself is wrong")
	}
}

func testAsked(t *testing.T, c *sourceCase) {
	if c.Part == "" {
		t.Skip("the source copies nothing again")
	}
	c.change(t, 10)
	l := c.run(t, "", nil)
	c.agree(t)
	s, ok := l.source.(connector.Snapshotter)
	if !ok {
		t.Fatal("the source is no Snapshotter")
	}
	var field connector.FieldError
	if err := s.Snapshot(t.Context(), []string{"unknown"}); !errors.As(err, &field) || field.Field != "tables" {
		t.Errorf("an unknown part: %v", err)
	}
	if err := s.Snapshot(t.Context(), []string{c.Part}); err != nil {
		t.Errorf("Snapshot: %v", err)
	}
	c.change(t, 5)
	c.agree(t)
	l.stop(t)
}
