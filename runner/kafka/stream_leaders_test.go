package kafka_test

import (
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"

	"github.com/sluice-io/sluice/runner/kafka"
)

// Leaders move from broker to broker while batches are under way: order and number of
// the records stay.
func TestFakeLeadersMove(t *testing.T) {
	t.Parallel()
	ctx := within(t, time.Minute)
	f, err := kfake.NewCluster(kfake.NumBrokers(3), kfake.Ports(0, 0, 0))
	check(t, err)
	t.Cleanup(f.Close)
	b := open(t, ctx, kafka.Cluster{Bootstrap: f.ListenAddrs()})
	const partitions = 6
	// Small batches, so that several of a partition are under way.
	name := b.topic(t, ctx, partitions+1, map[string]string{"max.message.bytes": "10000"})
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		tick := time.NewTicker(3 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-stop:
				return
			case <-tick.C:
				if err := f.MoveTopicPartition(name, rand.Int32N(partitions+1), rand.Int32N(3)); err != nil {
					t.Error(err)
				}
			}
		}
	}()
	l := &ledger{b: b, c: b.c, topic: name, state: kafka.TP{Topic: name, Partition: partitions}, partitions: partitions}
	l.run(t, ctx, 20, 3000)
	close(stop)
	<-done
	t.Logf("opened %d times", l.reopened)
}

// The connections of leaders are signed in and encrypted as all others are.
func TestFakeStreamSecurity(t *testing.T) {
	t.Parallel()
	server, ca := certificate(t)
	users := []kfake.Opt{kfake.EnableSASL(), kfake.Superuser("PLAIN", "ann", "secret"), kfake.Superuser("SCRAM-SHA-512", "cy", "hunter3")}
	for _, c := range []struct {
		protocol, mechanism, user, password string
		opts                                []kfake.Opt
	}{
		{"SSL", "", "", "", []kfake.Opt{kfake.TLS(server)}},
		{"SASL_PLAINTEXT", "PLAIN", "ann", "secret", users},
		{"SASL_SSL", "SCRAM-SHA-512", "cy", "hunter3", append(users[:len(users):len(users)], kfake.TLS(server))},
	} {
		t.Run(c.protocol, func(t *testing.T) {
			t.Parallel()
			ctx := within(t, 30*time.Second)
			cluster := fake(t, c.opts...)
			cluster.Protocol, cluster.Mechanism, cluster.Username, cluster.Password, cluster.CAPEM = c.protocol, c.mechanism, c.user, c.password, ca
			b := open(t, ctx, cluster)
			commitSome(t, ctx, b)
		})
	}
}

// commitSome commits twice and reads it.
func commitSome(t *testing.T, ctx context.Context, b *bed) {
	t.Helper()
	name := b.topic(t, ctx, 1, nil)
	s := openStream(t, ctx, b.c, name, "lz4")
	batch := s.NewBatch()
	for range 2 {
		for range 3000 {
			batch.Append(kafka.TP{Topic: name}, nil, make([]byte, 1000), nil, 0)
		}
		check(t, s.Commit(ctx, batch))
		batch.Reset()
	}
	if n := len(b.visible(t, ctx, kafka.TP{Topic: name})); n != 6000 {
		t.Errorf("%d records", n)
	}
}
