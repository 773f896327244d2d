package sandbox

import (
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// dirLock keeps two processes from using one data folder. The kernel releases it when the process dies.
type dirLock struct{ file *os.File }

// lockDir makes the folder when it is missing and locks it.
func lockDir(dir string) (*dirLock, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("making data folder: %w", err)
	}
	file, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, fmt.Errorf("opening lock file: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		_ = file.Close()
		return nil, fmt.Errorf("data folder %s is in use by another process (%w); stop that one or give another folder", dir, err)
	}
	return &dirLock{file}, nil
}

// release gives the lock back; of a nil lock it does nothing.
func (l *dirLock) release() {
	if l != nil {
		_ = l.file.Close()
	}
}
