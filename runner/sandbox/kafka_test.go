package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

func startKafka(t testing.TB, options KafkaOptions) *Kafka {
	t.Helper()
	if options.Dir == "" {
		options.Dir = t.TempDir()
	}
	options.Addr = "127.0.0.1:0"
	k, err := StartKafka(context.Background(), options)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := k.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	return k
}

func testConfig() *sarama.Config {
	config := kafkaClientConfig("test")
	config.Producer.Partitioner = sarama.NewManualPartitioner
	config.Consumer.Return.Errors = true
	config.Consumer.IsolationLevel = sarama.ReadCommitted
	config.Metadata.Retry.Max = 1
	return config
}

func newClient(t testing.TB, addr string) sarama.Client {
	t.Helper()
	client, err := sarama.NewClient([]string{addr}, testConfig())
	must(t, err)
	t.Cleanup(func() { _ = client.Close() })
	return client
}

func newAdmin(t testing.TB, addr string) sarama.ClusterAdmin {
	t.Helper()
	admin, err := sarama.NewClusterAdmin([]string{addr}, testConfig())
	must(t, err)
	t.Cleanup(func() { _ = admin.Close() })
	return admin
}

// describeTopic returns a topic's configuration, of the given names or all.
func describeTopic(t testing.TB, admin sarama.ClusterAdmin, topic string, names ...string) []sarama.ConfigEntry {
	t.Helper()
	results, err := admin.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: topic, ConfigNames: names}}, sarama.DescribeConfigsOptions{})
	must(t, err)
	if len(results) != 1 {
		t.Fatalf("%d results", len(results))
	}
	if results[0].ErrorCode != sarama.ErrNoError {
		t.Fatal(results[0].ErrorCode)
	}
	return results[0].Configs
}

func produce(t testing.TB, addr, topic string, partition int32, values ...string) {
	t.Helper()
	producer, err := sarama.NewSyncProducer([]string{addr}, testConfig())
	must(t, err)
	defer producer.Close()
	for _, value := range values {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: topic, Partition: partition, Value: sarama.StringEncoder(value)})
		must(t, err)
	}
}

// consume reads a partition read_committed, from first up to a marker record that it writes itself.
func consume(t testing.TB, addr, topic string, partition int32) []string {
	t.Helper()
	const marker = "-- end --"
	produce(t, addr, topic, partition, marker)
	consumer, err := sarama.NewConsumer([]string{addr}, testConfig())
	must(t, err)
	defer consumer.Close()
	claim, err := consumer.ConsumePartition(topic, partition, sarama.OffsetOldest)
	must(t, err)
	defer claim.Close()
	var values []string
	for deadline := time.After(20 * time.Second); ; {
		select {
		case message := <-claim.Messages():
			if string(message.Value) == marker {
				if message.Offset >= claim.HighWaterMarkOffset()-1 {
					return values
				}
				continue
			}
			values = append(values, string(message.Value))
		case err := <-claim.Errors():
			t.Fatal(err)
		case <-deadline:
			t.Fatalf("only %q came", values)
		}
	}
}

func TestKafkaTopics(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := startKafka(t, KafkaOptions{Dir: dir})
	admin := newAdmin(t, k.Addr())
	topics, err := admin.ListTopics()
	must(t, err)
	for name, partitions := range map[string]int32{"oss-test-input": 3, "fc-test-input": 3, "maxcompute-test-input": 3, "orders": 6} {
		if topics[name].NumPartitions != partitions {
			t.Errorf("%s has %d partitions", name, topics[name].NumPartitions)
		}
	}
	if len(topics) != 4 {
		t.Errorf("topics %v", topics)
	}
	// A client that asks for a topic to be made by itself does not get it.
	config := testConfig()
	config.Metadata.AllowAutoTopicCreation = true
	asking, err := sarama.NewClient([]string{k.Addr()}, config)
	must(t, err)
	defer asking.Close()
	if _, err := asking.Partitions("by-itself"); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("asking for an unknown topic: %v", err)
	}
	must(t, admin.DeleteTopic("fc-test-input"))
	must(t, k.Close())
	k = startKafka(t, KafkaOptions{Dir: dir})
	if _, err := newClient(t, k.Addr()).Partitions("fc-test-input"); err != nil {
		t.Errorf("a missing topic is not made again at the next start: %v", err)
	}
}

