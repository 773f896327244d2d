package runner

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// mirror keeps every committed position a second time, once a second, in the
// database and in the task offset topic: a group's offsets expire when the group has
// been empty for long, and a position that went back is noticed against it.
type mirror struct {
	s    *Supervisor
	sub  *subject
	prod *kafka.Producer

	mu    sync.Mutex
	known map[kafka.TP]MirroredPosition
	dirty map[kafka.TP]bool

	stop chan struct{}
	done chan struct{}
}

// mirrorRecord is the value in the task offset topic; the key is "topic/partition".
type mirrorRecord struct {
	Connector string    `json:"connector"`
	Topic     string    `json:"topic"`
	Partition int32     `json:"partition"`
	Offset    int64     `json:"offset"`
	TopicID   string    `json:"topic_id"`
	Metadata  string    `json:"metadata"`
	Time      time.Time `json:"time"`
}

const mirrorEvery = time.Second

// readMirror reads what is mirrored; start begins to write.
func readMirror(ctx context.Context, s *Supervisor, sub *subject) (*mirror, error) {
	m := &mirror{s: s, sub: sub, known: map[kafka.TP]MirroredPosition{}, dirty: map[kafka.TP]bool{}, stop: make(chan struct{}), done: make(chan struct{})}
	rows, err := s.o.Store.Mirrored(ctx, sub.row.ID)
	if err != nil {
		return nil, fmt.Errorf("reading mirrored positions: %w", err)
	}
	for _, p := range rows {
		m.known[kafka.TP{Topic: p.Topic, Partition: p.Partition}] = p
	}
	topic := &mirror{sub: sub, known: map[kafka.TP]MirroredPosition{}}
	err = readCompacted(ctx, sub.cluster, sub.names.offsetTopic, topic.load)
	if errors.Is(err, kafka.ErrNoTopic) {
		return nil, sub.gone(connector.KeyOffsetTopic, roleOffset, sub.names.offsetTopic, "Make the topic again (more than one partition, cleanup.policy=compact) and resume.")
	}
	if err != nil {
		return nil, fmt.Errorf("reading the offset topic %s: %w", sub.names.offsetTopic, err)
	}
	m.merge(topic.known)
	return m, nil
}

// start begins to write with prod what is noted.
func (m *mirror) start(prod *kafka.Producer) {
	m.prod = prod
	go m.loop()
}

// load takes a record of the offset topic, oldest first: a later one of the same key
// wins, whatever the clocks said, and one without a value takes the position back.
func (m *mirror) load(key string, value []byte) error {
	if value == nil {
		if topic, partition, ok := mirrored(key); ok {
			delete(m.known, kafka.TP{Topic: topic, Partition: partition})
		}
		return nil
	}
	var r mirrorRecord
	if json.Unmarshal(value, &r) != nil || r.Connector != m.sub.row.UUID {
		return nil
	}
	m.known[kafka.TP{Topic: r.Topic, Partition: r.Partition}] = MirroredPosition{ConnectorID: m.sub.row.ID, Topic: r.Topic, Partition: r.Partition,
		Offset: r.Offset, Metadata: r.Metadata, TopicID: r.TopicID, UpdatedAt: r.Time}
	return nil
}

// merge takes what the offset topic holds; the newer of it and the database's wins.
func (m *mirror) merge(topic map[kafka.TP]MirroredPosition) {
	for tp, p := range topic {
		if old, ok := m.known[tp]; !ok || p.UpdatedAt.After(old.UpdatedAt) {
			m.known[tp] = p
		}
	}
}

func (m *mirror) last(tp kafka.TP) (MirroredPosition, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	p, ok := m.known[tp]
	return p, ok
}

