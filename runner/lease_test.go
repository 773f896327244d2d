package runner

import (
	"errors"
	"testing"
	"time"
)

func TestLease(t *testing.T) {
	t.Parallel()
	now := time.Duration(0)
	l := newLease(func() time.Duration { return now }, 10*time.Second)
	refused := func(when string) {
		t.Helper()
		if err := l.guard(); !errors.Is(err, errLeaseLost) {
			t.Errorf("%s: %v", when, err)
		}
	}
	allowed := func(when string) {
		t.Helper()
		if err := l.guard(); err != nil {
			t.Errorf("%s: %v", when, err)
		}
	}
	refused("before anything was answered")
	sent := l.now()
	now += 3 * time.Second // the answer took that long: the sending counts
	l.answered(sent)
	now = 9999 * time.Millisecond
	allowed("just before the timeout")
	now = 10 * time.Second
	refused("at the timeout")
	l.answered(8 * time.Second)
	l.answered(4 * time.Second) // an older answer that arrives late takes nothing back
	now = 17 * time.Second
	allowed("after a later request")
	now = time.Hour
	refused("after the machine slept")
}

func TestBootClockRuns(t *testing.T) {
	t.Parallel()
	clock := newBootClock()
	a := clock()
	deadline := time.Now().Add(5 * time.Second)
	for clock() <= a {
		if time.Now().After(deadline) {
			t.Fatal("the clock stands still")
		}
	}
}

func TestRetryPause(t *testing.T) {
	t.Parallel()
	var p retryPause
	var total time.Duration
	for i := range 200 {
		d := p.next(0)
		limit := earlyPause
		if total > earlyPeriod {
			limit = longestPause
		}
		if d < firstPause*8/10 || d > limit*12/10 || d > longestPause {
			t.Fatalf("pause %d after %s is %s", i, total, d)
		}
		total += d
	}
	if d := p.next(0); d < longestPause*8/10 {
		t.Errorf("late pause %s", d)
	}
	p.reset()
	if d := p.next(30 * time.Second); d != 30*time.Second {
		t.Errorf("asked to wait 30 s, waits %s", d)
	}
}
