package sandbox

import (
	"os/exec"
	"syscall"
)

// bind has the command killed when this process dies, however it dies. A group of its own keeps a terminal's interrupt
// from it: it is ended in order.
func bind(cmd *exec.Cmd) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL, Setpgid: true}
}
