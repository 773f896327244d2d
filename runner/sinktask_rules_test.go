package runner_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// No client makes a deleted topic again, and the task says that it is gone.
func TestRule01DeletedTopicStaysDeleted(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	r := b.start(runner.LookOften(100 * time.Millisecond))
	b.put(0, numbered("a", 0, 10)...)
	b.allDelivered()
	b.check(b.admin.DeleteTopics(b.ctx, b.topic))
	b.until("the task is failed", func() bool { return r.task.Status().State == connector.StateFailed })
	st := r.task.Status()
	if !strings.Contains(st.Cause, "is gone") || st.Remedy == "" {
		t.Errorf("status %+v", st.Status)
	}
	if _, err := b.admin.Topic(b.ctx, b.topic); !errors.Is(err, kafka.ErrNoTopic) {
		t.Errorf("the topic is there again: %v", err)
	}
}

// A partition that stops does not stop the others, and a claim that begins elsewhere
// than at our position is a gap, never a silent reset.
func TestRule02PartitionParksAlone(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 2)
	b.given[connector.KeyTolerance] = connector.ToleranceFail
	b.put(0, "a0", "a1", runnertest.Poison, "never")
	b.wrote = b.wrote[:2]
	b.put(1, numbered("b", 0, 25)...)
	r := b.start()
	st := r.untilState(0, connector.StateFailed)
	if st.Position != 2 || !strings.Contains(st.Cause, "Offset 2") {
		t.Errorf("stopped at %+v", st)
	}
	b.allDelivered()
	b.put(1, numbered("c", 0, 25)...)
	b.allDelivered()
	if got := r.task.Status().State; got != connector.StateDegraded {
		t.Errorf("task is %s", got)
	}
	r.task.Retry()
	b.until("tried again", func() bool { return strings.Count(strings.Join(b.logLines(), "\n"), "The partition is stopped") == 2 })
}

func TestRule02PositionBeyondTheLogIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 5)...)
	b.commit(0, 50, nil)
	r := b.start()
	st := r.untilState(0, connector.StateGap)
	if b.dest.Count() != 0 || len(st.Choices) != 4 || !strings.Contains(st.Lost, "truncated") {
		t.Errorf("%+v", st)
	}
}

// lossyDial loses the answer to the nth OffsetCommit (API key 8) that is dialled through it.
func lossyDial(nth int64) (func(ctx context.Context, network, address string) (net.Conn, error), *atomic.Int64) {
	var seen atomic.Int64
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &lossyConn{Conn: c, seen: &seen, nth: nth}, nil
	}, &seen
}

type lossyConn struct {
	net.Conn
	seen *atomic.Int64
	nth  int64
	lose atomic.Bool
}

func (c *lossyConn) Write(p []byte) (int, error) {
	if len(p) > 6 && binary.BigEndian.Uint16(p[4:]) == 8 && c.seen.Add(1) == c.nth {
		c.lose.Store(true)
	}
	return c.Conn.Write(p)
}

func (c *lossyConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if c.lose.Load() {
		c.Conn.Close()
		return 0, errors.New("connection lost by the test")
	}
	return n, err
}

// A commit without an answer is not sent again: the task joins anew, as a new member.
func TestRule03UnansweredCommit(t *testing.T) {
	t.Parallel()
	for nth := int64(1); nth <= 4; nth++ {
		t.Run(fmt.Sprint(nth), func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			dial, seen := lossyDial(nth)
			var joins, setups atomic.Int64
			b.put(0, numbered("a", 0, 45)...)
			b.start(func(o *runner.TaskOptions) {
				o.Cluster.Dial = dial
				o.Faults = func(step, _ string, _ int32) error {
					switch step {
					case "join":
						joins.Add(1)
					case "setup":
						setups.Add(1)
					}
					return nil
				}
			})
			b.allDelivered()
			b.put(0, numbered("b", 0, 5)...)
			b.allDelivered()
			if joins.Load() < 2 || seen.Load() < nth {
				t.Errorf("%d joins after %d commits", joins.Load(), seen.Load())
			}
			if setups.Load() > joins.Load() { // each generation is a new member's
				t.Errorf("%d generations of %d members", setups.Load(), joins.Load())
			}
		})
	}
}

