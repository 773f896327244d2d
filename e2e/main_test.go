//go:build e2e

// Package e2e drives the real program, on a real Apache Kafka and against the OSS stand-in as processes of
// their own, through its REST API, and judges what is in the bucket. The short forms run in `make e2e` and
// `make test`, the long ones in `make soak`.
package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// suite is what the tests of this process share: a broker and the programs, built once.
var suite = harness.NewSuite("e2e")

func TestMain(m *testing.M) { os.Exit(suite.Run(m)) }

// bed is one test's own node, stand-in, topic and ledger on the shared broker.
type bed struct {
	t      *testing.T
	kafka  *harness.Kafka
	oss    *harness.Standin
	sluice *harness.Sluice
	ledger *harness.Ledger
	topic  string
}

// instance is the name under which a bed's node knows its broker.
const instance = "main"

// lay makes a bed with an empty topic.
func lay(t *testing.T, partitions int32) *bed {
	t.Helper()
	return layOn(t, suite.Kafka(t), partitions)
}

// layWith is lay with a node of the test's choice.
func layWith(t *testing.T, partitions int32, opts harness.SluiceOptions) *bed {
	t.Helper()
	return layAll(t, suite.Kafka(t), partitions, opts)
}

// layOn is lay on a broker of the test's own.
func layOn(t *testing.T, kafka *harness.Kafka, partitions int32) *bed {
	t.Helper()
	return layAll(t, kafka, partitions, harness.SluiceOptions{})
}

func layAll(t *testing.T, kafka *harness.Kafka, partitions int32, opts harness.SluiceOptions) *bed {
	t.Helper()
	b := layBare(t, kafka, partitions, opts)
	b.oss = suite.StartStandin(t)
	return b
}

// layBare is layAll without a stand-in.
func layBare(t *testing.T, kafka *harness.Kafka, partitions int32, opts harness.SluiceOptions) *bed {
	t.Helper()
	b := &bed{
		t: t, kafka: kafka, sluice: suite.StartSluice(t, opts),
		ledger: harness.NewLedger(), topic: own(strings.ToLower(strings.ReplaceAll(t.Name(), "/", "-"))),
	}
	b.kafka.CreateTopic(b.topic, partitions, nil)
	b.sluice.CreateInstance(instance, b.kafka.Bootstrap("PLAINTEXT"), nil)
	return b
}

// own is a name that nothing else on the shared broker has, also when the test runs once more.
func own(name string) string { return fmt.Sprintf("%s-%05x", name, rand.N(1<<20)) }

// deploy makes a connector, under a name of its own, from the bed's topic to its bucket and waits until it runs and has committed a
// position for every partition: from then on nothing depends on when the first record came.
func (b *bed) deploy(name string, extra map[string]string) *harness.Connector {
	b.t.Helper()
	return b.start(name, harness.OSSConfig(b.oss, b.topic, extra))
}

// start is deploy with a configuration of any task type.
func (b *bed) start(name string, config map[string]string) *harness.Connector {
	b.t.Helper()
	c := b.sluice.CreateConnector(instance, own(name), config)
	c.AwaitState(60*time.Second, "RUNNING")
	harness.Eventually(b.t, 30*time.Second, "every partition has a position", func() (bool, string) {
		return len(b.kafka.Positions(c.Group(), b.topic)) == len(b.kafka.Ends(b.topic)), "some have none"
	})
	return c
}

// produce writes numbers [from, to) round robin over so many partitions.
func (b *bed) produce(from, to int64, partitions int32) {
	b.t.Helper()
	b.kafka.Produce(b.ledger, harness.Numbers{Topic: b.topic, Partitions: partitions, From: from, To: to, Bytes: 120})
}

// mustDeliver waits until everything is delivered and judges the bucket below the connector's prefix.
func (b *bed) mustDeliver(c *harness.Connector, within time.Duration) {
	b.t.Helper()
	c.AwaitDelivered(b.kafka, b.topic, within)
	b.oss.MustDeliver(b.ledger, c.Name+"/")
}

// awaitIntents waits until the metadata of every partition's position holds more than before while the
// position itself has not moved: an intent has been written, and nothing can have been finished.
func (b *bed) awaitIntents(c *harness.Connector, before map[int32]harness.Position) {
	b.t.Helper()
	harness.Eventually(b.t, 30*time.Second, "every partition has an intent", func() (bool, string) {
		for partition, now := range b.kafka.Positions(c.Group(), b.topic) {
			if now.Offset != before[partition].Offset {
				b.t.Fatalf("partition %d moved to %d although nothing can be stored", partition, now.Offset)
			}
			if len(now.Metadata) <= len(before[partition].Metadata) {
				return false, "a partition has none yet"
			}
		}
		return true, ""
	})
}

// mustDivertNothing requires that no record went to the connector's dead-letter topic.
func (b *bed) mustDivertNothing(c *harness.Connector) {
	b.t.Helper()
	if diverted := b.kafka.ReadAll("connect-error-" + c.Name); len(diverted) > 0 {
		b.t.Fatalf("%d records were diverted, the first because of %v", len(diverted), diverted[0].Headers)
	}
}