// note remembers an answered commit; it never blocks.
func (m *mirror) note(p MirroredPosition) {
	p.ConnectorID = m.sub.row.ID
	if p.UpdatedAt.IsZero() {
		p.UpdatedAt = time.Now().UTC()
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	tp := kafka.TP{Topic: p.Topic, Partition: p.Partition}
	m.known[tp], m.dirty[tp] = p, true
}

func (m *mirror) loop() {
	defer close(m.done)
	tick := time.NewTicker(mirrorEvery)
	defer tick.Stop()
	for {
		select {
		case <-m.stop:
			m.flush()
			return
		case <-tick.C:
			m.flush()
		}
	}
}

func (m *mirror) flush() {
	m.mu.Lock()
	batch := make([]MirroredPosition, 0, len(m.dirty))
	for tp := range m.dirty {
		batch = append(batch, m.known[tp])
	}
	clear(m.dirty)
	m.mu.Unlock()
	if len(batch) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	m.s.noteStore(m.s.o.Store.SaveMirrored(ctx, batch))
	if err := m.prod.SendAll(ctx, m.records(batch)); err != nil {
		m.s.log.Warn("mirroring positions", "connector", m.sub.row.Name, "topic", m.sub.names.offsetTopic, "err", err)
		m.mu.Lock()
		for _, p := range batch {
			m.dirty[kafka.TP{Topic: p.Topic, Partition: p.Partition}] = true
		}
		m.mu.Unlock()
	}
}

func (m *mirror) records(batch []MirroredPosition) []kafka.Out {
	out := make([]kafka.Out, 0, len(batch))
	for _, p := range batch {
		value, err := json.Marshal(mirrorRecord{Connector: m.sub.row.UUID, Topic: p.Topic, Partition: p.Partition, Offset: p.Offset, TopicID: p.TopicID, Metadata: p.Metadata, Time: p.UpdatedAt})
		if err != nil { // strings and numbers always marshal
			continue
		}
		out = append(out, kafka.Out{Topic: m.sub.names.offsetTopic, Partition: -1, Key: []byte(mirrorKey(p.Topic, p.Partition)), Value: value})
	}
	return out
}

// mirrorNow writes positions to the database and the offset topic and returns when both
// have them.
func (s *Supervisor) mirrorNow(ctx context.Context, sub *subject, j *journal, ps []MirroredPosition) error {
	if err := s.o.Store.SaveMirrored(ctx, ps); err != nil {
		return fmt.Errorf("mirroring positions: %w", err)
	}
	m := &mirror{s: s, sub: sub}
	if err := j.prod.SendAll(ctx, m.records(ps)); err != nil {
		return fmt.Errorf("mirroring positions in %s: %w", sub.names.offsetTopic, err)
	}
	return nil
}

func mirrorKey(topic string, partition int32) string {
	return topic + "/" + strconv.Itoa(int(partition))
}

// mirrored reads what mirrorKey wrote.
func mirrored(key string) (topic string, partition int32, ok bool) {
	i := strings.LastIndexByte(key, '/') // no topic's name has one
	if i < 0 {
		return "", 0, false
	}
	n, err := strconv.ParseInt(key[i+1:], 10, 32)
	return key[:i], int32(n), err == nil
}

func (m *mirror) close() {
	close(m.stop)
	<-m.done
}

// forgetMirror removes the mirrored positions of a connector from the database and
// the offset topic: an operator's reset starts as Deploy does.
func (s *Supervisor) forgetMirror(ctx context.Context, sub *subject, j *journal) error {
	m := &mirror{s: s, sub: sub, known: map[kafka.TP]MirroredPosition{}}
	if err := readCompacted(ctx, sub.cluster, sub.names.offsetTopic, m.load); err != nil && !errors.Is(err, kafka.ErrNoTopic) {
		return fmt.Errorf("reading the offset topic: %w", err)
	}
	var out []kafka.Out
	for _, tp := range slices.Collect(maps.Keys(m.known)) {
		out = append(out, kafka.Out{Topic: sub.names.offsetTopic, Partition: -1, Key: []byte(mirrorKey(tp.Topic, tp.Partition))})
	}
	if len(out) > 0 {
		if err := j.prod.SendAll(ctx, out); err != nil {
			return fmt.Errorf("clearing the offset topic: %w", err)
		}
	}
	if err := s.o.Store.DeleteMirrored(ctx, sub.row.ID); err != nil {
		return fmt.Errorf("clearing mirrored positions: %w", err)
	}
	return nil
}
