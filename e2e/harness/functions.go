package harness

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"strconv"
	"time"
)

// FCService is the service that the stand-in's functions are in; FC 3.0 knows them without it.
const FCService = "sandbox"

// FCConfig is the configuration of a KAFKA2FC connector that invokes the function echo of FC 2.0, asynchronously, with
// what a topic holds from its beginning; extra goes over it.
func FCConfig(o *Standin, topics string, extra map[string]string) map[string]string {
	config := map[string]string{
		"connector.class": "KAFKA2FC", "topics": topics, "tasks.max": "2",
		"consumer.override.auto.offset.reset": "earliest",
		"fc.endpoint":                         o.URL, "fc.service": FCService, "fc.function": "echo",
		"aliyun.access.key.id": OSSKeyID, "aliyun.access.key.secret": OSSKeySecret,
		"flush.interval.ms": "500",
	}
	maps.Copy(config, extra)
	return config
}

// Invocation is an event that the FC stand-in accepted.
type Invocation struct {
	Sequence     int64         `json:"sequence"` // grows as they come
	Time         time.Time     `json:"time"`
	Service      string        `json:"service"` // empty of FC 3.0
	Function     string        `json:"function"`
	Qualifier    string        `json:"qualifier"`
	Async        bool          `json:"async"`
	InvocationID string        `json:"invocation_id"`
	Records      int           `json:"records"`
	Status       string        `json:"status"` // Succeeded, Failed, Running
	Took         time.Duration `json:"took"`
	Body         string        `json:"body"`
}

// Invocations are what the FC stand-in has accepted, oldest first.
func (o *Standin) Invocations() []Invocation {
	o.t.Helper()
	var all []Invocation
	lines := bufio.NewScanner(bytes.NewReader(o.Control(http.MethodGet, "/__invocations")))
	lines.Buffer(nil, 64<<20)
	for lines.Scan() {
		var inv Invocation
		if err := json.Unmarshal(lines.Bytes(), &inv); err != nil {
			o.t.Fatalf("reading invocations: %v: %.200s", err, lines.Bytes())
		}
		all = append(all, inv)
	}
	return all
}

// FCStats are counters of the FC stand-in since its start.
type FCStats struct {
	Invocations int64 `json:"invocations"` // accepted
	Failed      int64 `json:"failed"`      // of them, by the function
	Repeated    int64 `json:"repeated"`    // refused, for the invocation ID was known
	Throttled   int64 `json:"throttled"`   // refused by the function throttled
	Records     int64 `json:"records"`     // of the accepted ones
}

// FCStats reads the counters of the FC stand-in.
func (o *Standin) FCStats() FCStats {
	o.t.Helper()
	var stats FCStats
	if err := json.Unmarshal(o.Control(http.MethodGet, "/__stats"), &stats); err != nil {
		o.t.Fatalf("reading the stand-in's counters: %v", err)
	}
	return stats
}

// JudgeInvocations reads what the functions took and compares it with the ledger: every number where Kafka has it once, bodies of one partition each with offsets that grow, and offsets that grow over the
// bodies of a partition where they come for the first time.
func (o *Standin) JudgeInvocations(ledger *Ledger) Verdict {
	o.t.Helper()
	return JudgeThese(ledger, o.Invocations())
}

// JudgeThese is JudgeInvocations of chosen invocations.
func JudgeThese(ledger *Ledger, invocations []Invocation) Verdict {
	var seen []Seen
	var problems []string
	told := map[string]map[int64]bool{} // partition → offsets that came
	most := map[string]int64{}
	for _, inv := range invocations {
		if inv.Status == "Failed" {
			continue
		}
		where := "invocation " + strconv.FormatInt(inv.Sequence, 10)
		records, err := readBody(where, inv)
		if err != nil {
			problems = append(problems, fmt.Sprintf("%s: %v", where, err))
			continue
		}
		for _, r := range records {
			partition := fmt.Sprintf("%s-%d", r.Topic, r.Partition)
			if told[partition] == nil {
				told[partition], most[partition] = map[int64]bool{}, -1
			}
			if !told[partition][r.Offset] && r.Offset < most[partition] {
				problems = append(problems, fmt.Sprintf("%s: offset %d of %s comes after %d", where, r.Offset, partition, most[partition]))
			}
			told[partition][r.Offset] = true
			most[partition] = max(most[partition], r.Offset)
		}
		seen = append(seen, records...)
	}
	v := ledger.Judge(seen)
	v.Problems = append(v.Problems, problems...)
	return v
}

// readBody reads the records of a request's body.
func readBody(where string, inv Invocation) ([]Seen, error) {
	var wire []wireRecord
	if err := json.Unmarshal([]byte(inv.Body), &wire); err != nil {
		return nil, err
	}
	if len(wire) == 0 || len(wire) != inv.Records {
		return nil, fmt.Errorf("%d records, the stand-in counted %d", len(wire), inv.Records)
	}
	seen := make([]Seen, len(wire))
	for i, r := range wire {
		seen[i] = Seen{Object: where, Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		if r.Value != nil {
			seen[i].Value = []byte(*r.Value)
		}
		if i > 0 && (r.Topic != wire[0].Topic || r.Partition != wire[0].Partition || r.Offset <= wire[i-1].Offset) {
			return nil, fmt.Errorf("%s-%d@%d stands behind %s-%d@%d", r.Topic, r.Partition, r.Offset, wire[0].Topic, wire[0].Partition, wire[i-1].Offset)
		}
	}
	return seen, nil
}

// Generation is the number of a consumer group's present generation: every rebalance makes a new one. It is read where
// the broker keeps it, in the newest description of the group in __consumer_offsets
// (org.apache.kafka GroupMetadataKey, version 2, and GroupMetadataValue).
func (k *Kafka) Generation(group string) int32 {
	k.t.Helper()
	const topic = "__consumer_offsets"
	partition := groupPartition(group, len(k.Ends(topic)))
	wantKey := append([]byte{0, 2, byte(len(group) >> 8), byte(len(group))}, group...)
	generation, found := int32(0), false
	for _, m := range k.readPartition(topic, partition) {
		if !bytes.Equal(m.Key, wantKey) || len(m.Value) < 4 {
			continue
		}
		// version, protocolType (a string with its length in two bytes), generation
		at := 4 + int(m.Value[2])<<8 + int(m.Value[3])
		if len(m.Value) < at+4 {
			k.t.Fatalf("the description of group %s has %d bytes", group, len(m.Value))
		}
		g := m.Value[at : at+4]
		generation, found = int32(g[0])<<24|int32(g[1])<<16|int32(g[2])<<8|int32(g[3]), true
	}
	if !found {
		k.t.Fatalf("%s does not describe group %s", topic, group)
	}
	return generation
}

// groupPartition is Kafka's Utils.abs(groupId.hashCode()) % partitions.
func groupPartition(group string, partitions int) int32 {
	var hash int32
	for _, r := range group {
		hash = 31*hash + r
	}
	return (hash & 0x7fffffff) % int32(partitions)
}
