// Sluice is a self-hosted web console and runner for Kafka connectors: one program
// that serves the pages, keeps the model and moves the records.
package main

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"path/filepath"
	"runtime/debug"
	"strings"
	"syscall"
	_ "time/tzdata" // time zones by name on machines without a database of them

	"github.com/sluice-io/sluice/handlers"
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
// the program takes beside them, in bytes; what the C library, code and stacks take comes on top. It makes the collector work harder before
// the process grows.
func memoryLimit(budget int64) int64 { return budget + 80<<20 }

// serveUntil opens everything, wires it together and runs it until ctx ends.
func serveUntil(ctx context.Context, set *settings.Settings, log *slog.Logger, level *slog.LevelVar, stdout io.Writer) error {
	var supervisor *runner.Supervisor // the store asks it for the rolled-up states
	store, err := openStore(ctx, set, log, func(c runner.Connector, tasks []runner.TaskStatus) connector.Status {
		return supervisor.RollUp(c, tasks)
	})
	if err != nil {
		return err
	}
	defer store.Close()
	// A first start that fails further on has made the user all the same, and the
	// password is told only once.
	told := false
	defer func() {
		if !told {
			announcePassword(stdout, store.GeneratedPassword())
		}
	}()
	listener, err := listen(set.Addr, "SLUICE_ADDR")
	if err != nil {
		return err
	}
	defer listener.Close()
	box, err := startSandbox(ctx, set, log)
	if err != nil {
		return err
	}
	if box != nil {
		defer box.Close()
	}
	rules, err := egress.New(egress.Policy{Allow: set.EgressAllow, Deny: set.EgressDeny, Proxy: set.EgressProxy, Metadata: set.AllowECSRAM})
	if err != nil {
		return err
	}
	stored := func(ctx context.Context) error { return applyEgressRules(ctx, store, rules) }
	if err := stored(ctx); err != nil {
		return err
	}
	roots, err := trusted(box)
	if err != nil {
		return err
	}
	if supervisor, err = newSupervisor(set, store, rules, roots, listener.Addr().String(), log); err != nil {
		return err
	}
	service := control.New(control.Options{Store: modelstore.Store{Store: store}, Supervisor: supervisor, Specs: catalog.All(), Addresses: rules.CheckAddress,
		Logger: log, Egress: control.Egress{Apply: stored, Allow: set.EgressAllow, Deny: set.EgressDeny}})
	if box != nil {
		if err := service.EnsureSandbox(ctx, box.Kafka.Addr()); err != nil {
			return fmt.Errorf("making the instance sandbox: %w", err)
		}
	}
	parts := []part{
		{"supervisor", supervisor.Run},
		{"instances", service.Run},
		{"maintenance", store.Maintain},
		{"console", func(ctx context.Context) error {
			return handlers.Serve(ctx, listener, surface(ctx, set, service, store, supervisor, box, log, level), set.TLS)
		}},
	}
	var metrics net.Listener
	if set.MetricsAddr != "" {
		if metrics, err = listen(set.MetricsAddr, "SLUICE_METRICS_ADDR"); err != nil {
			return err
		}
		defer metrics.Close()
		parts = append(parts, part{"metrics", func(ctx context.Context) error {
			return handlers.ServeMetrics(ctx, metrics, runner.NewMetrics(supervisor))
		}})
	}
	announce(stdout, set, listener, metrics, box)
	announcePassword(stdout, store.GeneratedPassword())
	told = true
	return runParts(ctx, log, endDeadline, parts...)
}

// openStore opens the database and the connectors' logs.
func openStore(ctx context.Context, set *settings.Settings, log *slog.Logger, rollUp func(runner.Connector, []runner.TaskStatus) connector.Status) (*models.Store, error) {
	store, err := models.Open(ctx, models.Options{
		DataDir: set.DataDir, KeyFile: set.KeyFile, Key: set.Key, AdminPassword: set.AdminPassword,
		SecretKeys: catalog.SecretKeys, LogAge: set.LogAge, LogBytes: set.LogBytes, Logger: log, RollUp: rollUp,
	})
	if err != nil {
		return nil, err
	}
	if err := store.KeyProblem(); err != nil {
		log.Error("stored secrets cannot be opened", "err", err)
	}
	return store, nil
}

// newSupervisor makes the runner of this node; worker is the address it answers on, roots are whom connectors trust.
func newSupervisor(set *settings.Settings, store *models.Store, rules *egress.Egress, roots *x509.CertPool, worker string, log *slog.Logger) (*runner.Supervisor, error) {
	faults, err := runner.FaultsFromEnvironment(os.Getenv)
	if err != nil {
		return nil, err
	}
	dial := func(internet bool) func(context.Context, string, string) (net.Conn, error) {
		return rules.Dialer(internet)
	}
	return runner.NewSupervisor(runner.Options{
		Store: store, Specs: catalog.All(), Node: store.NodeID(), Worker: worker, Installation: store.InstallationID(),
		Dial: dial, DialMetadata: rules.MetadataDialer(), Roots: roots, Seal: store.Sealer(), Budget: runner.NewBudget(set.MemoryBudget),
		AllowECSRAMRole: set.AllowECSRAM, Logger: log, Faults: faults, TempDir: filepath.Join(set.DataDir, "spill"),
	}), nil
}

// surface is everything that answers HTTP but the metrics, until ctx ends.
func surface(ctx context.Context, set *settings.Settings, service *control.Service, store *models.Store, supervisor *runner.Supervisor, box *sandbox.Sandbox, log *slog.Logger, level *slog.LevelVar) http.Handler {
	pages := console.Options{Control: service, Store: store, Logger: log, Version: version, Secure: set.TLS != nil}
	o := handlers.Options{Control: service, Users: store, Commit: version, Stopping: ctx.Done(), Logger: log,
		Loggers: connect.NewLoggers("INFO", connect.SetLevel(level)),
		Ready:   func(context.Context) error { return supervisor.StoreTrouble() }}
	if box != nil {
		pages.Sandbox, o.Faults = sandboxPages{box}, sandboxFaults{box}
	}
	o.Pages = console.New(pages)
	return handlers.New(o)
}

// listen opens the address that a setting names.
func listen(addr, setting string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening on %s (%s): %w", addr, setting, err)
	}
	return l, nil
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

// announce prints what a person, or a script, needs to know at start.
func announce(w io.Writer, set *settings.Settings, console, metrics net.Listener, box *sandbox.Sandbox) {
	scheme := "http"
	if set.TLS != nil {
		scheme = "https"
	}
	fmt.Fprintf(w, "console: %s://%s\n", scheme, console.Addr())
	if box != nil {
		for _, a := range box.Addresses() {
			fmt.Fprintf(w, "sandbox %s: %s\n", a.Part, a.Address)
		}
	}
	if metrics != nil {
		fmt.Fprintf(w, "metrics: http://%s/metrics\n", metrics.Addr())
	}
}

// announcePassword prints the password that the first start generated; "" is none.
func announcePassword(w io.Writer, password string) {
	if password != "" {
		fmt.Fprintf(w, "user: admin\npassword: %s\n", password)
	}
}
