package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
)

// DefaultMySQLAddr is where the sandbox's MariaDB listens unless told otherwise.
const DefaultMySQLAddr = "127.0.0.1:19306"

// What a connector is given to read the sandbox's shop.
const (
	MySQLDatabase = "shop"
	MySQLUser     = "sandbox"
	MySQLPassword = "sandbox"
)

// NoMySQL as MySQLOptions.Program leaves MariaDB out, also where it is installed.
const NoMySQL = "off"

// ErrNoMariaDB tells that this machine has no MariaDB server. The rest of the sandbox does without.
var ErrNoMariaDB = errors.New("mariadbd is not installed")

// errAddress tells that the listen address cannot be had.
var errAddress = errors.New("the address cannot be listened on")

const (
	mysqlStartTimeout   = 60 * time.Second // a recovery after a kill comes first
	mysqlInstallTimeout = 2 * time.Minute
	mysqlStopTimeout    = 2 * time.Second
	mysqlLockTimeout    = 10 * time.Second
)

// MySQLOptions configure the sandbox's MariaDB. Only Dir is needed.
type MySQLOptions struct {
	// Addr is the listen address, of loopback only; port 0 picks a free one. Default DefaultMySQLAddr.
	Addr string
	// Dir is the folder that holds the data; only one process may use it.
	Dir string
	// Program is the path of mariadbd; "" looks for it in PATH and where distributions put it; NoMySQL does without.
	Program string
	// Writer changes the shop's rows while the server runs.
	Writer bool
	// WriteInterval is the mean pause between two transactions of the writer. Default 1 s.
	WriteInterval time.Duration
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
}

// MySQL is a private MariaDB server with a small shop in it: the program that is installed on this machine, run on a
// folder of its own, with a binary log as MySQL → Kafka needs it. The data outlives restarts and kills; the server
// ends with this process, however that ends.
type MySQL struct {
	options MySQLOptions
	log     *slog.Logger
	addr    string
	version string
	// writerPassword is made anew at each start: nobody else writes.
	writerPassword string

	lock    *dirLock
	cmd     *exec.Cmd
	ended   chan struct{} // closed when the server has ended; nil before it was started
	stop    context.CancelFunc
	tasks   sync.WaitGroup
	closing sync.Once
	changes atomic.Int64
}

// StartMySQL starts the server and makes the shop where it is missing. An ErrNoMariaDB tells that there is no such
// program. ctx bounds the start only.
func StartMySQL(ctx context.Context, options MySQLOptions) (*MySQL, error) {
	if options.Addr == "" {
		options.Addr = DefaultMySQLAddr
	}
	if options.WriteInterval <= 0 {
		options.WriteInterval = time.Second
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Dir == "" {
		return nil, errors.New("starting MariaDB: no data folder given")
	}
	program, err := findMariaDB(options.Program)
	if err != nil {
		return nil, err
	}
	m := &MySQL{options: options, log: options.Logger, writerPassword: randomPassword()}
	if err := m.start(ctx, program); err != nil {
		_ = m.Close()
		return nil, fmt.Errorf("starting MariaDB (%s): %w", program.path, err)
	}
	return m, nil
}

func (m *MySQL) start(ctx context.Context, program mariaDB) error {
	dir, err := filepath.Abs(m.options.Dir) // the server changes into its data folder
	if err != nil {
		return err
	}
	m.options.Dir = dir
	if m.lock, err = lockDirWithin(ctx, dir, mysqlLockTimeout); err != nil {
		return err
	}
	if m.addr, err = freeAddress(ctx, m.options.Addr); err != nil {
		return err
	}
	if err := program.install(ctx, m.dataDir()); err != nil {
		return err
	}
	if err := m.startServer(program); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, mysqlStartTimeout)
	defer cancel()
	conn, err := m.await(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	m.version = strings.TrimPrefix(conn.GetServerVersion(), "5.5.5-") // before which MariaDB's real one stands in its greeting
	if err := fillShop(conn); err != nil {
		return fmt.Errorf("filling the database %s: %w", MySQLDatabase, err)
	}
	background, stop := context.WithCancel(context.WithoutCancel(ctx))
	m.stop = stop
	m.tasks.Go(func() { m.watch(background) })
	if m.options.Writer {
		m.tasks.Go(func() { m.write(background) })
	}
	return nil
}

// startServer starts the program and leaves it running.
func (m *MySQL) startServer(program mariaDB) error {
	script := filepath.Join(m.options.Dir, "start.sql")
	if err := os.WriteFile(script, []byte(startScript(m.writerPassword)), 0o600); err != nil {
		return fmt.Errorf("writing the first statements: %w", err)
	}
	output, err := os.Create(m.logFile())
	if err != nil {
		return fmt.Errorf("making the server's log: %w", err)
	}
	defer output.Close()
	host, port, err := net.SplitHostPort(m.addr)
	if err != nil {
		return err
	}
	m.cmd = exec.Command(program.path, append(program.arguments(), // not of ctx, which bounds the start only
		"--datadir="+m.dataDir(), "--bind-address="+host, "--port="+port, "--socket=mysql.sock", "--pid-file="+filepath.Join(m.options.Dir, "pid"),
		"--init-file="+script, "--tmpdir="+m.options.Dir, "--skip-name-resolve", "--character-set-server=utf8mb4",
		"--server-id=1", "--log-bin=binlog", "--binlog-format=ROW", "--binlog-row-image=FULL", "--binlog-row-metadata=FULL",
		"--max-binlog-size=16M", "--expire-logs-days=3", "--sync-binlog=0", "--innodb-flush-log-at-trx-commit=2",
		"--innodb-buffer-pool-size=16M", "--performance-schema=OFF", "--key-buffer-size=1M", "--max-connections=50")...)
	m.cmd.Stdout, m.cmd.Stderr = output, output
	// The lock on the folder is the server's too: a next start waits until a killed one's server is gone.
	m.cmd.ExtraFiles = []*os.File{m.lock.file}
	m.ended, err = startBound(m.cmd)
	if err != nil {
		return fmt.Errorf("starting the server: %w", err)
	}
	return nil
}

// await waits until the server lets the writer in.
func (m *MySQL) await(ctx context.Context) (*client.Conn, error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := m.connect(ctx)
		if err == nil {
			return conn, nil
		}
		select {
		case <-m.ended:
			return nil, fmt.Errorf("the server ended: %s", lastLines(m.logFile()))
		case <-ctx.Done():
			return nil, fmt.Errorf("the server does not answer (%w): %s", err, lastLines(m.logFile()))
		case <-tick.C:
		}
	}
}

