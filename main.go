// Sluice is a self-hosted web console and runner for Kafka connectors: one program
// that serves the pages, keeps the model and moves the records.
package main

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/pprof"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	"time"
	_ "time/tzdata" // time zones by name on machines without a database of them

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluice-io/sluice/handlers"
	"github.com/sluice-io/sluice/handlers/api"
	"github.com/sluice-io/sluice/handlers/connect"
	"github.com/sluice-io/sluice/handlers/console"
	"github.com/sluice-io/sluice/handlers/modelstore"
	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/catalog"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/runner/egress"
	"github.com/sluice-io/sluice/runner/sandbox"
	"github.com/sluice-io/sluice/runner/settings"
)

// version is set by the linker.
var version = "dev"

const usage = `Sluice moves records between Kafka and other systems, and shows the truth about it.

Usage:
  sluice serve [flags]   start the console and the runner (sluice serve --help lists the flags)
  sluice docs DIR        write the reference pages of the connectors into DIR
  sluice version         print the version
`

func main() {
	os.Exit(run(os.Args[1:], os.Stdout, os.Stderr))
}

// run is the program; its result is the exit code.
func run(args []string, stdout, stderr io.Writer) int {
	if len(args) == 0 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	switch args[0] {
	case "serve":
		return serve(args[1:], stdout, stderr)
	case "docs":
		return docs(args[1:], stderr)
	case "version", "--version", "-v":
		fmt.Fprintln(stdout, "sluice", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(stdout, usage)
		return 0
	}
	fmt.Fprintf(stderr, "sluice: there is no command %q.\n\n%s", args[0], usage)
	return 2
}

func docs(args []string, stderr io.Writer) int {
	if len(args) != 1 {
		fmt.Fprint(stderr, usage)
		return 2
	}
	specs := catalog.All()
	for i := range specs {
		file := filepath.Join(args[0], strings.ToLower(specs[i].Class)+".md")
		if err := os.WriteFile(file, []byte(catalog.Reference(&specs[i])), 0o644); err != nil {
			fmt.Fprintln(stderr, "sluice: writing the reference:", err)
			return 1
		}
	}
	return 0
}

func serve(args []string, stdout, stderr io.Writer) int {
	set, warnings, err := settings.Load(args, os.Environ())
	if errors.Is(err, settings.ErrHelp) {
		fmt.Fprint(stdout, settings.Help())
		return 0
	}
	if err != nil {
		fmt.Fprintln(stderr, err)
		return 2
	}
	level := &slog.LevelVar{}
	log := slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level}))
	for _, w := range warnings {
		log.Warn(w)
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	debug.SetMemoryLimit(memoryLimit(set.MemoryBudget))
	if err := serveUntil(ctx, set, log, level, stdout); err != nil {
		fmt.Fprintln(stderr, "sluice:", err)
		return 1
	}
	return 0
}

// memoryLimit is the soft limit of the Go runtime: the budget for records and what
// the program takes beside them, in bytes. It makes the collector work harder before
// the process grows.
func memoryLimit(budget int64) int64 { return budget + 110<<20 }

