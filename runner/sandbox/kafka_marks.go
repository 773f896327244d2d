package sandbox

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"

	"github.com/twmb/franz-go/pkg/kmsg"
)

// logEnds remembers where logs end that are about to lose records, in a file beside the broker's own: a partition that
// has lost them all has no file that tells, and after a kill would begin again at offset 0.
type logEnds struct {
	dir, file string // the broker's folder, and the file

	mu   sync.Mutex
	ends map[string]int64 // by endKey
}

// openLogEnds reads the file, which may be missing.
func openLogEnds(dir, file string) (*logEnds, error) {
	l := &logEnds{dir: dir, file: file, ends: make(map[string]int64)}
	if err := readJSON(file, &l.ends); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	return l, nil
}

// endKey names a partition by its topic's id, so that a topic made anew is another.
func endKey(topicID string, partition int32) string { return fmt.Sprintf("%s/%d", topicID, partition) }

// of returns the end that was noted, 0 for none.
func (l *logEnds) of(topicID string, partition int32) int64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.ends[endKey(topicID, partition)]
}

// note looks where the logs of some partitions end, and writes that down.
func (l *logEnds) note(wanted func(topic brokerTopic, partition int32) bool) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	topics, err := brokerTopics(l.dir)
	if err != nil {
		return err
	}
	ends := make(map[string]int64)
	for _, topic := range topics { // of topics deleted since nothing is kept
		for partition := range topic.Partitions {
			if end, ok := l.ends[endKey(topic.id(), partition)]; ok {
				ends[endKey(topic.id(), partition)] = end
			}
		}
	}
	err = eachPartition(l.dir, func(name string, partition int32, path string, segments []segmentFile) error {
		topic, ok := topics[name]
		if !ok || len(segments) == 0 || !wanted(topic, partition) {
			return nil
		}
		end, err := logEnd(path, segments[len(segments)-1:])
		if key := endKey(topic.id(), partition); end > ends[key] {
			ends[key] = end
		}
		return err
	})
	if err != nil {
		return err
	}
	l.ends = ends
	return writeJSON(l.file, ends)
}

// noteDeletes notes the ends of partitions before the broker deletes records from them.
func (k *Kafka) noteDeletes(request kmsg.Request) (kmsg.Response, error, bool) {
	k.cluster.KeepControl()
	deletes := request.(*kmsg.DeleteRecordsRequest)
	err := k.ends.note(func(topic brokerTopic, partition int32) bool {
		for _, t := range deletes.Topics {
			for _, p := range t.Partitions {
				if t.Topic == topic.Name && p.Partition == partition {
					return true
				}
			}
		}
		return false
	})
	if err != nil {
		k.log.Warn("the end of a log could not be noted before its records are deleted", slog.Any("error", err))
	}
	return nil, nil, false // the broker goes on with the request
}

// applyRetention notes the ends of what retention may empty, then lets the broker drop records.
func (k *Kafka) applyRetention() {
	err := k.ends.note(func(topic brokerTopic, _ int32) bool {
		return topic.Configs["retention.ms"] != "" || topic.Configs["retention.bytes"] != ""
	})
	if err != nil {
		k.log.Warn("the embedded broker's retention was not applied", slog.Any("error", err))
		return
	}
	k.cluster.ApplyRetention()
}

// brokerTopic is a topic as kfake's topics.json has it.
type brokerTopic struct {
	Name       string            `json:"name"`
	ID         json.RawMessage   `json:"id"`
	Partitions int32             `json:"partitions"`
	Configs    map[string]string `json:"configs"`
}

func (t brokerTopic) id() string { return string(t.ID) }

// brokerTopics reads kfake's list of topics, which may be missing.
func brokerTopics(dir string) (map[string]brokerTopic, error) {
	var list struct {
		Topics []brokerTopic `json:"topics"`
	}
	if err := readJSON(filepath.Join(dir, "topics.json"), &list); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	topics := make(map[string]brokerTopic, len(list.Topics))
	for _, topic := range list.Topics {
		topics[topic.Name] = topic
	}
	return topics, nil
}
