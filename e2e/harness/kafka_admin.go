package harness

import (
	"errors"
	"fmt"
	"time"

	"github.com/IBM/sarama"
)

// Position is a committed offset of a group, with what Sluice keeps in its metadata.
type Position struct {
	Offset   int64
	Metadata string
}

// clientConfig is the configuration of the harness's own Kafka clients.
func clientConfig() *sarama.Config {
	c := sarama.NewConfig()
	c.Version, c.ClientID = sarama.V2_8_0_0, "sluice-e2e"
	c.Metadata.AllowAutoTopicCreation = false
	c.Metadata.Retry.Max, c.Metadata.Retry.Backoff = 40, 100*time.Millisecond
	c.Net.DialTimeout, c.Net.ReadTimeout = 5*time.Second, 20*time.Second
	return c
}

// admin runs act with an admin client of its own; its error ends the test.
func (k *Kafka) admin(what string, act func(sarama.ClusterAdmin) error) {
	k.t.Helper()
	admin, err := sarama.NewClusterAdmin(k.Brokers(), clientConfig())
	if err != nil {
		k.t.Fatalf("%s: connecting: %v", what, err)
	}
	defer admin.Close()
	if err := act(admin); err != nil {
		k.t.Fatalf("%s: %v", what, err)
	}
}

// CreateTopic makes a topic with min(3, nodes) replicas and waits until its partitions have leaders.
// config holds topic settings and may be nil.
func (k *Kafka) CreateTopic(topic string, partitions int32, config map[string]string) {
	k.t.Helper()
	entries := map[string]*string{}
	for key, value := range config {
		entries[key] = &value
	}
	k.admin("creating topic "+topic, func(a sarama.ClusterAdmin) error {
		detail := &sarama.TopicDetail{NumPartitions: partitions, ReplicationFactor: int16(min(3, len(k.nodes))), ConfigEntries: entries}
		if err := a.CreateTopic(topic, detail, false); err != nil {
			return err
		}
		Eventually(k.t, 20*time.Second, "topic "+topic+" has leaders", func() (bool, string) {
			return topicReady(a, topic, int(partitions))
		})
		return nil
	})
}

func topicReady(a sarama.ClusterAdmin, topic string, partitions int) (bool, string) {
	described, err := a.DescribeTopics([]string{topic})
	if err != nil || len(described) != 1 || described[0].Err != sarama.ErrNoError || len(described[0].Partitions) != partitions {
		return false, fmt.Sprintf("%v %v", described, err)
	}
	for _, p := range described[0].Partitions {
		if p.Leader < 0 {
			return false, fmt.Sprintf("partition %d has no leader", p.ID)
		}
	}
	return true, ""
}

// DeleteTopic deletes a topic and waits until the cluster does not list it.
func (k *Kafka) DeleteTopic(topic string) {
	k.t.Helper()
	k.admin("deleting topic "+topic, func(a sarama.ClusterAdmin) error {
		if err := a.DeleteTopic(topic); err != nil {
			return err
		}
		Eventually(k.t, 20*time.Second, "topic "+topic+" is gone", func() (bool, string) {
			topics, err := a.ListTopics()
			_, there := topics[topic]
			return err == nil && !there, fmt.Sprintf("listed: %v, error %v", there, err)
		})
		return nil
	})
}

// Topics are the cluster's topics with their partition counts and settings.
func (k *Kafka) Topics() map[string]sarama.TopicDetail {
	k.t.Helper()
	var topics map[string]sarama.TopicDetail
	k.admin("listing topics", func(a sarama.ClusterAdmin) (err error) {
		topics, err = a.ListTopics()
		return err
	})
	return topics
}

// AddPartitions raises a topic to the given number of partitions.
func (k *Kafka) AddPartitions(topic string, total int32) {
	k.t.Helper()
	k.admin("adding partitions to "+topic, func(a sarama.ClusterAdmin) error {
		if err := a.CreatePartitions(topic, total, nil, false); err != nil {
			return err
		}
		Eventually(k.t, 20*time.Second, "the new partitions have leaders", func() (bool, string) {
			return topicReady(a, topic, int(total))
		})
		return nil
	})
}