// serveUntil runs everything until ctx ends.
func serveUntil(ctx context.Context, set *settings.Settings, log *slog.Logger, level *slog.LevelVar, stdout io.Writer) error {
	specs := catalog.All()
	var supervisor *runner.Supervisor
	store, err := models.Open(ctx, models.Options{
		DataDir: set.DataDir, KeyFile: set.KeyFile, Key: set.Key, AdminPassword: set.AdminPassword,
		SecretKeys: catalog.SecretKeys, LogAge: set.LogAge, LogBytes: set.LogBytes, Logger: log,
		RollUp: func(c runner.Connector, tasks []runner.TaskStatus) connector.Status {
			return supervisor.RollUp(c, tasks)
		},
	})
	if err != nil {
		return err
	}
	defer store.Close()
	if err := store.KeyProblem(); err != nil {
		log.Error("stored secrets cannot be opened", "err", err)
	}
	rules, err := egress.New(egress.Policy{Allow: set.EgressAllow, Deny: set.EgressDeny, Proxy: set.EgressProxy})
	if err != nil {
		return err
	}
	listener, err := net.Listen("tcp", set.Addr)
	if err != nil {
		return fmt.Errorf("listening on %s (SLUICE_ADDR): %w", set.Addr, err)
	}
	defer listener.Close()
	box, err := startSandbox(ctx, set, log)
	if err != nil {
		return err
	}
	if box != nil {
		defer box.Close()
	}
	if err := applyEgressRules(ctx, store, rules); err != nil {
		return err
	}
	known := modelstore.Store{Store: store}
	added, err := store.Regions(ctx)
	if err != nil {
		return fmt.Errorf("reading regions: %w", err)
	}
	faults, err := runner.FaultsFromEnvironment(os.Getenv)
	if err != nil {
		return err
	}
	supervisor = runner.NewSupervisor(runner.Options{
		Store: store, Specs: specs, Node: store.NodeID(), Worker: listener.Addr().String(), Installation: store.InstallationID(),
		Dial: dialer(rules), Seal: store.Sealer(), Budget: runner.NewBudget(set.MemoryBudget),
		AllowECSRAMRole: set.AllowECSRAM, Regions: append(control.BuiltinRegions(), added...), Logger: log, Faults: faults,
	})
	service := control.New(control.Options{Store: known, Supervisor: supervisor, Specs: specs, Addresses: rules.CheckAddress, Logger: log,
		Egress: control.Egress{Apply: func(ctx context.Context) error { return applyEgressRules(ctx, store, rules) }, Allow: set.EgressAllow, Deny: set.EgressDeny}})
	if box != nil {
		if err := service.EnsureSandbox(ctx, box.Kafka.Addr()); err != nil {
			return fmt.Errorf("making the instance sandbox: %w", err)
		}
	}
	metrics, err := listenMetrics(set.MetricsAddr)
	if err != nil {
		return err
	}
	announce(stdout, set, listener.Addr().String(), metrics, box, store.GeneratedPassword())
	return serveParts(ctx, log, []part{
		{"supervisor", supervisor.Run},
		{"instances", service.Run},
		{"maintenance", store.Maintain},
		{"console", func(ctx context.Context) error {
			return serveHTTP(ctx, listener, surface(ctx, set, service, store, supervisor, box, log, level), set)
		}},
		{"metrics", func(ctx context.Context) error { return serveMetrics(ctx, metrics, supervisor) }},
	})
}

// surface is everything that answers HTTP.
func surface(ctx context.Context, set *settings.Settings, service *control.Service, store *models.Store, supervisor *runner.Supervisor, box *sandbox.Sandbox, log *slog.Logger, level *slog.LevelVar) http.Handler {
	pages := console.Options{Control: service, Store: store, Logger: log, Version: version, Secure: set.TLS != nil}
	o := handlers.Options{Control: service, Users: store, Commit: version, Stopping: ctx.Done(), Logger: log, Loggers: connect.NewLoggers("INFO", setLevel(level)),
		Ready: func(context.Context) error { return supervisor.StoreTrouble() }}
	if box != nil {
		pages.Sandbox, o.Faults = sandboxPages{box}, sandboxFaults{box}
	}
	o.Pages = console.New(pages)
	return http.NewCrossOriginProtection().Handler(handlers.New(o))
}

// setLevel makes Kafka Connect's logger calls change what the program logs.
func setLevel(level *slog.LevelVar) func(name, to string) {
	levels := map[string]slog.Level{"TRACE": slog.LevelDebug, "DEBUG": slog.LevelDebug, "INFO": slog.LevelInfo, "WARN": slog.LevelWarn,
		"ERROR": slog.LevelError, "FATAL": slog.LevelError, "OFF": slog.LevelError + 4}
	return func(name, to string) {
		if l, ok := levels[strings.ToUpper(to)]; ok && name == "root" {
			level.Set(l)
		}
	}
}

