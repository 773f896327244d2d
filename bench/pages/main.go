// Command pages measures how fast the console and the REST API answer on a large installation: hundreds of
// instances that do not answer, hundreds of connectors, millions of log lines, and beside them the sandbox's
// embedded broker with one connector that runs.
//
// It fills a data directory once (two minutes or less, kept in the test cache, so that the next run starts
// at once), starts the sluice binary on it, signs in, and asks for every page and the main REST calls one
// after the other over one connection. Times are the client's, on loopback, from sending the request to the
// last byte of the answer; beside them stands the processor time that the server took for a request, which a
// busy machine changes less. It also tells start-up time, how long it takes until every instance was asked,
// and what the idle process takes.
//
// `make bench BENCH=pages` runs it; it needs nothing beyond Go and a C compiler.
package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// goal is how long the server may take for any page or call that asks no cluster.
const goal = 50 * time.Millisecond

// size is how much is filled in.
type size struct {
	Instances  int   `json:"instances"`
	Connectors int   `json:"connectors"`
	Lines      int64 `json:"lines"`
	Audit      int   `json:"audit"`
}

// options are the command line.
type options struct {
	size
	dir      string
	requests int
	idle     time.Duration
	only     string
	profile  string
	check    bool
}

func main() {
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
	flags := flag.NewFlagSet("pages", flag.ContinueOnError)
	flags.IntVar(&o.Instances, "instances", 300, "instances, the sandbox's not counted")
	flags.IntVar(&o.Connectors, "connectors", 900, "connectors, the one that runs not counted")
	flags.Int64Var(&o.Lines, "lines", 10_000_000, "log lines; half of them belong to one connector")
	flags.IntVar(&o.Audit, "audit", 5000, "entries of the audit log")
	flags.StringVar(&o.dir, "dir", "", "data directory to fill and use again; default: one in the test cache, by the sizes")
	flags.IntVar(&o.requests, "requests", 30, "measured requests of each page, at least 20")
	flags.DurationVar(&o.idle, "idle", 30*time.Second, "how long to watch the idle process; 0 skips it")
	flags.StringVar(&o.only, "only", "", "measure only what has this text in its name or path")
	flags.StringVar(&o.profile, "profile", "", "folder that gets a CPU profile of all pages together; profiling costs a little")
	flags.BoolVar(&o.check, "check", false, "exit with 1 when a median is over the goal")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if o.Instances < 10 || o.Connectors < 2*o.Instances || o.Lines < 1000 || o.Audit < 1 || o.requests < 20 {
		return o, fmt.Errorf("at least 10 -instances, two -connectors an instance, 1000 -lines, 1 -audit and 20 -requests are needed")
	}
	if o.dir == "" {
		o.dir = filepath.Join(harness.CacheDir(), fmt.Sprintf("pages-%d-%d-%d", o.Instances, o.Connectors, o.Lines))
	}
	return o, nil
}

// run fills, measures and prints; it answers the exit code.
func run(o options, out io.Writer) int {
	m := harness.NewMain("bench")
	defer m.Close()
	suite := harness.NewSuite("bench")
	defer suite.Close()

	silent, err := listenSilently()
	if err != nil {
		m.Fatalf("%v", err)
	}
	m.Cleanup(func() { silent.Close() })
	facts, err := prepare(context.Background(), o, silent.Addr().String(), m.Logf)
	if err != nil {
		m.Fatalf("filling %s: %v; remove the folder to have it filled anew", o.dir, err)
	}
	fmt.Fprintf(out, "\n%d instances, %d connectors, %d log lines (%s), %d cores\n\n", o.Instances, o.Connectors, o.Lines, mib(facts.Bytes), runtime.NumCPU())

	if o.only == "" {
		watchIdle(m, suite, o, out)
	}
	server := startServer(m, suite, o, true)
	defer server.Stop()
	live := startLive(m, server)
	results := measureAll(m, server, o, targets(facts, live))
	over := table(out, results)
	peak, err := harness.PeakMemory(server.PID())
	if err != nil {
		m.Fatalf("%v", err)
	}
	fmt.Fprintf(out, "\nPeak memory of the server while it was asked: %s. Goal: %s; over it (median): %d.\n", mib(peak), goal, over)
	if over > 0 && o.check || m.Failed() {
		return 1
	}
	return 0
}

func mib(n int64) string { return fmt.Sprintf("%d MiB", n>>20) }
