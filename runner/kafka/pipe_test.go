package kafka

import (
	"math/rand/v2"
	"testing"

	"github.com/IBM/sarama"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// FuzzProduceAnswer: the response reader agrees with another library and does not fall
// over what is no response.
func FuzzProduceAnswer(f *testing.F) {
	r := kmsg.NewProduceResponse()
	r.Version = 8
	topic := kmsg.NewProduceResponseTopic()
	topic.Topic = "orders"
	for p := range int32(3) {
		part := kmsg.NewProduceResponseTopicPartition()
		part.Partition, part.ErrorCode, part.BaseOffset = p, int16(p*3), 77
		message := "why"
		bad := kmsg.NewProduceResponseTopicPartitionErrorRecord()
		bad.ErrorMessage = &message
		if p == 1 {
			part.ErrorMessage, part.ErrorRecords = &message, append(part.ErrorRecords, bad)
		}
		topic.Partitions = append(topic.Partitions, part)
	}
	r.Topics = append(r.Topics, topic)
	for _, version := range []int16{3, 5, 8} {
		r.Version = version
		f.Add(version, r.AppendTo(nil))
	}
	f.Fuzz(func(t *testing.T, version int16, body []byte) {
		if version < 3 || version > 8 {
			return
		}
		var other kmsg.ProduceResponse
		other.Version = version
		got, err := produceAnswer(body, version)
		if other.ReadFrom(body) != nil {
			return // of what is incomplete we may have understood what we need
		}
		if err != nil {
			t.Fatalf("another library reads % x", body)
		}
		for _, topic := range other.Topics {
			for _, p := range topic.Partitions {
				if _, ok := got[TP{topic.Topic, p.Partition}]; !ok {
					t.Errorf("%s/%d is missing", topic.Topic, p.Partition)
				}
			}
		}
	})
}

func TestPartitionOf(t *testing.T) {
	t.Parallel()
	if p := PartitionOf(nil, 6); p != 0 {
		t.Errorf("no key: partition %d", p)
	}
	random := rand.New(rand.NewPCG(1, 2))
	library := sarama.NewMurmur2Partitioner("")
	for n := range 2000 {
		key := make([]byte, n%40)
		for i := range key {
			key[i] = byte(random.Uint32())
		}
		parts := random.Int32N(100) + 1
		want, err := library.Partition(&sarama.ProducerMessage{Key: sarama.ByteEncoder(key)}, parts)
		if err != nil {
			t.Fatal(err)
		}
		if got := PartitionOf(key, parts); got != want {
			t.Errorf("% x of %d: %d, want %d", key, parts, got, want)
		}
	}
}
