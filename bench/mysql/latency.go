package main

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// How long is written before latency counts: before it counts for the first time as long as the broker's virtual
// machine takes to compile what small transactions need. Until then the p50 is half as long again.
const (
	firstWarmUp = 90 * time.Second
	warmUp      = 40 * time.Second
)

// times are when rows were committed and when their messages came.
type times struct {
	mu        sync.Mutex
	committed map[int64]time.Time
	arrived   map[int64]time.Time
}

// latency measures from a commit's answer to the message in a read_committed consumer, at a steady rate of transactions
// of one row.
func (b *bed) latency() {
	warm := firstWarmUp
	for _, partitions := range []int32{1, 6} {
		table := fmt.Sprintf("quick%d", partitions)
		b.createTable(table)
		b.sluice.Restart()
		c := b.connector(topicOf(table, partitions), prefixOf(partitions), table, partitions, "no_data")
		harness.Eventually(b.Main, time.Minute, "the connector has a position", func() (bool, string) { return len(c.SourcePositions()) > 0, "none" })
		t := &times{committed: map[int64]time.Time{}, arrived: map[int64]time.Time{}}
		stop := b.listen(topicOf(table, partitions), t)
		start := time.Now()
		b.commitSteadily(table, t, start, warm)
		harness.Eventually(b.Main, time.Minute, "every row has come", func() (bool, string) {
			t.mu.Lock()
			defer t.mu.Unlock()
			return len(t.arrived) >= len(t.committed), fmt.Sprintf("%d of %d", len(t.arrived), len(t.committed))
		})
		stop()
		c.Delete("")
		b.latencyTable(t, start.Add(warm), partitions)
		warm = warmUp
	}
}

func (b *bed) latencyTable(t *times, from time.Time, partitions int32) {
	var all []time.Duration
	for n, at := range t.committed {
		if at.After(from) {
			all = append(all, max(0, t.arrived[n].Sub(at)))
		}
	}
	slices.Sort(all)
	q := func(p float64) float64 { return all[min(len(all)-1, int(p*float64(len(all))))].Seconds() * 1e3 }
	fmt.Fprintf(b.out, "\nlatency from commit to consumer, %d transactions of one row in %d s (%.0f/s), %d partitions: p50 %.1f ms, p99 %.1f ms, max %.1f ms\n",
		len(all), b.seconds, float64(len(all))/float64(b.seconds), partitions, q(0.5), q(0.99), q(1))
}

// commitSteadily writes at the rate, over as many connections as fill has.
func (b *bed) commitSteadily(table string, t *times, start time.Time, warm time.Duration) {
	var done sync.WaitGroup
	every := time.Second * fillers / time.Duration(b.rate)
	end := start.Add(warm + time.Duration(b.seconds)*time.Second)
	for i := range fillers {
		done.Go(func() {
			conn, err := b.db.TryConnect(beds.Root, "")
			if err != nil {
				b.Fatalf("%v", err)
			}
			defer conn.Quit()
			due := start.Add(every * time.Duration(i) / fillers)
			for n := int64(i); due.Before(end); n += fillers {
				<-time.After(time.Until(due))
				due = due.Add(every)
				if err := insert(conn, table, n, n+1); err != nil {
					b.Fatalf("writing: %v", err)
				}
				now := time.Now()
				t.mu.Lock()
				t.committed[n] = now
				t.mu.Unlock()
			}
		})
	}
	done.Wait()
}

// listen notes when messages come, until the function that it returns is called.
func (b *bed) listen(topic string, t *times) (stop func()) {
	c := sarama.NewConfig()
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(b.Kafka.Brokers(), c)
	if err != nil {
		b.Fatalf("%v", err)
	}
	partitions, err := consumer.Partitions(topic)
	if err != nil {
		b.Fatalf("%v", err)
	}
	var claims []sarama.PartitionConsumer
	for _, partition := range partitions {
		claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			b.Fatalf("%v", err)
		}
		claims = append(claims, claim)
		go func() {
			for m := range claim.Messages() {
				now := time.Now()
				var key struct {
					ID int64 `json:"id"`
				}
				if json.Unmarshal(m.Key, &key) == nil {
					t.mu.Lock()
					t.arrived[key.ID] = now
					t.mu.Unlock()
				}
			}
		}()
	}
	return func() {
		for _, claim := range claims {
			_ = claim.Close() // what it might lose is of no interest any more
		}
		_ = consumer.Close()
	}
}
