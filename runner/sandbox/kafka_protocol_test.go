package sandbox

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// What Sluice relies on of the embedded broker, asked as Sluice asks: by sarama.

// member is a group consumer that says when it has its partitions, and does nothing with them.
type member struct {
	ready chan sarama.ConsumerGroupSession
}

func (m *member) Setup(s sarama.ConsumerGroupSession) error { m.ready <- s; return nil }
func (m *member) Cleanup(sarama.ConsumerGroupSession) error { return nil }
func (m *member) ConsumeClaim(s sarama.ConsumerGroupSession, c sarama.ConsumerGroupClaim) error {
	for range c.Messages() {
	}
	return nil
}

// join makes a static member join and returns its session.
func join(t *testing.T, addr, group, instance string) (session sarama.ConsumerGroupSession, leave func()) {
	t.Helper()
	config := testConfig()
	config.Consumer.Group.InstanceId = instance
	config.Consumer.Group.Session.Timeout = 10 * time.Second
	config.Consumer.Offsets.AutoCommit.Enable = false
	consumer, err := sarama.NewConsumerGroup([]string{addr}, group, config)
	must(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	m := &member{ready: make(chan sarama.ConsumerGroupSession, 10)}
	var running sync.WaitGroup
	running.Go(func() {
		for ctx.Err() == nil {
			if err := consumer.Consume(ctx, []string{"oss-test-input"}, m); err != nil {
				return
			}
		}
	})
	running.Go(func() {
		for range consumer.Errors() {
		}
	})
	leave = sync.OnceFunc(func() { cancel(); _ = consumer.Close(); running.Wait() })
	t.Cleanup(leave)
	select {
	case s := <-m.ready:
		return s, leave
	case <-time.After(20 * time.Second):
		t.Fatal("no partitions came")
		return nil, nil
	}
}

func fencedCommit(t *testing.T, client sarama.Client, s sarama.ConsumerGroupSession, group, instance string, generation int32, offset int64, metadata string) sarama.KError {
	t.Helper()
	request := &sarama.OffsetCommitRequest{ConsumerGroup: group, ConsumerGroupGeneration: generation, ConsumerID: s.MemberID(), GroupInstanceId: &instance, Version: 7, RetentionTime: -1}
	request.AddBlockWithLeaderEpoch("oss-test-input", 0, offset, -1, -1, metadata)
	response, err := coordinatorOf(t, client, group).CommitOffset(request)
	must(t, err)
	return response.Errors["oss-test-input"][0]
}

func TestKafkaStaticMembership(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	client := newClient(t, k.Addr())
	s, leave := join(t, k.Addr(), "g", "node-1")
	if code := fencedCommit(t, client, s, "g", "node-1", s.GenerationID(), 0, "intent"); code != sarama.ErrNoError {
		t.Fatalf("a fenced commit: %v", code)
	}
	if code := fencedCommit(t, client, s, "g", "node-1", s.GenerationID(), 0, "other intent, same offset"); code != sarama.ErrNoError {
		t.Fatalf("the same offset with other metadata: %v", code)
	}
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Offset != 0 || block.Metadata != "other intent, same offset" {
		t.Errorf("position %+v", block)
	}
	if code := fencedCommit(t, client, s, "g", "node-1", s.GenerationID()-1, 0, ""); code != sarama.ErrIllegalGeneration {
		t.Errorf("a stale generation: %v", code)
	}
	heartbeat := &sarama.HeartbeatRequest{Version: 3, GroupId: "g", GenerationId: s.GenerationID(), MemberId: s.MemberID(), GroupInstanceId: new(string)}
	*heartbeat.GroupInstanceId = "node-1"
	answer, err := coordinatorOf(t, client, "g").Heartbeat(heartbeat)
	if err != nil || answer.Err != sarama.ErrNoError {
		t.Errorf("a heartbeat of our own: %v %+v", err, answer)
	}
	// The same instance comes back, as after a kill -9: at once, and the one before it is fenced.
	again, leaveAgain := join(t, k.Addr(), "g", "node-1")
	if code := fencedCommit(t, client, s, "g", "node-1", s.GenerationID(), 1, ""); code != sarama.ErrFencedInstancedId && code != sarama.ErrUnknownMemberId {
		t.Errorf("the member before: %v", code)
	}
	if code := fencedCommit(t, client, again, "g", "node-1", again.GenerationID(), 1, ""); code != sarama.ErrNoError {
		t.Errorf("the member now: %v", code)
	}
	leave()
	leaveAgain()
	admin := newAdmin(t, k.Addr())
	if err := admin.DeleteConsumerGroup("g"); !errors.Is(err, sarama.ErrNonEmptyGroup) {
		t.Errorf("deleting a group that has a static member: %v", err)
	}
	left, err := admin.RemoveMemberFromConsumerGroup("g", []string{"node-1"})
	if err != nil || left.Err != sarama.ErrNoError {
		t.Errorf("removing the static member: %v %+v", err, left)
	}
	must(t, admin.DeleteConsumerGroup("g"))
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Offset != -1 {
		t.Errorf("a deleted group has a position: %+v", block)
	}
}

func TestKafkaMetadataLimit(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	client := newClient(t, k.Addr())
	commit(t, client, "g", "oss-test-input", 0, 5, string(slices.Repeat([]byte("m"), 4000)))
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); len(block.Metadata) != 4000 {
		t.Errorf("metadata of %d bytes", len(block.Metadata))
	}
	coordinator := coordinatorOf(t, client, "g")
	request := &sarama.OffsetCommitRequest{ConsumerGroup: "g", ConsumerGroupGeneration: -1, Version: 7, RetentionTime: -1}
	request.AddBlockWithLeaderEpoch("oss-test-input", 0, 6, -1, -1, string(slices.Repeat([]byte("m"), 5000)))
	response, err := coordinator.CommitOffset(request)
	must(t, err)
	if code := response.Errors["oss-test-input"][0]; code != sarama.ErrNoError {
		t.Errorf("metadata of 5000 bytes: %v", code) // Apache Kafka: OFFSET_METADATA_TOO_LARGE above 4096
	}
}