// A partition that is added starts at its beginning; a position that is missing or
// went back where there once was one is a gap.
func TestRule04AddedPartitionStartsAtItsBeginning(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.delivered = true
	r := b.start(runner.LookOften(200 * time.Millisecond))
	b.put(0, numbered("a", 0, 5)...)
	b.allDelivered()
	b.check(b.admin.AddPartitions(b.ctx, b.topic, 2))
	b.until("the partition can be written", func() bool {
		return b.prod.SendAll(b.ctx, []kafka.Out{{Topic: b.topic, Partition: 1, Value: []byte("first")}}) == nil
	})
	b.wrote = append(b.wrote, "first")
	b.allDelivered()
	if st := r.partition(1); st.State != connector.StateRunning {
		t.Errorf("%+v", st)
	}
}

// A static member that comes back keeps the old assignment: partitions that were added
// meanwhile must be noticed all the same.
func TestRule04PartitionsAddedWhileDown(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	r := b.start()
	b.put(0, numbered("a", 0, 5)...)
	b.allDelivered()
	r.stop(runner.ErrShutdown)
	b.check(b.admin.AddPartitions(b.ctx, b.topic, 2))
	b.until("the partition can be written", func() bool {
		return b.prod.SendAll(b.ctx, []kafka.Out{{Topic: b.topic, Partition: 1, Value: []byte("first")}}) == nil
	})
	b.wrote = append(b.wrote, "first")
	b.start(runner.LookOften(100 * time.Millisecond))
	b.allDelivered()
}

func TestRule04MissingPositionIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 20)...)
	r := b.start()
	b.allDelivered()
	b.until("committed", func() bool { return b.position(0).Offset == 20 })
	r.stop(runner.ErrSuspend)
	b.until("removed", func() bool {
		return b.offsets.Delete(b.ctx, "connect-"+b.name, []kafka.TP{b.tp(0)}) == nil && b.position(0).Offset < 0
	})
	r = b.start()
	st := r.untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "missing; it was last seen at 20") {
		t.Errorf("lost %q", st.Lost)
	}
	b.check(r.task.Choose(b.ctx, b.tp(0), "position", 20))
	b.put(0, numbered("b", 0, 5)...)
	b.allDelivered()
}

func TestRule04PositionThatWentBackIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 20)...)
	r := b.start()
	b.allDelivered()
	b.until("committed", func() bool { return b.position(0).Offset == 20 })
	r.stop(runner.ErrSuspend)
	b.commit(0, 7, nil)
	r = b.start()
	st := r.untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "went back from 20 to 7") {
		t.Errorf("lost %q", st.Lost)
	}
	if err := r.task.Choose(b.ctx, b.tp(0), "position", 21); err == nil {
		t.Error("an offset beyond the end was taken")
	}
	var fe connector.FieldError
	if err := r.task.Choose(b.ctx, b.tp(0), "redo", 0); !errors.As(err, &fe) || fe.Field != "choice" {
		t.Errorf("a choice that is not offered: %v", err)
	}
	b.check(r.task.Choose(b.ctx, b.tp(0), "stay", 0))
	b.check(r.task.Choose(b.ctx, b.tp(0), "end", 0))
	b.put(0, numbered("b", 0, 5)...)
	b.allDelivered()
	// An operator's own change has another epoch and is no gap.
	b.until("committed", func() bool { return b.position(0).Offset == 25 })
	r.stop(runner.ErrSuspend)
	b.epoch = "e2"
	b.commit(0, 20, nil)
	r = b.start()
	b.until("gone on", func() bool { return r.partition(0).Position == 25 })
}

