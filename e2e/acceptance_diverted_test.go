//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/e2e/harness"
)

// sendRecords writes records with their headers into partition 0.
func (b *bed) sendRecords(records ...*sarama.ProducerMessage) {
	b.t.Helper()
	config := sarama.NewConfig()
	config.Producer.Return.Successes = true
	config.Producer.Partitioner = sarama.NewManualPartitioner
	producer, err := sarama.NewSyncProducer(b.kafka.Brokers(), config)
	if err != nil {
		b.t.Fatal(err)
	}
	defer producer.Close()
	for _, m := range records {
		m.Topic = b.topic
		if _, _, err := producer.SendMessage(m); err != nil {
			b.t.Fatal(err)
		}
	}
}

func header(m *sarama.ConsumerMessage, name string) string {
	for _, h := range m.Headers {
		if string(h.Key) == name {
			return string(h.Value)
		}
	}
	return ""
}

// TestDivertedRecords: oss.binary=dlq. With errors.tolerance=all each refused record stands in the dead-letter
// topic as it was, with the reason; with none its partition alone stops until it is resumed under another policy.
func TestDivertedRecords(t *testing.T) {
	t.Parallel()
	b := lay(t, 2)
	b.sendRecords(
		&sarama.ProducerMessage{Key: sarama.StringEncoder("k0"), Value: sarama.StringEncoder("fine")},
		&sarama.ProducerMessage{Key: sarama.ByteEncoder{0xff, 0}, Value: sarama.StringEncoder("a,b"), Headers: []sarama.RecordHeader{
			{Key: []byte("h"), Value: []byte("1")}, {Key: []byte("h"), Value: []byte{0xfe}}, {Key: []byte("nothing")},
		}},
		&sarama.ProducerMessage{Key: sarama.StringEncoder("k2"), Value: sarama.ByteEncoder{0xfe, 'x'}},
		&sarama.ProducerMessage{Key: sarama.StringEncoder("k3"), Value: sarama.StringEncoder("fine too")},
	)
	for n := range 3 {
		b.kafka.Send(b.topic, 1, nil, fmt.Append(nil, "other partition ", n))
	}
	strict := b.sluice.CreateConnector(instance, own("strict"), harness.OSSConfig(b.oss, b.topic, map[string]string{"oss.binary": "dlq", "errors.tolerance": "none"}))
	lenient := b.sluice.CreateConnector(instance, own("lenient"), harness.OSSConfig(b.oss, b.topic, map[string]string{"oss.binary": "dlq"}))
	lenient.AwaitState(60*time.Second, "RUNNING")
	lenient.AwaitDelivered(b.kafka, b.topic, 30*time.Second)
	b.mustHaveDiverted(lenient.Name)

	s := strict.AwaitState(30*time.Second, "DEGRADED")
	mustSay(t, s.Connector.Detail, "offset 1")
	if s.Connector.State != "RUNNING" || s.Connector.Trace != "" {
		t.Errorf("Degraded shows as %q with trace %q", s.Connector.State, s.Connector.Trace)
	}
	harness.Eventually(t, 20*time.Second, "the other partition goes on and what stood before is delivered", func() (bool, string) {
		at := b.kafka.Positions(strict.Group(), b.topic)
		return at[0].Offset == 1 && at[1].Offset == 3, fmt.Sprint(at[0].Offset, at[1].Offset)
	})
	if diverted := b.kafka.ReadAll("connect-error-" + strict.Name); len(diverted) != 0 {
		t.Errorf("%d records were diverted although the policy is to stop", len(diverted))
	}
	strict.Resume() // tries again, and is refused again
	harness.Never(t, 2*time.Second, "the position moves over the refused record", func() (bool, string) {
		return b.kafka.Positions(strict.Group(), b.topic)[0].Offset > 1, ""
	})
	strict.Patch(map[string]string{"errors.tolerance": "all"})
	strict.Resume()
	strict.AwaitDelivered(b.kafka, b.topic, 30*time.Second)
	strict.AwaitState(20*time.Second, "RUNNING")
	b.mustHaveDiverted(strict.Name)

	var fate struct{ State, Connector, Where, Reason string }
	for offset, want := range []string{"delivered", "diverted", "diverted", "delivered"} {
		path := fmt.Sprintf("/api/v1/instances/%s/topics/%s/records/0/%d/fate?connector=%s", instance, b.topic, offset, lenient.Name)
		b.sluice.Must(http.StatusOK, http.MethodGet, path, nil, &fate)
		if fate.State != want || fate.Where == "" || (fate.Reason != "") != (want == "diverted") {
			t.Errorf("offset %d: %+v", offset, fate)
		}
	}
}

// mustHaveDiverted judges the dead-letter topic: offsets 1 and 2 of partition 0, as they were sent.
func (b *bed) mustHaveDiverted(name string) {
	b.t.Helper()
	diverted := b.kafka.ReadAll("connect-error-" + name)
	if len(diverted) != 2 {
		b.t.Fatalf("%s diverted %d records, want 2", name, len(diverted))
	}
	slices.SortFunc(diverted, func(x, y *sarama.ConsumerMessage) int {
		return int(header(x, "__connect.errors.offset")[0]) - int(header(y, "__connect.errors.offset")[0])
	})
	if m := diverted[0]; string(m.Key) != "\xff\x00" || string(m.Value) != "a,b" || len(m.Headers) < 3 ||
		string(m.Headers[0].Value) != "1" || string(m.Headers[1].Value) != "\xfe" || m.Headers[2].Value != nil {
		b.t.Errorf("%s: key, value and headers are not as they were: %q %q %v", name, m.Key, m.Value, m.Headers)
	}
	if m := diverted[1]; string(m.Key) != "k2" || string(m.Value) != "\xfex" {
		b.t.Errorf("%s: key and value are not as they were: %q %q", name, m.Key, m.Value)
	}
	for i, m := range diverted {
		for key, want := range map[string]string{
			"topic": b.topic, "partition": "0", "offset": fmt.Sprint(i + 1), "connector.name": name, "class.name": "KAFKA2OSS",
			"stage": []string{"KEY_CONVERTER", "VALUE_CONVERTER"}[i],
		} {
			if got := header(m, "__connect.errors."+key); got != want {
				b.t.Errorf("%s: %s = %q, want %q", name, key, got, want)
			}
		}
		for _, key := range []string{"task.id", "exception.class.name", "exception.message"} {
			if header(m, "__connect.errors."+key) == "" {
				b.t.Errorf("%s: %s is missing", name, key)
			}
		}
	}
}
