package beds

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"syscall"

	"github.com/sluice-io/sluice/e2e/harness"
)

// program is a server program: where it is, and what its kind needs.
type program interface {
	flavor() string
	// command is the program with what must come first and where it finds its own files.
	command() (path string, args []string, err error)
	// settings are server variables that only this kind has.
	settings() map[string]string
	// template is a data folder with the administrator in it, to be copied.
	template() (string, error)
}

type mariaDB struct{}

func (mariaDB) flavor() string { return MariaDB }

func (mariaDB) command() (string, []string, error) {
	path, err := harness.Setting("SLUICE_MARIADBD")
	if err != nil {
		return "", nil, err
	}
	args := []string{"--no-defaults"}
	if root, err := harness.Setting("SLUICE_MARIADB_ROOT"); err == nil {
		args = append(args, "--basedir="+root+"/usr", "--lc-messages-dir="+root+"/usr/share/mysql",
			"--character-sets-dir="+root+"/usr/share/mysql/charsets", "--plugin-dir="+root+"/usr/lib/mysql/plugin")
	}
	return path, args, nil
}

func (mariaDB) settings() map[string]string {
	return map[string]string{"binlog_format": "ROW", "log_slave_updates": "ON", "innodb_log_file_size": "16M", "aria_log_file_size": "8M"}
}

func (m mariaDB) template() (string, error) {
	install, err := harness.Setting("SLUICE_MARIADB_INSTALL_DB")
	if err != nil {
		return "", err
	}
	return template(MariaDB, func(dir string) error {
		args := []string{"--no-defaults"}
		if root, err := harness.Setting("SLUICE_MARIADB_ROOT"); err == nil {
			args = append(args, "--basedir="+root+"/usr")
		}
		args = append(args, "--datadir="+dir, "--tmpdir="+dir, "--user="+userName(), "--auth-root-authentication-method=normal",
			"--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=16M", "--aria-log-file-size=8M")
		return run(exec.Command(install, args...))
	})
}

type mySQL struct{}

func (mySQL) flavor() string { return MySQL }

func (mySQL) command() (string, []string, error) {
	path, err := harness.Setting("SLUICE_MYSQLD")
	if err != nil {
		return "", nil, err
	}
	root, err := harness.Setting("SLUICE_MYSQLD_ROOT")
	if err != nil {
		return "", nil, err
	}
	return path, []string{
		"--no-defaults", "--basedir=" + root + "/usr", "--lc-messages-dir=" + root + "/usr/share/mysql",
		"--character-sets-dir=" + root + "/usr/share/mysql/charsets", "--plugin-dir=" + root + "/usr/lib/mysql/plugin",
		// Its default names a folder that only an installed server has, and without it the server ends at once.
		"--secure-file-priv=NULL",
	}, nil
}

func (mySQL) settings() map[string]string {
	return map[string]string{
		"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "mysqlx": "OFF", "loose_innodb_redo_log_capacity": "64M",
		"innodb_doublewrite": "OFF",
	}
}

func (m mySQL) template() (string, error) {
	path, args, err := m.command()
	if err != nil {
		return "", err
	}
	return template(MySQL, func(dir string) error {
		script := dir + ".sql"
		defer os.Remove(script)
		// One statement a line: 8.0 reads no other form.
		sql := "CREATE USER root@'127.0.0.1';\nGRANT ALL ON *.* TO root@'127.0.0.1' WITH GRANT OPTION;\n"
		if err := os.WriteFile(script, []byte(sql), 0o600); err != nil {
			return fmt.Errorf("writing the first statements: %w", err)
		}
		args := append(args, "--initialize-insecure", "--user="+userName(), "--datadir="+dir, "--init-file="+script,
			"--loose-innodb-redo-log-capacity=16M")
		if err := run(exec.Command(path, args...)); err != nil {
			return err
		}
		// It holds the server's UUID: each copy makes one of its own.
		if err := os.Remove(filepath.Join(dir, "auto.cnf")); err != nil && !os.IsNotExist(err) {
			return err
		}
		return nil
	})
}

// template is the data folder of a flavor in the test cache. The first who asks makes it, others wait for that.
func template(flavor string, initialise func(dir string) error) (string, error) {
	dir := filepath.Join(harness.CacheDir(), flavor+"-data-1") // the number changes with what initialise does
	lock, err := os.OpenFile(dir+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return "", fmt.Errorf("locking the data folder of %s: %w", flavor, err)
	}
	defer lock.Close()
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX); err != nil {
		return "", fmt.Errorf("locking the data folder of %s: %w", flavor, err)
	}
	if _, err := os.Stat(dir); err == nil {
		return dir, nil
	}
	part := dir + ".part"
	if err := os.RemoveAll(part); err != nil {
		return "", fmt.Errorf("making the data folder of %s: %w", flavor, err)
	}
	if err := os.Mkdir(part, 0o700); err != nil {
		return "", fmt.Errorf("making the data folder of %s: %w", flavor, err)
	}
	if err := initialise(part); err != nil {
		return "", fmt.Errorf("making the data folder of %s: %w", flavor, err)
	}
	return dir, os.Rename(part, dir)
}

func run(cmd *exec.Cmd) error {
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, out)
	}
	return nil
}

// userName is who we are: a server that is started as root wants to be told to stay so.
func userName() string {
	if u, err := user.Current(); err == nil {
		return u.Username
	}
	return "root"
}
