package kafka

import (
	"fmt"

	"github.com/IBM/sarama"
)

// Keys of the requests whose versions tell what a broker can do; see "API keys" in
// the Kafka protocol guide.
const (
	keyListOffsets    = 2
	keyMetadata       = 3
	keyOffsetCommit   = 8
	keyOffsetFetch    = 9
	keyJoinGroup      = 11
	keyHeartbeat      = 12
	keyLeaveGroup     = 13
	keyInitProducerID = 22
	keyEndTxn         = 26
	keyTxnOffsets     = 28
)

// release names a broker release by one request version that no older release answers.
type release struct {
	key, max int16
	name     string
}

// releases is ordered from new to old. A broker is taken for the first that fits.
func releases() []release {
	return []release{
		{35, 5, "4.3"}, {keyOffsetCommit, 10, "4.2"}, {1, 18, "4.1"}, {0, 12, "4.0"},
		{1, 17, "3.9"}, {0, 11, "3.8"}, {0, 10, "3.7"}, {24, 4, "3.6"}, {1, 15, "3.5"}, {5, 4, "3.4"},
		{29, 3, "3.3"}, {keyJoinGroup, 9, "3.2"}, {1, 13, "3.1"}, {keyOffsetFetch, 8, "3.0"},
		{keyMetadata, 11, "2.8"}, {1, 12, "2.7"}, {32, 3, "2.6"}, {keyOffsetFetch, 7, "2.5"},
		{keyOffsetCommit, 8, "2.4"}, {keyOffsetCommit, 7, "2.3"}, {keyListOffsets, 5, "2.2"},
		{keyOffsetCommit, 6, "2.1"}, {keyOffsetCommit, 4, "2.0"}, {1, 7, "1.1"}, {0, 5, "1.0"},
		{keyInitProducerID, 0, "0.11.0"}, {19, 1, "0.10.2"},
	}
}

// describe fills what the highest request versions of the brokers say into an Info.
// max holds, for each API key, the highest version that every broker answers.
func describe(max map[int16]int16) (Info, error) {
	has := func(key, v int16) bool { m, ok := max[key]; return ok && m >= v }
	var i Info
	for _, r := range releases() {
		if has(r.key, r.max) {
			i.Version = r.name
			break
		}
	}
	if i.Version == "" {
		return i, fmt.Errorf("the brokers are older than Apache Kafka 0.10.2")
	}
	i.Idempotent = has(keyInitProducerID, 0)
	i.Transactions = i.Idempotent && has(keyEndTxn, 0) && has(keyTxnOffsets, 0)
	i.RequireStable = has(keyOffsetFetch, 7) && has(keyTxnOffsets, 3)
	i.StaticMembership = has(keyJoinGroup, 5) && has(keyOffsetCommit, 7) && has(keyHeartbeat, 3)
	i.TopicIDs = has(keyMetadata, 10)
	return i, nil
}

// parseVersion reads "2.8", "2.8.0" or "0.10.2" into what sarama knows.
func parseVersion(s string) (sarama.KafkaVersion, error) {
	for _, text := range []string{s, s + ".0", s + ".0.0"} {
		v, err := sarama.ParseKafkaVersion(text)
		if err != nil {
			continue
		}
		if !v.IsAtLeast(sarama.V0_10_2_0) {
			return v, fmt.Errorf("kafka version %s: 0.10.2 or later is needed", s)
		}
		if v.IsAtLeast(sarama.MaxVersion) {
			return sarama.MaxVersion, nil
		}
		return v, nil
	}
	return sarama.KafkaVersion{}, fmt.Errorf("kafka version %q is none: write it like 2.8 or 0.10.2", s)
}

// at is the first step whose release v reaches, else fallback. Steps stand from new to old.
func at(v sarama.KafkaVersion, fallback int16, steps ...step) int16 {
	for _, s := range steps {
		if v.IsAtLeast(s.from) {
			return s.version
		}
	}
	return fallback
}

type step struct {
	from    sarama.KafkaVersion
	version int16
}

// commitVersion: 7 carries the instance id of a static member. 8 only changes the
// encoding and is left to later.
func commitVersion(v sarama.KafkaVersion) int16 {
	return at(v, 2, step{sarama.V2_3_0_0, 7}, step{sarama.V2_1_0_0, 6}, step{sarama.V2_0_0_0, 4}, step{sarama.V0_11_0_0, 3})
}

// heartbeatVersion: 3 carries the instance id.
func heartbeatVersion(v sarama.KafkaVersion) int16 {
	return at(v, 0, step{sarama.V2_4_0_0, 4}, step{sarama.V2_3_0_0, 3}, step{sarama.V2_0_0_0, 2}, step{sarama.V0_11_0_0, 1})
}

// fetchVersion: 4 carries the isolation level, 5 the log's start, 10 zstd.
func fetchVersion(v sarama.KafkaVersion) int16 {
	return at(v, 2, step{sarama.V2_7_0_0, 12}, step{sarama.V2_3_0_0, 11}, step{sarama.V2_1_0_0, 10}, step{sarama.V2_0_0_0, 8},
		step{sarama.V1_1_0_0, 7}, step{sarama.V1_0_0_0, 6}, step{sarama.V0_11_0_0, 5}, step{sarama.V0_10_1_0, 3})
}

// produceVersion: 3 carries transactions and record batches, 7 zstd.
func produceVersion(v sarama.KafkaVersion) int16 {
	return at(v, 2, step{sarama.V2_4_0_0, 8}, step{sarama.V2_1_0_0, 7}, step{sarama.V2_0_0_0, 6}, step{sarama.V1_0_0_0, 5}, step{sarama.V0_11_0_0, 3})
}

// initProducerVersion: 4 answers PRODUCER_FENCED instead of an epoch error.
func initProducerVersion(v sarama.KafkaVersion) int16 {
	return at(v, 0, step{sarama.V2_7_0_0, 4}, step{sarama.V2_5_0_0, 3}, step{sarama.V2_4_0_0, 2}, step{sarama.V2_0_0_0, 1})
}

// txnVersion is that of AddPartitionsToTxn, AddOffsetsToTxn and EndTxn.
func txnVersion(v sarama.KafkaVersion) int16 {
	return at(v, 0, step{sarama.V2_8_0_0, 3}, step{sarama.V2_7_0_0, 2}, step{sarama.V2_0_0_0, 1})
}

// txnCommitVersion: 3 carries member, generation and instance id, without which the
// coordinator cannot refuse a stale member.
func txnCommitVersion(v sarama.KafkaVersion) int16 {
	return at(v, 0, step{sarama.V2_5_0_0, 3}, step{sarama.V2_1_0_0, 2}, step{sarama.V2_0_0_0, 1})
}

// describeConfigsVersion: any answers what is asked of it here; brokers drop old ones.
func describeConfigsVersion(v sarama.KafkaVersion) int16 {
	return at(v, 0, step{sarama.V2_8_0_0, 4}, step{sarama.V2_0_0_0, 2}, step{sarama.V1_1_0_0, 1})
}
