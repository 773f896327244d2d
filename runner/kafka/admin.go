package kafka

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/IBM/sarama"
)

// Admin describes and changes topics and groups. It has a client of its own. Its
// methods may be called at the same time.
type Admin struct {
	*conn
	ca sarama.ClusterAdmin
}

// OpenAdmin connects.
func OpenAdmin(ctx context.Context, c Cluster) (*Admin, error) {
	k, err := open(ctx, c, func(conf *sarama.Config) { conf.Metadata.Full = true })
	if err != nil {
		return nil, err
	}
	ca, err := sarama.NewClusterAdminFromClient(k.client)
	if err != nil {
		k.close()
		return nil, fmt.Errorf("connecting to Kafka: %w", classify(err))
	}
	return &Admin{k, ca}, nil
}

// Close ends the client.
func (a *Admin) Close() error { return a.close() }

// Topics are all topics that the user may see, by name.
func (a *Admin) Topics(ctx context.Context) ([]Topic, error) {
	all, err := a.describe(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("listing topics: %w", err)
	}
	topics := make([]Topic, 0, len(all))
	for _, m := range all {
		if m.Err == sarama.ErrNoError || m.Err == sarama.ErrLeaderNotAvailable {
			topics = append(topics, topicOf(m))
		}
	}
	slices.SortFunc(topics, func(x, y Topic) int {
		if x.Name < y.Name {
			return -1
		}
		return 1
	})
	return topics, nil
}

// Topic describes one topic. ErrNoTopic: it does not exist.
func (a *Admin) Topic(ctx context.Context, name string) (Topic, error) {
	all, err := a.describe(ctx, []string{name})
	if err == nil && len(all) != 1 {
		err = sarama.ErrIncompleteResponse
	}
	if err == nil && all[0].Err != sarama.ErrNoError && all[0].Err != sarama.ErrLeaderNotAvailable {
		err = classify(all[0].Err)
	}
	if err != nil {
		return Topic{}, fmt.Errorf("describing topic %s: %w", name, err)
	}
	return topicOf(all[0]), nil
}

// describe asks the controller, which knows new topics first.
func (a *Admin) describe(ctx context.Context, names []string) ([]*sarama.TopicMetadata, error) {
	var r *sarama.MetadataResponse
	err := a.control(ctx, func(b *sarama.Broker) (bool, error) {
		var err error
		r, err = await(ctx, func() (*sarama.MetadataResponse, error) {
			return b.GetMetadata(sarama.NewMetadataRequest(a.conf.Version, names))
		}, nil)
		return err != nil && ctx.Err() == nil, err
	})
	if err != nil {
		return nil, err
	}
	return r.Topics, nil
}

// control follows the controller.
func (a *Admin) control(ctx context.Context, attempt func(*sarama.Broker) (bool, error)) error {
	return a.follow(ctx, a.client.Controller, func() { _, _ = a.client.RefreshController() }, never, attempt)
}

func topicOf(m *sarama.TopicMetadata) Topic {
	t := Topic{Name: m.Name, Internal: m.IsInternal}
	if m.Uuid != (sarama.Uuid{}) {
		t.ID = m.Uuid.String()
	}
	for _, p := range m.Partitions {
		t.Partitions = append(t.Partitions, p.ID)
		t.Replicas = max(t.Replicas, len(p.Replicas))
	}
	slices.Sort(t.Partitions)
	return t
}

// TopicConfig is every setting of a topic with its effective value.
func (a *Admin) TopicConfig(ctx context.Context, name string) (map[string]string, error) {
	results, err := await(ctx, func() ([]*sarama.ConfigResourceResult, error) {
		return a.ca.DescribeConfigs([]*sarama.ConfigResource{{Type: sarama.TopicResource, Name: name}}, sarama.DescribeConfigsOptions{})
	}, nil)
	if err == nil && len(results) != 1 {
		err = sarama.ErrIncompleteResponse
	}
	if err == nil && results[0].ErrorCode != sarama.ErrNoError {
		err = results[0].ErrorCode
	}
	if err != nil {
		return nil, fmt.Errorf("reading the settings of topic %s: %w", name, classify(err))
	}
	config := make(map[string]string, len(results[0].Configs))
	for _, e := range results[0].Configs {
		config[e.Name] = e.Value
	}
	return config, nil
}

