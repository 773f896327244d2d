// Command standin runs stand-ins of the cloud's services by themselves, for tests and benchmarks that need them in a
// process of its own.
//
// It prints "oss: URL", "fc: URL" and so on for each of -part and, with -control, "control: URL". What the control
// address takes is in control.go.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-io/sluice/runner/sandbox"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

// options are the command's arguments.
type options struct {
	parts, addrs     []string
	dir, faultFile   string
	control          string
	discard, skipCRC bool
	keys             []sandbox.AccessKey
	seed             uint64
	slow             time.Duration
	throttle         float64
	keep             int64
	life             time.Duration
	commitTakes      time.Duration
	noLimits         bool
	roleLife         time.Duration
}

func parse(args []string) (o options, err error) {
	flags := flag.NewFlagSet("standin", flag.ContinueOnError)
	parts := flags.String("part", "oss", "`list` of what to run: oss, fc, odps, sts; sts issues what the others accept")
	addrs := flags.String("addr", "127.0.0.1:0", "listen `addresses` in the order of -part, of loopback; port 0 picks a free one; the last holds for those behind it")
	flags.StringVar(&o.dir, "dir", "", "`folder` that keeps what is stored; of several parts each has one of its name in it")
	flags.BoolVar(&o.discard, "discard", false, "count contents instead of keeping them")
	flags.BoolVar(&o.skipCRC, "skip-crc", false, "leave out checksums: CRC64, CRCs of records, Content-MD5")
	flags.StringVar(&o.faultFile, "fault", "", "JSON `file` with the faults to begin with, of the first part")
	flags.StringVar(&o.control, "control", "", "listen `address` for /__faults, /__stats and the rest; none by default")
	key := flags.String("key", "", "`ID:SECRET` of the one access key to accept; empty is the sandbox's")
	flags.Uint64Var(&o.seed, "seed", 0, "seed of the faults' dice; 0 is chance")
	flags.DurationVar(&o.slow, "slow", 2*time.Second, "fc: how long the function slow waits")
	flags.Float64Var(&o.throttle, "throttle", 5, "fc: invocations a second that the function throttled takes")
	flags.Int64Var(&o.keep, "keep", 0, "fc: invocations to keep; 0 is the sandbox's bound, -1 keeps all")
	flags.DurationVar(&o.life, "session-life", 24*time.Hour, "odps: how long an upload session may be used")
	flags.DurationVar(&o.commitTakes, "commit-takes", 0, "odps: how long a session is CLOSING")
	flags.BoolVar(&o.noLimits, "no-limits", false, "odps: as many sessions, blocks and commits as come")
	flags.DurationVar(&o.roleLife, "role-life", sandbox.BriefLife, "sts: how long what is issued for the role brief lives")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	o.parts, o.addrs = strings.Split(*parts, ","), strings.Split(*addrs, ",")
	if *key != "" {
		id, secret, ok := strings.Cut(*key, ":")
		if !ok {
			return o, fmt.Errorf("-key %q: write it as ID:SECRET", *key)
		}
		o.keys = []sandbox.AccessKey{{ID: id, Secret: secret}}
	}
	return o, nil
}

// stand is a stand-in that runs.
type stand struct {
	name     string
	url      string
	faults   *sandbox.Faults
	stats    func() any
	requests func(int) []sandbox.Request
	close    func() error
	fc       *sandbox.FC
	odps     *sandbox.ODPS
	sts      *sandbox.STS
}

// run starts the stand-ins as args say and serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) (err error) {
	o, err := parse(args)
	if err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	var stands []*stand
	defer func() {
		for _, s := range stands {
			err = errors.Join(err, s.close())
		}
	}()
	tokens := &sandbox.Tokens{}
	for i, part := range o.parts {
		s, err := o.start(ctx, part, o.addrs[min(i, len(o.addrs)-1)], tokens)
		if err != nil {
			return err
		}
		stands = append(stands, s)
	}
	if o.faultFile != "" {
		if err := loadFaults(stands[0].faults, o.faultFile); err != nil {
			return err
		}
	}
	if o.control != "" {
		server, listener, err := listenControl(o.control, stands)
		if err != nil {
			return err
		}
		defer server.Close()
		fmt.Fprintf(out, "control: http://%s\n", listener)
	}
	for _, s := range stands {
		fmt.Fprintf(out, "%s: %s\n", s.name, s.url)
	}
	<-ctx.Done()
	return nil
}

func (o *options) start(ctx context.Context, part, addr string, tokens *sandbox.Tokens) (*stand, error) {
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dir := o.dir
	if dir != "" && len(o.parts) > 1 {
		dir = filepath.Join(dir, part)
	}
	switch part {
	case "oss":
		s, err := sandbox.StartOSS(ctx, sandbox.OSSOptions{Addr: addr, Dir: dir, Discard: o.discard, SkipCRC: o.skipCRC, Keys: o.keys, Tokens: tokens, FaultSeed: o.seed, Logger: log})
		if err != nil {
			return nil, err
		}
		return &stand{name: part, url: s.URL(), faults: s.Faults, stats: func() any { return s.Stats() }, requests: s.Requests, close: s.Close}, nil
	case "fc":
		s, err := sandbox.StartFC(ctx, sandbox.FCOptions{Addr: addr, Dir: dir, Discard: o.discard, SkipChecks: o.skipCRC, Keys: o.keys, Tokens: tokens, FaultSeed: o.seed, Logger: log,
			SlowFor: o.slow, Throttle: o.throttle, KeepInvocations: o.keep, KeepBytes: min(o.keep, 0)})
		if err != nil {
			return nil, err
		}
		return &stand{name: part, url: s.URL(), faults: s.Faults, stats: func() any { return s.Stats() }, requests: s.Requests, close: s.Close, fc: s}, nil
	case "odps":
		all := sandbox.ODPSOptions{Addr: addr, Dir: dir, Discard: o.discard, SkipChecks: o.skipCRC, Keys: o.keys, Tokens: tokens, FaultSeed: o.seed, Logger: log,
			SessionLife: o.life, CommitTakes: o.commitTakes}
		if o.noLimits {
			all.Limits = sandbox.ODPSLimits{Sessions: -1, Blocks: -1, Commits: -1, Committing: -1}
		}
		s, err := sandbox.StartODPS(ctx, all)
		if err != nil {
			return nil, err
		}
		return &stand{name: part, url: s.URL(), faults: s.Faults, stats: func() any { return s.Stats() }, requests: s.Requests, close: s.Close, odps: s}, nil
	case "sts":
		s, err := sandbox.StartSTS(ctx, sandbox.STSOptions{Addr: addr, Dir: dir, Keys: o.keys, Tokens: tokens, FaultSeed: o.seed, Logger: log})
		if err != nil {
			return nil, err
		}
		if err := s.SetRole(sandbox.Role{Name: sandbox.BriefRole, Life: o.roleLife}); err != nil {
			return nil, errors.Join(err, s.Close())
		}
		return &stand{name: part, url: s.URL(), faults: s.Faults, stats: func() any { return s.Stats() }, requests: s.Requests, close: s.Close, sts: s}, nil
	}
	return nil, fmt.Errorf("-part %q: there are oss, fc, odps, sts", part)
}

func loadFaults(into *sandbox.Faults, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading faults: %w", err)
	}
	faults, err := sandbox.ParseFaults(data)
	if err != nil {
		return fmt.Errorf("reading faults of %s: %w", path, err)
	}
	return into.Set(faults...)
}
