package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/runner/kafka"
)

// key is the key of record n.
func key(n int64) []byte { return fmt.Appendf(nil, `{"id":%d}`, n) }

// writeStream fills one batch while the last one is committed, as a source does.
func writeStream(l load, values [][]byte) ([]float64, time.Duration, error) {
	ctx := context.Background()
	s, err := kafka.OpenStream(ctx, kafka.Cluster{Bootstrap: l.Brokers}, kafka.StreamOptions{
		TransactionalID: "stream-" + l.Topic, Timeout: 30 * time.Second, Compression: l.Compression,
	})
	if err != nil {
		return nil, 0, err
	}
	defer s.Close()
	if _, err := s.Partitions(ctx, l.Topic); err != nil {
		return nil, 0, err
	}
	free, full := make(chan *kafka.Batch, 2), make(chan *kafka.Batch)
	free <- s.NewBatch()
	free <- s.NewBatch()
	start := time.Now()
	go func() {
		defer close(full)
		for n := int64(0); n < l.Records; {
			b := <-free
			for range min(int64(l.Transaction), l.Records-n) {
				b.Append(kafka.TP{Topic: l.Topic, Partition: int32(n % int64(l.Partitions))}, key(n), values[n%int64(len(values))], nil, 0)
				b.Mark()
				n++
			}
			full <- b
		}
	}()
	var commits []float64
	for b := range full {
		begin := time.Now()
		if err := s.Commit(ctx, b); err != nil {
			return nil, 0, err
		}
		commits = append(commits, time.Since(begin).Seconds()*1e3)
		b.Reset()
		free <- b
	}
	return commits, time.Since(start), nil
}

// writeLibrary does the same with the library's producer, with short pauses while the coordinator is busy.
func writeLibrary(l load, values [][]byte) ([]float64, time.Duration, error) {
	c := sarama.NewConfig()
	c.Version = sarama.MaxVersion
	if err := c.Producer.Compression.UnmarshalText([]byte(l.Compression)); err != nil {
		return nil, 0, err
	}
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	c.Producer.Return.Successes, c.Producer.Return.Errors = false, true
	c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = 512<<10, 5*time.Millisecond
	if l.Transaction <= l.Partitions {
		c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = 0, 0
	}
	c.Producer.Transaction.ID, c.Producer.Transaction.Timeout = "library-"+l.Topic, 30*time.Second
	c.Producer.Transaction.Retry.Max = 600
	c.Producer.Transaction.Retry.BackoffFunc = func(done, _ int) time.Duration {
		if done < 20 {
			return 500 * time.Microsecond << min(done, 2)
		}
		return 100 * time.Millisecond
	}
	p, err := sarama.NewAsyncProducer(l.Brokers, c)
	if err != nil {
		return nil, 0, err
	}
	failed := make(chan error)
	go func() {
		var err error
		for e := range p.Errors() {
			err = e.Err
		}
		failed <- err
	}()
	var commits []float64
	start := time.Now()
	for n := int64(0); n < l.Records; {
		begin := time.Now()
		if err := p.BeginTxn(); err != nil {
			return nil, 0, err
		}
		for range min(int64(l.Transaction), l.Records-n) {
			p.Input() <- &sarama.ProducerMessage{
				Topic: l.Topic, Partition: int32(n % int64(l.Partitions)),
				Key: sarama.ByteEncoder(key(n)), Value: sarama.ByteEncoder(values[n%int64(len(values))]),
			}
			n++
		}
		if err := p.CommitTxn(); err != nil {
			return nil, 0, err
		}
		commits = append(commits, time.Since(begin).Seconds()*1e3)
	}
	took := time.Since(start)
	return commits, took, errors.Join(p.Close(), <-failed)
}
