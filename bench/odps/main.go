// Command odps measures Kafka → MaxCompute: Apache Kafka on this machine, the sluice binary, and a MaxCompute stand-in
// that checks rows and discards them, each a process of its own. Beside it, in the same run, a bare consumer that reads
// the same records with the same client library and does nothing with them, and an upload loop of the vendor's Go SDK
// fed from memory, which has no Kafka to read.
//
// It prints a table: rows and megabytes a second, the ratio to the SDK's loop, processor seconds per million and peak
// memory of the measured process alone. `make bench BENCH=odps` runs it; e2e/setup/setup.sh has to have run.
package main

import (
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	kit.Options
	ways  []string
	flush int64
	loops int // uploads of the SDK's loop at once
}

// way is what a connector writes: its table, and what its configuration has beside it.
type way struct {
	ddl    string
	config map[string]string
}

// ways are by name. json needs values that are JSON.
var ways = map[string]way{
	"text":   {ddl: "", config: map[string]string{}},
	"value":  {ddl: "", config: map[string]string{"odps.mode": "VALUE"}},
	"binary": {ddl: "CREATE TABLE `binary` (topic STRING, `partition` BIGINT, `offset` BIGINT, key BINARY, value BINARY) PARTITIONED BY (pt STRING)", config: map[string]string{"odps.format": "BINARY"}},
	"json": {ddl: "CREATE TABLE `json` (region BIGINT, store INT, `order` BIGINT, currency STRING, state STRING, items JSON, note STRING) PARTITIONED BY (pt STRING)",
		config: map[string]string{"odps.mapping": "json"}},
}

func main() {
	kit.Roles(map[string]func([]string, io.Writer) error{kit.ConsumeRole: kit.Consume, uploadRole: upload})
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
	flags := flag.NewFlagSet("odps", flag.ContinueOnError)
	o.Register(flags, 6_000_000, "whole chunks of every partition")
	names := flags.String("ways", "text", "what to write, comma-separated: "+strings.Join(slices.Sorted(maps.Keys(ways)), ", ")+"; json needs -value json")
	flags.Int64Var(&o.flush, "flush", 100_000, "flush.size: rows of a chunk, which is an upload session; 100 sessions are made at once, more come one a second")
	flags.IntVar(&o.loops, "loops", 2, "uploads of the SDK's loop at the same time")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.flush < 1 || o.loops < 1 {
		return o, fmt.Errorf("-flush and -loops must be at least 1")
	}
	for _, name := range strings.FieldsFunc(*names, func(r rune) bool { return r == ',' }) {
		if _, ok := ways[name]; !ok {
			return o, fmt.Errorf("-ways %q: there are %s", name, strings.Join(slices.Sorted(maps.Keys(ways)), ", "))
		}
		if name == "json" && o.Value != "json" {
			return o, fmt.Errorf("-ways json maps the fields of JSON: give -value json too")
		}
		o.ways = append(o.ways, name)
	}
	return o, o.Check(o.flush)
}

// run fills the topic and measures everything.
func run(o options, out io.Writer) {
	b := kit.NewBed(o.Options)
	defer b.Close()
	if len(o.ways) > 0 {
		b.WarmUp(func() { measure(b, o, o.ways[0]) })
	}
	results := []kit.Result{loop(b, o, "the SDK's upload loop, from memory"), b.Bare("bare sarama group consumer")}
	for _, name := range o.ways {
		b.Logf("measuring %s", name)
		results = append(results, measure(b, o, name))
	}
	// Once more at the end, so that a machine that changed meanwhile is seen.
	results = append(results, loop(b, o, "the SDK's upload loop, again"))
	kit.Table(out, o.Options, "the SDK's loop", results)
}

// discarding is a stand-in that checks rows and keeps none.
func discarding(b *kit.Bed) *harness.ODPS {
	return b.Suite.StartODPS(b.Main, "-discard", "-no-limits")
}

// measure runs one connector to a stand-in of its own.
func measure(b *kit.Bed, o options, name string) kit.Result {
	odps := discarding(b)
	defer odps.Kill()
	w := ways[name]
	config := maps.Clone(w.config)
	config["tasks.max"], config["flush.size"], config["flush.interval.ms"] = fmt.Sprint(o.Tasks), fmt.Sprint(o.flush), "10000"
	if w.ddl != "" {
		odps.SQL(w.ddl)
		config["odps.table"] = name
	}
	return b.Connector(name, harness.ODPSConfig(odps, kit.Topic, config))
}

// loop runs the SDK's upload loop, in a process of its own, to a stand-in of its own.
func loop(b *kit.Bed, o options, name string) kit.Result {
	odps := discarding(b)
	defer odps.Kill()
	m := b.Play(uploadRole, "-endpoint", odps.URL, "-records", fmt.Sprint(o.Records), "-bytes", fmt.Sprint(o.Bytes), "-value", o.Value,
		"-flush", fmt.Sprint(o.flush), "-loops", fmt.Sprint(o.loops))
	return kit.Result{Name: name, Records: o.Records, Seconds: m.Seconds, CPU: m.CPU, Peak: m.Peak}
}
