// Command mysql measures MySQL → Kafka: a real MySQL or MariaDB, Apache Kafka and the sluice binary on this machine, each
// a process of its own, and in the same run what bounds it: the library's BinlogSyncer that drains the same log and does
// nothing with it, a streaming SELECT of the same rows that counts, and sarama's transactional producer that writes the
// same messages.
//
// `make bench BENCH=mysql` runs it; e2e/setup/setup.sh has to have run.
package main

import (
	"flag"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"time"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	flavors  []string
	rows     int64 // in transactions of batch rows
	batch    int64
	singles  int64 // transactions of one row
	huge     int64 // rows of one transaction
	rate     int   // transactions a second while latency is measured
	seconds  int   // how long that is
	budget   string
	only     string
	format   string
	profiles string
}

func main() {
	kit.Roles(map[string]func([]string, io.Writer) error{drainRole: drain, selectRole: streamSelect, produceRole: produce})
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	for _, flavor := range o.flavors {
		run(o, flavor, os.Stdout)
	}
}

// parse reads and checks the command line.
func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("mysql", flag.ContinueOnError)
	flavors := flags.String("flavors", "mysql", "mysql, mariadb or both, comma-separated")
	flags.Int64Var(&o.rows, "rows", 2_000_000, "rows of about 200 bytes, copied and streamed")
	flags.Int64Var(&o.batch, "batch", 1000, "rows in a transaction")
	flags.Int64Var(&o.singles, "singles", 200_000, "transactions of one row; 0: none")
	flags.Int64Var(&o.huge, "huge", 0, "rows of one transaction, for the peak of memory; 0: none")
	flags.IntVar(&o.rate, "rate", 1000, "transactions a second while latency is measured")
	flags.IntVar(&o.seconds, "seconds", 20, "how long latency is measured; 0: not at all")
	flags.StringVar(&o.budget, "budget", "96MiB", "SLUICE_MEMORY_BUDGET")
	flags.StringVar(&o.only, "only", "stream,singles,snapshot,latency,huge", "what to measure")
	flags.StringVar(&o.format, "format", "dataworks", "message format: dataworks or debezium")
	flags.StringVar(&o.profiles, "profiles", "", "folder that gets a CPU profile of each run; profiling costs a little")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	for flavor := range strings.SplitSeq(*flavors, ",") {
		if flavor != beds.MySQL && flavor != beds.MariaDB {
			return o, fmt.Errorf("-flavors: %q is neither mysql nor mariadb", flavor)
		}
		o.flavors = append(o.flavors, flavor)
	}
	if o.rows < 1 || o.batch < 1 || o.rate < 1 || o.singles < 0 || o.huge < 0 || o.seconds < 0 {
		return o, fmt.Errorf("-rows, -batch and -rate must be at least 1, the others at least 0")
	}
	return o, nil
}

func (o options) does(what string) bool {
	return strings.Contains(","+o.only+",", ","+what+",")
}

// Names in the measured database. Topics are <prefix>_<table>.
const (
	database = "bench"
	user     = "bench"
	password = "bench"
)

// bed is a database, a broker and a node.
type bed struct {
	*kit.Bed
	options
	out    io.Writer
	db     *beds.Server
	sluice *harness.Sluice
}

// line is one row of a table of figures.
type line struct {
	name                string
	records             int64
	seconds, cpu, mysql float64 // CPU seconds of the process, and of the server beside it
	peak                int64   // bytes
}

func run(o options, flavor string, out io.Writer) {
	b := &bed{Bed: &kit.Bed{Main: harness.NewMain("bench"), Suite: harness.NewSuite("bench"), Options: kit.Options{Profiles: o.profiles}}, options: o, out: out}
	defer b.Close()
	b.Kafka = harness.StartKafka(b.Main, harness.KafkaOptions{HeapMB: 1024, Throughput: true})
	b.db = beds.Start(b.Main, flavor, beds.Without("loose_innodb_flush_method"), beds.With("innodb_buffer_pool_size", "1G"), beds.With("max_binlog_size", "1G"))
	b.db.Account(user, password)
	b.db.Exec("CREATE DATABASE " + database)
	b.sluice = b.Suite.StartSluice(b.Main, harness.SluiceOptions{Budget: o.budget})
	b.sluice.CreateInstance("bench", b.Kafka.Bootstrap("PLAINTEXT"), nil)
	fmt.Fprintf(out, "\n%s %s, Apache Kafka and Sluice on the same %d cores; SLUICE_MEMORY_BUDGET=%s, format %s\n",
		flavor, b.db.Value("SELECT VERSION()"), runtime.NumCPU(), o.budget, o.format)
	if o.does("stream") {
		b.streamed("wide", o.rows, o.batch)
	}
	if o.does("singles") && o.singles > 0 {
		b.streamed("singles", o.singles, 1)
	}
	if o.does("snapshot") {
		b.copied()
	}
	if o.does("latency") && o.seconds > 0 {
		b.latency()
	}
	if o.does("huge") && o.huge > 0 {
		b.hugeTransaction()
	}
}

