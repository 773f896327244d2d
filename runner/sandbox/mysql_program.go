package sandbox

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
)

// mariaDB is an installed MariaDB server program.
type mariaDB struct {
	path string
	base string // of its installation: /usr
}

// findMariaDB returns the program that is named, or the one that is installed.
func findMariaDB(named string) (mariaDB, error) {
	if named == NoMySQL {
		return mariaDB{}, fmt.Errorf("%w: it was switched off", ErrNoMariaDB)
	}
	if named != "" {
		path, err := exec.LookPath(named)
		if err != nil {
			return mariaDB{}, fmt.Errorf("%w: %w", ErrNoMariaDB, err)
		}
		return newMariaDB(path)
	}
	// The folders of administrators' programs are not in everybody's PATH.
	for _, name := range []string{"mariadbd", "/usr/sbin/mariadbd", "/usr/local/sbin/mariadbd", "/usr/libexec/mariadbd", "/usr/local/bin/mariadbd"} {
		if path, err := exec.LookPath(name); err == nil {
			return newMariaDB(path)
		}
	}
	return mariaDB{}, ErrNoMariaDB
}

func newMariaDB(path string) (mariaDB, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return mariaDB{}, fmt.Errorf("finding MariaDB: %w", err)
	}
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return mariaDB{path: path, base: filepath.Dir(filepath.Dir(path))}, nil
}

// arguments are those that come first: no configuration of this machine's own server, and where the program's files
// are, which it would otherwise look for where it was built to be.
func (p mariaDB) arguments() []string {
	out := []string{"--no-defaults", "--basedir=" + p.base}
	for _, f := range []struct{ option, at string }{
		{"lc-messages-dir", "share/mysql"}, {"lc-messages-dir", "share/mariadb"}, {"character-sets-dir", "share/mysql/charsets"},
		{"character-sets-dir", "share/mariadb/charsets"}, {"plugin-dir", "lib/mysql/plugin"}, {"plugin-dir", "lib64/mariadb/plugin"},
	} {
		if info, err := os.Stat(filepath.Join(p.base, f.at)); err == nil && info.IsDir() {
			out = append(out, "--"+f.option+"="+filepath.Join(p.base, f.at))
		}
	}
	return append(out, userArgument()...)
}

// userArgument lets a server that root starts stay root's, who owns the folder; others need nothing.
func userArgument() []string {
	if os.Getuid() == 0 {
		return []string{"--user=root"}
	}
	return nil
}

// install makes the system tables, where dir is not there yet.
func (p mariaDB) install(ctx context.Context, dir string) error {
	if _, err := os.Stat(dir); err == nil {
		return nil
	}
	script, err := p.installer()
	if err != nil {
		return err
	}
	part := dir + ".part" // what was interrupted is begun again
	if err := os.RemoveAll(part); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	if err := os.Mkdir(part, 0o700); err != nil {
		return fmt.Errorf("making the data folder: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, mysqlInstallTimeout)
	defer cancel()
	// A server that starts removes the temporary tables of others in a shared folder, and they fail: it has one of its own.
	cmd := exec.CommandContext(ctx, script, append([]string{"--no-defaults", "--basedir=" + p.base, "--datadir=" + part, "--tmpdir=" + part, "--skip-test-db",
		"--skip-name-resolve", "--auth-root-authentication-method=socket"}, userArgument()...)...)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("making the system tables with %s: %w: %s", script, err, strings.TrimSpace(string(out)))
	}
	return os.Rename(part, dir)
}

// installer is the script that makes the system tables.
func (p mariaDB) installer() (string, error) {
	for _, name := range []string{p.base + "/bin/mariadb-install-db", p.base + "/scripts/mariadb-install-db", "mariadb-install-db", p.base + "/bin/mysql_install_db"} {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("%w completely: mariadb-install-db is missing beside it", ErrNoMariaDB)
}

// startBound starts a command that ends with this process, as far as the system can do that. The channel is closed when
// it has ended.
func startBound(cmd *exec.Cmd) (ended chan struct{}, err error) {
	ended = make(chan struct{})
	started := make(chan error)
	bind(cmd)
	go func() {
		// Linux sends the signal when the thread that started the child ends, so that thread is kept.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err != nil {
			return
		}
		_ = cmd.Wait() // how it ended is in its log
		close(ended)
	}()
	if err := <-started; err != nil {
		return nil, err
	}
	return ended, nil
}

func randomPassword() string { return rand.Text() }
