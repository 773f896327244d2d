package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"
)

// TestKafkaStaticMemberOverKill: a static member of a broker that was killed has its partitions back at once, without
// waiting for the session timeout of the process before.
func TestKafkaStaticMemberOverKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, kill := startHelper(t, "kafka", dir)
	session, _ := join(t, addr, "g", "node-1")
	client := newClient(t, addr)
	if code := fencedCommit(t, client, session, "g", "node-1", session.GenerationID(), 4, "intent"); code != sarama.ErrNoError {
		t.Fatal(code)
	}
	kill()
	k := startKafka(t, KafkaOptions{Dir: dir})
	began := time.Now()
	again, _ := join(t, k.Addr(), "g", "node-1")
	if took := time.Since(began); took > 8*time.Second { // the session timeout is 10 s
		t.Errorf("partitions came back after %s", took)
	}
	client = newClient(t, k.Addr())
	if block := fetchPosition(t, client, "g", "oss-test-input", 0); block.Offset != 4 || block.Metadata != "intent" {
		t.Errorf("position %+v", block)
	}
	if code := fencedCommit(t, client, again, "g", "node-1", again.GenerationID(), 5, ""); code != sarama.ErrNoError {
		t.Errorf("commit after the kill: %v", code)
	}
}

// compactedTopic makes a compacted topic of 30 records of 3 keys.
func compactedTopic(t *testing.T, k *Kafka) {
	t.Helper()
	policy := "compact"
	must(t, newAdmin(t, k.Addr()).CreateTopic("compacted", &sarama.TopicDetail{NumPartitions: 1, ReplicationFactor: 1, ConfigEntries: map[string]*string{"cleanup.policy": &policy}}, false))
	producer, err := sarama.NewSyncProducer([]string{k.Addr()}, testConfig())
	must(t, err)
	defer producer.Close()
	for i := range 30 {
		_, _, err := producer.SendMessage(&sarama.ProducerMessage{Topic: "compacted", Key: sarama.StringEncoder(fmt.Sprint("k", i%3)), Value: sarama.StringEncoder(fmt.Sprint("v", i)),
			Headers: []sarama.RecordHeader{{Key: []byte("h"), Value: []byte{byte(i)}}}})
		must(t, err)
	}
}

// wantLatest fails unless the topic has the latest value of each key at its offset, and count records in all.
func wantLatest(t *testing.T, k *Kafka, when string, count int) {
	t.Helper()
	consumer, err := sarama.NewConsumer([]string{k.Addr()}, testConfig())
	must(t, err)
	defer consumer.Close()
	claim, err := consumer.ConsumePartition("compacted", 0, sarama.OffsetOldest)
	must(t, err)
	defer claim.Close()
	latest, seen := make(map[string]string), 0
	for message := range claim.Messages() {
		latest[string(message.Key)] = fmt.Sprintf("%s@%d/%d", message.Value, message.Offset, message.Headers[0].Value[0])
		if seen++; message.Offset == 29 {
			break
		}
	}
	if got := fmt.Sprint(latest); got != "map[k0:v27@27/27 k1:v28@28/28 k2:v29@29/29]" || seen != count {
		t.Errorf("%s: %d records, %s; want %d", when, seen, got, count)
	}
	if newest, err := newClient(t, k.Addr()).GetOffset("compacted", 0, sarama.OffsetNewest); err != nil || newest != 30 {
		t.Errorf("%s: the log ends at %d, %v", when, newest, err)
	}
}

// TestKafkaCompaction: the latest value of each key stays, at its offset, over restarts.
func TestKafkaCompaction(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	k := startKafka(t, KafkaOptions{Dir: dir})
	compactedTopic(t, k)
	k.compact(t.Context())
	wantLatest(t, k, "a small topic is left alone", 30)
	producer := transactional(t, k.Addr(), "tx")
	must(t, producer.BeginTxn())
	must(t, send(t, producer, "open"))
	must(t, k.tryCompact(t.Context(), 0))
	wantLatest(t, k, "nothing is compacted beside an open transaction", 30)
	must(t, producer.AbortTxn())
	must(t, k.tryCompact(t.Context(), 0))
	wantLatest(t, k, "after compaction", 4) // the last of each key but the last batch's, which is always kept
	if _, err := os.Stat(k.backupDir()); !os.IsNotExist(err) {
		t.Errorf("links are left: %v", err)
	}
	must(t, k.Close())
	k = startKafka(t, KafkaOptions{Dir: dir})
	wantLatest(t, k, "after a restart", 4)
}

// TestKafkaCompactionInterrupted: what a kill in the middle of a compaction destroyed is restored at the next start.
func TestKafkaCompactionInterrupted(t *testing.T) {
	t.Parallel()
	for name, destroy := range map[string]func(file string) error{
		"removed":      os.Remove,
		"half written": func(file string) error { return os.Rename(file+".half", file) },
		"nothing":      func(string) error { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			k := startKafka(t, KafkaOptions{Dir: dir})
			compactedTopic(t, k)
			must(t, linkPartitions(k.logDir(), k.backupDir(), map[string]bool{"compacted": true}))
			must(t, k.Close())
			file := filepath.Join(k.logDir(), "partitions", "compacted-0", "0.dat")
			content, err := os.ReadFile(file)
			must(t, err)
			must(t, os.WriteFile(file+".half", content[:len(content)/2], 0o600))
			must(t, destroy(file))
			k = startKafka(t, KafkaOptions{Dir: dir})
			wantLatest(t, k, "after the restart", 30)
		})
	}
}

// TestKafkaKillAgainAndAgain: whatever was acknowledged is there once, in order, after several kills.
func TestKafkaKillAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var want []string
	for round := range 4 {
		addr, kill := startHelper(t, "kafka", dir)
		for i := range 40 {
			want = append(want, fmt.Sprintf("%d/%d", round, i))
		}
		produce(t, addr, "oss-test-input", 2, want[len(want)-40:]...)
		kill()
	}
	k := startKafka(t, KafkaOptions{Dir: dir})
	if got := consume(t, k.Addr(), "oss-test-input", 2); !slices.Equal(got, want) {
		t.Errorf("%d records, want %d", len(got), len(want))
	}
}

// TestKafkaTornWrite: a batch that a kill cut short ends the log before it; what came before stays.
func TestKafkaTornWrite(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	addr, kill := startHelper(t, "kafka", dir)
	produce(t, addr, "oss-test-input", 0, "a", "b", "c")
	kill()
	file := filepath.Join(dir, "log", "partitions", "oss-test-input-0", "0.dat")
	info, err := os.Stat(file)
	must(t, err)
	must(t, os.Truncate(file, info.Size()-5))
	k := startKafka(t, KafkaOptions{Dir: dir})
	produce(t, k.Addr(), "oss-test-input", 0, "d")
	if got := consume(t, k.Addr(), "oss-test-input", 0); !slices.Equal(got, []string{"a", "b", "d"}) {
		t.Errorf("records %q", got)
	}
}

// FuzzScanSegment: no segment file, however broken, makes the look for open transactions fail or panic.
func FuzzScanSegment(f *testing.F) {
	batch := make([]byte, 80)
	batch[batchLength+3], batch[batchMagic], batch[batchAttributes+1] = 68, 2, attrTransactional
	f.Add(batch)
	f.Add([]byte{})
	f.Add(slices.Concat(batch, batch[:30]))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "0.dat")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := scanSegment(path, make(map[int64]int16)); err != nil {
			t.Error(err)
		}
	})
}
