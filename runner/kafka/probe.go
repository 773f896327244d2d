package kafka

import (
	"context"
	"errors"
	"fmt"
	"sort"

	"github.com/IBM/sarama"
)

// Probe asks the cluster who it is and what its brokers can do: the cluster's id, its
// brokers as they advertise themselves, and the version that every broker reached
// explains. It uses the first bootstrap server that answers.
func Probe(ctx context.Context, c Cluster) (Info, error) {
	var info Info
	err := withSeed(ctx, c, func(b *sarama.Broker, conf *sarama.Config) error {
		max, err := requestVersions(ctx, b)
		if err != nil {
			return err
		}
		if info, err = describe(max); err != nil {
			return err
		}
		conf.Version, err = parseVersion(info.Version)
		if err != nil {
			return err
		}
		return clusterOf(ctx, b, conf.Version, &info)
	})
	if err != nil {
		return Info{}, fmt.Errorf("probing Kafka: %w", classify(err))
	}
	return info, nil
}

// reach opens a connection to the first bootstrap server that answers, and closes it:
// with it a wrong address or password is known before a client retries in the dark.
func reach(ctx context.Context, c Cluster) error {
	if err := withSeed(ctx, c, func(*sarama.Broker, *sarama.Config) error { return nil }); err != nil {
		return fmt.Errorf("connecting to Kafka: %w", classify(err))
	}
	return nil
}

// withSeed calls f with the first bootstrap server that accepts a connection.
func withSeed(ctx context.Context, c Cluster, f func(*sarama.Broker, *sarama.Config) error) error {
	conf, err := c.options(sarama.MaxVersion)
	if err != nil {
		return err
	}
	if c.Version != "" {
		if conf, err = c.Config(); err != nil {
			return err
		}
	}
	if err := conf.Validate(); err != nil {
		return err
	}
	dials, _ := conf.Net.Proxy.Dialer.(*dialer)
	defer dials.shut()
	var failures []error
	for _, address := range c.Bootstrap {
		b := sarama.NewBroker(address)
		_, err := await(ctx, func() (struct{}, error) {
			if err := b.Open(conf); err != nil {
				return struct{}{}, err
			}
			ok, err := b.Connected()
			if !ok && err == nil {
				err = sarama.ErrNotConnected
			}
			return struct{}{}, err
		}, nil)
		if err != nil {
			failures = append(failures, fmt.Errorf("%s: %w", address, err))
			if ctx.Err() != nil || errors.Is(classify(err), ErrAuth) {
				break
			}
			continue
		}
		// The connection is broken first: closing waits for a request that is out.
		defer func() { dials.shut(); _ = b.Close() }()
		return f(b, conf)
	}
	return errors.Join(failures...)
}

// requestVersions is the highest version of every request that b answers. Version 0
// of the question is understood by every broker since 0.10.
func requestVersions(ctx context.Context, b *sarama.Broker) (map[int16]int16, error) {
	r, err := await(ctx, func() (*sarama.ApiVersionsResponse, error) {
		return b.ApiVersions(&sarama.ApiVersionsRequest{})
	}, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for API versions: %w", err)
	}
	if e := sarama.KError(r.ErrorCode); e != sarama.ErrNoError {
		return nil, fmt.Errorf("asking for API versions: %w", e)
	}
	max := make(map[int16]int16, len(r.ApiKeys))
	for _, k := range r.ApiKeys {
		max[k.ApiKey] = k.MaxVersion
	}
	return max, nil
}

// clusterOf fills the cluster's id and brokers.
func clusterOf(ctx context.Context, b *sarama.Broker, v sarama.KafkaVersion, info *Info) error {
	r, err := await(ctx, func() (*sarama.MetadataResponse, error) {
		return b.GetMetadata(sarama.NewMetadataRequest(v, nil))
	}, nil)
	if err != nil {
		return fmt.Errorf("asking for metadata: %w", err)
	}
	if r.ClusterID != nil {
		info.ClusterID = *r.ClusterID
	}
	for _, n := range r.Brokers {
		info.Brokers = append(info.Brokers, Broker{ID: n.ID(), Address: n.Addr()})
	}
	sort.Slice(info.Brokers, func(i, j int) bool { return info.Brokers[i].ID < info.Brokers[j].ID })
	if len(info.Brokers) == 0 {
		return errors.New("the broker knows no brokers yet: it is starting")
	}
	return nil
}
