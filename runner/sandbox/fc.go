package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// What the sandbox's Function Compute holds from the start.
const (
	// DefaultFCAddr is where the Function Compute stand-in listens unless told otherwise.
	DefaultFCAddr = "127.0.0.1:19101"
	// DefaultFCService is the service of the functions; FC 3.0 knows them without it.
	DefaultFCService = "sandbox"
	// DefaultFCAlias is an alias of version 1 that the service, and each function of FC 3.0, has.
	DefaultFCAlias = "prod"
)

// Names of the functions that there are.
const (
	// FCEcho answers with the event.
	FCEcho = "echo"
	// FCFails answers every event with an error of its own: HTTP 200 with X-Fc-Error-Type.
	FCFails = "fails"
	// FCSlow waits and then answers with the event.
	FCSlow = "slow"
	// FCThrottled answers with the event, so many times a second; then 429.
	FCThrottled = "throttled"
	// FCPoison fails as FCFails does when the event contains a word, and is FCEcho else.
	FCPoison = "poison"
	// FCStateless is FCEcho without stateful asynchronous invocation: it does not look at invocation IDs.
	FCStateless = "stateless"
)

// Limits of Function Compute, in bytes: of the body of a synchronous and of an asynchronous invocation ("Limits", of
// FC 3.0 and 2.0 alike).
const (
	FCSyncLimit  = 32 << 20
	FCAsyncLimit = 128 << 10
)

// FCOptions configure a Function Compute stand-in. Every field but Dir has a default.
type FCOptions struct {
	// Addr is the listen address, of loopback only; port 0 picks a free one. Default DefaultFCAddr.
	Addr string
	// Dir is the folder that holds invocations and invocation IDs; only one process may use it. Not needed with Discard.
	Dir string
	// Discard counts invocations and keeps nothing but invocation IDs, in memory: for benchmarks. Functions that answer
	// with the event then answer with nothing.
	Discard bool
	// SkipChecks leaves out the check of bodies against Content-MD5 and x-acs-content-sha256; signatures are checked.
	SkipChecks bool
	// Keys are the access keys to accept. Default: ID and secret DefaultKey.
	Keys []AccessKey
	// Tokens are accepted beside them; nil is none.
	Tokens *Tokens
	// SlowFor is how long FCSlow waits. Default 2 s.
	SlowFor time.Duration
	// Throttle is how many invocations a second FCThrottled takes. Default 5.
	Throttle float64
	// PoisonWord is what FCPoison fails on. Default "poison".
	PoisonWord string
	// KeepBytes bounds what is kept of invocations on disk, KeepInvocations their number; the oldest go first. Defaults
	// 128 MiB and 20,000; negative is no bound.
	KeepBytes, KeepInvocations int64
	// IDLife is for how long a repeated invocation ID is refused. Default 7 days, as the service keeps them.
	IDLife time.Duration
	// FaultSeed makes the dice of faults fall the same in every run; 0 is chance.
	FaultSeed uint64
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
	// Now is the stand-in's clock; default time.Now.
	Now func() time.Time
}

// FC is a stand-in for Function Compute that speaks the invoking half of its API, of 2.0 (/2016-08-15) and 3.0
// (/2023-03-30): invocations, synchronous and asynchronous, and the questions about services, functions, versions,
// aliases and asynchronous settings. It keeps invocations, with their bodies, on disk over restarts and kills. Not
// there: creating anything, triggers, real functions.
type FC struct {
	// Faults are the faults in force. Their operations are those of FCOperations; their key is "service/function", or
	// "function" of FC 3.0.
	Faults *Faults

	options  FCOptions
	log      *slog.Logger
	keys     accessKeys
	store    *fcStore
	ids      *fcIDs
	throttle fcBucket
	slow     atomic.Int64 // nanoseconds
	buffers  sync.Pool    // of *[]byte: bodies
	requests *requestLog
	lock     *dirLock
	server   *http.Server
	listener net.Listener
	stop     context.CancelFunc
	served   chan struct{}
	closing  sync.Once
	closeErr error

	nRequests, nBytesIn, nBytesOut atomic.Int64
	counts                         [2]map[string]*fcCounts // by function; of 2.0 and 3.0; never changed after the start
}

