package control

import (
	"context"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// shaped are topics with given partitions, all compacted.
type shaped struct {
	Kafka
	partitions map[string]int
}

func (s shaped) Topic(_ context.Context, _ kafka.Cluster, name string) (kafka.Topic, error) {
	n, there := s.partitions[name]
	if !there {
		return kafka.Topic{}, kafka.ErrNoTopic
	}
	return kafka.Topic{Name: name, Partitions: make([]int32, n)}, nil
}

func (s shaped) TopicConfig(context.Context, kafka.Cluster, string) (map[string]string, error) {
	return map[string]string{"cleanup.policy": "compact"}, nil
}

type noCluster struct{ Supervisor }

func (noCluster) Cluster(runner.Instance) kafka.Cluster { return kafka.Cluster{} }

// TestResourcesAreCheckedAsDeployDoes: what deploying would refuse is told before, in its words.
func TestResourcesAreCheckedAsDeployDoes(t *testing.T) {
	t.Parallel()
	s := &Service{sup: noCluster{}, kafka: shaped{partitions: map[string]int{"offsets": 1, "config": 2, "status": 6, "errors": 6}}}
	c := &candidate{resolved: connector.Config{connector.KeyOffsetTopic: "offsets", connector.KeyConfigTopic: "config", connector.KeyStatusTopic: "status",
		connector.KeyDeadLetter: "errors", connector.KeyAbnormal: "none", connector.KeyResourcesMode: connector.ModeManual}}
	want := map[string]string{"offsets": "at least 2", "config": "exactly 1", "status": "", "errors": "must have delete", "none": "does not exist"}
	shapes := runner.TopicShapes(c.resolved)
	if len(shapes) != len(want) {
		t.Fatalf("%d shapes", len(shapes))
	}
	for _, shape := range shapes {
		f := s.checkResource(t.Context(), c, shape)
		if says := want[shape.Name]; !strings.Contains(f.Detail, says) || (f.Status == connector.FindingOK) != (says == "") || (f.Remedy == "") != (says == "") {
			t.Errorf("%s: %+v", shape.Name, f)
		}
	}
}