// applyEgressRules puts the address ranges that administrators stored in force.
func applyEgressRules(ctx context.Context, store *models.Store, rules *egress.Egress) error {
	stored, err := store.EgressRules(ctx)
	if err != nil {
		return fmt.Errorf("reading the network rules: %w", err)
	}
	var allow, deny []string
	for _, r := range stored {
		if r.Allow {
			allow = append(allow, r.CIDR)
		} else {
			deny = append(deny, r.CIDR)
		}
	}
	return rules.SetLists(allow, deny)
}

// dialer gives the runner the network rules as it asks for them.
func dialer(rules *egress.Egress) func(bool) func(context.Context, string, string) (net.Conn, error) {
	return func(internet bool) func(context.Context, string, string) (net.Conn, error) {
		return rules.Dialer(internet)
	}
}

func listenMetrics(addr string) (net.Listener, error) {
	if addr == "" {
		return nil, nil
	}
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (SLUICE_METRICS_ADDR): %w", addr, err)
	}
	return l, nil
}

// part is something that runs as long as the program does.
type part struct {
	name string
	run  func(context.Context) error
}

// endDeadline is how long the parts may take to end after the signal.
const endDeadline = 9 * time.Second

// serveParts runs all parts beside each other. When ctx ends, or one of them fails,
// all are told to end; a part that does not in time is left behind.
func serveParts(ctx context.Context, log *slog.Logger, parts []part) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type end struct {
		name string
		err  error
	}
	ended := make(chan end, len(parts))
	for _, p := range parts {
		go func() { ended <- end{p.name, p.run(ctx)} }()
	}
	var first error
	var deadline <-chan time.Time
	stopping := ctx.Done()
	for left := len(parts); left > 0; {
		select {
		case e := <-ended:
			left--
			if e.err != nil && !errors.Is(e.err, context.Canceled) {
				log.Error("a part of the program ended", "part", e.name, "err", e.err)
				first = errors.Join(first, fmt.Errorf("%s: %w", e.name, e.err))
				cancel()
			}
		case <-stopping:
			stopping = nil
			log.Info("ending")
			deadline = time.After(endDeadline)
		case <-deadline:
			log.Warn("not everything ended in time; what was not settled is settled at the next start")
			return first
		}
	}
	return first
}

const (
	readHeaderTimeout = 10 * time.Second
	readTimeout       = time.Minute
	writeTimeout      = 2 * time.Minute // streams extend their own
	idleTimeout       = 2 * time.Minute
	httpEndDeadline   = 3 * time.Second
)

// serveHTTP serves the console and REST until ctx ends.
func serveHTTP(ctx context.Context, l net.Listener, h http.Handler, set *settings.Settings) error {
	srv := &http.Server{Handler: h, ReadHeaderTimeout: readHeaderTimeout, ReadTimeout: readTimeout, WriteTimeout: writeTimeout, IdleTimeout: idleTimeout,
		BaseContext: func(net.Listener) context.Context { return ctx }}
	serve := func() error { return srv.Serve(l) }
	if set.TLS != nil {
		srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*set.TLS}, MinVersion: tls.VersionTLS12}
		serve = func() error { return srv.ServeTLS(l, "", "") }
	}
	return untilDone(ctx, srv, serve)
}

// untilDone serves until ctx ends, then lets requests finish for a moment.
func untilDone(ctx context.Context, srv *http.Server, serve func() error) error {
	failed := make(chan error, 1)
	go func() { failed <- serve() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	end, cancel := context.WithTimeout(context.WithoutCancel(ctx), httpEndDeadline)
	defer cancel()
	if err := srv.Shutdown(end); err != nil {
		return srv.Close()
	}
	return nil
}

// serveMetrics serves /metrics and profiles on an address of their own; "" is off.
func serveMetrics(ctx context.Context, l net.Listener, s *runner.Supervisor) error {
	if l == nil {
		<-ctx.Done()
		return nil
	}
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), runner.NewMetrics(s))
	mux := http.NewServeMux()
	mux.Handle("/metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: readHeaderTimeout}
	return untilDone(ctx, srv, func() error { return srv.Serve(l) })
}

