package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/kafka"
)

// steps of a Commit at which answers get lost, and what is known then.
func cutSteps() []string { return []string{kafka.TxnBegin, kafka.TxnProduce, kafka.TxnEnd} }

// Answers that are lost for a moment cost nothing: what was sent is sent again, and
// written once.
func testStreamCuts(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 2, nil)
	proxy := newTap(t, b.c.Bootstrap[0])
	at := ""
	s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, proxy.through(b.c), kafka.StreamOptions{
		TransactionalID: name, Timeout: 30 * time.Second, Compression: "lz4",
		Step: func(step string) error {
			if step == at {
				proxy.set(false, true)
				time.AfterFunc(150*time.Millisecond, func() { proxy.set(false, false) })
			}
			return nil
		},
	}))
	defer s.Close()
	batch := s.NewBatch()
	var want []string
	for round, step := range append(cutSteps(), cutSteps()...) {
		at = step
		// More than one request takes, so that some are under way when the answers end.
		for i := range 2000 {
			v := fmt.Sprintf("%d %d", round, i)
			for p := range int32(2) {
				batch.Append(kafka.TP{Topic: name, Partition: p}, nil, []byte(v), nil, 0)
			}
			want = append(want, v)
		}
		if err := s.Commit(ctx, batch); err != nil {
			t.Fatalf("%s: %v", step, err)
		}
		batch.Reset()
	}
	for p := range int32(2) {
		if got := values(b.visible(t, ctx, kafka.TP{Topic: name, Partition: p})); !slices.Equal(got, want) {
			t.Errorf("partition %d: %d records, want %d in order", p, len(got), len(want))
		}
	}
}

// Answers that never come again: only an EndTxn that was sent leaves doubt.
func testStreamSilence(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	var want []string
	for _, step := range cutSteps() {
		for _, mute := range []bool{false, true} {
			proxy := newTap(t, b.c.Bootstrap[0])
			commits := 0
			s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, proxy.through(b.c), kafka.StreamOptions{
				TransactionalID: name, Timeout: 30 * time.Second,
				Step: func(now string) error {
					if now == kafka.TxnBegin {
						commits++
					}
					if now == step && commits == 2 { // the first one connects
						proxy.set(mute, !mute)
					}
					return nil
				},
			}))
			batch := s.NewBatch()
			v := fmt.Sprint(step, mute)
			batch.Append(kafka.TP{Topic: name}, nil, []byte("first"), nil, 0)
			check(t, s.Commit(ctx, batch))
			batch.Reset()
			want = append(want, "first")
			batch.Append(kafka.TP{Topic: name}, nil, []byte(v), nil, 0)
			short, cancel := context.WithTimeout(ctx, 400*time.Millisecond)
			begin := time.Now()
			err := s.Commit(short, batch)
			cancel()
			if took := time.Since(begin); took > 3*time.Second {
				t.Errorf("%s: ended after %s", v, took)
			}
			if step == kafka.TxnEnd {
				wantErr(t, err, kafka.ErrUnanswered)
				want = append(want, v)
			} else if err == nil || errors.Is(err, kafka.ErrUnanswered) {
				t.Errorf("%s: %v", v, err)
			}
			s.Close()
			// The successor takes the same batch again where it is known that nothing happened.
			next := openStream(t, ctx, b.c, name, "none")
			if step != kafka.TxnEnd {
				check(t, next.Commit(ctx, batch))
				want = append(want, v)
			}
			next.Close()
		}
	}
	if got := values(b.visible(t, ctx, kafka.TP{Topic: name})); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// A Commit that is called off while batches are under way does not leave its
// transaction open for others to wait for.
func testStreamCalledOff(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	proxy := newTap(t, b.c.Bootstrap[0])
	commits := 0
	s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, proxy.through(b.c), kafka.StreamOptions{
		TransactionalID: name, Timeout: time.Minute,
		Step: func(now string) error {
			if now == kafka.TxnBegin {
				commits++
			}
			if now == kafka.TxnProduce && commits == 2 { // the first one connects
				proxy.set(false, true)
				time.AfterFunc(300*time.Millisecond, func() { proxy.set(false, false) })
			}
			return nil
		},
	}))
	defer s.Close()
	batch := s.NewBatch()
	batch.Append(kafka.TP{Topic: name}, nil, []byte("x"), nil, 0)
	check(t, s.Commit(ctx, batch))
	short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
	defer cancel()
	err := s.Commit(short, batch)
	if err == nil || errors.Is(err, kafka.ErrUnanswered) {
		t.Errorf("called off: %v", err)
	}
	soon, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if got := b.visible(t, soon, kafka.TP{Topic: name}); len(got) != 1 {
		t.Errorf("visible: %v", values(got))
	}
}

// Close ends a Commit that waits for brokers that do not answer.
func testStreamClose(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	for _, mute := range []bool{false, true} {
		proxy := newTap(t, b.c.Bootstrap[0])
		waits := make(chan struct{}, 10)
		s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, proxy.through(b.c), kafka.StreamOptions{
			TransactionalID: name, Timeout: time.Minute,
			Step: func(now string) error {
				if now == kafka.TxnProduce {
					proxy.set(mute, !mute)
					waits <- struct{}{}
				}
				return nil
			},
		}))
		batch := s.NewBatch()
		batch.Append(kafka.TP{Topic: name}, nil, []byte("x"), nil, 0)
		ended := make(chan error)
		go func() { ended <- s.Commit(ctx, batch) }()
		<-waits
		begin := time.Now()
		check(t, s.Close())
		if err := <-ended; err == nil {
			t.Error("committed")
		}
		if took := time.Since(begin); took > 5*time.Second {
			t.Errorf("ended after %s", took)
		}
	}
}

