package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"
)

// What the sandbox's MaxCompute holds from the start.
const (
	// DefaultODPSAddr is where the MaxCompute stand-in listens unless told otherwise.
	DefaultODPSAddr = "127.0.0.1:19102"
	// DefaultODPSProject is the project that is there.
	DefaultODPSProject = "sandbox"
	// DefaultODPSTable is the table that is made at start.
	DefaultODPSTable = "kafka_messages"
	// DefaultODPSDDL makes it.
	DefaultODPSDDL = "CREATE TABLE IF NOT EXISTS kafka_messages (topic STRING, `partition` BIGINT, `offset` BIGINT, key STRING, value STRING) PARTITIONED BY (pt STRING)"
)

// ODPSOptions configure a MaxCompute stand-in. Every field but Dir has a default.
type ODPSOptions struct {
	// Addr is the listen address, of loopback only; port 0 picks a free one. Default DefaultODPSAddr.
	Addr string
	// Dir is the folder that holds the tables; only one process may use it. Not needed with Discard.
	Dir string
	// Discard checks and counts rows and keeps them nowhere: for benchmarks. Reading them is then refused.
	Discard bool
	// SkipChecks leaves out CRCs and the bounds of values of uploaded records; their number is still checked.
	SkipChecks bool
	// Keys are the access keys to accept. Default: ID and secret DefaultKey.
	Keys []AccessKey
	// Tokens are accepted beside them; nil is none.
	Tokens *Tokens
	// Projects are those that there are. Default: DefaultODPSProject.
	Projects []string
	// DDL are statements to run at start in the first project. Default: DefaultODPSDDL; an empty list is none.
	DDL []string
	// Region is the only one that V4 signatures may name; empty accepts any.
	Region string
	// SessionLife is how long a session may be used. Default 24 h.
	SessionLife time.Duration
	// CommitTakes is how long a session is CLOSING before its rows appear; the request waits as long. SQLTakes is how
	// long a statement is Running. Default 0.
	CommitTakes, SQLTakes time.Duration
	// Limits are the service's unless set.
	Limits ODPSLimits
	// FaultSeed makes the dice of faults fall the same in every run; 0 is chance.
	FaultSeed uint64
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
	// Now is the stand-in's clock; default time.Now.
	Now func() time.Time
}

// ODPSLimits bound what one table takes. 0 is the service's own limit, negative is none.
type ODPSLimits struct {
	Sessions   int // made in 5 minutes, default 500
	Blocks     int // uploaded in 5 minutes, default 500
	Commits    int // in 15 seconds, default 75
	Committing int // at the same time, default 32
}

// ODPS is a stand-in for MaxCompute that speaks the parts of its REST and Tunnel protocols that loading tables needs:
// projects, tables, partitions, SQL of a few kinds, upload and download sessions with records in protobuf. It keeps
// what it stores on disk over restarts and kills. Not there: Arrow, stream and upsert sessions, views, permissions.
type ODPS struct {
	// Faults are the faults in force. Their operations are those of ODPSOperations; their key is "table" or
	// "table/pt=value".
	Faults *Faults

	options   ODPSOptions
	log       *slog.Logger
	keys      accessKeys
	store     *odpsStore
	sessions  odpsSessions
	instances odpsInstances
	requests  *requestLog
	lock      *dirLock
	server    *http.Server
	listener  net.Listener
	base      context.Context // ends when the stand-in does
	stop      context.CancelFunc
	served    chan struct{}
	closing   sync.Once
	closeErr  error

	nRequests, nBytesIn, nBytesOut, nRowsIn, nCommits atomic.Int64
}

// ODPSStats counts what a stand-in has done since its start, and what it holds.
type ODPSStats struct {
	Requests int64 `json:"requests"`
	BytesIn  int64 `json:"bytes_in"`  // of requests' bodies
	BytesOut int64 `json:"bytes_out"` // of answers' bodies
	RowsIn   int64 `json:"rows_in"`   // of blocks that were whole
	Commits  int64 `json:"commits"`
	Tables   int64 `json:"tables"`
	Rows     int64 `json:"rows"`  // that tables hold
	Bytes    int64 `json:"bytes"` // as they were uploaded, compressed or not
}

// StartODPS starts a MaxCompute stand-in. ctx bounds the start only; Close ends it.
func StartODPS(ctx context.Context, options ODPSOptions) (*ODPS, error) {
	options.defaults()
	if options.Dir == "" && !options.Discard {
		return nil, errors.New("starting the MaxCompute stand-in: no folder given; give one, or discard rows")
	}
	o := &ODPS{Faults: NewFaults(options.FaultSeed), options: options, log: options.Logger, served: make(chan struct{}),
		requests: newRequestLog(ossRequestLog), sessions: odpsSessions{list: make(map[string]*odpsSession)}}
	if err := o.start(ctx); err != nil {
		if o.listener != nil {
			_ = o.listener.Close()
		}
		o.lock.release()
		return nil, fmt.Errorf("starting the MaxCompute stand-in: %w", err)
	}
	return o, nil
}

