//go:build e2e

package e2e

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/e2e/harness"
)

// start runs the program until it ends by itself and returns its exit code and what it wrote to standard
// error. Settings are given as NAME=value.
func start(t *testing.T, settings []string, args ...string) (code int, stderr string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, suite.Binary(t, false), append([]string{"serve"}, args...)...)
	cmd.Dir = t.TempDir()
	cmd.Env = append([]string{"HOME=" + cmd.Dir, "SLUICE_ADDR=127.0.0.1:0"}, settings...)
	var out strings.Builder
	cmd.Stderr = &out
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%v %v: it started", settings, args)
	}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String()
}

// TestWrongSettingsStopTheStart: each names the setting and shows the value, and the exit code is not 0.
func TestWrongSettingsStopTheStart(t *testing.T) {
	t.Parallel()
	unknown := filepath.Join(t.TempDir(), "unknown.yaml")
	if err := os.WriteFile(unknown, []byte("adr: 127.0.0.1:0\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	taken := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(taken, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		settings, args, says []string
	}{
		{[]string{"SLUICE_ADDR=nowhere"}, nil, []string{"SLUICE_ADDR", "nowhere"}},
		{[]string{"SLUICE_MEMORY_BUDGET=12XB"}, nil, []string{"SLUICE_MEMORY_BUDGET", "12XB"}},
		{[]string{"SLUICE_MEMORY_BUDGET=1KiB"}, nil, []string{"SLUICE_MEMORY_BUDGET", "1KiB", "8MiB"}},
		{[]string{"SLUICE_SANDBOX=maybe"}, nil, []string{"SLUICE_SANDBOX", "maybe"}},
		{[]string{"SLUICE_SANDBOX=on", "SLUICE_SANDBOX_OSS_ADDR=0.0.0.0:0"}, nil, []string{"SLUICE_SANDBOX_OSS_ADDR", "loopback"}},
		{[]string{"SLUICE_EGRESS_ALLOW=10.0.0.0/33"}, nil, []string{"SLUICE_EGRESS_ALLOW", "10.0.0.0/33"}},
		{[]string{"SLUICE_EGRESS_PROXY=ftp://x"}, nil, []string{"SLUICE_EGRESS_PROXY"}},
		{[]string{"SLUICE_LOG_RETENTION=x"}, nil, []string{"SLUICE_LOG_RETENTION", "x"}},
		{[]string{"SLUICE_TLS_CERT=/nope"}, nil, []string{"SLUICE_TLS_CERT", "--tls-key"}},
		{[]string{"SLUICE_KEY_FILE=/nope/key"}, nil, []string{"SLUICE_KEY_FILE", "/nope/key"}},
		{[]string{"SLUICE_DATA_DIR=" + taken + "/data"}, nil, []string{"SLUICE_DATA_DIR", taken}},
		{nil, []string{"--bogus"}, []string{"--bogus"}},
		{nil, []string{"--config", unknown}, []string{"adr", "unknown.yaml", "addr"}},
		{nil, []string{"--config", "none.yaml"}, []string{"--config", "none.yaml"}},
	}
	for _, tt := range tests {
		t.Run(fmt.Sprint(tt.settings, tt.args), func(t *testing.T) {
			t.Parallel()
			code, said := start(t, tt.settings, tt.args...)
			if code == 0 {
				t.Error("exit code 0")
			}
			for _, text := range tt.says {
				if !strings.Contains(said, text) {
					t.Errorf("%q is not in: %s", text, said)
				}
			}
		})
	}
}

// TestFlagBeatsEnvironmentBeatsFile: and an unknown variable is only told, as Kubernetes sets some.
func TestFlagBeatsEnvironmentBeatsFile(t *testing.T) {
	t.Parallel()
	ports := [3]int{}
	for i := range ports {
		port, err := harness.FreePort()
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = port
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "sluice.yaml")
	text := fmt.Sprintf("addr: 127.0.0.1:%d\nmetrics-addr: 127.0.0.1:%d\ndata_dir: %s\nadmin_password: of-the-file-1234\n", ports[0], ports[1], filepath.Join(dir, "data"))
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := harness.Start(harness.Command{
		Name: "sluice", Path: suite.Binary(t, false), Args: []string{"serve", "--config", file, "--metrics-addr", "127.0.0.1:0"}, Dir: dir, Log: filepath.Join(dir, "log"),
		Env: []string{fmt.Sprintf("SLUICE_ADDR=127.0.0.1:%d", ports[2]), "SLUICE_METRICS_ADDR=127.0.0.1:1", "SLUICE_PORT=tcp://10.0.0.1:80"},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Kill9() })
	var base, metrics string
	harness.Eventually(t, 20*time.Second, "the addresses are printed", func() (bool, string) {
		base, _ = p.Line("console: ")
		metrics, _ = p.Line("metrics: ")
		return base != "" && metrics != "", p.Log()
	})
	if want := fmt.Sprintf("http://127.0.0.1:%d", ports[2]); base != want {
		t.Errorf("console: %s, want the environment's %s", base, want)
	}
	if !strings.HasPrefix(metrics, "http://127.0.0.1:") || strings.Contains(metrics, fmt.Sprint(":", ports[1], "/")) {
		t.Errorf("metrics: %s, want a free port, as the flag says", metrics)
	}
	if !strings.Contains(p.Log(), "SLUICE_PORT") || strings.Contains(p.Log(), "password: ") {
		t.Errorf("want a word on SLUICE_PORT and no password, which was given:\n%s", p.Log())
	}
	req, err := http.NewRequest(http.MethodGet, base+"/api/v1/instances", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.SetBasicAuth("admin", "of-the-file-1234")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Errorf("the file's password: %s", resp.Status)
	}
	if code, said := start(t, []string{"SLUICE_DATA_DIR=" + filepath.Join(dir, "data")}); code == 0 || !strings.Contains(said, "in use") {
		t.Errorf("a second process on the data directory: exit code %d: %s", code, said)
	}
	if err := p.Stop(10 * time.Second); err != nil {
		t.Error(err)
	}
}

// TestGeneratedPasswordIsPrintedOnce: at first start, and it signs in.
func TestGeneratedPasswordIsPrintedOnce(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	var first string
	for run := range 2 {
		log := filepath.Join(dir, fmt.Sprint("log", run))
		p, err := harness.Start(harness.Command{Name: "sluice", Path: suite.Binary(t, false), Args: []string{"serve"}, Dir: dir, Log: log, Env: []string{"SLUICE_ADDR=127.0.0.1:0"}})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Kill9() })
		var base string
		harness.Eventually(t, 20*time.Second, "it is ready", func() (bool, string) {
			base, _ = p.Line("console: ")
			resp, err := http.Get(base + "/readyz")
			if err != nil {
				return false, err.Error()
			}
			resp.Body.Close()
			return resp.StatusCode == http.StatusOK, resp.Status
		})
		password, printed := p.Line("password: ")
		user, _ := p.Line("user: ")
		if printed != (run == 0) || printed && user != "admin" {
			t.Fatalf("run %d: user %q, password printed: %v", run, user, printed)
		}
		if printed {
			first = password
		}
		req, err := http.NewRequest(http.MethodGet, base+"/api/v1/instances", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth("admin", first)
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode != http.StatusOK {
			t.Errorf("run %d: %s", run, resp.Status)
		}
		if err := p.Stop(10 * time.Second); err != nil {
			t.Error(err)
		}
	}
}