// DeleteRecords removes the records of a partition below an offset, as retention does.
func (k *Kafka) DeleteRecords(topic string, partition int32, before int64) {
	k.t.Helper()
	k.admin("deleting records of "+topic, func(a sarama.ClusterAdmin) error {
		return a.DeleteRecords(topic, map[int32]int64{partition: before})
	})
}

// Positions are the committed offsets of a group for a topic's partitions; partitions without one are
// left out.
func (k *Kafka) Positions(group, topic string) map[int32]Position {
	k.t.Helper()
	positions := map[int32]Position{}
	k.admin("reading positions of "+group, func(a sarama.ClusterAdmin) error {
		var answer *sarama.OffsetFetchResponse
		var err error
		Eventually(k.t, 20*time.Second, "the positions of "+group+" can be read", func() (bool, string) {
			if answer, err = a.ListConsumerGroupOffsets(group, nil); err == nil && answer.Err != sarama.ErrNoError {
				err = answer.Err
			}
			return err == nil || !coordinatorMoves(err), fmt.Sprint(err)
		})
		if err != nil {
			return err
		}
		for partition, block := range answer.Blocks[topic] {
			if block.Offset >= 0 {
				positions[partition] = Position{Offset: block.Offset, Metadata: block.Metadata}
			}
		}
		return nil
	})
	return positions
}

// coordinatorMoves tells of a group whose coordinator is not there yet: a broker has just started.
func coordinatorMoves(err error) bool {
	return errors.Is(err, sarama.ErrNotCoordinatorForConsumer) || errors.Is(err, sarama.ErrOffsetsLoadInProgress) ||
		errors.Is(err, sarama.ErrConsumerCoordinatorNotAvailable)
}

// DeleteGroupPositions removes a group's committed offsets for a topic, as their expiry does. The group
// must be empty; the harness waits until it is.
func (k *Kafka) DeleteGroupPositions(group, topic string) {
	k.t.Helper()
	k.AwaitMembers(group, 0, 90*time.Second)
	for partition := range k.Positions(group, topic) {
		k.admin("deleting positions of "+group, func(a sarama.ClusterAdmin) error {
			return a.DeleteConsumerGroupOffset(group, topic, partition)
		})
	}
}

// AwaitMembers waits until a group has so many members.
func (k *Kafka) AwaitMembers(group string, want int, within time.Duration) {
	k.t.Helper()
	k.admin("describing group "+group, func(a sarama.ClusterAdmin) error {
		Eventually(k.t, within, fmt.Sprintf("group %s has %d members", group, want), func() (bool, string) {
			described, err := a.DescribeConsumerGroups([]string{group})
			if err != nil || len(described) != 1 {
				return false, fmt.Sprintf("%v", err)
			}
			if described[0].Err == sarama.ErrGroupIDNotFound || described[0].State == "Dead" {
				return want == 0, "the group does not exist"
			}
			return len(described[0].Members) == want, fmt.Sprintf("%d members, %s", len(described[0].Members), described[0].State)
		})
		return nil
	})
}

// Ends are the high-water marks of a topic's partitions: the offset that the next record gets.
func (k *Kafka) Ends(topic string) map[int32]int64 {
	k.t.Helper()
	return k.offsets(topic, sarama.OffsetNewest)
}

// Beginnings are the first offsets that a topic's partitions still hold.
func (k *Kafka) Beginnings(topic string) map[int32]int64 {
	k.t.Helper()
	return k.offsets(topic, sarama.OffsetOldest)
}

func (k *Kafka) offsets(topic string, which int64) map[int32]int64 {
	k.t.Helper()
	client, err := sarama.NewClient(k.Brokers(), clientConfig())
	if err != nil {
		k.t.Fatalf("reading offsets of %s: %v", topic, err)
	}
	defer client.Close()
	partitions, err := client.Partitions(topic)
	if errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
		return nil
	}
	if err != nil {
		k.t.Fatalf("reading partitions of %s: %v", topic, err)
	}
	offsets := map[int32]int64{}
	for _, p := range partitions {
		if offsets[p], err = client.GetOffset(topic, p, which); err != nil {
			k.t.Fatalf("reading offsets of %s: %v", topic, err)
		}
	}
	return offsets
}