func TestKafkaRestart(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"closed", "killed"} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			addr, end := startHelper(t, "kafka", dir)
			if how == "closed" {
				end()
				k := startKafka(t, KafkaOptions{Dir: dir})
				addr, end = k.Addr(), func() { must(t, k.Close()) }
			}
			produce(t, addr, "oss-test-input", 1, "a", "b", "c")
			client := newClient(t, addr)
			controller, err := client.Controller()
			must(t, err)
			before, err := controller.GetMetadata(sarama.NewMetadataRequest(sarama.V3_6_0_0, []string{"oss-test-input"}))
			must(t, err)
			commit(t, client, "group", "oss-test-input", 1, 2, "some metadata")
			end()

			k := startKafka(t, KafkaOptions{Dir: dir})
			if k.Addr() == addr {
				t.Logf("the same port %s again", addr)
			}
			client = newClient(t, k.Addr())
			controller, err = client.Controller()
			must(t, err)
			after, err := controller.GetMetadata(sarama.NewMetadataRequest(sarama.V3_6_0_0, []string{"oss-test-input"}))
			must(t, err)
			if before.ClusterID == nil || *before.ClusterID != *after.ClusterID || before.Topics[0].Uuid != after.Topics[0].Uuid {
				t.Errorf("identity changed: %v %v", before, after)
			}
			if got := consume(t, k.Addr(), "oss-test-input", 1); !slices.Equal(got, []string{"a", "b", "c"}) {
				t.Errorf("records %q", got)
			}
			block := fetchPosition(t, client, "group", "oss-test-input", 1)
			if block.Offset != 2 || block.Metadata != "some metadata" {
				t.Errorf("position %+v", block)
			}
		})
	}
}

// commit commits a position outside any generation.
func commit(t testing.TB, client sarama.Client, group, topic string, partition int32, offset int64, metadata string) {
	t.Helper()
	coordinator := coordinatorOf(t, client, group)
	request := &sarama.OffsetCommitRequest{ConsumerGroup: group, ConsumerGroupGeneration: -1, Version: 7, RetentionTime: -1}
	request.AddBlockWithLeaderEpoch(topic, partition, offset, -1, -1, metadata)
	response, err := coordinator.CommitOffset(request)
	must(t, err)
	if code := response.Errors[topic][partition]; code != sarama.ErrNoError {
		t.Fatal(code)
	}
}

func coordinatorOf(t testing.TB, client sarama.Client, group string) *sarama.Broker {
	t.Helper()
	coordinator, err := client.Coordinator(group)
	must(t, err)
	if err := coordinator.Open(client.Config()); err != nil && !errors.Is(err, sarama.ErrAlreadyConnected) {
		t.Fatal(err)
	}
	return coordinator
}

func fetchPosition(t testing.TB, client sarama.Client, group, topic string, partition int32) *sarama.OffsetFetchResponseBlock {
	t.Helper()
	request := &sarama.OffsetFetchRequest{Version: 7, ConsumerGroup: group, RequireStable: true}
	request.AddPartition(topic, partition)
	response, err := coordinatorOf(t, client, group).FetchOffset(request)
	must(t, err)
	if response.Err != sarama.ErrNoError {
		return &sarama.OffsetFetchResponseBlock{Offset: -1, Err: response.Err}
	}
	return response.GetBlock(topic, partition)
}

// TestKafkaEmptiedPartitionKeepsItsEnd: a partition that lost all its records goes on counting where it was.
func TestKafkaEmptiedPartitionKeepsItsEnd(t *testing.T) {
	t.Parallel()
	for _, offset := range []int64{3, -1} {
		dir := t.TempDir()
		addr, kill := startHelper(t, "kafka", dir)
		produce(t, addr, "oss-test-input", 0, "a", "b", "c")
		must(t, newAdmin(t, addr).DeleteRecords("oss-test-input", map[int32]int64{0: offset}))
		kill()
		var k *Kafka
		for range 3 { // the repaired state must survive orderly ends too
			k = startKafka(t, KafkaOptions{Dir: dir})
			client := newClient(t, k.Addr())
			oldest, err := client.GetOffset("oss-test-input", 0, sarama.OffsetOldest)
			must(t, err)
			newest, err := client.GetOffset("oss-test-input", 0, sarama.OffsetNewest)
			must(t, err)
			if oldest != 3 || newest != 3 {
				t.Fatalf("log is [%d, %d), want [3, 3)", oldest, newest)
			}
			must(t, k.Close())
		}
		k = startKafka(t, KafkaOptions{Dir: dir})
		if got := consume(t, k.Addr(), "oss-test-input", 0); len(got) != 0 {
			t.Errorf("records %q", got)
		}
		// A topic made anew begins at 0.
		admin := newAdmin(t, k.Addr())
		must(t, admin.DeleteTopic("oss-test-input"))
		must(t, admin.CreateTopic("oss-test-input", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))
		must(t, k.Close())
		k = startKafka(t, KafkaOptions{Dir: dir})
		if newest, err := newClient(t, k.Addr()).GetOffset("oss-test-input", 0, sarama.OffsetNewest); err != nil || newest != 0 {
			t.Errorf("a topic made anew ends at %d, %v", newest, err)
		}
	}
}

