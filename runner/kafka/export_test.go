package kafka

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/record"
)

// Begin does all of Write but the end of the transaction.
func (t *Txn) Begin(ctx context.Context, records []Out, m Member, positions map[TP]Committed) error {
	return t.fill(ctx, records, m, positions)
}

// End ends a transaction that Begin left open.
func (t *Txn) End(ctx context.Context, commit bool) error { return t.w.end(ctx, commit) }

// Client is the sarama client of o.
func (o *Offsets) Client() sarama.Client { return o.client }

// DeleteRecords removes the records below offset.
func (a *Admin) DeleteRecords(tp TP, offset int64) error {
	return a.ca.DeleteRecords(tp.Topic, map[int32]int64{tp.Partition: offset})
}

// ConsumeAll reads total records with a new group, through Claim.Next or (bare) by
// ranging over sarama's channel.
func ConsumeAll(t testing.TB, c Cluster, topic string, total int64, bare bool) {
	t.Helper()
	cons, err := NewConsumer(c, ConsumerOptions{Group: fmt.Sprint("bench-", time.Now().UnixNano()), Topics: []string{topic}})
	if err != nil {
		t.Fatal(err)
	}
	defer cons.Close(true)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	cons.RunSession(ctx, &reading{left: total, bare: bare, done: cancel})
}

type reading struct {
	mu   sync.Mutex
	left int64
	bare bool
	done func()
}

func (r *reading) Setup(Session) error   { return nil }
func (r *reading) Cleanup(Session) error { return nil }

func (r *reading) count(n int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.left -= n; r.left <= 0 {
		r.done()
	}
}

func (r *reading) Consume(s Session, c Claim) error {
	var n int64
	if r.bare {
		for m := range c.(*claim).ch {
			if len(m.Value) == 200 {
				n++
			}
			if n == 1000 || len(c.(*claim).ch) == 0 {
				r.count(n)
				n = 0
			}
		}
		return nil
	}
	var rec record.Record
	for {
		if err := c.Next(s.Context(), &rec, nil, nil); err != nil {
			return nil
		}
		if len(rec.Value) == 200 {
			n++
		}
		if n == 1000 || c.Buffered() == 0 {
			r.count(n)
			n = 0
		}
	}
}
