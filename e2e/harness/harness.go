// Package harness starts what an end-to-end test needs as processes of their own (Apache Kafka, the
// sluice binary, the OSS stand-in), drives them from outside, and judges what they left behind. It waits by
// condition with a deadline, never by time alone, and shows the logs of what it started when a test fails.
// Benchmarks use it too, so it speaks to a test through the small interface T.
package harness

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// T is what the harness needs of a test; *testing.T and *testing.B have it.
type T interface {
	Helper()
	Name() string
	Failed() bool
	Logf(format string, args ...any)
	Errorf(format string, args ...any)
	Fatalf(format string, args ...any)
	Cleanup(func())
	TempDir() string
}

// pollEvery is the least pause between two looks at a condition; after one that took longer it is as long as that took,
// so that looking does not keep from happening what is waited for.
const pollEvery = 50 * time.Millisecond

// Poll calls probe until it answers true or ctx ends, and then returns an error with the last detail that
// probe gave. The detail says what is still missing.
func Poll(ctx context.Context, probe func() (done bool, detail string)) error {
	for {
		began := time.Now()
		done, detail := probe()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%w; last seen: %s", context.Cause(ctx), detail)
		case <-time.After(max(pollEvery, time.Since(began))):
		}
	}
}

// Eventually is Poll with a time limit that ends the test.
func Eventually(t T, within time.Duration, what string, probe func() (done bool, detail string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), within)
	defer cancel()
	if err := Poll(ctx, probe); err != nil {
		t.Fatalf("%s: not within %s: %v", what, within, err)
	}
}

// Never looks at a condition for a while and ends the test when it is met.
func Never(t T, during time.Duration, what string, probe func() (met bool, detail string)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), during)
	defer cancel()
	detail := ""
	err := Poll(ctx, func() (bool, string) {
		met, d := probe()
		detail = d
		return met, d
	})
	if err == nil {
		t.Fatalf("%s, which must not happen: %s", what, detail)
	}
}

// Pause waits for a moment that a test chooses on purpose (to kill something at a random point). It is no
// way to wait for a condition.
func Pause(d time.Duration) { <-time.After(d) }

// Between is a random duration in [low, high).
func Between(low, high time.Duration) time.Duration {
	return low + rand.N(high-low)
}

// FreePort is a TCP port on 127.0.0.1 that nothing listens on. It is taken below the range from which the
// kernel gives ports to outgoing connections, so that a server that is down for a moment finds it free
// again.
func FreePort() (int, error) {
	for range 200 {
		port := 15000 + rand.IntN(17000)
		l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			return port, l.Close()
		}
	}
	return 0, errors.New("no free port found between 15000 and 32000")
}

// CacheDir is where e2e/setup/setup.sh keeps what it fetched.
func CacheDir() string {
	if dir := os.Getenv("SLUICE_TEST_CACHE"); dir != "" {
		return dir
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return filepath.Join(os.TempDir(), "sluice-test")
	}
	return filepath.Join(home, ".cache", "sluice-test")
}

// Setting is a variable that e2e/setup/setup.sh found out (SLUICE_KAFKA_LIBS, SLUICE_JAVA, SLUICE_PY,
// SLUICE_CHROMIUM), from the environment or the file that it wrote.
func Setting(name string) (string, error) {
	if v := os.Getenv(name); v != "" {
		return v, nil
	}
	file := filepath.Join(CacheDir(), "env")
	f, err := os.Open(file)
	if err != nil {
		return "", fmt.Errorf("%s is not set and %w; run `make setup`", name, err)
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if v, ok := strings.CutPrefix(lines.Text(), name+"="); ok {
			return v, nil
		}
	}
	return "", fmt.Errorf("%s is neither set nor in %s; run `make setup`", name, file)
}

// RepoRoot is the folder that holds go.mod, looked for upwards from the working directory.
func RepoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the working directory: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("no go.mod above the working directory")
		}
		dir = parent
	}
}

// Soak tells whether the long forms were asked for (SLUICE_SOAK=1).
func Soak() bool { return os.Getenv("SLUICE_SOAK") == "1" }

// Choose is the short or, in a soak, the long form of a quantity.
func Choose[V any](short, long V) V {
	if Soak() {
		return long
	}
	return short
}
