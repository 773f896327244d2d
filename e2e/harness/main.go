package harness

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"sync"
	"testing"
)

// Main is a T that lives as long as the process: for what several tests share, and for programs that are
// no tests. Close runs its clean-ups.
type Main struct {
	name string

	mu       sync.Mutex
	failed   bool
	cleanups []func()
}

var _ T = (*Main)(nil)

// NewMain makes one with the name that messages carry.
func NewMain(name string) *Main { return &Main{name: name} }

// Helper does nothing: there is no line to attribute.
func (m *Main) Helper() {}

// Name is the name given to NewMain.
func (m *Main) Name() string { return m.name }

// Failed tells whether Errorf or Fatalf was called.
func (m *Main) Failed() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.failed
}

// Logf writes a line to standard error.
func (m *Main) Logf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, m.name+": "+format+"\n", args...)
}

// Errorf logs and remembers the failure.
func (m *Main) Errorf(format string, args ...any) {
	m.mu.Lock()
	m.failed = true
	m.mu.Unlock()
	m.Logf(format, args...)
}

// Fatalf logs, cleans up and ends the process with 1.
func (m *Main) Fatalf(format string, args ...any) {
	m.Errorf(format, args...)
	m.Close()
	os.Exit(1)
}

// Cleanup is run by Close, the last registered first.
func (m *Main) Cleanup(f func()) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.cleanups = append(m.cleanups, f)
}

// TempDir is a new folder that Close removes.
func (m *Main) TempDir() string {
	dir, err := os.MkdirTemp("", "sluice-"+m.name+"-")
	if err != nil {
		m.Fatalf("making a folder: %v", err)
	}
	m.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// Close runs the clean-ups once.
func (m *Main) Close() {
	m.mu.Lock()
	cleanups := m.cleanups
	m.cleanups = nil
	m.mu.Unlock()
	for _, f := range slices.Backward(cleanups) {
		f()
	}
}

// Suite holds what the tests of one process share: one Kafka, and the programs built once.
type Suite struct {
	main   *Main
	kafka  sync.Once
	shared *Kafka
	builds sync.Map // name of the program → func() (string, error)
}

// NewSuite makes an empty suite; what it shares is made at first use.
func NewSuite(name string) *Suite { return &Suite{main: NewMain(name)} }

// Run runs the tests of a TestMain and cleans up after them.
func (s *Suite) Run(m *testing.M) int {
	defer s.Close()
	return m.Run()
}

// Close stops what is shared, for programs that are no tests.
func (s *Suite) Close() { s.main.Close() }

// Main is a T for what tests share: it lives until the last has ended.
func (s *Suite) Main() *Main { return s.main }

// Kafka is the broker that tests share. It must not be stopped, and topics and groups need names of the
// test's own.
func (s *Suite) Kafka(t T) *Kafka {
	t.Helper()
	s.kafka.Do(func() { s.shared = StartKafka(s.main, KafkaOptions{HeapMB: 1024}) })
	return s.shared.For(t)
}

// For is the same cluster, reporting to another test.
func (k *Kafka) For(t T) *Kafka {
	other := *k
	other.t = t
	return &other
}

// Binary is the sluice program: the one that SLUICE_BIN names (relative to the module's root), otherwise
// one built now. The one with kill points is that of SLUICE_FAULTS_BIN.
func (s *Suite) Binary(t T, faults bool) string {
	t.Helper()
	variable, name, tags := "SLUICE_BIN", "sluice", ""
	if faults {
		variable, name, tags = "SLUICE_FAULTS_BIN", "sluice-faults", "faults"
	}
	if bin := os.Getenv(variable); bin != "" {
		if filepath.IsAbs(bin) {
			return bin
		}
		root, err := RepoRoot()
		if err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
		return filepath.Join(root, bin)
	}
	return s.build(t, ".", name, "-tags", tags)
}

// build compiles a package of the module once a process and returns the program's path.
func (s *Suite) build(t T, pkg, name string, flags ...string) string {
	t.Helper()
	once, _ := s.builds.LoadOrStore(name, sync.OnceValues(func() (string, error) {
		root, err := RepoRoot()
		if err != nil {
			return "", err
		}
		out := filepath.Join(s.main.TempDir(), name)
		cmd := exec.Command("go", slices.Concat([]string{"build", "-o", out}, flags, []string{pkg})...)
		cmd.Dir = root
		if text, err := cmd.CombinedOutput(); err != nil {
			return "", fmt.Errorf("building %s: %w\n%s", pkg, err, text)
		}
		return out, nil
	}))
	path, err := once.(func() (string, error))()
	if err != nil {
		t.Fatalf("%v", err)
	}
	return path
}
