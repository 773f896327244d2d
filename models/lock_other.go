//go:build !unix

package models

import (
	"fmt"
	"os"
	"path/filepath"
)

const lockName = "sluice.lock"

// lockDir only marks the directory: without flock two processes are not kept apart.
func lockDir(dir string) (*os.File, error) {
	f, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("locking the data directory: %w", err)
	}
	return f, nil
}
