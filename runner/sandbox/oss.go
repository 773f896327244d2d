package sandbox

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// What the sandbox's object store holds from the start.
const (
	// DefaultOSSAddr is where the OSS stand-in listens unless told otherwise.
	DefaultOSSAddr = "127.0.0.1:19100"
	// DefaultBucket is the bucket that is made at start.
	DefaultBucket = "sandbox-bucket"
	// DefaultKey is both ID and secret of the sandbox's access key.
	DefaultKey = "sandbox"
)

const (
	ossRequestLog    = 500
	ossIdle          = 2 * time.Minute
	ossBodyStall     = time.Minute // a body that does not move for so long is given up
	ossCloseDeadline = 1500 * time.Millisecond
)

// OSSOptions configure an OSS stand-in. Every field but Dir has a default.
type OSSOptions struct {
	// Addr is the listen address, of loopback only; port 0 picks a free one. Default DefaultOSSAddr.
	Addr string
	// Dir is the folder that holds the objects; only one process may use it. Not needed with Discard.
	Dir string
	// Discard keeps names, sizes and checksums of objects in memory and their contents nowhere: for benchmarks.
	// GetObject is then refused, and MD5 is computed only where a request carries Content-MD5.
	Discard bool
	// SkipCRC leaves out CRC64 and the header that carries it. With Discard it saves most of the remaining work.
	SkipCRC bool
	// Keys are the access keys to accept. Default: ID and secret DefaultKey.
	Keys []AccessKey
	// Tokens are accepted beside them; nil is none.
	Tokens *Tokens
	// Buckets are made when missing. Default: DefaultBucket.
	Buckets []string
	// Region is the only one that V4 signatures may name; empty accepts any.
	Region string
	// Domains are host names besides localhost whose sub-domains are bucket names (virtual-host style).
	Domains []string
	// FaultSeed makes the dice of faults fall the same in every run; 0 is chance.
	FaultSeed uint64
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
	// Now is the stand-in's clock; default time.Now.
	Now func() time.Time
}

// OSS is a stand-in for the Object Storage Service that speaks its REST protocol over HTTP: buckets, objects, lists,
// multipart uploads, signatures of version 1 and 4, temporary credentials. It keeps what it stores on disk over
// restarts and kills. Not there: ACLs other than private, versioning, append, tags, lifecycle, callbacks.
type OSS struct {
	// Faults are the faults in force.
	Faults *Faults

	options  OSSOptions
	log      *slog.Logger
	keys     accessKeys
	store    *ossStore
	receiver *receiver
	requests *requestLog
	lock     *dirLock
	server   *http.Server
	listener net.Listener
	stop     context.CancelFunc
	served   chan struct{}
	closing  sync.Once
	closeErr error

	nRequests, nBytesIn, nBytesOut atomic.Int64
}

// OSSStats counts what a stand-in has done since its start, and what it holds.
type OSSStats struct {
	Requests int64 `json:"requests"`
	BytesIn  int64 `json:"bytes_in"`  // of requests' bodies
	BytesOut int64 `json:"bytes_out"` // of answers' bodies
	Objects  int64 `json:"objects"`
	Bytes    int64 `json:"bytes"` // that objects hold
}

// StartOSS starts an OSS stand-in. ctx bounds the start only; Close ends it.
func StartOSS(ctx context.Context, options OSSOptions) (*OSS, error) {
	if options.Addr == "" {
		options.Addr = DefaultOSSAddr
	}
	if options.Keys == nil {
		options.Keys = []AccessKey{{ID: DefaultKey, Secret: DefaultKey}}
	}
	if options.Buckets == nil {
		options.Buckets = []string{DefaultBucket}
	}
	if options.Now == nil {
		options.Now = time.Now
	}
	if options.Logger == nil {
		options.Logger = slog.New(slog.DiscardHandler)
	}
	if options.Dir == "" && !options.Discard {
		return nil, errors.New("starting the OSS stand-in: no folder given; give one, or discard contents")
	}
	o := &OSS{Faults: NewFaults(options.FaultSeed), options: options, log: options.Logger, served: make(chan struct{}),
		receiver: newReceiver(options.Discard, options.SkipCRC), requests: newRequestLog(ossRequestLog)}
	if err := o.start(ctx); err != nil {
		o.lock.release()
		return nil, fmt.Errorf("starting the OSS stand-in: %w", err)
	}
	return o, nil
}