// A step that fails ends Commit as if the process had died there.
func testStreamSteps(t *testing.T, ctx context.Context, b *bed) {
	name := b.topic(t, ctx, 1, nil)
	mine := errors.New("died")
	var want []string
	for _, step := range []string{kafka.TxnBegin, kafka.TxnProduce, kafka.TxnProduced, kafka.TxnEnd, kafka.TxnEnded} {
		var seen []string
		s := must[*kafka.Stream](t)(kafka.OpenStream(ctx, b.c, kafka.StreamOptions{TransactionalID: name, Timeout: 30 * time.Second, Step: func(now string) error {
			if seen = append(seen, now); now == step {
				return mine
			}
			return nil
		}}))
		batch := s.NewBatch()
		batch.Append(kafka.TP{Topic: name}, nil, []byte(step), nil, 0)
		wantErr(t, s.Commit(ctx, batch), mine)
		if !s.Broken() || seen[len(seen)-1] != step {
			t.Errorf("%s: broken %v, steps %v", step, s.Broken(), seen)
		}
		s.Close()
		if step == kafka.TxnEnded {
			want = append(want, step)
		}
		openStream(t, ctx, b.c, name, "none").Close()
	}
	if got := values(b.visible(t, ctx, kafka.TP{Topic: name})); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// ledger commits numbered batches while something disturbs it, as a source task does:
// a partition of its own says which batch was the last, and after every error that is
// read before anything is sent again. In the end every record is there once, in order.
type ledger struct {
	b          *bed
	c          kafka.Cluster // what disturbs is in its way
	topic      string
	state      kafka.TP
	partitions int32
	patience   time.Duration // of a Commit; 0: a second or less

	batches  int // that were written
	want     [][]string
	reopened int
}

// run writes so many batches and compares everything. It may be called again.
func (l *ledger) run(t *testing.T, ctx context.Context, batches, records int) {
	t.Helper()
	if l.want == nil {
		l.want = make([][]string, l.partitions)
	}
	want := l.want
	var s *kafka.Stream
	defer func() {
		if s != nil {
			s.Close()
		}
	}()
	sent := must[*kafka.Stream](t)(kafka.OpenStream(ctx, l.b.c, kafka.StreamOptions{TransactionalID: l.topic, Timeout: 30 * time.Second, Compression: "lz4"}))
	must[int32](t)(sent.Partitions(ctx, l.topic)) // and what a batch may be
	sent.Close()
	batch := sent.NewBatch()
	for n := l.batches; n < l.batches+batches; n++ {
		batch.Reset()
		for i := range records {
			p := int32(rand.IntN(int(l.partitions)))
			v := fmt.Sprintf("%d/%d %s", n, i, strings.Repeat("z", rand.IntN(300)))
			batch.Append(kafka.TP{Topic: l.topic, Partition: p}, nil, []byte(v), nil, 0)
			want[p] = append(want[p], v)
		}
		batch.Append(l.state, nil, fmt.Append(nil, n), nil, 0)
		for {
			if s == nil {
				short, cancel := context.WithTimeout(ctx, max(l.patience, time.Second))
				var err error
				s, err = kafka.OpenStream(short, l.c, kafka.StreamOptions{TransactionalID: l.topic, Timeout: 30 * time.Second, Compression: "lz4"})
				cancel()
				if err != nil {
					if ctx.Err() != nil {
						t.Fatal(err)
					}
					continue
				}
				l.reopened++
				if got := l.b.visible(t, ctx, l.state); len(got) == n+1 {
					break // it was taken after all
				}
			}
			patience := l.patience
			if patience == 0 {
				patience = time.Duration(200+rand.IntN(1000)) * time.Millisecond
			}
			short, cancel := context.WithTimeout(ctx, patience)
			err := s.Commit(short, batch)
			cancel()
			if err == nil {
				break
			}
			if ctx.Err() != nil {
				t.Fatalf("batch %d: %v", n, err)
			}
			t.Logf("batch %d: %v", n, err)
			s.Close()
			s = nil
		}
	}
	l.batches += batches
	for p := range l.partitions {
		if got := values(l.b.visible(t, ctx, kafka.TP{Topic: l.topic, Partition: p})); !slices.Equal(got, want[p]) {
			t.Errorf("partition %d: %d records, want %d in order", p, len(got), len(want[p]))
		}
	}
	if got := l.b.visible(t, ctx, l.state); len(got) != l.batches {
		t.Errorf("%d states, want %d", len(got), l.batches)
	}
}

func testStreamLedger(t *testing.T, ctx context.Context, b *bed) {
	const partitions = 5
	name := b.topic(t, ctx, partitions+1, map[string]string{"max.message.bytes": "20000"})
	proxy := newTap(t, b.c.Bootstrap[0])
	stop := make(chan struct{})
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			for _, cut := range []bool{true, false} {
				pause := time.Duration(rand.IntN(150)) * time.Millisecond
				if !cut {
					pause *= 3
				}
				mute := rand.IntN(3) == 0
				proxy.set(cut && mute, cut && !mute)
				select {
				case <-time.After(pause):
				case <-stop:
					proxy.set(false, false)
					return
				}
			}
		}
	}()
	l := &ledger{b: b, c: proxy.through(b.c), topic: name, state: kafka.TP{Topic: name, Partition: partitions}, partitions: partitions}
	l.run(t, ctx, 25, 3000)
	close(stop)
	<-done
	t.Logf("opened %d times", l.reopened)
}
