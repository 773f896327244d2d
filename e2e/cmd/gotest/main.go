// Command gotest runs `go test -json` with its own arguments and prints what a person wants of it: a line
// a package, and the whole output of what failed. With SLUICE_TEST_TALLY naming a file it appends
// "passed failed skipped" to it, from which the last line of `make test` is added up. Its exit code is
// go test's.
package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
)

func main() {
	code, err := run(os.Args[1:], os.Stdout)
	if err != nil {
		fmt.Fprintln(os.Stderr, "gotest:", err)
		os.Exit(2)
	}
	os.Exit(code)
}

// run starts go test and answers its exit code.
func run(args []string, out io.Writer) (int, error) {
	cmd := exec.Command("go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		return 0, fmt.Errorf("opening a pipe: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return 0, fmt.Errorf("starting go test: %w", err)
	}
	tally, readErr := summarize(pipe, out)
	waitErr := cmd.Wait()
	if readErr != nil {
		return 0, readErr
	}
	if err := tally.append(os.Getenv("SLUICE_TEST_TALLY")); err != nil {
		return 0, err
	}
	var exit *exec.ExitError
	if errors.As(waitErr, &exit) {
		return max(exit.ExitCode(), 1), nil
	}
	return 0, waitErr
}

// append adds the tally to a file; no name, no file.
func (t tally) append(name string) error {
	if name == "" {
		return nil
	}
	f, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("opening the tally: %w", err)
	}
	_, err = fmt.Fprintln(f, t.passed, t.failed, t.skipped)
	return errors.Join(err, f.Close())
}
