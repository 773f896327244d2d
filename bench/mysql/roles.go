package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/IBM/sarama"
	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// The arguments that make this program one of the bounds.
const (
	drainRole   = "drain"
	selectRole  = "select"
	produceRole = "produce"
)

// roleArgs are what the roles are told.
type roleArgs struct {
	host                 string
	port                 int
	rows                 int64
	flavor               string
	file, endFile        string
	pos, endPos          uint
	decode               bool
	brokers, topic       string
	partitions, transact int
}

func parseRole(role string, args []string) (roleArgs, error) {
	var a roleArgs
	flags := flag.NewFlagSet(role, flag.ContinueOnError)
	flags.StringVar(&a.host, "host", "", "of the database")
	flags.IntVar(&a.port, "port", 0, "of the database")
	flags.Int64Var(&a.rows, "rows", 0, "how many")
	flags.StringVar(&a.flavor, "flavor", "", "mysql or mariadb")
	flags.StringVar(&a.file, "file", "", "binary log to begin with")
	flags.UintVar(&a.pos, "pos", 4, "where to begin in it")
	flags.StringVar(&a.endFile, "end-file", "", "binary log to end with")
	flags.UintVar(&a.endPos, "end-pos", 0, "where to end in it")
	flags.BoolVar(&a.decode, "decode", false, "let the library decode rows")
	flags.StringVar(&a.brokers, "brokers", "", "bootstrap servers")
	flags.StringVar(&a.topic, "topic", "", "whose messages are written again")
	flags.IntVar(&a.partitions, "partitions", 1, "of the topic that is written")
	flags.IntVar(&a.transact, "transaction", 12<<20, "bytes in a transaction")
	return a, flags.Parse(args)
}

// tell writes what a role measured.
func tell(out io.Writer, took time.Duration) (err error) {
	m := kit.Measured{Seconds: took.Seconds()}
	if m.CPU, err = harness.CPUSeconds(os.Getpid()); err != nil {
		return err
	}
	if m.Peak, err = harness.PeakMemory(os.Getpid()); err != nil {
		return err
	}
	return json.NewEncoder(out).Encode(m)
}

// drain reads the binary log with the library and does nothing with it.
func drain(args []string, out io.Writer) error {
	a, err := parseRole(drainRole, args)
	if err != nil {
		return err
	}
	cfg := replication.BinlogSyncerConfig{ServerID: 4711, Flavor: a.flavor, Host: a.host, Port: uint16(a.port), User: user, Password: password,
		DisableRetrySync: true, EventCacheCount: 256, Logger: slog.New(slog.DiscardHandler)}
	if !a.decode {
		cfg.RowsEventDecodeFunc = func(*replication.RowsEvent, []byte) error { return nil }
	}
	syncer := replication.NewBinlogSyncer(cfg)
	defer syncer.Close()
	stream, err := syncer.StartSync(mysql.Position{Name: a.file, Pos: uint32(a.pos)})
	if err != nil {
		return err
	}
	start, file := time.Now(), a.file
	for {
		e, err := stream.GetEvent(context.Background())
		if err != nil {
			return err
		}
		if r, ok := e.Event.(*replication.RotateEvent); ok {
			file = string(r.NextLogName)
		}
		if file == a.endFile && e.Header.LogPos >= uint32(a.endPos) {
			return tell(out, time.Since(start))
		}
	}
}

// streamSelect reads the rows and counts them.
func streamSelect(args []string, out io.Writer) error {
	a, err := parseRole(selectRole, args)
	if err != nil {
		return err
	}
	conn, err := client.Connect(fmt.Sprintf("%s:%d", a.host, a.port), user, password, database)
	if err != nil {
		return err
	}
	defer conn.Quit()
	var result mysql.Result
	n, start := int64(0), time.Now()
	err = conn.ExecuteSelectStreaming("SELECT * FROM wide", &result, func([]mysql.FieldValue) error { n++; return nil }, nil)
	if err == nil && n != a.rows {
		err = fmt.Errorf("%d rows, want %d", n, a.rows)
	}
	if err != nil {
		return err
	}
	return tell(out, time.Since(start))
}