func (o *ODPSOptions) defaults() {
	if o.Addr == "" {
		o.Addr = DefaultODPSAddr
	}
	if o.Keys == nil {
		o.Keys = []AccessKey{{ID: DefaultKey, Secret: DefaultKey}}
	}
	if o.Projects == nil {
		o.Projects = []string{DefaultODPSProject}
	}
	if o.DDL == nil {
		o.DDL = []string{DefaultODPSDDL}
	}
	if o.SessionLife <= 0 {
		o.SessionLife = 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, limit := range []struct {
		of      *int
		service int
	}{{&o.Limits.Sessions, 500}, {&o.Limits.Blocks, 500}, {&o.Limits.Commits, 75}, {&o.Limits.Committing, 32}} {
		if *limit.of == 0 {
			*limit.of = limit.service
		}
	}
}

func (o *ODPS) start(ctx context.Context) (err error) {
	o.keys.tokens = o.options.Tokens
	for _, key := range o.options.Keys {
		if err := o.keys.add(key); err != nil {
			return err
		}
	}
	for _, project := range o.options.Projects {
		if !validODPSName(project) {
			return fmt.Errorf("project name %q: use letters, digits and underscores, beginning with a letter", project)
		}
	}
	if !o.options.Discard {
		if o.lock, err = lockDir(o.options.Dir); err != nil {
			return err
		}
		o.sessions.dir = filepath.Join(o.options.Dir, "sessions")
	}
	if err := o.load(); err != nil {
		return err
	}
	for _, ddl := range o.options.DDL {
		if _, err := o.Query(ctx, o.options.Projects[0], ddl); err != nil {
			return fmt.Errorf("running %q: %w", clip(ddl, 80), err)
		}
	}
	if o.listener, err = listenLoopback(ctx, o.options.Addr); err != nil {
		return err
	}
	o.base, o.stop = context.WithCancel(context.WithoutCancel(ctx))
	o.server = &http.Server{
		Handler: http.HandlerFunc(o.serve), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: ossIdle, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return o.base },
	}
	go func() {
		defer close(o.served)
		if err := o.server.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
			o.log.Error("the MaxCompute stand-in stopped serving", slog.Any("error", err))
		}
	}()
	return nil
}

// load reads tables, rows and sessions from disk.
func (o *ODPS) load() (err error) {
	if o.store, err = openODPSStore(o.options.Dir, o.options.Discard, o.log); err != nil {
		return err
	}
	closed := make(map[string]*odpsSession)
	err = o.store.loadParts(func(t *odpsTable, p *odpsPart, f *odpsFrame) {
		u := &odpsSession{ID: f.Session, Name: t.odpsName, TableID: t.ID, PartID: p.ID, Spec: p.spec, Overwrite: f.Overwrite, Created: f.Created,
			table: t, part: p, columns: t.Columns, status: odpsClosed, blocks: make(map[int]*odpsBlock)}
		for _, b := range f.Blocks {
			u.blocks[b.ID] = &odpsBlock{odpsFrameBlock: b, created: f.Committed}
			u.rows += b.Rows
		}
		closed[u.ID] = u
	})
	if err != nil || o.options.Discard {
		return err
	}
	return o.sessions.load(o.store, closed, o.options.Now(), o.options.SessionLife)
}

// URL is the stand-in's endpoint, "http://host:port/api".
func (o *ODPS) URL() string { return "http://" + o.listener.Addr().String() + "/api" }

// TunnelURL is the endpoint of its Tunnel half, "http://host:port".
func (o *ODPS) TunnelURL() string { return "http://" + o.listener.Addr().String() }

// AddKey makes the stand-in accept one more access key, or replaces the one of the same ID.
func (o *ODPS) AddKey(key AccessKey) error { return o.keys.add(key) }

// RemoveKey makes the stand-in refuse a key.
func (o *ODPS) RemoveKey(id string) { o.keys.remove(id) }

// Stats returns the counters.
func (o *ODPS) Stats() ODPSStats {
	stats := ODPSStats{Requests: o.nRequests.Load(), BytesIn: o.nBytesIn.Load(), BytesOut: o.nBytesOut.Load(), RowsIn: o.nRowsIn.Load(), Commits: o.nCommits.Load()}
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	for _, t := range o.store.tables {
		stats.Tables++
		for _, p := range t.parts {
			stats.Rows += p.rows
			stats.Bytes += p.bytes
		}
	}
	return stats
}

// Close stops the stand-in within two seconds: requests under way get most of that time to end. It may be called
// more than once.
func (o *ODPS) Close() error {
	o.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), ossCloseDeadline)
		defer cancel()
		o.stop() // ends injected delays
		if err := o.server.Shutdown(ctx); err != nil {
			o.closeErr = o.server.Close()
		}
		<-o.served
		o.lock.release()
	})
	return o.closeErr
}

// validODPSName tells whether a project, schema, table or column may be named so.
func validODPSName(name string) bool {
	if name == "" || len(name) > 128 || name[0] >= '0' && name[0] <= '9' {
		return false
	}
	for i := range len(name) {
		if c := name[i]; (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return true
}