// Position and log must belong together: topic UUID, last record, our own metadata.
func TestRule05TopicMadeAgainIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 20)...)
	r := b.start()
	b.allDelivered()
	b.until("committed", func() bool { return b.position(0).Offset == 20 })
	r.stop(runner.ErrSuspend)
	b.check(b.admin.DeleteTopics(b.ctx, b.topic))
	b.until("made again", func() bool {
		_, err := b.admin.CreateTopic(b.ctx, kafka.TopicSpec{Name: b.topic, Partitions: 1})
		return err == nil
	})
	if b.position(0).Offset < 0 { // this broker removes a deleted topic's positions
		b.useMirror = true
	}
	prod, err := kafka.OpenProducer(b.ctx, b.cluster) // the other one counts on in the old topic
	b.check(err)
	_ = b.prod.Close()
	b.prod = prod
	b.put(0, numbered("n", 0, 30)...)
	r = b.start()
	st := r.untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "made again") && !strings.Contains(st.Lost, "missing") {
		t.Errorf("lost %q", st.Lost)
	}
	b.wrote = b.wrote[:20]
	b.check(r.task.Choose(b.ctx, b.tp(0), "end", 0))
	b.put(0, numbered("m", 0, 30)...)
	b.allDelivered()
}

func TestRule05TopicMadeAgainWhileRunning(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	r := b.start(runner.LookOften(100 * time.Millisecond))
	b.put(0, numbered("a", 0, 20)...)
	b.allDelivered()
	b.check(b.admin.DeleteTopics(b.ctx, b.topic))
	b.until("made again", func() bool {
		_, err := b.admin.CreateTopic(b.ctx, kafka.TopicSpec{Name: b.topic, Partitions: 1})
		return err == nil
	})
	r.untilState(0, connector.StateGap)
}

func TestRule05AnotherLastRecordIsAGap(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, numbered("a", 0, 10)...)
	top, err := b.admin.Topic(b.ctx, b.topic)
	b.check(err)
	text := fmt.Sprintf(`{"sluice":1,"topic":%q,"epoch":"e1","config":"x","encoder":1,"last":{"offset":4,"time":1,"crc":7}}`, top.ID)
	b.check(b.offsets.Commit(b.ctx, kafka.Member{Group: "connect-" + b.name}, map[kafka.TP]kafka.Committed{b.tp(0): {Offset: 5, Metadata: text}}))
	st := b.start().untilState(0, connector.StateGap)
	if !strings.Contains(st.Lost, "another record") || b.dest.Count() != 0 {
		t.Errorf("lost %q", st.Lost)
	}
}

func TestRule05ForeignMetadataIsAGap(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "hello", `{"a":1}`, `{"sluice":99}`, `{"sluice":1,"intent":{"first":5,"next":2}}`} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			b := newTaskBed(t, 1)
			b.put(0, numbered("a", 0, 10)...)
			b.check(b.offsets.Commit(b.ctx, kafka.Member{Group: "connect-" + b.name}, map[kafka.TP]kafka.Committed{b.tp(0): {Offset: 5, Metadata: text}}))
			st := b.start().untilState(0, connector.StateGap)
			if !strings.Contains(st.Lost, "something else than Sluice") || b.dest.Count() != 0 {
				t.Errorf("lost %q", st.Lost)
			}
		})
	}
}

// The position moves over control batches, so that an idle partition shows no lag.
func TestRule06CaughtUpOverControlBatches(t *testing.T) {
	t.Parallel()
	b := newTaskBed(t, 1)
	txn, err := kafka.OpenTxn(b.ctx, b.cluster, "w-"+b.name, 10*time.Second)
	b.check(err)
	defer txn.Close()
	b.check(txn.Write(b.ctx, []kafka.Out{{Topic: b.topic, Value: []byte("t1")}, {Topic: b.topic, Value: []byte("t2")}}, kafka.Member{}, nil))
	b.wrote = append(b.wrote, "t1", "t2")
	r := b.start(runner.LookOften(100 * time.Millisecond))
	b.allDelivered()
	b.until("no lag", func() bool { st := r.partition(0); return st.Position == 3 && st.Lag == 0 && st.End == 3 })
	r.stop(runner.ErrSuspend)
	r = b.start()
	b.until("goes on", func() bool { return r.partition(0).Position == 3 })
	b.put(0, "after")
	b.allDelivered()
}
