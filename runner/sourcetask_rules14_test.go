package runner

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// Two tasks on copies of one data directory: the one whose seat was taken stays stopped,
// saying why, and the other goes on.
func TestRule14AnotherProcess(t *testing.T) {
	b := newSourceBed(t)
	b.script.Numbers("out", 0, 10, 1, 3)
	a := b.start()
	b.exactly(10, 1)
	b.cluster.heartbeat = func(m kafka.Member) error {
		if m.ID == "m1" {
			return fmt.Errorf("%w: the seat is taken", kafka.ErrFenced)
		}
		return nil
	}
	leads := newLeadership(100 * time.Millisecond)
	leads.won(newSimSession(t.Context(), 2))
	other := b.startWith(leads)
	b.until("the other's start", func() bool { return len(b.script.Starts()) == 2 })
	b.script.Numbers("out", 10, 20, 1, 3)
	<-a.done
	if st := a.task.Status(); st.State != connector.StateFailed || !strings.Contains(st.Cause, "nother process runs this connector") || st.Remedy == "" {
		t.Errorf("%+v", st.Status)
	}
	if a.task.Retry() {
		t.Error("a task that has failed can be retried")
	}
	if a.leads.fenced() == nil {
		t.Error("the leader may join again")
	}
	b.exactly(20, 1)
	b.script.Numbers("out", 20, 30, 1, 3)
	b.exactly(30, 1)
	other.stop()
}

// A producer that is fenced although nobody else is there goes on with a new one; at the
// third time within ten minutes it gives up.
func TestRule14FencedByItself(t *testing.T) {
	b := newSourceBed(t)
	var asked []kafka.Member
	b.cluster.heartbeat = func(m kafka.Member) error { asked = append(asked, m); return nil }
	r := b.start()
	for n := range 3 {
		b.script.Numbers("out", n*10, n*10+5, 1, 3)
		b.exactlyOf(n*10 + 5 - 5*min(n, 0))
		b.cluster.fence(transactionalID(simOffsetTopic, "c"))
		b.script.Numbers("out", n*10+5, n*10+10, 1, 3)
		if n < 2 {
			b.exactly(n*10+10, 1)
		}
	}
	<-r.done
	if st := r.task.Status(); st.State != connector.StateFailed || !strings.Contains(st.Cause, "nother process") {
		t.Errorf("%+v", st.Status)
	}
	if len(asked) != 2 || asked[0].ID != "m1" || asked[0].Generation != 1 || asked[0].InstanceID != "node-c" || asked[0].Group != "connect-cluster-c" {
		t.Errorf("heartbeats of %+v", asked)
	}
	b.exactly(25, 1)
}

func (b *sourceBed) exactlyOf(facts int) { b.exactly(facts, 1) }

// A member that the group no longer knows joins anew, and the reader with it.
func TestRule14JoinsAnew(t *testing.T) {
	b := newSourceBed(t)
	b.cluster.heartbeat = func(m kafka.Member) error {
		if m.ID == "m1" {
			return kafka.ErrRebalance
		}
		return nil
	}
	r := b.start()
	b.script.Numbers("out", 0, 10, 1, 3)
	b.exactly(10, 1)
	b.cluster.fence(transactionalID(simOffsetTopic, "c"))
	b.script.Numbers("out", 10, 20, 1, 3)
	b.until("the resignation", func() bool { return !r.leads.leading() })
	if b.count() != 10 {
		t.Errorf("%d records", b.count())
	}
	r.leads.won(newSimSession(t.Context(), 2))
	b.exactly(20, 1)
}

// The reader runs only where the connector is led; a session that is followed by another
// of the same node within the grace interrupts nothing.
func TestRule14ReadsOnlyWhileItLeads(t *testing.T) {
	b := newSourceBed(t)
	leads := newLeadership(time.Hour)
	r := b.startWith(leads)
	b.script.Numbers("out", 0, 10, 1, 3)
	if st := r.task.Status(); st.State != connector.StateRunning || st.Cause == "" {
		t.Errorf("%+v", st.Status)
	}
	one := newSimSession(t.Context(), 1)
	leads.won(one)
	b.exactly(10, 1)
	leads.left(one)
	leads.won(newSimSession(t.Context(), 2))
	b.script.Numbers("out", 10, 20, 1, 3)
	b.exactly(20, 1)
	if n := len(b.script.Starts()); n != 1 {
		t.Errorf("%d runs", n)
	}
	leads.denied()
	b.until("the end of the reader", func() bool { r.task.mu.Lock(); defer r.task.mu.Unlock(); return r.task.running == nil })
	b.script.Numbers("out", 20, 30, 1, 3)
	leads.won(newSimSession(t.Context(), 3))
	b.exactly(30, 1)
	if n := len(b.script.Starts()); n != 2 {
		t.Errorf("%d runs", n)
	}
}
