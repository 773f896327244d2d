package kit

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

// Connector runs one connector, in a fresh process on a fresh data folder, and measures from its first
// delivery until its position has reached the end of every partition. What the first deliveries brought
// counts as delivered before the clock started. The topic is not in config.
func (b *Bed) Connector(name string, config map[string]string) Result {
	sluice := b.Suite.StartSluice(b.Main, harness.SluiceOptions{Budget: b.Options.Budget})
	defer sluice.Stop()
	sluice.CreateInstance("bench", b.Kafka.Bootstrap("PLAINTEXT"), nil)
	connector := strings.NewReplacer("+", "-", " ", "-", ",", "").Replace(name)
	watch, err := newWatch(b.Kafka.Brokers(), "connect-"+connector, b.Options.Partitions)
	if err != nil {
		b.Fatalf("watching the position: %v", err)
	}
	defer watch.close()
	c := sluice.CreateConnector("bench", connector, config)
	// Making topics, first offsets and joining the group are not delivery; how long they take has a column
	// of its own.
	if err := watch.until(runLimit, func(have int, _ int64) bool { return have == b.Options.Partitions }); err != nil {
		b.Fatalf("%s does not start: %v; %+v", name, err, c.Status().Connector)
	}
	deployed := time.Now()
	var first int64
	if err := watch.until(runLimit, func(_ int, sum int64) bool { first = sum; return sum > 0 }); err != nil {
		b.Fatalf("%s does not deliver: %v; %+v", name, err, c.Status().Connector)
	}
	start := time.Now()
	before, err := harness.CPUSeconds(sluice.PID())
	if err != nil {
		b.Fatalf("%v", err)
	}
	profiled := b.Profile(connector, sluice.Metrics)
	if err := watch.until(runLimit, func(_ int, sum int64) bool { return sum >= b.Options.Records }); err != nil {
		b.Fatalf("%s does not finish: %v; %+v", name, err, c.Status().Connector)
	}
	r := Result{Name: name, Records: b.Options.Records - first, Seconds: time.Since(start).Seconds(), First: start.Sub(deployed).Seconds()}
	after, err := harness.CPUSeconds(sluice.PID())
	if err != nil {
		b.Fatalf("%v", err)
	}
	r.CPU = after - before
	if r.Peak, err = harness.PeakMemory(sluice.PID()); err != nil {
		b.Fatalf("%v", err)
	}
	if err := <-profiled; err != nil {
		b.Errorf("profiling: %v", err)
	}
	c.Delete("")
	return r
}

// profileSeconds is how much of a run a profile covers.
const profileSeconds = 8

// Profile fetches a CPU profile of a node's next seconds when one is asked for. The channel answers when it is there,
// or at once.
func (b *Bed) Profile(name, metrics string) <-chan error {
	folder := b.Options.Profiles
	done := make(chan error, 1)
	if folder == "" {
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
			if err := os.MkdirAll(folder, 0o755); err != nil {
				return err
			}
			f, err := os.Create(filepath.Join(folder, name+".pprof"))
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
		answer, err := w.admin.ListConsumerGroupOffsets(w.group, map[string][]int32{Topic: w.partitions})
		if err == nil {
			for _, block := range answer.Blocks[Topic] {
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
