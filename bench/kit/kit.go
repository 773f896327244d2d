// Package kit is what the benchmarks from Kafka to a service share: filling a topic, a bare consumer that reads it
// beside Sluice, one measured run of a connector, and the table of results.
package kit

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Options are what every benchmark's command line has.
type Options struct {
	Records    int64
	Bytes      int // of a record's value
	Partitions int
	Value      string // kind of value: log, json, plain
	Budget     string // SLUICE_MEMORY_BUDGET
	Tasks      int
	Warm       int    // runs that do not count, before all others
	Profiles   string // folder for CPU profiles; empty: none
}

// Register adds the options to a command line. records is the default of -records; rounding says to what they are
// rounded up.
func (o *Options) Register(flags *flag.FlagSet, records int64, rounding string) {
	flags.Int64Var(&o.Records, "records", records, "records, rounded up to "+rounding)
	flags.IntVar(&o.Bytes, "bytes", 200, "size of a record's value")
	flags.IntVar(&o.Partitions, "partitions", 6, "partitions of the topic")
	flags.StringVar(&o.Value, "value", "log", "kind of value: log (an access log's line, a few quotes), json (many quotes), plain (nothing to escape)")
	flags.StringVar(&o.Budget, "budget", "96MiB", "SLUICE_MEMORY_BUDGET")
	flags.IntVar(&o.Tasks, "tasks", 6, "tasks.max")
	flags.IntVar(&o.Warm, "warm", 3, "runs before all others that do not count: a broker that has just started compiles while it answers")
	flags.StringVar(&o.Profiles, "profiles", "", "folder that gets a CPU profile of each run; profiling costs a little")
}

// Check refuses what cannot be measured, and rounds the records up to whole units of so many in every partition.
func (o *Options) Check(unit int64) error {
	if o.Records < 1 || o.Bytes < 1 || o.Partitions < 1 || o.Tasks < 1 {
		return fmt.Errorf("-records, -bytes, -partitions and -tasks must be at least 1")
	}
	all := int64(o.Partitions) * unit
	o.Records = (o.Records + all - 1) / all * all
	_, err := ValueMaker(o.Value, o.Bytes)
	return err
}

// Bed is a filled topic on a broker, and the programs.
type Bed struct {
	*harness.Main
	Suite   *harness.Suite
	Kafka   *harness.Kafka
	Options Options
}

// NewBed starts Apache Kafka and fills the topic. Close ends everything.
func NewBed(o Options) *Bed {
	b := &Bed{Main: harness.NewMain("bench"), Suite: harness.NewSuite("bench"), Options: o}
	b.Kafka = harness.StartKafka(b.Main, harness.KafkaOptions{HeapMB: 1024, Throughput: true})
	b.Kafka.CreateTopic(Topic, int32(o.Partitions), map[string]string{"retention.ms": "-1"})
	b.Logf("producing %d records of %d bytes (%s) to %d partitions", o.Records, o.Bytes, o.Value, o.Partitions)
	start := time.Now()
	if err := fill(b.Kafka.Brokers(), o); err != nil {
		b.Fatalf("producing: %v", err)
	}
	b.Logf("produced in %s", time.Since(start).Round(time.Millisecond))
	return b
}

// Close stops what was started.
func (b *Bed) Close() {
	b.Suite.Close()
	b.Main.Close()
}

// WarmUp has run done as often as the options say, without profiles and without a result.
func (b *Bed) WarmUp(run func()) {
	profiles := b.Options.Profiles
	b.Options.Profiles = ""
	for i := range b.Options.Warm {
		b.Logf("warming the broker up, %d of %d", i+1, b.Options.Warm)
		run()
	}
	b.Options.Profiles = profiles
}

// Result is one line of the table.
type Result struct {
	Name    string
	Records int64   // in that time
	Seconds float64 // from the first delivery to the last
	First   float64 // seconds from having positions to the first delivery
	CPU     float64 // seconds
	Peak    int64   // bytes
}

// Rate is in records a second.
func (r Result) Rate() float64 { return float64(r.Records) / r.Seconds }

// Table writes the figures, ratios against the mean of the first and the last result.
func Table(out io.Writer, o Options, limit string, results []Result) {
	bare := (results[0].Rate() + results[len(results)-1].Rate()) / 2
	fmt.Fprintf(out, "\n%d records of %d bytes (%s), %d partitions, Apache Kafka and stand-in on the same %d cores; SLUICE_MEMORY_BUDGET=%s, tasks.max=%d\n\n",
		o.Records, o.Bytes, o.Value, o.Partitions, runtime.NumCPU(), o.Budget, o.Tasks)
	fmt.Fprintf(out, "| what | records/s | MB/s | of %s | CPU s per million | peak MiB | first after s |\n", limit)
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, r := range results {
		fmt.Fprintf(out, "| %s | %.0f | %.0f | %.0f %% | %.2f | %d | %.1f |\n", r.Name, r.Rate(),
			r.Rate()*float64(o.Bytes)/1e6, 100*r.Rate()/bare, r.CPU/(float64(r.Records)/1e6), r.Peak>>20, r.First)
	}
}

// Roles lets one program play several parts, each in a process of its own: when the first argument names a role, the
// role is played and the process ends.
func Roles(roles map[string]func(args []string, out io.Writer) error) {
	if len(os.Args) < 2 || roles[os.Args[1]] == nil {
		return
	}
	if err := roles[os.Args[1]](os.Args[2:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, os.Args[1]+":", err)
		os.Exit(1)
	}
	os.Exit(0)
}
