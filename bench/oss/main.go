// Command oss measures Kafka → OSS: Apache Kafka on this machine, the sluice binary, and an OSS stand-in
// that checks requests and discards contents, each a process of its own. Beside it, in the same run, a bare
// consumer that reads the same records with the same client library and does nothing with them.
//
// It prints a table: records and megabytes a second, the ratio to the bare consumer, processor seconds per
// million records and peak memory of the measured process alone. `make bench` runs it; e2e/setup/setup.sh
// has to have run.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	records    int64
	bytes      int
	partitions int
	shapes     []shape
	value      string
	budget     string
	tasks      int
	warm       int
	profiles   string
}

// shape is what a connector writes.
type shape struct{ format, compression string }

func (s shape) String() string {
	if s.compression == "none" {
		return s.format
	}
	return s.format + "+" + s.compression
}

// flushSize is the default of flush.size. Partitions are filled with a multiple of it, so that no run waits
// for a timer to close its last objects.
const flushSize = 10_000

func main() {
	if len(os.Args) > 1 && os.Args[1] == consumeRole {
		if err := consume(os.Args[2:], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, "bare consumer:", err)
			os.Exit(1)
		}
		return
	}
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	os.Exit(run(o, os.Stdout))
}

// parse reads and checks the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("oss", flag.ContinueOnError)
	flags.Int64Var(&o.records, "records", 5_000_000, "records, rounded up to whole chunks of every partition")
	flags.IntVar(&o.bytes, "bytes", 200, "size of a record's value")
	flags.IntVar(&o.partitions, "partitions", 6, "partitions of the topic")
	shapes := flags.String("formats", "json,jsonl+zstd,parquet+snappy", "what to write, comma-separated: format or format+compression; empty: the bare consumer alone")
	flags.StringVar(&o.value, "value", "log", "kind of value: log (an access log's line, a few quotes), json (many quotes), plain (nothing to escape)")
	flags.StringVar(&o.budget, "budget", "96MiB", "SLUICE_MEMORY_BUDGET")
	flags.IntVar(&o.tasks, "tasks", 6, "tasks.max")
	flags.IntVar(&o.warm, "warm", 3, "runs before all others that do not count: a broker that has just started compiles while it answers")
	flags.StringVar(&o.profiles, "profiles", "", "folder that gets a CPU profile of each run; profiling costs a little")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.records < 1 || o.bytes < 1 || o.partitions < 1 || o.tasks < 1 {
		return o, fmt.Errorf("-records, -bytes, -partitions and -tasks must be at least 1")
	}
	chunk := int64(o.partitions) * flushSize
	o.records = (o.records + chunk - 1) / chunk * chunk
	for _, text := range strings.FieldsFunc(*shapes, func(r rune) bool { return r == ',' }) {
		format, compression, ok := strings.Cut(text, "+")
		if !ok {
			compression = "none"
		}
		o.shapes = append(o.shapes, shape{format, compression})
	}
	if _, err := valueMaker(o.value, o.bytes); err != nil {
		return o, err
	}
	return o, nil
}

// result is one line of the table.
type result struct {
	name    string
	records int64   // in that time
	seconds float64 // from the first delivery to the last
	first   float64 // seconds from having positions to the first delivery
	cpu     float64 // seconds
	peak    int64   // bytes
}

// run fills the topic and measures everything; it answers the exit code.
func run(o options, out io.Writer) int {
	m := harness.NewMain("bench")
	defer m.Close()
	suite := harness.NewSuite("bench")
	defer suite.Close()
	kafka := harness.StartKafka(m, harness.KafkaOptions{HeapMB: 1024, Throughput: true})
	kafka.CreateTopic(topic, int32(o.partitions), map[string]string{"retention.ms": "-1"})
	m.Logf("producing %d records of %d bytes (%s) to %d partitions", o.records, o.bytes, o.value, o.partitions)
	start := time.Now()
	if err := fill(kafka.Brokers(), o); err != nil {
		m.Fatalf("producing: %v", err)
	}
	m.Logf("produced in %s", time.Since(start).Round(time.Millisecond))

	for i := range o.warm {
		if len(o.shapes) == 0 {
			break
		}
		m.Logf("warming the broker up, %d of %d", i+1, o.warm)
		unmeasured := o
		unmeasured.profiles = ""
		measureSluice(m, suite, kafka, unmeasured, o.shapes[0])
	}
	bare, err := measureBare(kafka, o)
	if err != nil {
		m.Fatalf("bare consumer: %v", err)
	}
	results := []result{bare}
	for _, s := range o.shapes {
		m.Logf("measuring %s", s)
		results = append(results, measureSluice(m, suite, kafka, o, s))
	}
	// Once more at the end, so that a machine that changed meanwhile is seen.
	again, err := measureBare(kafka, o)
	if err != nil {
		m.Fatalf("bare consumer: %v", err)
	}
	again.name += ", again"
	table(out, o, append(results, again))
	return 0
}

// table writes the figures, ratios against the mean of the two bare runs.
func table(out io.Writer, o options, results []result) {
	bare := (results[0].rate() + results[len(results)-1].rate()) / 2
	fmt.Fprintf(out, "\n%d records of %d bytes (%s), %d partitions, Apache Kafka and stand-in on the same %d cores; SLUICE_MEMORY_BUDGET=%s, tasks.max=%d\n\n",
		o.records, o.bytes, o.value, o.partitions, runtime.NumCPU(), o.budget, o.tasks)
	fmt.Fprintln(out, "| what | records/s | MB/s | of the bare consumer | CPU s per million | peak MiB | first after s |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range results {
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.0f %% | %.2f | %d | %.1f |\n", r.name, r.rate(),
			r.rate()*float64(o.bytes)/1e6, 100*r.rate()/bare, r.cpu/(float64(r.records)/1e6), r.peak>>20, r.first)
	}
}

// rate is in records per second.
func (r result) rate() float64 { return float64(r.records) / r.seconds }