func TestKafkaTopicConfigs(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	admin := newAdmin(t, k.Addr())
	want := map[string]string{"max.message.bytes": "2000000", "retention.ms": "3600000", "cleanup.policy": "compact", "message.timestamp.after.max.ms": "9223372036854775807"}
	entries := make(map[string]*string)
	for name, value := range want {
		entries[name] = &value
	}
	must(t, admin.CreateTopic("made", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1, ConfigEntries: entries}, false))
	if err := admin.CreateTopic("made", &sarama.TopicDetail{NumPartitions: 2, ReplicationFactor: 1}, false); !errors.Is(err, sarama.ErrTopicAlreadyExists) {
		t.Errorf("making it twice: %v", err)
	}
	for _, entry := range describeTopic(t, admin, "made") {
		if value, ok := want[entry.Name]; ok {
			if entry.Value != value {
				t.Errorf("%s is %q, want %q", entry.Name, entry.Value, value)
			}
			delete(want, entry.Name)
		}
	}
	if len(want) > 0 {
		t.Errorf("not described: %v", want)
	}
	must(t, admin.CreatePartitions("made", 5, nil, false))
	must(t, admin.DeleteTopic("made"))
	if err := admin.DeleteTopic("made"); !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		t.Errorf("deleting it twice: %v", err)
	}
	big := testConfig()
	big.Producer.MaxMessageBytes = 8 << 20
	producer, err := sarama.NewSyncProducer([]string{k.Addr()}, big)
	must(t, err)
	defer producer.Close()
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: "oss-test-input", Value: sarama.ByteEncoder(make([]byte, 2<<20))})
	if !errors.Is(err, sarama.ErrMessageSizeTooLarge) {
		t.Errorf("a record over max.message.bytes: %v", err)
	}
	ahead := time.Now().Add(26 * time.Hour)
	_, _, err = producer.SendMessage(&sarama.ProducerMessage{Topic: "oss-test-input", Value: sarama.StringEncoder("x"), Timestamp: ahead})
	must(t, err) // Apache Kafka with its default of one hour refuses it
}

