package harness

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"time"
)

// Process is a program started from outside, with its output in a file.
type Process struct {
	name string
	log  string
	cmd  *exec.Cmd
	done chan struct{}

	mu   sync.Mutex
	exit error
}

// Command says what to start.
type Command struct {
	Name string   // how messages call it
	Path string   // the program
	Args []string // without the program's name
	Env  []string // the whole environment
	Dir  string
	Log  string // file that gets standard output and standard error
}

// Start starts a program. It dies with us: a test binary that is killed leaves nothing running.
func Start(c Command) (*Process, error) {
	if err := os.MkdirAll(filepath.Dir(c.Log), 0o755); err != nil {
		return nil, fmt.Errorf("making the log folder: %w", err)
	}
	out, err := os.Create(c.Log)
	if err != nil {
		return nil, fmt.Errorf("creating a log: %w", err)
	}
	cmd := exec.Command(c.Path, c.Args...)
	cmd.Env, cmd.Dir, cmd.Stdout, cmd.Stderr = c.Env, c.Dir, out, out
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
	p := &Process{name: c.Name, log: c.Log, cmd: cmd, done: make(chan struct{})}

	started := make(chan error)
	go func() {
		// The kernel sends the death signal when the *thread* that started the child ends, so that
		// thread is kept for as long as the child lives.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		out.Close()
		started <- err
		if err != nil {
			return
		}
		err = cmd.Wait()
		p.mu.Lock()
		p.exit = err
		p.mu.Unlock()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("starting %s: %w", c.Name, err)
	}
	return p, nil
}

// PID is the process's number.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Running tells whether it has not ended.
func (p *Process) Running() bool {
	select {
	case <-p.done:
		return false
	default:
		return true
	}
}

// Killed tells whether it has ended by SIGKILL.
func (p *Process) Killed() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	var exit *exec.ExitError
	if !errors.As(p.exit, &exit) {
		return false
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == syscall.SIGKILL
}

// Signal sends a signal; a process that has ended is no error.
func (p *Process) Signal(s syscall.Signal) error {
	err := p.cmd.Process.Signal(s)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("sending %s to %s: %w", s, p.name, err)
	}
	return nil
}

// Kill9 ends it at once and waits until it is gone.
func (p *Process) Kill9() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop sends SIGTERM and waits; the exit error is nil only for exit code 0. A process that does not end
// in time is killed, and that is an error.
func (p *Process) Stop(within time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	select {
	case <-p.done:
	case <-time.After(within):
		return errors.Join(fmt.Errorf("%s did not end within %s of SIGTERM", p.name, within), p.Kill9())
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.exit != nil {
		return fmt.Errorf("%s ended on SIGTERM with %w", p.name, p.exit)
	}
	return nil
}

// Log is everything it has written so far.
func (p *Process) Log() string {
	b, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Line looks for a line of the output that starts with prefix and returns the rest of it.
func (p *Process) Line(prefix string) (string, bool) {
	for line := range strings.Lines(p.Log()) {
		// A line without its end is still being written.
		if rest, ok := strings.CutPrefix(line, prefix); ok && strings.HasSuffix(rest, "\n") {
			return strings.TrimSpace(rest), true
		}
	}
	return "", false
}

// Tail is the last n lines of the output.
func (p *Process) Tail(n int) string {
	lines := strings.Split(strings.TrimRight(p.Log(), "\n"), "\n")
	if len(lines) > n {
		lines = append([]string{fmt.Sprintf("… %d lines before", len(lines)-n)}, lines[len(lines)-n:]...)
	}
	return strings.Join(lines, "\n")
}

// tend ends the process with the test and shows the end of its log when the test failed.
func tend(t T, p *Process) {
	t.Cleanup(func() {
		if err := p.Kill9(); err != nil {
			t.Errorf("%v", err)
		}
		if t.Failed() {
			t.Logf("log of %s (%s):\n%s", p.name, p.log, p.Tail(60))
		}
	})
}

// cleanEnv is our environment without Sluice's own settings, so that a developer's shell does not change
// a test, with the given ones added.
func cleanEnv(extra map[string]string) []string {
	var env []string
	for _, kv := range os.Environ() {
		if !strings.HasPrefix(kv, "SLUICE_") && !strings.HasPrefix(strings.ToLower(kv), "http_proxy=") &&
			!strings.HasPrefix(strings.ToLower(kv), "https_proxy=") {
			env = append(env, kv)
		}
	}
	for k, v := range extra {
		env = append(env, k+"="+v)
	}
	return env
}