// MaxMessageBytes is the largest batch that the topic takes, in bytes.
func (a *Admin) MaxMessageBytes(ctx context.Context, topic string) (int, error) {
	config, err := a.TopicConfig(ctx, topic)
	if err != nil {
		return 0, err
	}
	n, err := strconv.Atoi(config["max.message.bytes"])
	if err != nil {
		return 0, fmt.Errorf("max.message.bytes of topic %s is %q", topic, config["max.message.bytes"])
	}
	return n, nil
}

// CreateTopic makes a topic; created is false when it exists already, whatever its
// partitions and settings are.
func (a *Admin) CreateTopic(ctx context.Context, s TopicSpec) (created bool, err error) {
	made, err := a.CreateTopics(ctx, s)
	return len(made) > 0, err
}

// CreateTopics makes several topics with one request and tells which it made; those
// that exist already are left as they are. The error is that of the first, in the order
// given, that could not be made; others may have been made all the same.
func (a *Admin) CreateTopics(ctx context.Context, specs ...TopicSpec) (made []string, err error) {
	details := make(map[string]*sarama.TopicDetail, len(specs))
	for _, s := range specs {
		if details[s.Name], err = a.detail(ctx, s); err != nil {
			return nil, fmt.Errorf("creating topic %s: %w", s.Name, err)
		}
	}
	answers, err := a.createAll(ctx, details)
	if err != nil {
		return nil, fmt.Errorf("creating topics: %w", err)
	}
	for _, s := range specs {
		answer := answers[s.Name]
		switch {
		case answer == nil:
			err = firstError(err, fmt.Errorf("creating topic %s: %w", s.Name, sarama.ErrIncompleteResponse))
		case answer.Err == sarama.ErrNoError:
			made = append(made, s.Name)
		case answer.Err == sarama.ErrInvalidTopic: // a name that is not allowed is no missing topic
			err = firstError(err, fmt.Errorf("creating topic %s: %w", s.Name, answer))
		case answer.Err != sarama.ErrTopicAlreadyExists:
			err = firstError(err, fmt.Errorf("creating topic %s: %w", s.Name, classify(answer)))
		}
	}
	a.settle(ctx, func() bool { return a.shown(ctx, details, made) })
	return made, err
}

func firstError(before, now error) error {
	if before != nil {
		return before
	}
	return now
}

// detail is what a request says of a topic that is to be made.
func (a *Admin) detail(ctx context.Context, s TopicSpec) (*sarama.TopicDetail, error) {
	if s.Partitions < 1 {
		return nil, fmt.Errorf("%d partitions: at least one is needed", s.Partitions)
	}
	config := make(map[string]*string, len(s.Config)+1)
	for k, v := range s.Config {
		config[k] = &v
	}
	replicas := s.Replicas
	if replicas == 0 {
		var err error
		if replicas, err = a.replicas(ctx); err != nil {
			return nil, err
		}
		if _, ok := config["min.insync.replicas"]; !ok && replicas == 3 {
			two := "2"
			config["min.insync.replicas"] = &two
		}
	}
	return &sarama.TopicDetail{NumPartitions: s.Partitions, ReplicationFactor: replicas, ConfigEntries: config}, nil
}

// createAll asks the controller. An attempt whose answer did not arrive is made again:
// what it had made is then answered as existing.
func (a *Admin) createAll(ctx context.Context, details map[string]*sarama.TopicDetail) (map[string]*sarama.TopicError, error) {
	var answers map[string]*sarama.TopicError
	err := a.control(ctx, func(b *sarama.Broker) (bool, error) {
		r, err := await(ctx, func() (*sarama.CreateTopicsResponse, error) {
			return b.CreateTopics(sarama.NewCreateTopicsRequest(a.conf.Version, details, a.conf.Admin.Timeout, false))
		}, nil)
		if err != nil {
			return ctx.Err() == nil, err
		}
		answers = r.TopicErrors
		for _, e := range answers {
			if e.Err == sarama.ErrNotController {
				return true, e.Err
			}
		}
		return false, nil
	})
	return answers, err
}

