package kit

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Topic is what is read; ConsumeRole is the argument that makes a benchmark's program the bare consumer.
const (
	Topic       = "bench"
	ConsumeRole = "consume"
)

// ValueMaker answers what makes the value of record n. Values differ, so that compression does not see
// one record five million times.
func ValueMaker(kind string, size int) (func(n int64) []byte, error) {
	formats := map[string]string{
		"log":   `10.%d.7.%d - - [01/Jan/2026:00:00:00 +0800] "GET /orders/%d?page=2 HTTP/1.1" 200 5120 "-" "Mozilla/5.0 (X11; Linux x86_64) bench" `,
		"json":  `{"region":%d,"store":%d,"order":%d,"customer":"c","currency":"CNY","state":"paid","items":[{"sku":"s","count":1}],"note":"`,
		"plain": `region %d store %d order %d `,
	}
	format, ok := formats[kind]
	if !ok {
		return nil, fmt.Errorf("-value %q: use log, json or plain", kind)
	}
	padding := strings.Repeat("abcdefghijklmnopqrstuvwxyz0123456789", size/36+1)
	return func(n int64) []byte {
		b := fmt.Appendf(make([]byte, 0, size+64), format, n%251, n%239, n)
		b = append(b, padding...)[:size]
		if kind == "json" && size > 2 {
			copy(b[size-2:], `"}`)
		}
		return b
	}, nil
}

// fill writes the records, round robin, all with one timestamp so that they belong to one path.
func fill(brokers []string, o Options) error {
	value, err := ValueMaker(o.Value, o.Bytes)
	if err != nil {
		return err
	}
	c := sarama.NewConfig()
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Return.Successes, c.Producer.Return.Errors = false, true
	c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = 256<<10, 20*time.Millisecond
	producer, err := sarama.NewAsyncProducer(brokers, c)
	if err != nil {
		return fmt.Errorf("making a producer: %w", err)
	}
	var failure error
	var wait sync.WaitGroup
	wait.Go(func() {
		for e := range producer.Errors() {
			failure = e.Err
		}
	})
	now := time.Now()
	for n := range o.Records {
		producer.Input() <- &sarama.ProducerMessage{
			Topic: Topic, Partition: int32(n % int64(o.Partitions)), Value: sarama.ByteEncoder(value(n)), Timestamp: now,
		}
	}
	producer.AsyncClose()
	wait.Wait()
	return failure
}

// Measured is what a role in a process of its own tells of itself, as JSON.
type Measured struct {
	First, Seconds, CPU float64
	Peak                int64
}

// Bare runs the bare consumer.
func (b *Bed) Bare(name string) Result {
	m := b.Play(ConsumeRole, "-brokers", strings.Join(b.Kafka.Brokers(), ","), "-records", fmt.Sprint(b.Options.Records))
	return Result{Name: name, Records: b.Options.Records, First: m.First, Seconds: m.Seconds, CPU: m.CPU, Peak: m.Peak}
}

// Play runs this program in a role, in a process of its own as Sluice is.
func (b *Bed) Play(role string, args ...string) Measured {
	self, err := os.Executable()
	if err != nil {
		b.Fatalf("finding this program: %v", err)
	}
	cmd := exec.Command(self, append([]string{role}, args...)...)
	cmd.Stderr = os.Stderr
	text, err := cmd.Output()
	if err != nil {
		b.Fatalf("running %s: %v", role, err)
	}
	var m Measured
	if err := json.Unmarshal(text, &m); err != nil {
		b.Fatalf("reading the figures of %s: %v", role, err)
	}
	return m
}

// Consume is the bare consumer: a group consumer with the library's default settings that counts.
func Consume(args []string, out io.Writer) error {
	flags := flag.NewFlagSet(ConsumeRole, flag.ContinueOnError)
	brokers := flags.String("brokers", "", "bootstrap servers")
	records := flags.Int64("records", 0, "how many to read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	c := sarama.NewConfig()
	c.Consumer.Offsets.Initial = sarama.OffsetOldest
	c.Consumer.Offsets.AutoCommit.Enable = false
	group, err := sarama.NewConsumerGroup(strings.Split(*brokers, ","), fmt.Sprintf("bare-%d", time.Now().UnixNano()), c)
	if err != nil {
		return fmt.Errorf("joining: %w", err)
	}
	defer group.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Minute)
	defer cancel()
	counter := &counter{want: *records, done: cancel}
	if err := group.Consume(ctx, []string{Topic}, counter); err != nil && ctx.Err() == nil {
		return fmt.Errorf("consuming: %w", err)
	}
	if counter.count.Load() < *records {
		return errors.New("did not read everything in 10 minutes")
	}
	m := Measured{First: counter.start.Sub(counter.joined).Seconds(), Seconds: counter.end.Sub(counter.start).Seconds()}
	if m.CPU, err = harness.CPUSeconds(os.Getpid()); err != nil {
		return err
	}
	m.CPU -= counter.cpuBefore
	if m.Peak, err = harness.PeakMemory(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(m)
}

// counter counts records and notes when the first session began, and the first and the last record came.
type counter struct {
	want      int64
	count     atomic.Int64
	once      sync.Once
	joined    time.Time
	start     time.Time
	end       time.Time
	cpuBefore float64
	done      func()
}

// Setup notes when the group was joined.
func (c *counter) Setup(sarama.ConsumerGroupSession) error {
	var err error
	c.once.Do(func() {
		c.joined = time.Now()
		c.cpuBefore, err = harness.CPUSeconds(os.Getpid())
	})
	return err
}

// Cleanup does nothing.
func (c *counter) Cleanup(sarama.ConsumerGroupSession) error { return nil }

// ConsumeClaim counts; the clock runs from the first record of all to the last.
func (c *counter) ConsumeClaim(s sarama.ConsumerGroupSession, claim sarama.ConsumerGroupClaim) error {
	for range claim.Messages() {
		switch c.count.Add(1) {
		case 1:
			c.start = time.Now()
		case c.want:
			c.end = time.Now()
			c.done()
		}
	}
	return nil
}
