package runner_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
)

// seen is every different state of a connector that was shown, in order, each with the
// number of its tasks.
type seen struct {
	mu     sync.Mutex
	states []string
	stop   context.CancelFunc
	done   chan struct{}
}

// follow looks at a connector's state all the time.
func (w *world) follow(id int64) *seen {
	ctx, cancel := context.WithCancel(w.t.Context())
	s := &seen{stop: cancel, done: make(chan struct{})}
	w.t.Cleanup(cancel)
	go func() {
		defer close(s.done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if st, err := w.sup.Status(ctx, id); err == nil {
				s.note(fmt.Sprintf("%s/%d", st.State, len(st.Tasks)))
			}
			<-tick.C
		}
	}()
	return s
}

func (s *seen) note(state string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.states); n == 0 || s.states[n-1] != state {
		s.states = append(s.states, state)
	}
}

// end stops looking and returns what was seen.
func (s *seen) end() []string {
	s.stop()
	<-s.done
	return s.states
}

// TestADeployedConnectorRunsWhileItStarts: resuming, modifying and restarting are no deployment: programs that
// know Kafka Connect expect the connector to be RUNNING, with its tasks, from the beginning.
func TestADeployedConnectorRunsWhileItStarts(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.create("steady", connector.Config{"tasks.max": "2"})
	watch := w.follow(c.ID)
	w.send("oss-test-input", 0, 30)
	w.exactly(30)
	deployed := watch.end()
	if deployed[0] != "DEPLOYING/0" {
		t.Errorf("a deployment was shown as %v", deployed)
	}
	sent := 30
	for _, act := range []struct {
		name string
		do   func()
	}{
		{"modify", func() {
			row, err := w.store.ConnectorByID(t.Context(), c.ID)
			if err != nil {
				t.Fatal(err)
			}
			row.Config["flush.size"] = "77"
			if _, err := w.store.UpdateConfig(t.Context(), c.ID, row.Version, row.Config, row.Hash+"x", "test"); err != nil {
				t.Fatal(err)
			}
			w.sup.Notify(c.ID)
		}},
		{"restart", func() {
			if err := w.sup.Restart(t.Context(), c.ID, false, true); err != nil {
				t.Fatal(err)
			}
		}},
		{"resume", func() {
			w.desire(c, runner.DesiredPaused)
			w.state(c, connector.StateSuspended)
			w.desire(c, runner.DesiredRunning)
		}},
		{"process", func() { w.stop(); w.start() }},
	} {
		var watch *seen
		if act.name == "resume" || act.name == "process" {
			act.do()
			w.until("the end of the rest", func() bool {
				st, err := w.sup.Status(t.Context(), c.ID)
				return err == nil && st.State != connector.StateSuspended
			})
			watch = w.follow(c.ID)
		} else {
			watch = w.follow(c.ID)
			act.do()
		}
		w.until("a run that has just begun", func() bool {
			st, err := w.sup.Status(t.Context(), c.ID)
			return err == nil && st.Delivered == 0
		})
		w.send("oss-test-input", sent, sent+30)
		sent += 30
		w.exactly(sent)
		for _, state := range watch.end() {
			if state != "RUNNING/2" {
				t.Errorf("%s: %s was shown", act.name, state)
			}
		}
	}
}

// TestWhatFollowsARunStartsAtOnce: a run that has ended makes place by itself; nothing waits for the next look at
// the model.
func TestWhatFollowsARunStartsAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.stop()
	w.startWith(runner.LookSeldom)
	c := w.create("prompt", nil)
	w.send("oss-test-input", 0, 30)
	w.exactly(30)
	w.desire(c, runner.DesiredPaused)
	w.state(c, connector.StateSuspended)
	w.desire(c, runner.DesiredRunning)
	w.send("oss-test-input", 30, 60)
	w.exactly(60)
	if err := w.sup.Restart(t.Context(), c.ID, false, true); err != nil {
		t.Fatal(err)
	}
	w.until("the run after it", func() bool {
		st, err := w.sup.Status(t.Context(), c.ID)
		return err == nil && st.Delivered == 0
	})
	w.send("oss-test-input", 60, 90)
	w.exactly(90)
}
