//go:build !linux

package sandbox

import (
	"os/exec"
	"syscall"
)

// bind keeps a terminal's interrupt from the command: it is ended in order. A parent that is killed leaves it running
// here.
func bind(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }
