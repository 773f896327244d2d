// Command txn measures transactional writing to Apache Kafka on this machine: kafka.Stream, which the MySQL source
// writes with, beside the library's own transactional producer with the same compression, records and transactions,
// each in a process of its own; and how long transactions of one small record take back to back.
//
// `make bench BENCH=txn` runs it; e2e/setup/setup.sh has to have run.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/bench/kit"
	"github.com/sluice-io/sluice/e2e/harness"
)

// options are the command line.
type options struct {
	sizes       []int
	partitions  []int
	records     int64
	transaction int
	compression string
	runs        int
	small       int
	profile     string
}

// The two that are compared, and the arguments that make this program one of them.
const (
	streamRole  = "stream"
	libraryRole = "library"
)

func main() {
	kit.Roles(map[string]func([]string, io.Writer) error{streamRole: play(writeStream), libraryRole: play(writeLibrary)})
	o, err := parse(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	run(o, os.Stdout)
}

func parse(args []string) (options, error) {
	var o options
	flags := flag.NewFlagSet("txn", flag.ContinueOnError)
	flags.Int64Var(&o.records, "records", 2_000_000, "records of each run")
	sizes := flags.String("bytes", "1200,200", "sizes of a record's value, comma-separated")
	partitions := flags.String("partitions", "1,6", "numbers of partitions, comma-separated")
	flags.IntVar(&o.transaction, "transaction", 12<<20, "bytes of values in a transaction")
	flags.StringVar(&o.compression, "compression", "lz4", "none, gzip, snappy, lz4 or zstd")
	flags.IntVar(&o.runs, "runs", 2, "runs of each; the best counts")
	flags.IntVar(&o.small, "small", 1000, "transactions of one record, for the latency; 0: none")
	flags.StringVar(&o.profile, "profile", "", "prefix of files that get CPU profiles")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	var err error
	if o.sizes, err = numbers("bytes", *sizes); err != nil {
		return o, err
	}
	if o.partitions, err = numbers("partitions", *partitions); err != nil {
		return o, err
	}
	if o.records < 1 || o.transaction < 1 || o.runs < 1 || o.small < 0 {
		return o, fmt.Errorf("-records, -transaction and -runs must be at least 1")
	}
	return o, nil
}

func numbers(name, list string) ([]int, error) {
	var all []int
	for text := range strings.SplitSeq(list, ",") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 {
			return nil, fmt.Errorf("-%s: %q is no number above 0", name, text)
		}
		all = append(all, n)
	}
	return all, nil
}

// bed is a broker and how to make topics on it.
type bed struct {
	*harness.Main
	options
	kafka *harness.Kafka
	topic func(name string, partitions int)
}

func run(o options, out io.Writer) {
	b := &bed{Main: harness.NewMain("bench"), options: o}
	defer b.Main.Close()
	k := harness.StartKafka(b.Main, harness.KafkaOptions{HeapMB: 1024, Throughput: true, Properties: map[string]string{"log.retention.bytes": "400000000"}})
	b.kafka = k
	b.topic = func(name string, partitions int) {
		k.CreateTopic(name, int32(partitions), map[string]string{"retention.bytes": "200000000", "segment.bytes": "100000000"})
	}
	fmt.Fprintf(out, "Apache Kafka on the same %d cores, compression %s, transactions of %d KiB\n\n", runtime.NumCPU(), o.compression, o.transaction>>10)
	fmt.Fprintln(out, "| records | partitions | who | records/s | MB/s | CPU s per million | the broker's | peak MiB | ratio |")
	fmt.Fprintln(out, "| --- | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
	for _, size := range o.sizes {
		for _, partitions := range o.partitions {
			b.rates(out, size, partitions)
		}
	}
	if o.small > 0 {
		fmt.Fprintln(out, "\n| transactions of one record | partitions | mean ms | p50 | p99 |")
		fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: |")
		for _, partitions := range o.partitions {
			b.latencies(out, partitions)
		}
	}
}

// rates compares the two on one kind of record.
func (b *bed) rates(out io.Writer, size, partitions int) {
	topic := fmt.Sprintf("rate-%d-%d", size, partitions)
	b.topic(topic, partitions)
	best := map[string]figures{}
	for n := range b.runs + 1 { // the first warms the broker up
		for _, role := range []string{libraryRole, streamRole} {
			records := b.records
			if n == 0 {
				records = max(records/4, 1)
			}
			f := b.play(role, load{Topic: topic, Partitions: partitions, Bytes: size, Records: records, Transaction: max(b.transaction/size, 1)})
			if n > 0 && (best[role].Seconds == 0 || f.Seconds < best[role].Seconds) {
				best[role] = f
			}
		}
	}
	for _, role := range []string{libraryRole, streamRole} {
		f := best[role]
		rate := float64(b.records) / f.Seconds
		fmt.Fprintf(out, "| %d B | %d | %s | %.0f | %.0f | %.2f | %.2f | %d | %.2f |\n", size, partitions, role, rate, rate*float64(size)/1e6,
			f.CPU/float64(b.records)*1e6, f.broker/float64(b.records)*1e6, f.Peak>>20, best[libraryRole].Seconds/f.Seconds)
	}
}

func (b *bed) latencies(out io.Writer, partitions int) {
	topic := fmt.Sprintf("small-%d", partitions)
	b.topic(topic, partitions)
	for _, role := range []string{libraryRole, streamRole} {
		var f figures
		for range 2 {
			f = b.play(role, load{Topic: topic, Partitions: partitions, Bytes: 200, Records: int64(b.small * partitions), Transaction: partitions})
		}
		slices.Sort(f.Commits)
		mean := f.Seconds / float64(len(f.Commits)) * 1e3
		fmt.Fprintf(out, "| %s | %d | %.2f | %.2f | %.2f |\n", role, partitions, mean, f.Commits[len(f.Commits)/2], f.Commits[len(f.Commits)*99/100])
	}
}

// load is what a role has to write.
type load struct {
	Brokers     []string
	Topic       string
	Partitions  int
	Bytes       int
	Records     int64
	Transaction int // records
	Compression string
	Profile     string
}

// figures are what a role tells of itself.
type figures struct {
	Seconds, CPU float64
	broker       float64 // processor time of Kafka
	Peak         int64
	Commits      []float64 // ms of each transaction, of small ones
}

func (b *bed) play(role string, l load) figures {
	l.Brokers, l.Compression = b.kafka.Brokers(), b.compression
	if b.profile != "" {
		l.Profile = fmt.Sprintf("%s-%s-%s.pprof", b.profile, l.Topic, role)
	}
	text, err := json.Marshal(l)
	if err != nil {
		b.Fatalf("%v", err)
	}
	self, err := os.Executable()
	if err != nil {
		b.Fatalf("finding this program: %v", err)
	}
	cmd := exec.Command(self, role, string(text))
	cmd.Stderr = os.Stderr
	before := b.kafka.CPUSeconds()
	answer, err := cmd.Output()
	if err != nil {
		b.Fatalf("running %s: %v", role, err)
	}
	var f figures
	if err := json.Unmarshal(answer, &f); err != nil {
		b.Fatalf("reading the figures of %s: %v", role, err)
	}
	f.broker = b.kafka.CPUSeconds() - before
	return f
}

// play makes a role of a writer.
func play(write func(load, [][]byte) ([]float64, time.Duration, error)) func([]string, io.Writer) error {
	return func(args []string, out io.Writer) error {
		var l load
		if err := json.Unmarshal([]byte(args[0]), &l); err != nil {
			return err
		}
		values := messages(l.Bytes)
		if l.Profile != "" {
			f, err := os.Create(l.Profile)
			if err != nil {
				return err
			}
			defer f.Close()
			if err := pprof.StartCPUProfile(f); err != nil {
				return err
			}
			defer pprof.StopCPUProfile()
		}
		commits, took, err := write(l, values)
		if err != nil {
			return err
		}
		f := figures{Seconds: took.Seconds()}
		if l.Transaction <= l.Partitions {
			f.Commits = commits
		}
		if f.CPU, err = harness.CPUSeconds(os.Getpid()); err != nil {
			return err
		}
		if f.Peak, err = harness.PeakMemory(os.Getpid()); err != nil {
			return err
		}
		return json.NewEncoder(out).Encode(f)
	}
}

// messages are 4,096 changes of rows, which differ as rows do: numbers and names change, the words around them do not.
func messages(size int) [][]byte {
	all := make([][]byte, 4096)
	padding := strings.Repeat(`{"name":"c%d","type":"VARCHAR(64)","nullable":true},`, size/40+1)
	for n := range all {
		seed := uint64(n)*0x9e3779b97f4a7c15 + 1
		next := func(below uint64) uint64 {
			seed ^= seed << 13
			seed ^= seed >> 7
			seed ^= seed << 17
			return seed % below
		}
		b := fmt.Appendf(nil, `{"op":"INSERT","table":"orders","sequence":%d,"after":{"id":%d,"customer":"%x","amount":"%d.%02d","at":"2026-11-22 %02d:%02d:%02d","note":"%x%x"},"schema":[`,
			1_000_000+n, next(1<<40), next(1<<32), next(10000), next(100), next(24), next(60), next(60), next(1<<60), next(1<<60))
		for i := 0; len(b) < size; i++ {
			b = append(b, padding[i%len(padding)])
		}
		all[n] = b[:size]
	}
	return all
}