func TestKafkaUUIDOfTopicMadeAnew(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	admin := newAdmin(t, k.Addr())
	id := func() sarama.Uuid {
		t.Helper()
		topics, err := admin.DescribeTopics([]string{"oss-test-input"})
		must(t, err)
		return topics[0].Uuid
	}
	before := id()
	must(t, admin.DeleteTopic("oss-test-input"))
	must(t, admin.CreateTopic("oss-test-input", &sarama.TopicDetail{NumPartitions: 3, ReplicationFactor: 1}, false))
	if after := id(); after == before || after == (sarama.Uuid{}) {
		t.Errorf("UUID %v, before %v", after, before)
	}
}

func transactional(t *testing.T, addr, id string) sarama.AsyncProducer {
	t.Helper()
	config := testConfig()
	config.Net.MaxOpenRequests = 1
	config.Producer.Idempotent = true
	config.Producer.RequiredAcks = sarama.WaitForAll
	config.Producer.Return.Errors = true
	config.Producer.Transaction.ID = id
	config.Producer.Transaction.Timeout = 10 * time.Second
	config.Producer.Retry.Max = 1
	producer, err := sarama.NewAsyncProducer([]string{addr}, config)
	must(t, err)
	t.Cleanup(func() { _ = producer.Close() })
	return producer
}

// send puts a record into a transaction and waits until the broker has it.
func send(t *testing.T, producer sarama.AsyncProducer, value string) error {
	t.Helper()
	producer.Input() <- &sarama.ProducerMessage{Topic: "oss-test-input", Partition: 0, Value: sarama.StringEncoder(value)}
	select {
	case <-producer.Successes():
		return nil
	case err := <-producer.Errors():
		return err
	case <-time.After(20 * time.Second):
		t.Fatal("no answer to a record")
		return nil
	}
}

func TestKafkaTransactions(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	client := newClient(t, k.Addr())
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Err != sarama.ErrGroupIDNotFound {
		t.Errorf("position of a group that nobody knows: %+v", block) // Apache Kafka: -1 and no error
	}
	commit(t, client, "g", "oss-test-input", 0, 3, "before")
	producer := transactional(t, k.Addr(), "tx")
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "aborted"))
	must(t, producer.AbortTxn())
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "committed"))
	metadata := "m"
	offsets := map[string][]*sarama.PartitionOffsetMetadata{"oss-test-input": {{Partition: 0, Offset: 7, Metadata: &metadata, LeaderEpoch: -1}}}
	must(t, producer.AddOffsetsToTxn(offsets, "g"))
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Offset != 3 || block.Metadata != "before" {
		t.Errorf("position while the transaction is open: %+v", block)
	}
	must(t, producer.CommitTxn())
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Offset != 7 || block.Metadata != "m" {
		t.Errorf("position %+v", block)
	}
	if got := consume(t, k.Addr(), "oss-test-input", 0); !slices.Equal(got, []string{"committed"}) {
		t.Errorf("records %q", got)
	}
}

// TestKafkaLastStableOffset: ListOffsets read_committed stops before an open transaction.
func TestKafkaLastStableOffset(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	produce(t, k.Addr(), "oss-test-input", 0, "a", "b")
	producer := transactional(t, k.Addr(), "tx")
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "open"))
	client := newClient(t, k.Addr())
	end := func(isolation sarama.IsolationLevel) int64 {
		t.Helper()
		leader, err := client.Leader("oss-test-input", 0)
		must(t, err)
		request := sarama.NewOffsetRequest(sarama.V3_6_0_0)
		request.IsolationLevel = isolation
		request.AddBlock("oss-test-input", 0, sarama.OffsetNewest, 1)
		response, err := leader.GetAvailableOffsets(request)
		must(t, err)
		return response.GetBlock("oss-test-input", 0).Offset
	}
	if stable, newest := end(sarama.ReadCommitted), end(sarama.ReadUncommitted); stable != 2 || newest != 3 {
		t.Errorf("last stable offset %d, high-water mark %d; want 2, 3", stable, newest)
	}
	must(t, producer.AbortTxn())
	if stable := end(sarama.ReadCommitted); stable != 4 { // the marker takes an offset
		t.Errorf("last stable offset %d after the abort, want 4", stable)
	}
}

