package runner

import (
	"context"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/kafka"
)

// deps is what a connector gets from this process.
func (s *Supervisor) deps(sub *subject) connector.Deps {
	internet := sub.config.Bool(connector.KeyInternetAccess)
	return connector.Deps{
		Env: sub.env, Logger: s.log.With("connector", sub.row.Name),
		Dial: s.o.Dial(internet), DialMetadata: s.o.DialMetadata, Roots: s.o.Roots,
		Connector: sub.row.Name, ConnectorID: sub.row.UUID,
		Topics: TopicLister(sub.cluster), Cluster: newClusterView(sub.cluster), TempDir: s.o.TempDir,
	}
}

// TopicLister lists a cluster's topics for pickers.
func TopicLister(cluster kafka.Cluster) func(context.Context) ([]connector.TopicInfo, error) {
	return func(ctx context.Context) ([]connector.TopicInfo, error) {
		admin, err := kafka.OpenAdmin(ctx, cluster)
		if err != nil {
			return nil, fmt.Errorf("connecting to the instance: %w", err)
		}
		defer admin.Close()
		topics, err := admin.Topics(ctx)
		if err != nil {
			return nil, fmt.Errorf("listing topics: %w", err)
		}
		out := make([]connector.TopicInfo, 0, len(topics))
		for _, t := range topics {
			out = append(out, connector.TopicInfo{Name: t.Name, Partitions: len(t.Partitions), Internal: t.Internal})
		}
		return out, nil
	}
}

// Cluster tells how to reach an instance, with the network rules in force.
func (s *Supervisor) Cluster(in Instance) kafka.Cluster { return s.cluster(in, "sluice") }

// Env is what validation may know of an instance.
func (s *Supervisor) Env(in Instance) connector.Env { return s.env(in) }

// Deps is what checks, lookups and previews of a configuration get; the connector
// need not exist.
func (s *Supervisor) Deps(in Instance, name, uuid string, cfg connector.Config) connector.Deps {
	return s.deps(&subject{row: Connector{Name: name, UUID: uuid}, instance: in, config: cfg, env: s.env(in), cluster: s.cluster(in, "sluice")})
}
