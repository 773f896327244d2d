package main

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/IBM/sarama"

	"github.com/sluice-io/sluice/e2e/harness"
)

// runLimit is how long one run may take before it is called stuck.
const runLimit = 10 * time.Minute

// measureSluice runs one connector, in a fresh process on a fresh data folder, and measures from its first
// delivery until its position has reached the end of every partition. What the first deliveries brought
// counts as delivered before the clock started.
func measureSluice(m *harness.Main, suite *harness.Suite, kafka *harness.Kafka, o options, s shape) result {
	oss := suite.StartDiscardingStandin(m)
	defer oss.Kill()
	sluice := suite.StartSluice(m, harness.SluiceOptions{Budget: o.budget})
	defer sluice.Stop()
	sluice.CreateInstance("bench", kafka.Bootstrap("PLAINTEXT"), nil)
	name := strings.ReplaceAll(s.String(), "+", "-")
	group := "connect-" + name

	watch, err := newWatch(kafka.Brokers(), group, o.partitions)
	if err != nil {
		m.Fatalf("watching the position: %v", err)
	}
	defer watch.close()
	c := sluice.CreateConnector("bench", name, harness.OSSConfig(oss, topic, map[string]string{
		"oss.format": s.format, "oss.compression": s.compression, "tasks.max": fmt.Sprint(o.tasks),
		"flush.size": fmt.Sprint(flushSize), "flush.interval.ms": "10000",
	}))
	// Making topics, first offsets and joining the group are not delivery; how long they take has a column
	// of its own.
	if err := watch.until(runLimit, func(have int, _ int64) bool { return have == o.partitions }); err != nil {
		m.Fatalf("%s does not start: %v; %+v", name, err, c.Status().Connector)
	}
	deployed := time.Now()
	var first int64
	if err := watch.until(runLimit, func(_ int, sum int64) bool { first = sum; return sum > 0 }); err != nil {
		m.Fatalf("%s does not deliver: %v; %+v", name, err, c.Status().Connector)
	}
	start := time.Now()
	before, err := harness.CPUSeconds(sluice.PID())
	if err != nil {
		m.Fatalf("%v", err)
	}
	profiled := profile(o, s, sluice.Metrics)
	if err := watch.until(runLimit, func(_ int, sum int64) bool { return sum >= o.records }); err != nil {
		m.Fatalf("%s does not finish: %v; %+v", name, err, c.Status().Connector)
	}
	r := result{name: s.String(), records: o.records - first, seconds: time.Since(start).Seconds(), first: start.Sub(deployed).Seconds()}
	after, err := harness.CPUSeconds(sluice.PID())
	if err != nil {
		m.Fatalf("%v", err)
	}
	r.cpu = after - before
	if r.peak, err = harness.PeakMemory(sluice.PID()); err != nil {
		m.Fatalf("%v", err)
	}
	if err := <-profiled; err != nil {
		m.Errorf("profiling: %v", err)
	}
	c.Delete("")
	return r
}

// profileSeconds is how much of a run a profile covers.
const profileSeconds = 8

// profile fetches a CPU profile of the first seconds when one is asked for. The channel answers when it is
// there, or at once.
func profile(o options, s shape, metrics string) <-chan error {
	done := make(chan error, 1)
	if o.profiles == "" {
		done <- nil
		return done
	}
	go func() {
		done <- func() error {
			resp, err := http.Get(fmt.Sprintf("http://%s/debug/pprof/profile?seconds=%d", metrics, profileSeconds))
			if err != nil {
				return err
			}
			defer resp.Body.Close()
			if err := os.MkdirAll(o.profiles, 0o755); err != nil {
				return err
			}
			f, err := os.Create(filepath.Join(o.profiles, s.String()+".pprof"))
			if err != nil {
				return err
			}
			defer f.Close()
			_, err = io.Copy(f, resp.Body)
			return err
		}()
	}()
	return done
}

// watch reads the position of a group over one connection that it keeps, so that looking costs the machine
// little.
type watch struct {
	admin      sarama.ClusterAdmin
	group      string
	partitions []int32
}

func newWatch(brokers []string, group string, partitions int) (*watch, error) {
	c := sarama.NewConfig()
	c.Metadata.AllowAutoTopicCreation = false
	admin, err := sarama.NewClusterAdmin(brokers, c)
	if err != nil {
		return nil, err
	}
	w := &watch{admin: admin, group: group}
	for p := range partitions {
		w.partitions = append(w.partitions, int32(p))
	}
	return w, nil
}

func (w *watch) close() { _ = w.admin.Close() } // nothing depends on its end

// until polls until reached holds of the number of partitions with a position and of the sum of positions,
// which is the number of records delivered: the topic has no holes.
func (w *watch) until(limit time.Duration, reached func(have int, sum int64) bool) error {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.Now().Add(limit)
	for {
		var have int
		var sum int64
		answer, err := w.admin.ListConsumerGroupOffsets(w.group, map[string][]int32{topic: w.partitions})
		if err == nil {
			for _, block := range answer.Blocks[topic] {
				if block.Offset >= 0 {
					have++
					sum += block.Offset
				}
			}
			if reached(have, sum) {
				return nil
			}
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("after %s %d partitions have a position, %d records are delivered (%v)", limit, have, sum, err)
		}
		<-tick.C
	}
}
