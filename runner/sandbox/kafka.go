package sandbox

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// DefaultKafkaAddr is where the embedded broker listens unless told otherwise.
const DefaultKafkaAddr = "127.0.0.1:19092"

// OrdersTopic is the topic that the sample producer writes to.
const OrdersTopic = "orders"

// Bounds of OrdersTopic: about a day of the sample producer's orders.
const (
	ordersRetentionBytes = "4194304" // a partition
	ordersSegmentBytes   = "524288"
	retentionInterval    = time.Minute
	compactionInterval   = time.Hour
	never                = "300000000000" // milliseconds
)

const (
	kafkaStartTimeout = 15 * time.Second
	kafkaCloseTimeout = 2500 * time.Millisecond
)

// KafkaOptions configure the embedded broker. Every field but Dir has a default.
type KafkaOptions struct {
	// Addr is the listen address, of loopback only, that clients are told too; port 0 picks a free one, also over data
	// that another port served before. Default DefaultKafkaAddr.
	Addr string
	// Dir is the folder that holds the data; only one process may use it.
	Dir string
	// SampleProducer writes made-up orders to OrdersTopic while the broker runs.
	SampleProducer bool
	// SampleInterval is the mean pause between two orders. Default 300 ms.
	SampleInterval time.Duration
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
}

// Kafka is an embedded single-node broker, kfake, that keeps topics, records, groups, committed offsets, transactional
// ids and static members over restarts and kills.
//
// What it does differently from Apache Kafka, each seen in a test or read in its code:
//
//   - Nothing is fsynced between orderly closes: a killed process loses nothing, a machine that loses power may.
//   - After a kill the start of a log may go back to the beginning of its oldest segment file: records that DeleteRecords
//     or retention removed from that segment are there again. High-water marks do not go back: this package restores them.
//   - A transaction that was open at a kill is aborted at the next start, not at its timeout.
//   - Data and offsets of one transaction are written one after the other: a kill in between, a window of microseconds,
//     can leave the data committed without the offsets.
//   - retention.ms and retention.bytes are applied to whole batches once a minute by this package; segments do not matter.
//     Compaction, once an hour and at start, reaches up to the last batch, and moves the start of the log to the first
//     record that it keeps: fetching below that is OFFSET_OUT_OF_RANGE.
//   - Unknown topic configurations are accepted and given back. message.timestamp.after.max.ms is one of them: it is not
//     enforced. max.message.bytes is.
//   - The position of a group that does not exist is GROUP_ID_NOT_FOUND, also while an open transaction has offsets for it;
//     Apache Kafka answers offset -1, and UNSTABLE_OFFSET_COMMIT.
//   - offset.metadata.max.bytes is not enforced: metadata over 4096 bytes is taken.
//   - A second InitProducerId aborts the open transaction of its transactional id at once, without
//     CONCURRENT_TRANSACTIONS in between; what the fenced producer sends after that is refused.
//   - Automatic creation of topics is off, whatever a client asks for.
type Kafka struct {
	options KafkaOptions
	log     *slog.Logger
	lock    *dirLock
	ends    *logEnds
	cluster *kfake.Cluster
	addr    string
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	closing sync.Once
	err     error
}

// topicSpec is a topic that is made when it is missing.
type topicSpec struct {
	name       string
	partitions int32
	configs    map[string]string
}

func sandboxTopics() []topicSpec {
	return []topicSpec{
		{"oss-test-input", 3, nil},
		{"fc-test-input", 3, nil},
		{"maxcompute-test-input", 3, nil},
		{OrdersTopic, 6, map[string]string{"retention.bytes": ordersRetentionBytes, "segment.bytes": ordersSegmentBytes}},
	}
}

// StartKafka starts the embedded broker on what its folder holds and makes the sandbox's topics where they are missing.
// ctx bounds the start only; Close ends the broker.
func StartKafka(ctx context.Context, options KafkaOptions) (*Kafka, error) {
	if options.Addr == "" {
		options.Addr = DefaultKafkaAddr
	}
	if options.SampleInterval <= 0 {
		options.SampleInterval = 300 * time.Millisecond
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Dir == "" {
		return nil, errors.New("starting the embedded Kafka broker: no data folder given")
	}
	ctx, cancel := context.WithTimeout(ctx, kafkaStartTimeout)
	defer cancel()
	k := &Kafka{options: options, log: options.Logger}
	if err := k.start(ctx); err != nil {
		_ = k.Close()
		return nil, fmt.Errorf("starting the embedded Kafka broker: %w", err)
	}
	return k, nil
}

func (k *Kafka) start(ctx context.Context) (err error) {
	if k.lock, err = lockDir(k.options.Dir); err != nil {
		return err
	}
	dir := k.logDir()
	if err := restoreCompacted(dir, k.backupDir()); err != nil {
		return fmt.Errorf("restoring what a compaction left: %w", err)
	}
	if k.ends, err = openLogEnds(dir, filepath.Join(k.options.Dir, "ends.json")); err != nil {
		return fmt.Errorf("reading where logs ended: %w", err)
	}
	if err := restoreWatermarks(dir, k.ends); err != nil {
		return fmt.Errorf("restoring high-water marks: %w", err)
	}
	open, err := openTransactions(dir)
	if err != nil {
		return fmt.Errorf("looking for open transactions: %w", err)
	}
	if err := k.startCluster(ctx, dir); err != nil {
		return err
	}
	// Windows of sequence numbers are written at an orderly close only. Left there they would, after a kill, refuse a
	// producer that has gone on since.
	if err := os.Remove(filepath.Join(dir, "seq_windows.json")); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("removing old sequence numbers: %w", err)
	}
	if err := writeAbortMarkers(ctx, k.addr, open); err != nil {
		return fmt.Errorf("aborting transactions of a killed process: %w", err)
	}
	if err := k.createTopics(); err != nil {
		return err
	}
	k.compact(ctx)
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	k.stop = stop
	k.tasks.Go(func() { k.maintain(background) })
	if k.options.SampleProducer {
		producer, err := newSampleProducer(k.addr, k.log)
		if err != nil {
			return err
		}
		k.tasks.Go(func() { producer.run(background, k.options.SampleInterval) })
	}
	return nil
}