// sampled is how many messages of the topic are written over and over again.
const sampled = 50_000

// produce writes messages as they are in a topic to another one, in transactions, with the library's producer.
func produce(args []string, out io.Writer) error {
	a, err := parseRole(produceRole, args)
	if err != nil {
		return err
	}
	brokers := strings.Split(a.brokers, ",")
	sample, err := readSample(brokers, a.topic, int(min(a.rows, sampled)))
	if err != nil {
		return fmt.Errorf("reading %s: %w", a.topic, err)
	}
	topic := "bare-" + a.topic
	if err := makeTopic(brokers, topic, int32(a.partitions)); err != nil {
		return err
	}
	p, err := sarama.NewAsyncProducer(brokers, producerConfig(topic))
	if err != nil {
		return err
	}
	defer p.Close()
	failed := make(chan error, 1)
	go func() {
		for e := range p.Errors() {
			select {
			case failed <- e:
			default:
			}
		}
	}()
	start := time.Now()
	for n := int64(0); n < a.rows; {
		if err := p.BeginTxn(); err != nil {
			return err
		}
		for size := 0; size < a.transact && n < a.rows; n++ {
			m := sample[n%int64(len(sample))]
			size += len(m.Value)
			p.Input() <- &sarama.ProducerMessage{Topic: topic, Partition: int32(n % int64(a.partitions)), Key: sarama.ByteEncoder(m.Key), Value: sarama.ByteEncoder(m.Value)}
		}
		if err := p.CommitTxn(); err != nil {
			return err
		}
		select {
		case err := <-failed:
			return err
		default:
		}
	}
	return tell(out, time.Since(start))
}

// producerConfig is the library's producer, tuned: lz4 as Sluice's default, large batches, short pauses between
// transactions.
func producerConfig(id string) *sarama.Config {
	c := sarama.NewConfig()
	c.Version = sarama.V3_6_0_0
	c.Producer.Partitioner = sarama.NewManualPartitioner
	c.Producer.Compression = sarama.CompressionLZ4
	c.Producer.Idempotent, c.Producer.RequiredAcks, c.Net.MaxOpenRequests = true, sarama.WaitForAll, 1
	c.Producer.Return.Successes, c.Producer.Return.Errors = false, true
	c.Producer.Flush.Bytes, c.Producer.Flush.Frequency = 512<<10, 5*time.Millisecond
	c.Producer.Transaction.ID, c.Producer.Transaction.Timeout = id, 30*time.Second
	c.Producer.Transaction.Retry.Max = 600
	c.Producer.Transaction.Retry.BackoffFunc = func(done, _ int) time.Duration {
		if done < 20 {
			return 500 * time.Microsecond << min(done, 2)
		}
		return 100 * time.Millisecond
	}
	return c
}

func makeTopic(brokers []string, topic string, partitions int32) error {
	admin, err := sarama.NewClusterAdmin(brokers, nil)
	if err != nil {
		return err
	}
	defer admin.Close()
	return admin.CreateTopic(topic, &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: 1}, false)
}

// readSample reads messages from the beginning of a topic's partitions.
func readSample(brokers []string, topic string, want int) ([]*sarama.ConsumerMessage, error) {
	c := sarama.NewConfig()
	c.Consumer.IsolationLevel = sarama.ReadCommitted
	consumer, err := sarama.NewConsumer(brokers, c)
	if err != nil {
		return nil, err
	}
	defer consumer.Close()
	partitions, err := consumer.Partitions(topic)
	if err != nil {
		return nil, err
	}
	var out []*sarama.ConsumerMessage
	for _, partition := range partitions {
		claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
		if err != nil {
			return nil, err
		}
		share := want / len(partitions)
		for idle := time.NewTimer(5 * time.Second); share > 0; share-- {
			select {
			case m := <-claim.Messages():
				out = append(out, m)
			case <-idle.C:
				share = 1 // fewer are there
			}
		}
		if err := claim.Close(); err != nil {
			return nil, err
		}
	}
	if len(out) == 0 {
		return nil, fmt.Errorf("no message")
	}
	return out, nil
}
