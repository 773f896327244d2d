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
	"strings"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	kit.Options
	shapes []shape
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
	kit.Roles(map[string]func([]string, io.Writer) error{kit.ConsumeRole: kit.Consume})
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	run(o, os.Stdout)
}

// parse reads and checks the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("oss", flag.ContinueOnError)
	o.Register(flags, 5_000_000, "whole chunks of every partition")
	shapes := flags.String("formats", "json,jsonl+zstd,parquet+snappy", "what to write, comma-separated: format or format+compression; empty: the bare consumer alone")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for _, text := range strings.FieldsFunc(*shapes, func(r rune) bool { return r == ',' }) {
		format, compression, ok := strings.Cut(text, "+")
		if !ok {
			compression = "none"
		}
		o.shapes = append(o.shapes, shape{format, compression})
	}
	return o, o.Check(flushSize)
}

// run fills the topic and measures everything.
func run(o options, out io.Writer) {
	b := kit.NewBed(o.Options)
	defer b.Close()
	if len(o.shapes) > 0 {
		b.WarmUp(func() { measure(b, o.shapes[0]) })
	}
	results := []kit.Result{b.Bare("bare sarama group consumer")}
	for _, s := range o.shapes {
		b.Logf("measuring %s", s)
		results = append(results, measure(b, s))
	}
	// Once more at the end, so that a machine that changed meanwhile is seen.
	results = append(results, b.Bare("bare sarama group consumer, again"))
	kit.Table(out, o.Options, "the bare consumer", results)
}

// measure runs one connector to a stand-in of its own.
func measure(b *kit.Bed, s shape) kit.Result {
	oss := b.Suite.StartDiscardingStandin(b.Main)
	defer oss.Kill()
	return b.Connector(s.String(), harness.OSSConfig(oss, kit.Topic, map[string]string{
		"oss.format": s.format, "oss.compression": s.compression, "tasks.max": fmt.Sprint(b.Options.Tasks),
		"flush.size": fmt.Sprint(flushSize), "flush.interval.ms": "10000",
	}))
}
