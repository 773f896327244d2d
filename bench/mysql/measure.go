package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// runLimit is how long one run may take before it is called stuck.
const runLimit = 15 * time.Minute

func prefixOf(partitions int32) string              { return fmt.Sprintf("p%d", partitions) }
func topicOf(table string, partitions int32) string { return prefixOf(partitions) + "_" + table }

// copyTopic is where a copy of the rows goes.
func copyTopic(table string, partitions int32) string { return "copy_" + topicOf(table, partitions) }

// connector makes one for a table, whose topic it finds made with so many partitions.
func (b *bed) connector(name, prefix, table string, partitions int32, mode string) *harness.Connector {
	b.Kafka.CreateTopic(prefix+"_"+table, partitions, map[string]string{"retention.ms": "-1"})
	c := b.sluice.CreateConnector("bench", strings.ReplaceAll(name, "_", "-"), harness.MySQLConfig(b.db.Host, b.db.Port, user, password, database, prefix,
		map[string]string{"mysql.tables": table, "snapshot.mode": mode, "mysql.format": b.format}))
	c.AwaitState(time.Minute, "RUNNING")
	return c
}

// follower makes a connector that stands at the end of the log, suspended.
func (b *bed) follower(table string, partitions int32) *harness.Connector {
	c := b.connector(topicOf(table, partitions), prefixOf(partitions), table, partitions, "no_data")
	harness.Eventually(b.Main, time.Minute, "the connector has a position", func() (bool, string) { return len(c.SourcePositions()) > 0, "none" })
	c.Pause()
	c.AwaitState(time.Minute, "SUSPENDED")
	return c
}

// follow resumes a connector in a fresh process and measures until the rows are in the topic.
func (b *bed) follow(c *harness.Connector, name string, rows int64, topic string) line {
	b.sluice.Restart()
	c.Resume()
	l := b.until(c, name, rows, topic)
	c.Pause()
	c.AwaitState(time.Minute, "SUSPENDED")
	return l
}

// copyOnce measures the first copy of a table.
func (b *bed) copyOnce(table string, partitions int32) line {
	b.sluice.Restart()
	c := b.connector(copyTopic(table, partitions), "copy_"+prefixOf(partitions), table, partitions, "initial")
	l := b.until(c, fmt.Sprintf("Sluice, %d partitions", partitions), b.rows, copyTopic(table, partitions))
	c.Delete("")
	return l
}

// until measures from the first records that are visible until so many are, and leaves those of before out.
func (b *bed) until(c *harness.Connector, name string, rows int64, topic string) line {
	metric := fmt.Sprintf("sluice_connector_delivered_records_total{connector=%q", c.Name)
	delivered := func() int64 {
		n, _ := b.sluice.Metric(metric)
		return int64(n)
	}
	var first int64
	b.await(c, func() bool { first = delivered(); return first > 0 })
	start := time.Now()
	before, server := b.cpu(b.sluice.PID()), b.cpu(b.db.PID())
	profiled := b.Profile(name, b.sluice.Metrics)
	b.await(c, func() bool { return delivered() >= rows })
	l := line{name: name, records: rows - first, seconds: time.Since(start).Seconds(), cpu: b.cpu(b.sluice.PID()) - before, mysql: b.cpu(b.db.PID()) - server}
	var err error
	if l.peak, err = harness.PeakMemory(b.sluice.PID()); err != nil {
		b.Fatalf("%v", err)
	}
	if err := <-profiled; err != nil {
		b.Errorf("profiling: %v", err)
	}
	b.Logf("%s to %s: %d rows in %.2f s after %d at once", name, topic, l.records, l.seconds, first)
	return l
}

func (b *bed) await(c *harness.Connector, reached func() bool) {
	tick := time.NewTicker(100 * time.Millisecond) // each look costs Sluice a millisecond or two of processor time
	defer tick.Stop()
	for deadline := time.Now().Add(runLimit); !reached(); <-tick.C {
		if time.Now().After(deadline) {
			b.Fatalf("%s does not come to an end: %+v", c.Name, c.Status().Connector)
		}
	}
}

func (b *bed) cpu(pid int) float64 {
	s, err := harness.CPUSeconds(pid)
	if err != nil {
		b.Fatalf("%v", err)
	}
	return s
}

// bounded plays a role beside which Sluice is measured.
func (b *bed) bounded(name string, rows int64, role string, args ...string) line {
	server := b.cpu(b.db.PID())
	m := b.Play(role, append([]string{"-host", b.db.Host, "-port", fmt.Sprint(b.db.Port), "-rows", fmt.Sprint(rows)}, args...)...)
	return line{name: name, records: rows, seconds: m.Seconds, cpu: m.CPU, peak: m.Peak, mysql: b.cpu(b.db.PID()) - server}
}
