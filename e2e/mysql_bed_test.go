//go:build e2e

package e2e

import (
	"fmt"
	"maps"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// The account that connectors read with.
const (
	dbUser     = "sluice"
	dbPassword = "sluice-secret"
)

// databases are the servers that tests share.
var databases = beds.NewShared(suite.Main(), func(s *beds.Server) { s.Account(dbUser, dbPassword) })

// sharedDatabase is the server of a flavor that tests share; each has a database of its own on it.
func sharedDatabase(t *testing.T, flavor string) *beds.Server {
	t.Helper()
	return databases.Server(t, flavor)
}

// ownDatabase is a server that a test may do anything to.
func ownDatabase(t *testing.T, flavor string, opts ...beds.Option) *beds.Server {
	t.Helper()
	s := beds.Start(t, flavor, opts...)
	s.Account(dbUser, dbPassword)
	return s
}

// flavors runs a test for both servers beside each other.
func flavors(t *testing.T, test func(t *testing.T, flavor string)) {
	for _, flavor := range []string{beds.MariaDB, beds.MySQL} {
		t.Run(flavor, func(t *testing.T) {
			t.Parallel()
			test(t, flavor)
		})
	}
}

// readerBed is one test's own node and database, on a broker.
type readerBed struct {
	t        *testing.T
	kafka    *harness.Kafka
	db       *beds.Server
	sluice   *harness.Sluice
	database string
	prefix   string
}

// layReader makes a bed on the shared broker with an empty database.
func layReader(t *testing.T, db *beds.Server, opts harness.SluiceOptions) *readerBed {
	t.Helper()
	kafka := suite.Kafka(t)
	return layReaderOn(t, kafka, kafka.Bootstrap("PLAINTEXT"), db, opts)
}

// layReaderOn is layReader on any broker; the node is given another address of it.
func layReaderOn(t *testing.T, kafka *harness.Kafka, bootstrap string, db *beds.Server, opts harness.SluiceOptions) *readerBed {
	t.Helper()
	name := strings.NewReplacer("/", "_", "-", "_").Replace(own("s"))
	b := &readerBed{t: t, kafka: kafka, db: db, sluice: suite.StartSluice(t, opts), database: name, prefix: name}
	b.sluice.CreateInstance(instance, bootstrap, nil)
	return b
}

// exec runs statements in the bed's database, which they make when it is missing.
func (b *readerBed) exec(statements ...string) {
	b.t.Helper()
	b.db.Exec(append([]string{"CREATE DATABASE IF NOT EXISTS " + b.database, "USE " + b.database}, statements...)...)
}

// config is that of a connector for the bed's database; extra goes over it.
func (b *readerBed) config(extra map[string]string) map[string]string {
	config := harness.MySQLConfig(b.db.Host, b.db.Port, dbUser, dbPassword, b.database, b.prefix, map[string]string{
		"snapshot.chunk.size": "700", "heartbeat.interval.ms": "1000"})
	maps.Copy(config, extra)
	return config
}

// deploy makes a connector, under a name of its own, and waits until it runs.
func (b *readerBed) deploy(extra map[string]string) *harness.Connector {
	b.t.Helper()
	c := b.sluice.CreateConnector(instance, own("reader"), b.config(extra))
	c.AwaitState(60*time.Second, "RUNNING")
	return c
}

// mustEqual waits until the independent consumer has what the tables have. Nobody may write meanwhile.
func (b *readerBed) mustEqual(within time.Duration, tables ...string) *beds.Consumed {
	b.t.Helper()
	return b.db.AwaitEqual(within, b.kafka.Bootstrap("PLAINTEXT"), b.prefix, b.database, tables...)
}

// consume is what the independent consumer has now.
func (b *readerBed) consume() *beds.Consumed {
	b.t.Helper()
	return beds.Consume(b.t, b.kafka.Bootstrap("PLAINTEXT"), b.prefix)
}

// mustResendNothing requires that no row of a snapshot came over one that was there.
func mustResendNothing(t *testing.T, c *beds.Consumed) {
	t.Helper()
	if c.Resent != 0 {
		t.Errorf("%d rows of snapshots came twice, the first %s", c.Resent, strings.Join(c.Again, "\n"))
	}
}

// awaitCopied waits until the first copy of every table is done.
func (b *readerBed) awaitCopied(c *harness.Connector, within time.Duration) {
	b.t.Helper()
	harness.Eventually(b.t, within, "every table is copied", func() (bool, string) {
		tables, missing := 0, ""
		for _, p := range c.SourcePositions() {
			if name, ok := p.Partition["table"]; ok {
				tables++
				if p.Offset["state"] != "done" {
					missing += fmt.Sprintf(" %v: %v", name, p.Offset["state"])
				}
			}
		}
		return tables > 0 && missing == "", fmt.Sprintf("%d tables,%s; %s", tables, missing, c.Status().Connector.Detail.Cause)
	})
}