// StartFC starts a Function Compute stand-in. ctx bounds the start only; Close ends it.
func StartFC(ctx context.Context, options FCOptions) (*FC, error) {
	options.defaults()
	if options.Dir == "" && !options.Discard {
		return nil, errors.New("starting the Function Compute stand-in: no folder given; give one, or discard invocations")
	}
	f := &FC{Faults: NewFaults(options.FaultSeed), options: options, log: options.Logger, served: make(chan struct{}), requests: newRequestLog(ossRequestLog),
		throttle: fcBucket{perSecond: options.Throttle}}
	f.slow.Store(int64(options.SlowFor))
	f.buffers.New = func() any { return new([]byte) }
	for i := range f.counts {
		f.counts[i] = make(map[string]*fcCounts)
		for _, name := range FCFunctions() {
			f.counts[i][name] = &fcCounts{}
		}
	}
	if err := f.start(ctx); err != nil {
		f.release()
		return nil, fmt.Errorf("starting the Function Compute stand-in: %w", err)
	}
	return f, nil
}

func (o *FCOptions) defaults() {
	if o.Addr == "" {
		o.Addr = DefaultFCAddr
	}
	if o.Keys == nil {
		o.Keys = []AccessKey{{ID: DefaultKey, Secret: DefaultKey}}
	}
	if o.SlowFor <= 0 {
		o.SlowFor = 2 * time.Second
	}
	if o.Throttle <= 0 {
		o.Throttle = 5
	}
	if o.PoisonWord == "" {
		o.PoisonWord = "poison"
	}
	if o.KeepBytes == 0 {
		o.KeepBytes = 128 << 20
	}
	if o.KeepInvocations == 0 {
		o.KeepInvocations = 20_000
	}
	if o.IDLife <= 0 {
		o.IDLife = 7 * 24 * time.Hour
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
}

func (f *FC) start(ctx context.Context) (err error) {
	f.keys.tokens = f.options.Tokens
	f.keys.tokens = f.options.Tokens
	for _, key := range f.options.Keys {
		if err := f.keys.add(key); err != nil {
			return err
		}
	}
	if f.ids, err = f.openState(); err != nil {
		return err
	}
	if f.listener, err = listenLoopback(ctx, f.options.Addr); err != nil {
		return err
	}
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	f.stop = stop
	f.server = &http.Server{
		Handler: http.HandlerFunc(f.serve), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: ossIdle, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(f.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return base },
	}
	go func() {
		defer close(f.served)
		if err := f.server.Serve(f.listener); !errors.Is(err, http.ErrServerClosed) {
			f.log.Error("the Function Compute stand-in stopped serving", slog.Any("error", err))
		}
	}()
	return nil
}

// openState reads what a process before this one left.
func (f *FC) openState() (*fcIDs, error) {
	ids := newFCIDs(f.options.IDLife)
	if f.options.Discard {
		return ids, nil
	}
	var err error
	if f.lock, err = lockDir(f.options.Dir); err != nil {
		return nil, err
	}
	now := f.options.Now()
	if f.store, err = openFCStore(f.options.Dir, f.options.KeepBytes, f.options.KeepInvocations, func(inv *FCInvocation) {
		if inv.InvocationID != "" {
			ids.known(fcKey(inv.Service, inv.Function, inv.InvocationID), inv.Time, now)
		}
	}); err != nil {
		return nil, err
	}
	return ids, ids.open(f.options.Dir, now)
}

// URL is the stand-in's endpoint, "http://host:port".
func (f *FC) URL() string { return "http://" + f.listener.Addr().String() }

// AddKey makes the stand-in accept one more access key, or replaces the one of the same ID.
func (f *FC) AddKey(key AccessKey) error { return f.keys.add(key) }

// RemoveKey makes the stand-in refuse a key.
func (f *FC) RemoveKey(id string) { f.keys.remove(id) }

// SetSlow makes FCSlow wait so long from now on; 0 or less is not at all.
func (f *FC) SetSlow(d time.Duration) { f.slow.Store(int64(max(d, 0))) }

// Close stops the stand-in within two seconds: requests under way get most of that time to end. It may be called
// more than once.
func (f *FC) Close() error {
	f.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), ossCloseDeadline)
		defer cancel()
		f.stop() // ends injected delays and slow functions
		if err := f.server.Shutdown(ctx); err != nil {
			f.closeErr = f.server.Close()
		}
		<-f.served
		f.release()
	})
	return f.closeErr
}

func (f *FC) release() {
	if f.listener != nil {
		_ = f.listener.Close()
	}
	if f.store != nil {
		f.store.close()
	}
	if f.ids != nil {
		f.ids.close()
	}
	f.lock.release()
}
