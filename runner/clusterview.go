package runner

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// clusterIdle is how long a connection stays open that nobody asks anything.
const clusterIdle = 10 * time.Second

// clusterView is an instance's cluster as a source sees it. A connection is opened by the
// first question and closed when none has come for a while: a source with a thousand
// tables asks about a thousand topics at its start, and later hardly ever.
type clusterView struct {
	cluster kafka.Cluster

	mu    sync.Mutex
	admin *viewAdmin
}

// viewAdmin is a connection with how many use it.
type viewAdmin struct {
	*kafka.Admin
	users int
	idle  *time.Timer
}

var _ connector.Cluster = (*clusterView)(nil)

func newClusterView(c kafka.Cluster) *clusterView { return &clusterView{cluster: c} }

// with asks something.
func (v *clusterView) with(ctx context.Context, ask func(*kafka.Admin) error) error {
	v.mu.Lock()
	a := v.admin
	if a != nil {
		a.users++
		a.idle.Stop()
	}
	v.mu.Unlock()
	if a == nil {
		admin, err := kafka.OpenAdmin(ctx, v.cluster)
		if err != nil {
			return fmt.Errorf("connecting to the instance: %w", err)
		}
		a = &viewAdmin{Admin: admin, users: 1}
		a.idle = time.AfterFunc(clusterIdle, func() { v.retire(a) })
		a.idle.Stop()
		v.mu.Lock()
		if v.admin == nil {
			v.admin = a
		}
		v.mu.Unlock()
	}
	err := ask(a.Admin)
	v.mu.Lock()
	defer v.mu.Unlock()
	a.users--
	if err != nil && v.admin == a {
		v.admin = nil // the next question begins anew
	}
	switch {
	case a.users > 0:
	case v.admin == a:
		a.idle.Reset(clusterIdle)
	default:
		_ = a.Close()
	}
	return err
}

// retire closes a connection that was idle.
func (v *clusterView) retire(a *viewAdmin) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.admin == a && a.users == 0 {
		v.admin = nil
		_ = a.Close()
	}
}

// Topic implements connector.Cluster.
func (v *clusterView) Topic(ctx context.Context, name string) (shape connector.TopicShape, exists bool, err error) {
	err = v.with(ctx, func(admin *kafka.Admin) error {
		t, err := admin.Topic(ctx, name)
		if errors.Is(err, kafka.ErrNoTopic) {
			return nil
		}
		if err != nil {
			return err
		}
		config, err := admin.TopicConfig(ctx, name)
		if err != nil {
			return err
		}
		largest, err := strconv.Atoi(config["max.message.bytes"])
		if err != nil {
			return fmt.Errorf("max.message.bytes of topic %s is %q", name, config["max.message.bytes"])
		}
		shape, exists = connector.TopicShape{Name: name, Partitions: len(t.Partitions), MaxMessageBytes: largest,
			Compacted: strings.Contains(config["cleanup.policy"], "compact"), ArrivalTime: config["message.timestamp.type"] == "LogAppendTime"}, true
		return nil
	})
	return shape, exists, err
}

// CreateTopic implements connector.Cluster.
func (v *clusterView) CreateTopic(ctx context.Context, name string, partitions int, config map[string]string) error {
	return v.with(ctx, func(admin *kafka.Admin) error {
		_, err := admin.CreateTopic(ctx, kafka.TopicSpec{Name: name, Partitions: int32(partitions), Config: config})
		if err != nil {
			return fmt.Errorf("making the topic %s: %w", name, err)
		}
		return nil
	})
}

// Room implements connector.Cluster. Apache Kafka has no limit that could be asked for.
func (v *clusterView) Room(context.Context) (int, error) { return -1, nil }