// announce prints what a person, or a script, needs to know at start.
func announce(w io.Writer, set *settings.Settings, console string, metrics net.Listener, box *sandbox.Sandbox, password string) {
	scheme := "http"
	if set.TLS != nil {
		scheme = "https"
	}
	fmt.Fprintf(w, "console: %s://%s\n", scheme, console)
	if box != nil {
		for _, a := range box.Addresses() {
			fmt.Fprintf(w, "sandbox %s: %s\n", a.Part, a.Address)
		}
	}
	if metrics != nil {
		fmt.Fprintf(w, "metrics: http://%s/metrics\n", metrics.Addr())
	}
	if password != "" {
		fmt.Fprintf(w, "user: admin\npassword: %s\n", password)
	}
}

// startSandbox starts the embedded broker and the stand-ins, or nothing.
func startSandbox(ctx context.Context, set *settings.Settings, log *slog.Logger) (*sandbox.Sandbox, error) {
	if !set.Sandbox {
		return nil, nil
	}
	box, err := sandbox.Start(ctx, sandbox.Options{DataDir: filepath.Join(set.DataDir, "sandbox"), KafkaAddr: set.SandboxParts.Kafka, OSSAddr: set.SandboxParts.OSS,
		SampleProducer: true, Logger: log})
	if err != nil {
		return nil, fmt.Errorf("starting the sandbox (SLUICE_SANDBOX_KAFKA_ADDR=%s, SLUICE_SANDBOX_OSS_ADDR=%s): %w", set.SandboxParts.Kafka, set.SandboxParts.OSS, err)
	}
	return box, nil
}

// sandboxPages shows the sandbox to the console, sandboxFaults gives REST its faults.
type (
	sandboxPages  struct{ box *sandbox.Sandbox }
	sandboxFaults struct{ box *sandbox.Sandbox }
)

var (
	_ console.Sandbox       = sandboxPages{}
	_ console.SandboxLatest = sandboxPages{}
	_ api.SandboxFaults     = sandboxFaults{}
)

// Parts lists the servers.
func (p sandboxPages) Parts() []console.SandboxPart {
	var out []console.SandboxPart
	for _, a := range p.box.Addresses() {
		out = append(out, console.SandboxPart{Name: a.Part, Address: a.Address})
	}
	return out
}

// Buckets lists the stand-in's buckets.
func (p sandboxPages) Buckets() []console.SandboxBucket {
	var out []console.SandboxBucket
	for _, b := range p.box.OSS.Buckets() {
		out = append(out, console.SandboxBucket{Name: b.Name, Objects: b.Objects, Bytes: b.Bytes})
	}
	return out
}

// Objects lists objects by name.
func (p sandboxPages) Objects(bucket, prefix, after string, limit int) ([]console.SandboxObject, bool, error) {
	list, more, err := p.box.OSS.Objects(bucket, prefix, after, limit)
	if err != nil {
		return nil, false, console.ErrSandboxNotFound
	}
	out := make([]console.SandboxObject, len(list))
	for i, o := range list {
		out[i] = console.SandboxObject(o)
	}
	return out, more, nil
}

// Latest lists what was stored last.
func (p sandboxPages) Latest(bucket string, limit int) ([]console.SandboxObject, error) {
	list, err := p.box.OSS.LatestObjects(bucket, limit)
	if err != nil {
		return nil, console.ErrSandboxNotFound
	}
	out := make([]console.SandboxObject, len(list))
	for i, o := range list {
		out[i] = console.SandboxObject(o)
	}
	return out, nil
}

// Content reads the beginning of an object.
func (p sandboxPages) Content(ctx context.Context, bucket, key string, limit int) (console.SandboxContent, error) {
	c, err := p.box.OSS.Preview(ctx, bucket, key, limit)
	if err != nil {
		return console.SandboxContent{}, fmt.Errorf("%w: %w", console.ErrSandboxNotFound, err)
	}
	return console.SandboxContent{SandboxObject: console.SandboxObject(c.Object), Data: c.Data, Compression: c.Compression, Truncated: c.Truncated, Text: c.Text, Problem: c.Problem}, nil
}

