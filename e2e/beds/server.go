package beds

import (
	"context"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// Flavors of servers, as go-mysql names them.
const (
	MariaDB = "mariadb"
	MySQL   = "mysql"
)

// The administrator, who has no password and connects over 127.0.0.1.
const Root = "root"

// Server is one private server.
type Server struct {
	Flavor string // MariaDB or MySQL
	Host   string // 127.0.0.1
	Port   int
	// Database is the one that connections of the administrator begin in; "" is none. See In.
	Database string

	t       harness.T
	program program
	dir     string // holds the data folder and the logs
	socket  string
	*life
}

// life is what changes while a server is there; all views of it (In, For) have the same.
type life struct {
	settings map[string]string
	proc     *harness.Process
	runs     int
}

// Option changes how a server is started.
type Option func(settings map[string]string)

// With sets a server variable, named as in SHOW VARIABLES. An empty value gives the option without one, which is
// what turns on flags such as skip_log_bin.
func With(variable, value string) Option {
	return func(s map[string]string) { s[variable] = value }
}

// Without leaves out a variable that the bed sets by itself, so that the server's own default holds.
func Without(variable string) Option {
	return func(s map[string]string) { delete(s, variable) }
}

// NoBinlog starts a server that writes no binary log.
func NoBinlog() Option {
	return func(s map[string]string) { delete(s, "log_bin"); s["skip_log_bin"] = "" }
}

// NoGTID starts a MySQL whose transactions have no GTIDs; MariaDB always has them.
func NoGTID() Option {
	return func(s map[string]string) {
		if _, mySQL := s["gtid_mode"]; mySQL {
			s["gtid_mode"], s["enforce_gtid_consistency"] = "OFF", "OFF"
		}
	}
}

// StartMariaDB starts a MariaDB with a binary log of whole rows and full metadata. Where it has not been fetched the
// test is skipped, and fails when SLUICE_REQUIRE_JUDGES=1.
func StartMariaDB(t harness.T, opts ...Option) *Server {
	t.Helper()
	return start(t, mariaDB{}, opts)
}

// StartMySQL starts a MySQL with GTIDs and a binary log of whole rows and full metadata. Where it has not been
// fetched the test is skipped, and fails when SLUICE_REQUIRE_JUDGES=1.
func StartMySQL(t harness.T, opts ...Option) *Server {
	t.Helper()
	return start(t, mySQL{}, opts)
}

// Start starts the flavor's server.
func Start(t harness.T, flavor string, opts ...Option) *Server {
	t.Helper()
	return start(t, programOf(flavor), opts)
}

func programOf(flavor string) program {
	if flavor == MySQL {
		return mySQL{}
	}
	return mariaDB{}
}

func start(t harness.T, p program, opts []Option) *Server {
	t.Helper()
	template, err := p.template()
	if err != nil {
		missing(t, err)
	}
	s := &Server{Flavor: p.flavor(), Host: "127.0.0.1", t: t, program: p, dir: t.TempDir(), life: &life{}}
	if s.Port, err = harness.FreePort(); err != nil {
		t.Fatalf("finding a port for %s: %v", s.Flavor, err)
	}
	// The path of a socket has at most 107 bytes, which a test's folder may exceed.
	sockets, err := os.MkdirTemp("", "bed")
	if err != nil {
		t.Fatalf("making a folder for a socket: %v", err)
	}
	t.Cleanup(func() { os.RemoveAll(sockets) })
	s.socket = filepath.Join(sockets, "s")
	if out, err := exec.Command("cp", "-a", "--reflink=auto", "--sparse=always", template, s.data()).CombinedOutput(); err != nil {
		t.Fatalf("copying the data folder of %s: %v: %s", s.Flavor, err, out)
	}
	s.settings = map[string]string{
		"server_id": "1", "log_bin": "binlog", "binlog_row_image": "FULL", "binlog_row_metadata": "FULL",
		"character_set_server": "utf8mb4", "skip_name_resolve": "",
		// A commit is in the system's cache when it is answered: it outlives the process, which is all that tests kill.
		"sync_binlog": "0", "innodb_flush_log_at_trx_commit": "2", "loose_innodb_flush_method": "nosync", "innodb_buffer_pool_size": "64M", "performance_schema": "OFF",
	}
	maps.Copy(s.settings, p.settings())
	for _, o := range opts {
		o(s.settings)
	}
	t.Cleanup(s.end)
	s.Start()
	return s
}

// missing skips a test for want of a server, or fails it where every server is required.
func missing(t harness.T, err error) {
	t.Helper()
	skipper, ok := t.(interface{ Skipf(string, ...any) })
	if !ok || os.Getenv("SLUICE_REQUIRE_JUDGES") == "1" {
		t.Fatalf("%v", err)
	}
	skipper.Skipf("%v", err)
}

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// Start starts a server that was stopped or killed, and waits until it answers.
func (s *Server) Start() {
	s.t.Helper()
	path, args, err := s.program.command()
	if err != nil {
		s.t.Fatalf("starting %s: %v", s.Flavor, err)
	}
	args = append(args, "--datadir="+s.data(), fmt.Sprintf("--port=%d", s.Port), "--bind-address="+s.Host, "--socket="+s.socket,
		"--tmpdir="+s.dir, "--pid-file="+filepath.Join(s.dir, "pid"), "--user="+userName())
	for _, name := range slices.Sorted(maps.Keys(s.settings)) {
		arg := "--" + strings.ReplaceAll(name, "_", "-")
		if v := s.settings[name]; v != "" {
			arg += "=" + v
		}
		args = append(args, arg)
	}
	s.runs++
	s.proc, err = harness.Start(harness.Command{
		Name: s.Flavor, Path: path, Args: args, Dir: s.dir, Env: os.Environ(),
		Log: filepath.Join(s.dir, fmt.Sprintf("run%d.log", s.runs)),
	})
	if err != nil {
		s.t.Fatalf("starting %s: %v", s.Flavor, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	err = harness.Poll(ctx, func() (bool, string) {
		if !s.proc.Running() {
			cancel()
			return false, "the server ended:\n" + s.proc.Tail(15)
		}
		c, err := s.TryConnect(Root, "")
		if err != nil {
			return false, err.Error()
		}
		c.Quit()
		return true, ""
	})
	if err != nil {
		s.t.Fatalf("%s does not answer: %v\n%s", s.Flavor, err, s.proc.Tail(15))
	}
}

// Stop ends the server as an administrator does.
func (s *Server) Stop() {
	s.t.Helper()
	if err := s.proc.Stop(30 * time.Second); err != nil {
		s.t.Fatalf("stopping %s: %v", s.Flavor, err)
	}
}

// Kill ends the server with SIGKILL.
func (s *Server) Kill() {
	s.t.Helper()
	if err := s.proc.Kill9(); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// Restart stops the server and starts it on the same port and data, with changed settings.
func (s *Server) Restart(opts ...Option) {
	s.t.Helper()
	if s.proc.Running() {
		s.Stop()
	}
	for _, o := range opts {
		o(s.settings)
	}
	s.Start()
}

// Freeze stops the server with SIGSTOP: connections stay open and nothing answers.
func (s *Server) Freeze() { s.signal(syscall.SIGSTOP) }

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.proc.Signal(sig); err != nil {
		s.t.Fatalf("%v", err)
	}
}

// PID is the process's number.
func (s *Server) PID() int { return s.proc.PID() }

// Log is what the server has written to its error log since it was last started.
func (s *Server) Log() string { return s.proc.Log() }

// end kills what still runs when the test is over; data that is thrown away needs no orderly stop.
func (s *Server) end() {
	if s.proc == nil {
		return
	}
	if s.t.Failed() {
		s.t.Logf("%s, last lines:\n%s", s.Flavor, s.proc.Tail(10))
	}
	_ = s.proc.Kill9()
}
