package mysql

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// answerTimeout is how long a statement may go without a byte of an answer.
	answerTimeout = 2 * time.Minute
	// writeTimeout bounds the sending of a statement.
	writeTimeout = 30 * time.Second
	// clientSSL is the capability bit of a server that offers TLS.
	clientSSL = 1 << 11
)

// Server error numbers that the reader acts on.
const (
	codeParse         = 1064
	codeLockWait      = 1205
	codeDeadlock      = 1213
	codeReadingBinlog = 1236 // ER_MASTER_FATAL_ERROR_READING_BINLOG
	codeUnknownLog    = 1373
	codeTableChanged  = 1412
	codeSameServerID  = 4052 // MariaDB: another reader came with our server id
)

// readerSession is what every connection of the reader's sets first: instants in UTC, names and
// comparisons in full UTF-8, no waiting for locks that somebody keeps, and no mode of the
// account's own that would change how a statement is read. A copy may wait for Kafka
// much longer than the server waits for a client by default.
var readerSession = []string{
	"SET NAMES utf8mb4",
	"SET SESSION time_zone = '+00:00', sql_mode = '', autocommit = 1, lock_wait_timeout = 1, net_write_timeout = 604800, wait_timeout = 604800",
}

// connect opens a session for the reader. Its errors are classified.
func connect(ctx context.Context, s *Settings, deps connector.Deps) (*session, error) {
	x, err := openSession(ctx, s, deps)
	if err != nil {
		return nil, err
	}
	for _, statement := range readerSession {
		if _, err := x.Execute(statement); err != nil {
			_ = x.Close()
			return nil, s.classify("preparing the session", err)
		}
	}
	return x, nil
}

// keepAlive lets a connection that is silent, and dead, be noticed in 35 seconds.
func keepAlive(c net.Conn) {
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4})
	}
}

// errNoTLS tells that the server does not offer TLS.
var errNoTLS = errors.New("the server does not offer TLS")

// greeting keeps the first bytes that a server sends: the library says only in words
// that it offers no TLS.
type greeting struct {
	mu   sync.Mutex
	head []byte
}

// greeted is a connection whose greeting is kept.
type greeted struct {
	net.Conn
	*greeting
	deadline atomic.Int64 // for reading, as it was set last; Unix time in ns, 0 none
}

// deadlineSlack is how much a deadline for reading may come too early. The library moves
// it before each packet, which is a tenth of the time that reading rows takes.
const deadlineSlack = time.Second

func (g *greeted) SetReadDeadline(t time.Time) error {
	at := int64(0)
	if !t.IsZero() {
		at = t.UnixNano()
	}
	if before := g.deadline.Load(); before != 0 && at >= before && at-before < int64(deadlineSlack) {
		return nil
	}
	g.deadline.Store(at)
	return g.Conn.SetReadDeadline(t)
}

func (g *greeted) SetDeadline(t time.Time) error {
	g.deadline.Store(0)
	return g.Conn.SetDeadline(t)
}

func (g *greeted) Read(p []byte) (int, error) {
	n, err := g.Conn.Read(p)
	g.mu.Lock()
	if room := 512 - len(g.head); room > 0 && n > 0 {
		g.head = append(g.head, p[:min(n, room)]...)
	}
	g.mu.Unlock()
	return n, err
}

// judge adds errNoTLS to an error of a handshake with a server that offers none. The
// greeting is Protocol::HandshakeV10: packet header, protocol 10, version, NUL, thread id,
// 8 bytes of salt, NUL, lower two bytes of capabilities.
func (g *greeting) judge(err error) error {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.head
	if err == nil || len(b) < 6 || b[4] != 10 {
		return err
	}
	for i := 5; i < len(b); i++ {
		if b[i] != 0 {
			continue
		}
		if at := i + 1 + 4 + 8 + 1; at+2 <= len(b) && binary.LittleEndian.Uint16(b[at:])&clientSSL == 0 {
			return fmt.Errorf("%w: %w", errNoTLS, err)
		}
		return err
	}
	return err
}