// watch tells when the server ends by itself.
func (m *MySQL) watch(ctx context.Context) {
	select {
	case <-ctx.Done():
	case <-m.ended:
		m.log.Error("the sandbox's MariaDB has ended; it is started again with the program", slog.String("log", lastLines(m.logFile())))
	}
}

// Addr is where clients find the server, "host:port".
func (m *MySQL) Addr() string { return m.addr }

// Version is what the server says of itself: "10.11.19-MariaDB-…".
func (m *MySQL) Version() string { return m.version }

// Running tells whether the server has not ended.
func (m *MySQL) Running() bool {
	select {
	case <-m.ended:
		return false
	default:
		return true
	}
}

// Problem is the end of the server's log.
func (m *MySQL) Problem() string { return lastLines(m.logFile()) }

// Changes is how many rows the writer has changed since the start.
func (m *MySQL) Changes() int64 { return m.changes.Load() }

// Close stops the writer and the server, within three seconds; what the server does not finish it repairs at its next
// start. It may be called more than once.
func (m *MySQL) Close() error {
	m.closing.Do(func() {
		if m.stop != nil {
			m.stop()
		}
		m.tasks.Wait()
		if m.ended != nil {
			_ = m.cmd.Process.Signal(syscall.SIGTERM) // refused when it has ended
			select {
			case <-m.ended:
			case <-time.After(mysqlStopTimeout):
				m.log.Info("MariaDB did not end in time and is killed; it recovers at its next start")
				_ = m.cmd.Process.Kill()
				<-m.ended
			}
		}
		m.lock.release()
	})
	return nil
}

func (m *MySQL) dataDir() string { return filepath.Join(m.options.Dir, "data") }
func (m *MySQL) logFile() string { return filepath.Join(m.options.Dir, "mariadbd.log") }

// connect opens a connection of the writer's to the shop.
func (m *MySQL) connect(ctx context.Context) (*client.Conn, error) {
	return client.ConnectWithContext(ctx, m.addr, writerUser, m.writerPassword, MySQLDatabase, 10*time.Second)
}

// freeAddress is a loopback address that nobody listens on.
func freeAddress(ctx context.Context, address string) (string, error) {
	listener, err := listenLoopback(ctx, address)
	if err != nil {
		return "", fmt.Errorf("%w: %w", errAddress, err)
	}
	defer listener.Close()
	return listener.Addr().String(), nil
}

// lockDirWithin waits for the lock of a folder whose last user may still be ending.
func lockDirWithin(ctx context.Context, dir string, within time.Duration) (*dirLock, error) {
	ctx, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	for {
		lock, err := lockDir(dir)
		if err == nil {
			return lock, nil
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// lastLines is the end of a log, for a message.
func lastLines(file string) string {
	content, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	lines := strings.Split(strings.TrimSpace(string(content)), "\n")
	return strings.Join(lines[max(len(lines)-5, 0):], "\n")
}
