// Command fc measures Kafka → Function Compute, synchronously: Apache Kafka on this machine, the sluice binary, and a
// stand-in of Function Compute that checks signatures and discards events, each a process of its own. Beside it, in
// the same run, a bare HTTP client that posts the same bodies over as many connections, and a bare consumer that reads
// the same records and does nothing with them.
//
// It prints a table for each size of batches. `make bench BENCH=fc` runs it; e2e/setup/setup.sh has to have run.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	kit.Options
	batches []int64
}

// unit is what the records of a partition are a multiple of, and each size of batches divides.
const unit = 10_000

func main() {
	kit.Roles(map[string]func([]string, io.Writer) error{kit.ConsumeRole: kit.Consume, postRole: post})
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
	flags := flag.NewFlagSet("fc", flag.ContinueOnError)
	o.Register(flags, 3_000_000, "whole batches of every partition")
	sizes := flags.String("batches", "500,20", "records in a request, comma-separated; each divides 10000")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for text := range strings.SplitSeq(*sizes, ",") {
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < 1 || unit%n != 0 {
			return o, fmt.Errorf("-batches: %q does not divide %d", text, unit)
		}
		o.batches = append(o.batches, n)
	}
	return o, o.Check(unit)
}

// run fills the topic and measures everything.
func run(o options, out io.Writer) {
	b := kit.NewBed(o.Options)
	defer b.Close()
	b.WarmUp(func() { measure(b, o.batches[0]) })
	for _, n := range o.batches {
		b.Logf("measuring batches of %d", n)
		results := []kit.Result{bare(b, n), measure(b, n), b.Bare("bare sarama group consumer")}
		// Once more at the end, so that a machine that changed meanwhile is seen.
		results = append(results, bare(b, n))
		kit.Table(out, o.Options, "the bare HTTP client", results)
	}
}

// standin starts a stand-in that keeps nothing and leaves out the checksums of bodies, which only one of the two
// clients sends; it checks their signatures.
func standin(b *kit.Bed) *harness.Standin {
	return b.Suite.StartService(b.Main, "fc", "-discard", "-skip-crc")
}

// measure runs one connector to a stand-in of its own.
func measure(b *kit.Bed, batch int64) kit.Result {
	fc := standin(b)
	defer fc.Kill()
	// A run that closes when the feed pauses may leave less than a batch at a partition's end: it waits for the interval,
	// which is kept short so that the clock does not run for it.
	r := b.Connector(fmt.Sprintf("sync, batches of %d", batch), harness.FCConfig(fc, kit.Topic, map[string]string{
		"fc.mode": "sync", "fc.batch.size": fmt.Sprint(batch), "tasks.max": fmt.Sprint(b.Options.Tasks), "flush.interval.ms": "200",
	}))
	if got := fc.FCStats().Records; got < b.Options.Records {
		b.Fatalf("%d of %d records came to the function", got, b.Options.Records)
	}
	return r
}

// bare runs the bare HTTP client against a stand-in of its own.
func bare(b *kit.Bed, batch int64) kit.Result {
	fc := standin(b)
	defer fc.Kill()
	o := b.Options
	m := b.Play(postRole, "-url", fc.URL, "-records", fmt.Sprint(o.Records), "-batch", fmt.Sprint(batch), "-bytes", fmt.Sprint(o.Bytes),
		"-value", o.Value, "-connections", fmt.Sprint(o.Partitions))
	if got := fc.FCStats().Records; got != o.Records {
		b.Fatalf("%d of %d records came to the function", got, o.Records)
	}
	return kit.Result{Name: "bare HTTP client", Records: o.Records, First: m.First, Seconds: m.Seconds, CPU: m.CPU, Peak: m.Peak}
}
