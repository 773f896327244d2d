package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

const topicTimeout = 15 * time.Second

// maxPartitions bounds what a topic is made with here.
const maxPartitions = 1000

// cluster finds an instance and how to reach it.
func (s *Service) cluster(ctx context.Context, instance string) (runner.Instance, kafka.Cluster, error) {
	in, err := s.store.InstanceByName(ctx, instance)
	if err != nil {
		return in, kafka.Cluster{}, fromStore(err, "instance "+quoted(instance))
	}
	return in, s.sup.Cluster(in), nil
}

// Topics lists an instance's topics by name, live.
func (s *Service) Topics(ctx context.Context, instance string) ([]Topic, error) {
	if err := need(ctx, Viewer); err != nil {
		return nil, err
	}
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	all, err := s.kafka.Topics(ctx, cluster)
	if err != nil {
		return nil, notAnswering(in, err)
	}
	out := make([]Topic, len(all))
	for i, t := range all {
		out[i] = topicOf(t)
	}
	slices.SortFunc(out, func(a, b Topic) int { return compareText(a.Name, b.Name) })
	return out, nil
}

func topicOf(t kafka.Topic) Topic {
	return Topic{Name: t.Name, ID: t.ID, Partitions: len(t.Partitions), Replicas: t.Replicas, Internal: t.Internal}
}

func notAnswering(in runner.Instance, err error) error {
	return unavailable(err, "Instance %s does not answer: %s", quoted(in.Name), reason(err))
}

// Topic describes one topic with its settings and the bounds of its partitions.
func (s *Service) Topic(ctx context.Context, instance, name string) (Topic, error) {
	if err := need(ctx, Viewer); err != nil {
		return Topic{}, err
	}
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return Topic{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	t, err := s.topic(ctx, in, cluster, name)
	if err != nil {
		return Topic{}, err
	}
	out := topicOf(t)
	if out.Config, err = s.kafka.TopicConfig(ctx, cluster, name); err != nil {
		return Topic{}, notAnswering(in, err)
	}
	tps := make([]kafka.TP, len(t.Partitions))
	for i, p := range t.Partitions {
		tps[i] = kafka.TP{Topic: name, Partition: p}
	}
	marks, err := s.kafka.Watermarks(ctx, cluster, tps...)
	if err != nil {
		return Topic{}, notAnswering(in, err)
	}
	for _, tp := range tps {
		out.Bounds = append(out.Bounds, Bounds{Partition: tp.Partition, Start: marks[tp].Start, End: marks[tp].End})
	}
	return out, nil
}

func (s *Service) topic(ctx context.Context, in runner.Instance, cluster kafka.Cluster, name string) (kafka.Topic, error) {
	if err := connector.ValidTopic(name); err != nil {
		return kafka.Topic{}, notFound("Topic not found: %s", err.Error())
	}
	t, err := s.kafka.Topic(ctx, cluster, name)
	if errors.Is(err, kafka.ErrNoTopic) {
		return t, notFound("Topic %s not found on instance %s.", quoted(name), quoted(in.Name))
	}
	if err != nil {
		return t, notAnswering(in, err)
	}
	return t, nil
}

// CreateTopic makes a topic. replicas 0 means min(3, brokers).
func (s *Service) CreateTopic(ctx context.Context, instance, name string, partitions, replicas int, config map[string]string) (Topic, error) {
	if err := need(ctx, Operator); err != nil {
		return Topic{}, err
	}
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return Topic{}, err
	}
	if err := invalid(topicProblems(name, partitions, replicas, config)); err != nil {
		return Topic{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	spec := kafka.TopicSpec{Name: name, Partitions: int32(partitions), Replicas: int16(replicas), Config: config}
	created, err := s.kafka.CreateTopic(ctx, cluster, spec)
	if err != nil {
		return Topic{}, notAnswering(in, err)
	}
	if !created {
		return Topic{}, &Error{Kind: Conflict, Exists: true, Message: "Topic " + name + " already exists."}
	}
	s.audit(ctx, "topic.create", instance+"/"+name, map[string]string{"partitions": strconv.Itoa(partitions)})
	out := Topic{Name: name, Partitions: partitions, Replicas: replicas}
	if t, err := s.kafka.Topic(ctx, cluster, name); err == nil { // what the cluster made of it; it need not be known everywhere yet
		out = topicOf(t)
	}
	out.Config = config
	return out, nil
}

func topicProblems(name string, partitions, replicas int, config map[string]string) []connector.FieldError {
	var out []connector.FieldError
	if err := connector.ValidTopic(name); err != nil {
		out = append(out, connector.FieldError{Field: "name", Message: err.Error()})
	}
	if partitions < 1 || partitions > maxPartitions {
		out = append(out, connector.FieldError{Field: "partitions", Message: fmt.Sprintf("must be from 1 to %d.", maxPartitions)})
	}
	if replicas < 0 || replicas > 100 {
		out = append(out, connector.FieldError{Field: "replicas", Message: "must be from 1 to 100; 0 or nothing means as many as are sensible."})
	}
	for _, p := range shapeProblems(config) {
		out = append(out, connector.FieldError{Field: "config." + p.Field, Message: p.Message})
	}
	return out
}

// SendRecord writes one record to a topic and says where it came to lie.
func (s *Service) SendRecord(ctx context.Context, instance, topic string, r NewRecord) (partition int32, offset int64, err error) {
	if err := need(ctx, Operator); err != nil {
		return 0, 0, err
	}
	in, cluster, err := s.cluster(ctx, instance)
	if err != nil {
		return 0, 0, err
	}
	ctx, cancel := context.WithTimeout(ctx, topicTimeout)
	defer cancel()
	t, err := s.topic(ctx, in, cluster, topic)
	if err != nil {
		return 0, 0, err
	}
	if r.Partition < -1 || int(r.Partition) >= len(t.Partitions) {
		return 0, 0, fieldError("partition", "The topic has the partitions 0 to %d; leave it out (or -1) to let the key decide.", len(t.Partitions)-1)
	}
	out := kafka.Out{Topic: topic, Partition: r.Partition, Key: r.Key, Value: r.Value}
	out.Headers = slices.Grow(out.Headers, len(r.Headers))[:len(r.Headers)]
	for i, h := range r.Headers {
		if h.Key == "" {
			return 0, 0, fieldError(fmt.Sprintf("headers[%d].key", i), "A header needs a key.")
		}
		out.Headers[i].Key, out.Headers[i].Value = h.Key, h.Value
	}
	partition, offset, err = s.kafka.Send(ctx, cluster, out)
	if errors.Is(err, kafka.ErrMessageTooLarge) {
		limit, _ := s.kafka.MaxMessageBytes(ctx, cluster, topic) // only for the sentence
		return 0, 0, &Error{Kind: TooLarge, Message: fmt.Sprintf("The topic takes records of at most %d bytes.", limit), Err: err,
			Fields: []connector.FieldError{{Field: "value", Message: "The record is larger than the topic allows."}}}
	}
	if err != nil {
		return 0, 0, notAnswering(in, err)
	}
	s.audit(ctx, "record.send", instance+"/"+topic, map[string]string{"partition": strconv.Itoa(int(partition)), "offset": strconv.FormatInt(offset, 10)})
	return partition, offset, nil
}
