//go:build kafka

package runner_test

import (
	"context"
	"encoding/binary"
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// These need Apache Kafka: SLUICE_TEST_KAFKA names its bootstrap address.
func needsKafka(t *testing.T) {
	t.Helper()
	if realKafka() == "" {
		t.Skip("SLUICE_TEST_KAFKA is not set")
	}
}

// Aborted records never appear, and an idle partition behind them shows no lag.
func TestRule06AbortedTransactions(t *testing.T) {
	needsKafka(t)
	t.Parallel()
	b := newTaskBed(t, 1)
	r := b.start(runner.LookOften(100 * time.Millisecond))
	b.put(0, "a")
	for range 3 { // positions of a member that does not exist make the broker refuse the transaction
		txn, err := kafka.OpenTxn(b.ctx, b.cluster, "w-"+b.name, 10*time.Second)
		b.check(err)
		err = txn.Write(b.ctx, []kafka.Out{{Topic: b.topic, Value: []byte("aborted")}},
			kafka.Member{Group: "connect-" + b.name, ID: "nobody", Generation: 99}, map[kafka.TP]kafka.Committed{b.tp(0): {Offset: 99}})
		if err == nil {
			t.Fatal("a stale member's transaction was committed")
		}
		txn.Close()
	}
	b.until("caught up", func() bool { st := r.partition(0); return st.Lag == 0 && st.Position >= 7 && st.Position == st.End })
	r.stop(runner.ErrSuspend)
	b.start()
	b.put(0, "b")
	b.allDelivered()
}

// A transaction that a killed task left open does not keep its successor waiting: the
// successor's transactional producer ends it before the group is joined.
func TestRule12KilledInsideATransaction(t *testing.T) {
	needsKafka(t)
	t.Parallel()
	b := newTaskBed(t, 1)
	b.put(0, "a", runnertest.Poison, "b")
	cut := make(chan struct{})
	dial := cutAt(26, cut) // EndTxn: the transaction is filled and stays open
	r := b.start(func(o *runner.TaskOptions) { o.Cluster.Dial = dial })
	select {
	case <-cut:
	case <-time.After(30 * time.Second):
		t.Fatal("no transaction was to be ended")
	}
	r.stop(runner.ErrShutdown)
	began := time.Now()
	b.start()
	b.allDelivered()
	if took := time.Since(began); took > 8*time.Second { // the transaction's timeout is 10 s
		t.Errorf("the successor delivered after %s", took)
	}
	b.until("diverted", func() bool { return len(b.diverted()) == 1 })
}

// Two processes with one identity: every record once, and one of them gives up.
func TestRule02TwoProcessesWithOneIdentity(t *testing.T) {
	needsKafka(t)
	t.Parallel()
	b := newTaskBed(t, 2)
	one, two := b.start(), b.start()
	deadline := time.After(80 * time.Second)
	for i := 0; ; i++ {
		b.put(int32(i%2), numbered("x", i*10, i*10+10)...)
		select {
		case err := <-one.done:
			wantSeatLost(t, one, err)
		case err := <-two.done:
			wantSeatLost(t, two, err)
		case <-time.After(200 * time.Millisecond):
			continue
		case <-deadline:
			b.dump()
			t.Fatal("both go on")
		}
		b.allDelivered()
		return
	}
}

func wantSeatLost(t *testing.T, r *running, err error) {
	t.Helper()
	st := r.task.Status()
	if err == nil || st.State != connector.StateFailed || !strings.Contains(st.Remedy, "identity") {
		t.Errorf("ended with %v, status %+v", err, st.Status)
	}
}

// cutAt refuses to send requests of one API, and says so once.
func cutAt(key uint16, cut chan struct{}) func(ctx context.Context, network, address string) (net.Conn, error) {
	var once sync.Once
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := (&net.Dialer{}).DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &cutConn{Conn: c, key: key, hit: func() { once.Do(func() { close(cut) }) }}, nil
	}
}

type cutConn struct {
	net.Conn
	key uint16
	hit func()
}

func (c *cutConn) Write(p []byte) (int, error) {
	if len(p) > 6 && binary.BigEndian.Uint16(p[4:]) == c.key {
		c.hit()
		c.Conn.Close()
		return 0, errors.New("connection lost by the test")
	}
	return c.Conn.Write(p)
}