func TestKafkaRetention(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	admin := newAdmin(t, k.Addr())
	entries := describeTopic(t, admin, OrdersTopic, "retention.bytes")
	if len(entries) != 1 || entries[0].Value != ordersRetentionBytes {
		t.Fatalf("retention of %s: %+v", OrdersTopic, entries)
	}
	value := strings.Repeat("x", 500_000)
	for range 14 { // 7 MB; 4 MiB stay
		produce(t, k.Addr(), OrdersTopic, 2, value)
	}
	k.applyRetention() // what the task does once a minute
	client := newClient(t, k.Addr())
	oldest, err := client.GetOffset(OrdersTopic, 2, sarama.OffsetOldest)
	must(t, err)
	newest, err := client.GetOffset(OrdersTopic, 2, sarama.OffsetNewest)
	must(t, err)
	if newest != 14 || oldest < 5 || oldest > 7 {
		t.Errorf("log is [%d, %d), want about [6, 14)", oldest, newest)
	}
}

func TestSampleProducer(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{SampleProducer: true, SampleInterval: 5 * time.Millisecond})
	client := newClient(t, k.Addr())
	eventually(t, "orders in several partitions", func() bool {
		used := 0
		for p := range int32(6) {
			if newest, err := client.GetOffset(OrdersTopic, p, sarama.OffsetNewest); err == nil && newest > 0 {
				used++
			}
		}
		return used > 3
	})
	began := time.Now()
	must(t, k.Close())
	if took := time.Since(began); took > 3*time.Second {
		t.Errorf("closing took %s", took)
	}
}

func TestSampleOrders(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	producer, err := newSampleProducer(k.Addr(), k.log)
	must(t, err)
	defer producer.producer.Close()
	for i := range 50 {
		must(t, producer.send(makeOrder(producer.dice, fmt.Sprintf("ORD-%d", i), time.Now())))
	}
	seen := 0
	for p := range int32(6) {
		for _, value := range consume(t, k.Addr(), OrdersTopic, p) {
			var o order
			if err := json.Unmarshal([]byte(value), &o); err != nil || o.OrderID == "" || o.Total <= 0 || len(o.Items) == 0 {
				t.Errorf("order %q: %v", value, err)
			}
			seen++
		}
	}
	if seen != 50 {
		t.Errorf("%d orders, want 50", seen)
	}
}

// TestKafkaStrangers: what is not Kafka's protocol ends its own connection and nothing else.
func TestKafkaStrangers(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	if _, err := http.Get("http://" + k.Addr()); err == nil {
		t.Error("the broker answered HTTP")
	}
	for _, bytes := range []string{
		"\x00\x00\x00\x0a\x27\x0f\x00\x00\x00\x00\x00\x01\x00\x00", // kind 9999
		"\xff\xff\xff\xff\x00\x03\x00\x00",                         // 4 GiB
		"\x00\x00\x00\x04\x00\x03\x00\x00",                         // too short
		"\x00\x00\x00\x0a\x00\x03\xff\xff\x00\x00\x00\x01\x00\x00", // version -1
		"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",             // TLS
		"\x00\x00\x00\x0c\x00\x00\x00\x09\x00\x00\x00\x01\xff\xff\xff\xff",
	} {
		conn, err := net.Dial("tcp", k.Addr())
		must(t, err)
		_, err = io.WriteString(conn, bytes)
		must(t, err)
		_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
		if n, err := conn.Read(make([]byte, 1)); n != 0 || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%q: read %d bytes, %v", bytes, n, err)
		}
		_ = conn.Close()
	}
	produce(t, k.Addr(), "oss-test-input", 0, "still there")
}

func TestKafkaOneProcessAFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	startKafka(t, KafkaOptions{Dir: dir})
	_, err := StartKafka(context.Background(), KafkaOptions{Addr: "127.0.0.1:0", Dir: dir})
	if err == nil || !strings.Contains(err.Error(), "in use by another process") {
		t.Errorf("second start on one folder: %v", err)
	}
}