func (o *OSS) start(ctx context.Context) (err error) {
	o.keys.tokens = o.options.Tokens
	for _, key := range o.options.Keys {
		if err := o.keys.add(key); err != nil {
			return err
		}
	}
	if !o.options.Discard {
		if o.lock, err = lockDir(o.options.Dir); err != nil {
			return err
		}
	}
	if o.store, err = openOSSStore(o.options.Dir, o.options.Discard); err != nil {
		return err
	}
	for _, name := range o.options.Buckets {
		if !validBucketName(name) {
			return fmt.Errorf("bucket name %q: use 3 to 63 lower-case letters, digits and hyphens", name)
		}
		if err := o.store.createBucket(name, o.options.Now()); err != nil {
			return err
		}
	}
	if o.listener, err = listenLoopback(ctx, o.options.Addr); err != nil {
		return err
	}
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	o.stop = stop
	o.server = &http.Server{
		Handler: http.HandlerFunc(o.serve), ReadHeaderTimeout: 10 * time.Second, IdleTimeout: ossIdle, MaxHeaderBytes: 64 << 10,
		ErrorLog: slog.NewLogLogger(o.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return base },
	}
	go func() {
		defer close(o.served)
		if err := o.server.Serve(o.listener); !errors.Is(err, http.ErrServerClosed) {
			o.log.Error("the OSS stand-in stopped serving", slog.Any("error", err))
		}
	}()
	return nil
}

// URL is the stand-in's endpoint, "http://host:port".
func (o *OSS) URL() string { return "http://" + o.listener.Addr().String() }

// AddKey makes the stand-in accept one more access key, or replaces the one of the same ID.
func (o *OSS) AddKey(key AccessKey) error { return o.keys.add(key) }

// RemoveKey makes the stand-in refuse a key.
func (o *OSS) RemoveKey(id string) { o.keys.remove(id) }

// Stats returns the counters.
func (o *OSS) Stats() OSSStats {
	stats := OSSStats{Requests: o.nRequests.Load(), BytesIn: o.nBytesIn.Load(), BytesOut: o.nBytesOut.Load()}
	o.store.mu.RLock()
	defer o.store.mu.RUnlock()
	for _, b := range o.store.buckets {
		stats.Objects += int64(len(b.objects))
		stats.Bytes += b.bytes
	}
	return stats
}

// Close stops the stand-in within two seconds: requests under way get most of that time to end. It may be called
// more than once.
func (o *OSS) Close() error {
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

// listenLoopback listens on a TCP address that only this machine can reach.
func listenLoopback(ctx context.Context, addr string) (net.Listener, error) {
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		return nil, fmt.Errorf("listen address %q: %w; write host:port, such as 127.0.0.1:0", addr, err)
	}
	if n, err := strconv.Atoi(port); err != nil || n < 0 || n > 65535 {
		return nil, fmt.Errorf("listen address %q: the port is not 0 to 65535", addr)
	}
	if ip := net.ParseIP(host); host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		return nil, fmt.Errorf("listen address %q: the sandbox has well-known keys and listens on loopback only; write 127.0.0.1, ::1 or localhost", addr)
	}
	var config net.ListenConfig
	listener, err := config.Listen(ctx, "tcp", addr)
	if err != nil {
		return nil, fmt.Errorf("listening: %w; give another port, or 0 for a free one", err)
	}
	return listener, nil
}

// bucketOfHost returns the bucket that a Host header names, empty for path style.
func (o *OSS) bucketOfHost(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.ToLower(host)
	for _, domain := range append([]string{"localhost"}, o.options.Domains...) {
		if bucket, ok := strings.CutSuffix(host, "."+strings.ToLower(domain)); ok {
			return bucket
		}
	}
	if bucket, rest, ok := strings.Cut(host, "."); ok && strings.HasPrefix(rest, "oss") && strings.HasSuffix(rest, ".aliyuncs.com") {
		return bucket
	}
	return ""
}