// streamed measures how fast rows that were written meanwhile come, in one partition and in six, beside its bounds.
func (b *bed) streamed(table string, rows, batch int64) {
	b.createTable(table)
	var connectors []*harness.Connector
	for _, partitions := range []int32{1, 6} {
		connectors = append(connectors, b.follower(table, partitions))
	}
	from := b.position()
	b.Logf("writing %d rows in transactions of %d", rows, batch)
	start := time.Now()
	b.fill(table, rows, batch)
	b.Logf("written in %s", time.Since(start).Round(time.Second))
	to := b.position()
	where := []string{"-flavor", b.db.Flavor, "-file", from.file, "-pos", from.pos, "-end-file", to.file, "-end-pos", to.pos}
	lines := []line{b.bounded("bare BinlogSyncer, rows not decoded", rows, drainRole, where...),
		b.bounded("bare BinlogSyncer, rows decoded by the library", rows, drainRole, append(where, "-decode")...)}
	for i, partitions := range []int32{1, 6} {
		lines = append(lines, b.follow(connectors[i], fmt.Sprintf("Sluice, %d partitions", partitions), rows, topicOf(table, partitions)))
		lines = append(lines, b.bounded(fmt.Sprintf("bare sarama transactional producer, %d partitions", partitions), rows, produceRole,
			"-brokers", strings.Join(b.Kafka.Brokers(), ","), "-topic", topicOf(table, partitions), "-partitions", fmt.Sprint(partitions)))
	}
	b.table(fmt.Sprintf("streaming %d rows in transactions of %d", rows, batch), lines)
}

// copied measures the first copy of the rows, beside a SELECT of them.
func (b *bed) copied() {
	const table = "wide"
	if !b.does("stream") {
		b.createTable(table)
		b.fill(table, b.rows, b.batch)
	}
	lines := []line{b.bounded("bare streaming SELECT", b.rows, selectRole)}
	for _, partitions := range []int32{1, 6} {
		lines = append(lines, b.copyOnce(table, partitions))
		lines = append(lines, b.bounded(fmt.Sprintf("bare sarama transactional producer, %d partitions", partitions), b.rows, produceRole,
			"-brokers", strings.Join(b.Kafka.Brokers(), ","), "-topic", copyTopic(table, partitions), "-partitions", fmt.Sprint(partitions)))
	}
	b.table(fmt.Sprintf("snapshot of %d rows", b.rows), lines)
}

// hugeTransaction shows the peak of memory while one transaction of many rows is streamed.
func (b *bed) hugeTransaction() {
	b.createTable("huge")
	c := b.follower("huge", 6)
	b.Logf("writing %d rows in one transaction", b.huge)
	b.fillAtOnce("huge", b.huge)
	b.table(fmt.Sprintf("streaming one transaction of %d rows", b.huge), []line{b.follow(c, "Sluice, 6 partitions", b.huge, topicOf("huge", 6))})
}

// table writes figures.
func (b *bed) table(title string, lines []line) {
	fmt.Fprintf(b.out, "\n%s\n\n| what | rows/s | CPU s per million | the server's | peak MiB |\n| --- | ---: | ---: | ---: | ---: |\n", title)
	for _, l := range lines {
		if l.records == 0 {
			fmt.Fprintf(b.out, "| %s | all at once | | | %d |\n", l.name, l.peak>>20)
			continue
		}
		million := float64(l.records) / 1e6
		fmt.Fprintf(b.out, "| %s | %.0f | %.2f | %.2f | %d |\n", l.name, float64(l.records)/l.seconds, l.cpu/million, l.mysql/million, l.peak>>20)
	}
}
