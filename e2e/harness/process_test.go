package harness

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// shell starts a script and waits until it has printed "ready".
func shell(t *testing.T, script string) *Process {
	t.Helper()
	p, err := Start(Command{Name: "shell", Path: "/bin/sh", Args: []string{"-c", script}, Env: os.Environ(), Log: filepath.Join(t.TempDir(), "log")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { p.Kill9() })
	Eventually(t, 10*time.Second, "the script is ready", func() (bool, string) {
		_, ok := p.Line("ready")
		return ok, p.Log()
	})
	return p
}

func TestProcessStop(t *testing.T) {
	t.Parallel()
	const loop = "echo ready; while :; do sleep 0.05; done"
	tests := []struct{ name, script, problem string }{
		{"obeys", "trap 'exit 0' TERM; " + loop, ""},
		{"ends badly", "trap 'exit 3' TERM; " + loop, "exit status 3"},
		{"is killed by the signal", loop, "signal: terminated"},
		{"does not end", "trap '' TERM; " + loop, "did not end within"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			p := shell(t, tt.script)
			err := p.Stop(time.Second)
			if (err == nil) != (tt.problem == "") || err != nil && !strings.Contains(err.Error(), tt.problem) {
				t.Errorf("Stop = %v, want %q", err, tt.problem)
			}
			if p.Running() {
				t.Error("it runs after Stop")
			}
			if err := p.Signal(syscall.SIGCONT); err != nil {
				t.Errorf("a signal to an ended process: %v", err)
			}
		})
	}
}

func TestProcessLine(t *testing.T) {
	t.Parallel()
	p := shell(t, "echo 'console: http://127.0.0.1:1'; echo ready; printf 'oss: half'; while :; do sleep 0.05; done")
	if rest, ok := p.Line("console: "); !ok || rest != "http://127.0.0.1:1" {
		t.Errorf("Line = %q, %v", rest, ok)
	}
	if rest, ok := p.Line("oss: "); ok {
		t.Errorf("a line without an end was read: %q", rest)
	}
	if cpu, err := CPUSeconds(p.PID()); err != nil || cpu < 0 {
		t.Errorf("CPUSeconds = %v, %v", cpu, err)
	}
	if peak, err := PeakMemory(p.PID()); err != nil || peak < 100<<10 {
		t.Errorf("PeakMemory = %v, %v", peak, err)
	}
}

func TestPoll(t *testing.T) {
	t.Parallel()
	looks := 0
	if err := Poll(t.Context(), func() (bool, string) { looks++; return looks == 3, "" }); err != nil || looks != 3 {
		t.Errorf("Poll = %v after %d looks", err, looks)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 60*time.Millisecond)
	defer cancel()
	err := Poll(ctx, func() (bool, string) { return false, "two are missing" })
	if err == nil || !strings.Contains(err.Error(), "two are missing") {
		t.Errorf("Poll = %v, want the last detail", err)
	}
}

func TestFreePort(t *testing.T) {
	t.Parallel()
	for range 20 {
		port, err := FreePort()
		if err != nil || port < 15000 || port >= 32000 {
			t.Fatalf("FreePort = %d, %v", port, err)
		}
	}
}
