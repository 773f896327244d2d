package runner

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// clusterView is an instance's cluster as a source sees it. Every question opens a
// connection of its own: they are few.
type clusterView struct{ cluster kafka.Cluster }

var _ connector.Cluster = clusterView{}

func (v clusterView) with(ctx context.Context, do func(*kafka.Admin) error) error {
	admin, err := kafka.OpenAdmin(ctx, v.cluster)
	if err != nil {
		return fmt.Errorf("connecting to the instance: %w", err)
	}
	defer admin.Close()
	return do(admin)
}

// Topic implements connector.Cluster.
func (v clusterView) Topic(ctx context.Context, name string) (shape connector.TopicShape, exists bool, err error) {
	err = v.with(ctx, func(admin *kafka.Admin) error {
		t, err := admin.Topic(ctx, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			return nil
		}
		if err != nil {
			return err
		}
		largest, err := admin.MaxMessageBytes(ctx, name)
		if err != nil {
			return fmt.Errorf("reading the size limit of %s: %w", name, err)
		}
		shape, exists = connector.TopicShape{Name: name, Partitions: len(t.Partitions), MaxMessageBytes: largest}, true
		return nil
	})
	return shape, exists, err
}

// CreateTopic implements connector.Cluster.
func (v clusterView) CreateTopic(ctx context.Context, name string, partitions int, config map[string]string) error {
	return v.with(ctx, func(admin *kafka.Admin) error {
		_, err := admin.CreateTopic(ctx, kafka.TopicSpec{Name: name, Partitions: int32(partitions), Config: config})
		if err != nil {
			return fmt.Errorf("making the topic %s: %w", name, err)
		}
		return nil
	})
}

// Room implements connector.Cluster. Apache Kafka has no limit that could be asked for.
func (v clusterView) Room(context.Context) (int, error) { return -1, nil }