// Requests are the latest requests of the stand-in.
func (p sandboxPages) Requests(limit int) []console.SandboxRequest {
	var out []console.SandboxRequest
	for _, r := range p.box.OSS.Requests(limit) {
		out = append(out, console.SandboxRequest{Time: r.Time, Method: r.Method, Operation: r.Operation, Bucket: r.Bucket, Key: r.Key, Status: r.Status, Code: r.Code, Fault: r.Fault, Bytes: r.Bytes, Took: r.Took})
	}
	return out
}

// Faults lists the faults in force.
func (p sandboxPages) Faults() []console.SandboxFault {
	var out []console.SandboxFault
	for _, f := range p.box.OSS.Faults.List() {
		out = append(out, console.SandboxFault{Operation: f.Operation, KeyPrefix: f.KeyPrefix, Rate: f.Rate, Status: f.Status, Code: f.Code, AfterStoring: f.AfterStoring,
			LatencyMS: f.LatencyMS, Cut: f.Cut, SkewSeconds: f.SkewSeconds, WrongCRC: f.WrongCRC, Hits: f.Hits})
	}
	return out
}

// SetFaults replaces the faults, or says what is wrong with them and changes nothing.
func (p sandboxPages) SetFaults(list []console.SandboxFault) []console.SandboxProblem {
	var problems []console.SandboxProblem
	faults := make([]sandbox.Fault, len(list))
	for i, f := range list {
		faults[i] = sandbox.Fault{Operation: f.Operation, KeyPrefix: f.KeyPrefix, Rate: f.Rate, Status: f.Status, Code: f.Code, AfterStoring: f.AfterStoring,
			LatencyMS: f.LatencyMS, Cut: f.Cut, SkewSeconds: f.SkewSeconds, WrongCRC: f.WrongCRC}
		for _, e := range faults[i].Validate() {
			problems = append(problems, console.SandboxProblem{Fault: i, Field: e.Field, Message: e.Problem + "; " + e.Remedy})
		}
	}
	if len(problems) > 0 {
		return problems
	}
	if err := p.box.OSS.Faults.Set(faults...); err != nil {
		return []console.SandboxProblem{{Field: "operation", Message: err.Error()}}
	}
	return nil
}

// Faults lists a part's faults.
func (p sandboxFaults) Faults(part string) (any, error) {
	f, err := p.of(part)
	if err != nil {
		return nil, err
	}
	return f.List(), nil
}

// SetFaults replaces a part's faults by a JSON array.
func (p sandboxFaults) SetFaults(part string, body []byte) error {
	f, err := p.of(part)
	if err != nil {
		return err
	}
	faults, err := sandbox.ParseFaults(body)
	if err == nil {
		err = f.Set(faults...)
	}
	return faultProblem(err)
}

func (p sandboxFaults) of(part string) (*sandbox.Faults, error) {
	f, ok := p.box.Faults(part)
	if !ok {
		return nil, &control.Error{Kind: control.NotFound, Message: "The sandbox has no such part; there is oss."}
	}
	return f, nil
}

// faultProblem names the wrong fields of faults as REST answers them.
func faultProblem(err error) error {
	if err == nil {
		return nil
	}
	out := &control.Error{Kind: control.Invalid, Message: "The faults cannot be set."}
	var each interface{ Unwrap() []error }
	all := []error{err}
	if errors.As(err, &each) {
		all = each.Unwrap()
	}
	for _, e := range all {
		var fe sandbox.FieldError
		if errors.As(e, &fe) {
			out.Fields = append(out.Fields, connector.FieldError{Field: fe.Field, Message: fe.Problem + "; " + fe.Remedy})
		} else {
			out.Fields = append(out.Fields, connector.FieldError{Field: "faults", Message: e.Error()})
		}
	}
	return out
}
