//go:build faults

package runner

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
)

// FaultsFromEnvironment reads SLUICE_FAULT_KILL, "step" or "step:n": the process kills
// itself with SIGKILL when it reaches the step of the delivery protocol for the n-th
// time (1 is the first). Only programs built with the tag "faults" have it: tests that
// place kills on purpose use it.
func FaultsFromEnvironment(getenv func(string) string) (Faults, error) {
	value := getenv("SLUICE_FAULT_KILL")
	if value == "" {
		return nil, nil
	}
	step, count, found := strings.Cut(value, ":")
	n := int64(1)
	if found {
		var err error
		if n, err = strconv.ParseInt(count, 10, 64); err != nil || n < 1 {
			return nil, fmt.Errorf("SLUICE_FAULT_KILL=%q: the count must be a whole number from 1 on", value)
		}
	}
	if steps := append(FaultSteps(), SourceFaultSteps()...); !slices.Contains(steps, step) {
		return nil, fmt.Errorf("SLUICE_FAULT_KILL=%q: the steps are %s", value, strings.Join(steps, ", "))
	}
	var reached atomic.Int64
	return func(at, _ string, _ int32) error {
		if at == step && reached.Add(1) == n {
			return syscall.Kill(os.Getpid(), syscall.SIGKILL)
		}
		return nil
	}, nil
}
