package control

import (
	"context"
	"fmt"

	"github.com/sluice-io/sluice/runner/kafka"
)

// Live asks real clusters. Every call opens and closes its own client: calls are
// rare and an instance's credentials may change between two of them.
type Live struct{}

var _ Kafka = Live{}

// Probe implements Kafka.
func (Live) Probe(ctx context.Context, c kafka.Cluster) (kafka.Info, error) {
	return kafka.Probe(ctx, c)
}

// Check implements Kafka.
func (Live) Check(ctx context.Context, c kafka.Cluster, emit func(kafka.Step)) {
	kafka.Check(ctx, c, emit)
}

// Topics implements Kafka.
func (Live) Topics(ctx context.Context, c kafka.Cluster) (out []kafka.Topic, err error) {
	err = withAdmin(ctx, c, func(a *kafka.Admin) (err error) { out, err = a.Topics(ctx); return })
	return out, err
}

// Topic implements Kafka.
func (Live) Topic(ctx context.Context, c kafka.Cluster, name string) (out kafka.Topic, err error) {
	err = withAdmin(ctx, c, func(a *kafka.Admin) (err error) { out, err = a.Topic(ctx, name); return })
	return out, err
}

// TopicConfig implements Kafka.
func (Live) TopicConfig(ctx context.Context, c kafka.Cluster, name string) (out map[string]string, err error) {
	err = withAdmin(ctx, c, func(a *kafka.Admin) (err error) { out, err = a.TopicConfig(ctx, name); return })
	return out, err
}

// CreateTopic implements Kafka.
func (Live) CreateTopic(ctx context.Context, c kafka.Cluster, t kafka.TopicSpec) (created bool, err error) {
	err = withAdmin(ctx, c, func(a *kafka.Admin) (err error) { created, err = a.CreateTopic(ctx, t); return })
	return created, err
}

// MaxMessageBytes implements Kafka.
func (Live) MaxMessageBytes(ctx context.Context, c kafka.Cluster, topic string) (n int, err error) {
	err = withAdmin(ctx, c, func(a *kafka.Admin) (err error) { n, err = a.MaxMessageBytes(ctx, topic); return })
	return n, err
}

func withAdmin(ctx context.Context, c kafka.Cluster, use func(*kafka.Admin) error) error {
	a, err := kafka.OpenAdmin(ctx, c)
	if err != nil {
		return fmt.Errorf("connecting to the cluster: %w", err)
	}
	defer a.Close()
	return use(a)
}

// Send implements Kafka.
func (Live) Send(ctx context.Context, c kafka.Cluster, o kafka.Out) (int32, int64, error) {
	p, err := kafka.OpenProducer(ctx, c)
	if err != nil {
		return 0, 0, fmt.Errorf("connecting to the cluster: %w", err)
	}
	defer p.Close()
	return p.Send(ctx, o)
}

// Watermarks implements Kafka.
func (Live) Watermarks(ctx context.Context, c kafka.Cluster, tps ...kafka.TP) (map[kafka.TP]kafka.Watermarks, error) {
	o, err := kafka.OpenOffsets(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	defer o.Close()
	return o.Watermarks(ctx, tps...)
}

// Read implements Kafka.
func (Live) Read(ctx context.Context, c kafka.Cluster) (Reader, error) {
	r, err := kafka.OpenReader(ctx, c)
	if err != nil {
		return nil, fmt.Errorf("connecting to the cluster: %w", err)
	}
	return r, nil
}