func (k *Kafka) startCluster(ctx context.Context, dir string) error {
	listener, err := listenLoopback(ctx, k.options.Addr)
	if err != nil {
		return err
	}
	var id [16]byte
	_, _ = rand.Read(id[:]) // never fails
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return frameListener{listener}, nil }),
		kfake.DataDir(dir),
		kfake.ClusterID(base64.RawURLEncoding.EncodeToString(id[:])), // of the first start: what the folder says wins
		kfake.WithLogger(kfakeLogger{k.log}),
		// Only topics that say so lose records: a topic without any record loses its high-water mark as well.
		// Its own compaction is not safe against a kill: compact does it.
		kfake.BrokerConfigs(map[string]string{"log.retention.ms": "-1", "log.retention.bytes": "-1", "log.cleaner.backoff.ms": never}),
	)
	if err != nil {
		_ = listener.Close()
		return err
	}
	k.cluster, k.addr = cluster, listener.Addr().String()
	cluster.ControlKey(int16(kmsg.DeleteRecords), k.noteDeletes)
	return nil
}

// kafkaClientConfig is the configuration of the sandbox's own clients.
func kafkaClientConfig(clientID string) *sarama.Config {
	config := sarama.NewConfig()
	config.ClientID = clientID
	config.Version = sarama.V3_6_0_0
	config.Metadata.AllowAutoTopicCreation = false
	config.Producer.Return.Successes = true
	return config
}

func (k *Kafka) createTopics() error {
	admin, err := sarama.NewClusterAdmin([]string{k.addr}, kafkaClientConfig("sluice-sandbox"))
	if err != nil {
		return fmt.Errorf("connecting to the embedded broker: %w", err)
	}
	defer admin.Close()
	for _, topic := range sandboxTopics() {
		configs := make(map[string]*string, len(topic.configs))
		for name, value := range topic.configs {
			configs[name] = &value
		}
		err := admin.CreateTopic(topic.name, &sarama.TopicDetail{NumPartitions: topic.partitions, ReplicationFactor: 1, ConfigEntries: configs}, false)
		if err != nil && !errors.Is(err, sarama.ErrTopicAlreadyExists) {
			return fmt.Errorf("creating topic %s: %w", topic.name, err)
		}
	}
	return nil
}

// maintain drops what topics' retention says, and compacts.
func (k *Kafka) maintain(ctx context.Context) {
	retention, compaction := time.NewTicker(retentionInterval), time.NewTicker(compactionInterval)
	defer retention.Stop()
	defer compaction.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-retention.C:
			k.applyRetention()
		case <-compaction.C:
			k.compact(ctx)
		}
	}
}

func (k *Kafka) logDir() string    { return filepath.Join(k.options.Dir, "log") }
func (k *Kafka) backupDir() string { return filepath.Join(k.options.Dir, "compacting") }

// Addr is where clients find the broker, "host:port".
func (k *Kafka) Addr() string { return k.addr }

// Close stops the sample producer, writes everything to disk and ends the broker, within three seconds. It may be
// called more than once.
func (k *Kafka) Close() error {
	k.closing.Do(func() {
		done := make(chan struct{})
		go func() {
			defer close(done)
			if k.stop != nil {
				k.stop()
			}
			k.tasks.Wait()
			if k.cluster != nil {
				k.cluster.Close()
			}
		}()
		select {
		case <-done:
			k.lock.release()
		case <-time.After(kafkaCloseTimeout): // the folder stays locked while the broker still writes
			k.err = errors.New("closing the embedded Kafka broker: it did not end in time; its data is as after a kill")
		}
	})
	return k.err
}

// kfakeLogger passes what the broker logs on, warnings and errors only.
type kfakeLogger struct{ log *slog.Logger }

func (l kfakeLogger) Logf(level kfake.LogLevel, format string, args ...any) {
	switch level {
	case kfake.LogLevelError:
		l.log.Error("embedded broker: " + fmt.Sprintf(format, args...))
	case kfake.LogLevelWarn:
		l.log.Warn("embedded broker: " + fmt.Sprintf(format, args...))
	}
}
