package harness

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"syscall"
	"time"
)

// AdminPassword is the password of the first user in every test.
const AdminPassword = "correct-horse-e2e-battery"

// SluiceOptions shapes a node.
type SluiceOptions struct {
	DataDir string            // a new folder when empty
	Budget  string            // SLUICE_MEMORY_BUDGET; the program's default when empty
	Env     map[string]string // over the harness's own settings
	Faults  bool              // the program that kills itself where SLUICE_FAULT_KILL says
}

// Sluice is the program as a process, on a port that it chose.
type Sluice struct {
	*Client
	t       T
	bin     string
	logs    string
	env     map[string]string
	proc    *Process
	runs    int
	DataDir string
	Metrics string // address of /metrics and profiles
	Started time.Time
}

// StartSluice starts the program and waits until it is ready.
func (s *Suite) StartSluice(t T, opts SluiceOptions) *Sluice {
	t.Helper()
	n := s.PrepareSluice(t, opts)
	n.Start()
	n.AwaitReady(60 * time.Second)
	return n
}

// PrepareSluice is StartSluice without starting it.
func (s *Suite) PrepareSluice(t T, opts SluiceOptions) *Sluice {
	t.Helper()
	port, err := FreePort()
	if err != nil {
		t.Fatalf("%v", err)
	}
	if opts.DataDir == "" {
		opts.DataDir = filepath.Join(t.TempDir(), "data")
	}
	n := &Sluice{
		Client: &Client{t: t, User: "admin", Password: AdminPassword},
		t:      t, bin: s.Binary(t, opts.Faults), logs: t.TempDir(), DataDir: opts.DataDir, Metrics: fmt.Sprintf("127.0.0.1:%d", port),
	}
	n.env = map[string]string{
		"SLUICE_ADDR": "127.0.0.1:0", "SLUICE_DATA_DIR": n.DataDir, "SLUICE_ADMIN_PASSWORD": AdminPassword,
		"SLUICE_EGRESS_ALLOW": "127.0.0.0/8", "SLUICE_METRICS_ADDR": n.Metrics, "SLUICE_SANDBOX": "off",
	}
	if opts.Budget != "" {
		n.env["SLUICE_MEMORY_BUDGET"] = opts.Budget
	}
	maps.Copy(n.env, opts.Env)
	return n
}

// Start starts the process and does not wait.
func (n *Sluice) Start() {
	n.t.Helper()
	n.runs++
	var err error
	n.Started = time.Now()
	n.proc, err = Start(Command{
		Name: fmt.Sprintf("sluice, run %d", n.runs), Path: n.bin, Args: []string{"serve"}, Env: cleanEnv(n.env),
		Dir: n.logs, Log: filepath.Join(n.logs, fmt.Sprintf("sluice%d.log", n.runs)),
	})
	if err != nil {
		n.t.Fatalf("%v", err)
	}
	tend(n.t, n.proc)
}

// AwaitReady waits for the console's address and for /readyz.
func (n *Sluice) AwaitReady(within time.Duration) {
	n.t.Helper()
	Eventually(n.t, within, "sluice is ready", func() (bool, string) {
		if !n.proc.Running() {
			n.t.Fatalf("sluice ended at start:\n%s", n.proc.Tail(30))
		}
		base, ok := n.proc.Line("console: ")
		if !ok {
			return false, n.proc.Tail(5)
		}
		n.Base = base
		resp, err := http.Get(base + "/readyz")
		if err != nil {
			return false, err.Error()
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK, resp.Status
	})
}

// For is the same node, reporting to another test.
func (n *Sluice) For(t T) *Sluice {
	other := *n
	client := *n.Client
	client.t, other.t, other.Client = t, t, &client
	return &other
}

// AwaitKilled waits until the process has ended by SIGKILL.
func (n *Sluice) AwaitKilled(within time.Duration) {
	n.t.Helper()
	Eventually(n.t, within, "sluice kills itself", func() (bool, string) { return !n.proc.Running(), n.proc.Tail(5) })
	if !n.proc.Killed() {
		n.t.Fatalf("sluice ended, but not by SIGKILL:\n%s", n.proc.Tail(30))
	}
}

// Kill9 ends it at once.
func (n *Sluice) Kill9() {
	n.t.Helper()
	if err := n.proc.Kill9(); err != nil {
		n.t.Fatalf("%v", err)
	}
}

// Stop sends SIGTERM and requires exit code 0 within 10 s.
func (n *Sluice) Stop() {
	n.t.Helper()
	if err := n.proc.Stop(10 * time.Second); err != nil {
		n.t.Fatalf("%v\n%s", err, n.proc.Tail(30))
	}
}

// Restart starts it again on the same data, after killing it when it runs. The address may be another.
func (n *Sluice) Restart() {
	n.t.Helper()
	n.Kill9()
	n.Start()
	n.AwaitReady(60 * time.Second)
}

// Freeze stops it with SIGSTOP; its connections stay open.
func (n *Sluice) Freeze() { n.signal(syscall.SIGSTOP) }

// Thaw lets it go on.
func (n *Sluice) Thaw() { n.signal(syscall.SIGCONT) }

func (n *Sluice) signal(s syscall.Signal) {
	n.t.Helper()
	if err := n.proc.Signal(s); err != nil {
		n.t.Fatalf("%v", err)
	}
}

// PID is the process's number.
func (n *Sluice) PID() int { return n.proc.PID() }

// Running tells whether the process has not ended.
func (n *Sluice) Running() bool { return n.proc.Running() }

// Log is what the present run has printed.
func (n *Sluice) Log() string { return n.proc.Log() }

// Setenv changes a setting for the next start.
func (n *Sluice) Setenv(name, value string) { n.env[name] = value }
