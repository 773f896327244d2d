// Command standin runs the OSS stand-in by itself, for tests and benchmarks that need it in a process of its own.
//
// It prints "oss: URL" and, with -control, "control: URL". The control address takes a JSON list of faults by
// POST /__faults (GET shows those in force), and gives counters by GET /__stats. It has no sign-in: loopback only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-io/sluice/runner/sandbox"
)

const maxFaultsBody = 1 << 20

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "standin:", err)
		os.Exit(1)
	}
}

// run starts the stand-in as args say and serves until ctx ends.
func run(ctx context.Context, args []string, out io.Writer) error {
	flags := flag.NewFlagSet("standin", flag.ContinueOnError)
	addr := flags.String("addr", "127.0.0.1:0", "listen `address`, of loopback; port 0 picks a free one")
	dir := flags.String("dir", "", "`folder` that keeps the objects")
	discard := flags.Bool("discard", false, "count contents instead of keeping them")
	skipCRC := flags.Bool("skip-crc", false, "leave out CRC64")
	faultFile := flags.String("fault", "", "JSON `file` with the faults to begin with")
	control := flags.String("control", "", "listen `address` for /__faults and /__stats; none by default")
	key := flags.String("key", "", "`ID:SECRET` of the one access key to accept; empty is the sandbox's")
	seed := flags.Uint64("seed", 0, "seed of the faults' dice; 0 is chance")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return nil
		}
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	options := sandbox.OSSOptions{Addr: *addr, Dir: *dir, Discard: *discard, SkipCRC: *skipCRC, FaultSeed: *seed, Logger: log}
	if *key != "" {
		id, secret, ok := strings.Cut(*key, ":")
		if !ok {
			return fmt.Errorf("-key %q: write it as ID:SECRET", *key)
		}
		options.Keys = []sandbox.AccessKey{{ID: id, Secret: secret}}
	}
	stand, err := sandbox.StartOSS(ctx, options)
	if err != nil {
		return err
	}
	defer stand.Close()
	if *faultFile != "" {
		if err := loadFaults(stand, *faultFile); err != nil {
			return err
		}
	}
	if *control != "" {
		server, listener, err := listenControl(*control, stand)
		if err != nil {
			return err
		}
		defer server.Close()
		fmt.Fprintf(out, "control: http://%s\n", listener)
	}
	fmt.Fprintf(out, "oss: %s\n", stand.URL())
	<-ctx.Done()
	return stand.Close()
}

func loadFaults(stand *sandbox.OSS, path string) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("reading faults: %w", err)
	}
	faults, err := sandbox.ParseFaults(data)
	if err != nil {
		return fmt.Errorf("reading faults of %s: %w", path, err)
	}
	return stand.Faults.Set(faults...)
}

func listenControl(addr string, stand *sandbox.OSS) (*http.Server, net.Addr, error) {
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, nil, fmt.Errorf("control address %q: %w", addr, err)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, nil, fmt.Errorf("control address %q is not of loopback", addr)
	}
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return nil, nil, fmt.Errorf("listening for control: %w", err)
	}
	server := &http.Server{Handler: controlHandler(stand), ReadHeaderTimeout: 5 * time.Second}
	go func() { _ = server.Serve(listener) }() // ends with Close
	return server, listener.Addr(), nil
}

func controlHandler(stand *sandbox.OSS) http.Handler {
	mux := http.NewServeMux()
	answer := func(w http.ResponseWriter, status int, v any) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_ = json.NewEncoder(w).Encode(v) // the client may be gone
	}
	mux.HandleFunc("GET /__stats", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, stand.Stats()) })
	mux.HandleFunc("GET /__requests", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, stand.Requests(0)) })
	mux.HandleFunc("GET /__faults", func(w http.ResponseWriter, r *http.Request) { answer(w, http.StatusOK, stand.Faults.List()) })
	mux.HandleFunc("POST /__faults", func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxFaultsBody))
		if err == nil {
			var faults []sandbox.Fault
			if faults, err = sandbox.ParseFaults(body); err == nil {
				err = stand.Faults.Set(faults...)
			}
		}
		if err != nil {
			answer(w, http.StatusBadRequest, map[string]string{"error": err.Error()})
			return
		}
		answer(w, http.StatusOK, stand.Faults.List())
	})
	return mux
}
