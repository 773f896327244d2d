package harness

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// producerConfig makes an idempotent producer that sends to the partition it is told.
func producerConfig() *sarama.Config {
	c := clientConfig()
	c.Producer.Idempotent, c.Net.MaxOpenRequests = true, 1
	c.Producer.RequiredAcks = sarama.WaitForAll
	c.Producer.Return.Successes, c.Producer.Return.Errors = true, true
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Retry.Max, c.Producer.Retry.Backoff = 60, 250*time.Millisecond
	c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = 512<<10, 5*time.Millisecond
	c.Producer.Compression = sarama.CompressionLZ4
	return c
}

// Numbers says which numbered records to produce.
type Numbers struct {
	Topic      string
	Partitions int32 // number n goes to partition n modulo Partitions
	From, To   int64 // [From, To)
	Bytes      int   // size to which values are padded; 0: as short as they are
	PerSecond  int   // rate limit; 0: as fast as possible
	Time       func(n int64) time.Time
}

// Produce writes numbered records and enters each into the ledger with the offset that Kafka gave it.
func (k *Kafka) Produce(ledger *Ledger, what Numbers) {
	k.t.Helper()
	if err := k.TryProduce(context.Background(), ledger, what); err != nil {
		k.t.Fatalf("producing to %s: %v", what.Topic, err)
	}
}

// TryProduce is Produce for a goroutine of its own; it ends early, without an error, when ctx ends.
func (k *Kafka) TryProduce(ctx context.Context, ledger *Ledger, what Numbers) error {
	producer, err := sarama.NewAsyncProducer(k.Brokers(), producerConfig())
	if err != nil {
		return fmt.Errorf("making a producer: %w", err)
	}
	var failure error
	var wait, unanswered sync.WaitGroup
	wait.Go(func() {
		for m := range producer.Successes() {
			ledger.enter(m.Metadata.(int64), m.Topic, m.Partition, m.Offset)
			unanswered.Done()
		}
	})
	wait.Go(func() {
		for e := range producer.Errors() {
			if failure == nil { // the first says what is wrong
				failure = e.Err
			}
			unanswered.Done()
		}
	})
	start := time.Now()
	for n := what.From; n < what.To && ctx.Err() == nil; n++ {
		if what.PerSecond > 0 {
			due := start.Add(time.Duration(n-what.From) * time.Second / time.Duration(what.PerSecond))
			if ahead := time.Until(due); ahead > 10*time.Millisecond {
				Pause(ahead)
			}
		}
		unanswered.Add(1)
		producer.Input() <- what.message(n)
	}
	unanswered.Wait() // a producer that is being closed gives up what it would still try again
	producer.AsyncClose()
	wait.Wait()
	return failure
}

func (what Numbers) message(n int64) *sarama.ProducerMessage {
	m := &sarama.ProducerMessage{
		Topic: what.Topic, Partition: int32(n % int64(what.Partitions)), Metadata: n,
		Key: sarama.StringEncoder(fmt.Sprintf("k%d", n)), Value: sarama.ByteEncoder(numberedValue(n, what.Bytes)),
	}
	if what.Time != nil {
		m.Timestamp = what.Time(n)
	}
	return m
}

// ProduceTransaction writes numbered records in one transaction and ends it. Records of an aborted
// transaction are not entered into the ledger: they must never appear.
func (k *Kafka) ProduceTransaction(ledger *Ledger, what Numbers, commit bool) {
	k.t.Helper()
	c := producerConfig()
	c.Producer.Transaction.ID = "e2e-" + what.Topic
	producer, err := sarama.NewSyncProducer(k.Brokers(), c)
	if err != nil {
		k.t.Fatalf("making a transactional producer: %v", err)
	}
	defer producer.Close()
	var messages []*sarama.ProducerMessage
	for n := what.From; n < what.To; n++ {
		messages = append(messages, what.message(n))
	}
	if err := producer.BeginTxn(); err != nil {
		k.t.Fatalf("beginning a transaction: %v", err)
	}
	if err := producer.SendMessages(messages); err != nil {
		k.t.Fatalf("producing in a transaction: %v", err)
	}
	end := producer.CommitTxn
	if !commit {
		end = producer.AbortTxn
	}
	if err := end(); err != nil {
		k.t.Fatalf("ending a transaction (commit %v): %v", commit, err)
	}
	if commit {
		for _, m := range messages {
			ledger.enter(m.Metadata.(int64), m.Topic, m.Partition, m.Offset)
		}
	}
}

// Send writes one record and returns its offset.
func (k *Kafka) Send(topic string, partition int32, key, value []byte) int64 {
	k.t.Helper()
	c := producerConfig()
	c.Producer.Retry.Max = 3
	producer, err := sarama.NewSyncProducer(k.Brokers(), c)
	if err != nil {
		k.t.Fatalf("making a producer: %v", err)
	}
	defer producer.Close()
	m := &sarama.ProducerMessage{Topic: topic, Partition: partition}
	if key != nil {
		m.Key = sarama.ByteEncoder(key)
	}
	if value != nil {
		m.Value = sarama.ByteEncoder(value)
	}
	_, offset, err := producer.SendMessage(m)
	if err != nil {
		k.t.Fatalf("sending a record to %s: %v", topic, err)
	}
	return offset
}

// ReadAll reads the committed records of a topic. A partition is at its end when nothing came for a
// second: transaction markers take offsets, so the high-water mark need not be reached by a record.
func (k *Kafka) ReadAll(topic string) []*sarama.ConsumerMessage {
	k.t.Helper()
	var all []*sarama.ConsumerMessage
	for partition := range k.Ends(topic) {
		all = append(all, k.readPartition(topic, partition)...)
	}
	return all
}

// readPartition is ReadAll of one partition.
func (k *Kafka) readPartition(topic string, partition int32) []*sarama.ConsumerMessage {
	k.t.Helper()
	end := k.Ends(topic)[partition]
	if k.Beginnings(topic)[partition] == end {
		return nil
	}
	c := clientConfig()
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(k.Brokers(), c)
	if err != nil {
		k.t.Fatalf("reading %s: %v", topic, err)
	}
	defer consumer.Close()
	claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	if err != nil {
		k.t.Fatalf("reading %s: %v", topic, err)
	}
	defer claim.AsyncClose()
	var all []*sarama.ConsumerMessage
	for {
		select {
		case m := <-claim.Messages():
			all = append(all, m)
			if m.Offset+1 >= end {
				return all
			}
		case <-time.After(time.Second):
			return all
		}
	}
}