// shown tells whether the controller's broker shows every one of the topics whole.
func (a *Admin) shown(ctx context.Context, details map[string]*sarama.TopicDetail, names []string) bool {
	if len(names) == 0 {
		return true
	}
	all, err := a.describe(ctx, names)
	if err != nil || len(all) != len(names) {
		return false
	}
	for _, m := range all {
		if d := details[m.Name]; m.Err != sarama.ErrNoError || d == nil || int32(len(m.Partitions)) != d.NumPartitions {
			return false
		}
	}
	return true
}

// settle waits up to 5 s until the brokers show a change: the controller answers
// before they have learned it. A change that does not show is made all the same.
func (a *Admin) settle(ctx context.Context, done func() bool) {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	pause := backoff{5 * time.Millisecond, 200 * time.Millisecond}
	for !done() && pause.wait(ctx) {
	}
}

// replicas is min(3, brokers).
func (a *Admin) replicas(ctx context.Context) (int16, error) {
	var n int
	err := a.control(ctx, func(b *sarama.Broker) (bool, error) {
		r, err := await(ctx, func() (*sarama.MetadataResponse, error) {
			return b.GetMetadata(sarama.NewMetadataRequest(a.conf.Version, nil))
		}, nil)
		if err == nil {
			n = len(r.Brokers)
		}
		return err != nil && ctx.Err() == nil, err
	})
	return int16(min(3, max(n, 1))), err
}

// AddPartitions raises the number of partitions to total. A topic that has as many or
// more is left as it is.
func (a *Admin) AddPartitions(ctx context.Context, topic string, total int32) error {
	t, err := a.Topic(ctx, topic)
	if err != nil {
		return err
	}
	if int32(len(t.Partitions)) >= total {
		return nil
	}
	_, err = await(ctx, func() (struct{}, error) {
		return struct{}{}, a.ca.CreatePartitions(topic, total, nil, false)
	}, nil)
	if err != nil {
		return fmt.Errorf("adding partitions to topic %s: %w", topic, classify(err))
	}
	a.settle(ctx, func() bool {
		t, err := a.Topic(ctx, topic)
		return err != nil || int32(len(t.Partitions)) >= total
	})
	return nil
}

// DeleteTopics removes topics; absent ones are fine. All are tried, the errors joined.
func (a *Admin) DeleteTopics(ctx context.Context, names ...string) error {
	var failures []error
	for _, name := range names {
		_, err := await(ctx, func() (struct{}, error) { return struct{}{}, a.ca.DeleteTopic(name) }, nil)
		if err != nil && !errors.Is(err, sarama.ErrUnknownTopicOrPartition) {
			failures = append(failures, fmt.Errorf("deleting topic %s: %w", name, classify(err)))
		}
	}
	for _, name := range names {
		if len(failures) == 0 {
			a.settle(ctx, func() bool { _, err := a.Topic(ctx, name); return err != nil })
		}
	}
	return errors.Join(failures...)
}

// SetTopicConfig sets the given settings and leaves the others as they are. It needs
// brokers ≥ 2.3; below, the API replaces all settings and is not used.
func (a *Admin) SetTopicConfig(ctx context.Context, topic string, config map[string]string) error {
	if len(config) == 0 {
		return nil
	}
	if !a.conf.Version.IsAtLeast(sarama.V2_3_0_0) {
		return fmt.Errorf("changing settings of topic %s: %w", topic, ErrUnsupported)
	}
	entries := make(map[string]sarama.IncrementalAlterConfigsEntry, len(config))
	for k, v := range config {
		entries[k] = sarama.IncrementalAlterConfigsEntry{Operation: sarama.IncrementalAlterConfigsOperationSet, Value: &v}
	}
	_, err := await(ctx, func() (struct{}, error) {
		return struct{}{}, a.ca.IncrementalAlterConfig(sarama.TopicResource, topic, entries, false)
	}, nil)
	if err != nil {
		return fmt.Errorf("changing settings of topic %s: %w", topic, classify(err))
	}
	a.settle(ctx, func() bool {
		got, err := a.TopicConfig(ctx, topic)
		for k, v := range config {
			if err == nil && got[k] != v {
				return false
			}
		}
		return true
	})
	return nil
}
