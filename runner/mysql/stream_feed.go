package mysql

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// feedBytes bounds what was read from the server and not worked off; one event may be larger.
	feedBytes = 8 << 20
	// heartbeatEvery is the server's sign of life on an idle log. It also tells how far an
	// idle log was read, for which a copied chunk may wait.
	heartbeatEvery = time.Second
	// silence is how long a stream may bring nothing before it counts as dead.
	silence = 30 * time.Second
)

// event is one event of the binary log as it came. body is what follows the header,
// without checksum; it stays valid as long as somebody holds it.
type event struct {
	kind     replication.EventType
	flags    uint16
	time     uint32 // seconds
	serverID uint32
	size     uint32
	logPos   uint32
	body     []byte
}

// feed reads the binary log through a BinlogSyncer in raw mode: its goroutine puts events
// into a queue, from which the reader takes all there are at once.
type feed struct {
	syncer *replication.BinlogSyncer
	conn   atomic.Pointer[net.Conn]
	closed atomic.Bool

	mu     sync.Mutex
	room   sync.Cond
	queue  []event
	bytes  int
	err    error // after the queued events
	ended  bool
	notify chan struct{} // holds one: something can be taken

	spare []event
}

// HandleEvent queues an event and waits while too much is queued (replication.EventHandler).
func (f *feed) HandleEvent(e *replication.BinlogEvent) error {
	body := e.RawData[replication.EventHeaderSize:]
	switch t := e.Event.(type) {
	case *replication.GenericEvent:
		body = t.Data
	case *replication.RotateEvent:
		body = body[:8+len(t.NextLogName)] // a checksum may follow
	case *replication.FormatDescriptionEvent:
	default:
		return fmt.Errorf("unexpected form of a %s", e.Header.EventType)
	}
	h := e.Header
	f.mu.Lock()
	for f.bytes > feedBytes && !f.ended {
		f.room.Wait()
	}
	if f.ended {
		f.mu.Unlock()
		return errFeedClosed
	}
	first := len(f.queue) == 0
	f.queue = append(f.queue, event{h.EventType, h.Flags, h.Timestamp, h.ServerID, h.EventSize, h.LogPos, body})
	f.bytes += len(body) + 64
	f.mu.Unlock()
	if first {
		f.wake()
	}
	return nil
}

var errFeedClosed = errors.New("the stream was closed")

func (f *feed) wake() {
	select {
	case f.notify <- struct{}{}:
	default:
	}
}

// take returns what is queued, in order; the slice is good until the next take. When
// nothing is queued and the stream ended it returns why.
func (f *feed) take() ([]event, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	clear(f.spare)
	got := f.queue
	f.queue, f.spare, f.bytes = f.spare[:0], got, 0
	f.room.Broadcast()
	if len(got) == 0 {
		return nil, f.err
	}
	if f.err != nil {
		f.wake() // for the error, after these
	}
	return got, nil
}

func (f *feed) fail(err error) {
	f.mu.Lock()
	if f.err == nil {
		f.err = err
	}
	f.ended = true
	f.room.Broadcast()
	f.mu.Unlock()
	f.wake()
}

// close ends the stream. The syncer's own way out opens a connection to kill the old
// one at the server, which is fine while the server answers and not waited for.
func (f *feed) close() {
	f.fail(errFeedClosed)
	defer f.closed.Store(true)
	done := make(chan struct{})
	go func() { defer close(done); f.syncer.Close() }()
	select {
	case <-done:
	case <-time.After(2 * time.Second):
	}
	if c := f.conn.Load(); c != nil {
		_ = (*c).Close()
	}
}

// openFeed registers with the server and asks for its log from a start point on.
func openFeed(ctx context.Context, s *Settings, deps connector.Deps, srv *server, at startPoint) (*feed, error) {
	f := &feed{notify: make(chan struct{}, 1)}
	f.room.L = &f.mu
	config, err := syncerConfig(ctx, s, deps, srv, f)
	if err != nil {
		return nil, err
	}
	f.syncer = replication.NewBinlogSyncer(config)
	var streamer *replication.BinlogStreamer
	if at.GTID != "" || at.File == "" {
		set, err := mysql.ParseGTIDSet(srv.Flavor, at.GTID)
		if err != nil {
			return nil, fmt.Errorf("reading the GTID set to start from: %w", err)
		}
		streamer, err = f.syncer.StartSyncGTID(set)
		if err != nil {
			f.close()
			return nil, replicaError(ctx, s, deps, err)
		}
	} else {
		if at.Pos >= 1<<32 {
			return nil, fmt.Errorf("position %s lies behind 4 GiB, where a server without GTIDs cannot begin", at.filePos)
		}
		if streamer, err = f.syncer.StartSync(mysql.Position{Name: at.File, Pos: uint32(at.Pos)}); err != nil {
			f.close()
			return nil, replicaError(ctx, s, deps, err)
		}
	}
	go func() { // events go through HandleEvent; what comes here is the end
		_, err := streamer.GetEvent(context.Background())
		if err == nil {
			err = errors.New("the stream answered outside its order")
		}
		f.fail(err)
	}()
	return f, nil
}

func syncerConfig(ctx context.Context, s *Settings, deps connector.Deps, srv *server, f *feed) (replication.BinlogSyncerConfig, error) {
	// A probe tells whether TLS is spoken, with the same fallback as every connection.
	probe, err := connect(ctx, s, deps)
	if err != nil {
		return replication.BinlogSyncerConfig{}, err
	}
	defer probe.Close()
	config, err := s.tlsConfig(deps.Roots)
	if err != nil {
		return replication.BinlogSyncerConfig{}, err
	}
	if !probe.secured {
		config = nil
	}
	return replication.BinlogSyncerConfig{
		ServerID: s.ServerID, Flavor: srv.Flavor, Host: s.Host, Port: uint16(s.Port), User: s.User, Password: s.Password,
		Localhost: s.Replica, Charset: "utf8mb4", TLSConfig: config,
		RawModeEnabled: true, DisableRetrySync: true, DiscardGTIDSet: true, EventCacheCount: 1, SynchronousEventHandler: f,
		HeartbeatPeriod: heartbeatEvery, ReadTimeout: silence, Logger: slog.New(slog.DiscardHandler),
		Dialer: func(ctx context.Context, network, address string) (net.Conn, error) {
			if f.closed.Load() {
				return nil, errFeedClosed
			}
			c, err := deps.Dial(ctx, network, address)
			if err == nil {
				keepAlive(c)
				f.conn.CompareAndSwap(nil, &c)
			}
			return c, err
		},
		Option: func(c *client.Conn) error {
			_, err := c.Execute("SET SESSION net_write_timeout = 604800")
			return err
		},
	}, nil
}

// replicaError tells a missing grant, which the server reports as it does a wrong
// password, from a wrong password: the account is let in elsewhere.
func replicaError(ctx context.Context, s *Settings, deps connector.Deps, err error) error {
	switch serverCode(err) {
	case codeAccessDenied, codePrivilegeNeeded:
		conn, plain := connect(ctx, s, deps)
		if plain != nil {
			return plain
		}
		defer conn.Close()
		return &connector.WrongError{Field: keyUser, Remedy: s.grantReplication(),
			Brief: "the account may not read the binary log", Err: fmt.Errorf("the account %s is let in and may not read the binary log: REPLICATION SLAVE is missing (%w)", s.User, err)}
	}
	return s.classify("asking for the binary log", err)
}
