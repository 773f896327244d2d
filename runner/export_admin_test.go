package runner

import (
	"context"
	"sync/atomic"

	"github.com/sluice-io/sluice/runner/kafka"
)

// WithTopicID makes a task believe that its topics have the UUID in id, from when that
// is set: as if each had been deleted and made again with as many records.
func WithTopicID(id *atomic.Pointer[string]) func(*TaskOptions) {
	return func(o *TaskOptions) { o.kafka = otherTopics{clusterKafka{o.Cluster}, id} }
}

type otherTopics struct {
	taskKafka
	id *atomic.Pointer[string]
}

func (k otherTopics) admin(ctx context.Context) (taskAdmin, error) {
	a, err := k.taskKafka.admin(ctx)
	if err != nil {
		return nil, err
	}
	return otherTopicsAdmin{a, k.id}, nil
}

type otherTopicsAdmin struct {
	taskAdmin
	id *atomic.Pointer[string]
}

func (a otherTopicsAdmin) Topic(ctx context.Context, name string) (kafka.Topic, error) {
	t, err := a.taskAdmin.Topic(ctx, name)
	if id := a.id.Load(); id != nil {
		t.ID = *id
	}
	return t, err
}