// TestKafkaSecondInitProducerID: a second producer of the same transactional id aborts the first one's open transaction
// and fences it. An earlier kfake left the transaction open, and its records became visible with the next commit.
func TestKafkaSecondInitProducerID(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	first := transactional(t, k.Addr(), "tx")
	must(t, first.BeginTxn())
	must(t, send(t, first, "fenced"))
	second := transactional(t, k.Addr(), "tx")
	must(t, second.BeginTxn())
	must(t, send(t, second, "good"))
	must(t, second.CommitTxn())
	if err := send(t, first, "too late"); err == nil {
		if err := first.CommitTxn(); err == nil {
			t.Error("the fenced producer committed")
		}
	}
	if got := consume(t, k.Addr(), "oss-test-input", 0); !slices.Equal(got, []string{"good"}) {
		t.Errorf("records %q", got)
	}
}

// TestKafkaTransactionOpenAtKill: what a killed broker had open stays aborted over two kills.
func TestKafkaTransactionOpenAtKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, kill := startHelper(t, "kafka", dir)
	produce(t, addr, "oss-test-input", 0, "first")
	producer := transactional(t, addr, "tx")
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "open at the kill"))
	kill()

	addr, kill = startHelper(t, "kafka", dir)
	producer = transactional(t, addr, "tx")
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "second"))
	must(t, producer.CommitTxn())
	kill()

	k := startKafka(t, KafkaOptions{Dir: dir})
	if got := consume(t, k.Addr(), "oss-test-input", 0); !slices.Equal(got, []string{"first", "second"}) {
		t.Errorf("records %q", got)
	}
}

// TestKafkaUnstablePosition: a killed task's open transaction hides its group's position until InitProducerId of the
// same transactional id ends it.
func TestKafkaUnstablePosition(t *testing.T) {
	t.Parallel()
	k := startKafka(t, KafkaOptions{})
	client := newClient(t, k.Addr())
	commit(t, client, "g", "oss-test-input", 0, 3, "before")
	coordinator := coordinatorOf(t, client, "g")
	id := "tx"
	initialise := func() *sarama.InitProducerIDResponse {
		t.Helper()
		response, err := coordinator.InitProducerID(&sarama.InitProducerIDRequest{Version: 3, TransactionalID: &id, TransactionTimeout: 10 * time.Second, ProducerID: -1, ProducerEpoch: -1})
		must(t, err)
		if response.Err != sarama.ErrNoError {
			t.Fatal(response.Err)
		}
		return response
	}
	producer := initialise()
	added, err := coordinator.AddOffsetsToTxn(&sarama.AddOffsetsToTxnRequest{Version: 1, TransactionalID: id, ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch, GroupID: "g"})
	if err != nil || added.Err != sarama.ErrNoError {
		t.Fatal(err, added)
	}
	staged, err := coordinator.TxnOffsetCommit(&sarama.TxnOffsetCommitRequest{Version: 2, TransactionalID: id, GroupID: "g", ProducerID: producer.ProducerID, ProducerEpoch: producer.ProducerEpoch,
		Topics: map[string][]*sarama.PartitionOffsetMetadata{"oss-test-input": {{Partition: 0, Offset: 9, LeaderEpoch: -1}}}})
	if err != nil || staged.Topics["oss-test-input"][0].Err != sarama.ErrNoError {
		t.Fatal(err, staged)
	}
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Err != sarama.ErrUnstableOffsetCommit {
		t.Errorf("position beside an open transaction: %+v", block)
	}
	if again := initialise(); again.ProducerID != producer.ProducerID || again.ProducerEpoch <= producer.ProducerEpoch {
		t.Errorf("initialised again: %+v, before %+v", again, producer)
	}
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Err != sarama.ErrNoError || block.Offset != 3 {
		t.Errorf("position after it was ended: %+v", block)
	}
}
