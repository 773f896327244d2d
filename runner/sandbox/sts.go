package sandbox

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"regexp"
	"sync"
	"sync/atomic"
	"time"
)

// What the sandbox's STS holds from the start.
const (
	// DefaultSTSAddr is where the STS stand-in listens unless told otherwise.
	DefaultSTSAddr = "127.0.0.1:19103"
	// DefaultAccount is the account whose roles it has.
	DefaultAccount = "1000000000000001"
	// DefaultRole may be assumed, DeniedRole may not; what BriefRole issues lives for BriefLife.
	DefaultRole = "sandbox"
	DeniedRole  = "denied"
	BriefRole   = "brief"
	BriefLife   = 30 * time.Second
)

const (
	stsRequestLog = 200
	maxSTSBody    = 64 << 10
)

// Role is a role of an STS stand-in.
type Role struct {
	// Name is unique in its account.
	Name string
	// Account is the ID of the account it is in. Default: DefaultAccount.
	Account string
	// Denied: nobody is allowed to assume it.
	Denied bool
	// Life is how long what is issued for it lives, whatever is asked for, in any fraction of seconds; 0 is as asked.
	Life time.Duration
}

// ARN is the role's name as a request gives it.
func (r Role) ARN() string { return "acs:ram::" + r.Account + ":role/" + r.Name }

// STSOptions configure an STS stand-in. Every field but Dir has a default.
type STSOptions struct {
	// Addr is the listen address, of loopback only; port 0 picks a free one. Default DefaultSTSAddr.
	Addr string
	// Dir is the folder that holds the certificate authority; only one process may use it.
	Dir string
	// Keys are the access keys that may assume roles. Default: ID and secret DefaultKey.
	Keys []AccessKey
	// Roles are those that there are. Default: DefaultRole, DeniedRole, BriefRole.
	Roles []Role
	// Tokens get what is issued; they are given to the stand-ins that shall accept it. Default: its own.
	Tokens *Tokens
	// FaultSeed makes the dice of faults fall the same in every run; 0 is chance.
	FaultSeed uint64
	// Logger gets what the operator should know; default: nowhere.
	Logger *slog.Logger
	// Now is the stand-in's clock; default time.Now.
	Now func() time.Time
}

// STS is a stand-in for the Security Token Service that speaks AssumeRole over HTTPS, with a certificate of its own
// authority: signatures of version 1.0 (RPC style, HMAC-SHA1), times, nonces, roles, durations. Not there: policies that
// narrow a role, other calls.
type STS struct {
	// Faults are the faults in force. Their operation is AssumeRole, their key the role's name.
	Faults *Faults

	options  STSOptions
	log      *slog.Logger
	keys     accessKeys
	authPEM  []byte
	requests *requestLog
	issued   stsIssued
	nonces   stsNonces
	lock     *dirLock
	server   *http.Server
	listener net.Listener
	stop     context.CancelFunc
	served   chan struct{}
	closing  sync.Once
	closeErr error

	nRequests, nIssued atomic.Int64

	rolesMu sync.RWMutex
	roles   map[string]Role // by ARN
}

// STSStats counts what a stand-in has done since its start.
type STSStats struct {
	Requests int64 `json:"requests"`
	Issued   int64 `json:"issued"`
}

// StartSTS starts an STS stand-in. ctx bounds the start only; Close ends it.
func StartSTS(ctx context.Context, options STSOptions) (*STS, error) {
	options.defaults()
	s := &STS{Faults: NewFaults(options.FaultSeed), options: options, log: options.Logger, served: make(chan struct{}),
		requests: newRequestLog(stsRequestLog), roles: make(map[string]Role)}
	if err := s.start(ctx); err != nil {
		s.lock.release()
		return nil, fmt.Errorf("starting the STS stand-in: %w", err)
	}
	return s, nil
}

func (o *STSOptions) defaults() {
	if o.Addr == "" {
		o.Addr = DefaultSTSAddr
	}
	if o.Keys == nil {
		o.Keys = []AccessKey{{ID: DefaultKey, Secret: DefaultKey}}
	}
	if o.Roles == nil {
		o.Roles = []Role{{Name: DefaultRole}, {Name: DeniedRole, Denied: true}, {Name: BriefRole, Life: BriefLife}}
	}
	if o.Tokens == nil {
		o.Tokens = &Tokens{}
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
}

func (s *STS) start(ctx context.Context) (err error) {
	if s.options.Dir == "" {
		return errors.New("no folder given")
	}
	for _, key := range s.options.Keys {
		if err := s.keys.add(key); err != nil {
			return err
		}
	}
	s.keys.tokens = s.options.Tokens
	for _, role := range s.options.Roles {
		if err := s.SetRole(role); err != nil {
			return err
		}
	}
	if s.lock, err = lockDir(s.options.Dir); err != nil {
		return err
	}
	authority, err := openAuthority(s.options.Dir, s.log)
	if err != nil {
		return err
	}
	certificate, err := authority.certificate()
	if err != nil {
		return err
	}
	s.authPEM = authority.pem
	listener, err := listenLoopback(ctx, s.options.Addr)
	if err != nil {
		return err
	}
	s.listener = listener
	base, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.stop = stop
	s.server = &http.Server{
		Handler: http.HandlerFunc(s.serve), ReadHeaderTimeout: 10 * time.Second, ReadTimeout: time.Minute, IdleTimeout: ossIdle, MaxHeaderBytes: 64 << 10,
		TLSConfig: &tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}, Protocols: &http.Protocols{},
		ErrorLog: slog.NewLogLogger(s.log.Handler(), slog.LevelDebug), BaseContext: func(net.Listener) context.Context { return base },
	}
	s.server.Protocols.SetHTTP1(true) // connections of HTTP/2 cannot be cut one by one
	go func() {
		defer close(s.served)
		if err := s.server.ServeTLS(listener, "", ""); !errors.Is(err, http.ErrServerClosed) {
			s.log.Error("the STS stand-in stopped serving", slog.Any("error", err))
		}
	}()
	return nil
}

// URL is the stand-in's endpoint, "https://host:port".
func (s *STS) URL() string { return "https://" + s.listener.Addr().String() }

// CAPEM is the certificate of the authority that signed the stand-in's own, in PEM. The authority is the data folder's:
// it stays the same over restarts, and signs for loopback addresses only.
func (s *STS) CAPEM() []byte { return s.authPEM }

// Roots are the certificate authorities that the system trusts (or SSL_CERT_FILE names), and the stand-in's own.
func (s *STS) Roots() (*x509.CertPool, error) {
	roots, err := x509.SystemCertPool()
	if err != nil {
		return nil, fmt.Errorf("reading the system's certificate authorities: %w", err)
	}
	if !roots.AppendCertsFromPEM(s.authPEM) {
		return nil, errors.New("the STS stand-in's own certificate authority cannot be read")
	}
	return roots, nil
}

// Tokens are what was issued, to be given to other stand-ins.
func (s *STS) Tokens() *Tokens { return s.options.Tokens }

var stsRoleName = regexp.MustCompile(`^[a-zA-Z0-9._-]{1,64}$`)

// SetRole adds a role, or replaces the one of the same name and account; what was issued for it stays valid.
func (s *STS) SetRole(role Role) error {
	if role.Account == "" {
		role.Account = DefaultAccount
	}
	if !stsRoleName.MatchString(role.Name) || role.Life < 0 {
		return fmt.Errorf("role %q: use 1 to 64 letters, digits, dots, underscores and hyphens, and a life that is not negative", role.Name)
	}
	s.rolesMu.Lock()
	defer s.rolesMu.Unlock()
	s.roles[role.ARN()] = role
	return nil
}

func (s *STS) role(arn string) (Role, bool) {
	s.rolesMu.RLock()
	defer s.rolesMu.RUnlock()
	role, ok := s.roles[arn]
	return role, ok
}

// AddKey makes the stand-in accept one more access key, or replaces the one of the same ID.
func (s *STS) AddKey(key AccessKey) error { return s.keys.add(key) }

// RemoveKey makes the stand-in refuse a key.
func (s *STS) RemoveKey(id string) { s.keys.remove(id) }

// Stats returns the counters.
func (s *STS) Stats() STSStats {
	return STSStats{Requests: s.nRequests.Load(), Issued: s.nIssued.Load()}
}

// Close stops the stand-in within two seconds. It may be called more than once.
func (s *STS) Close() error {
	s.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), ossCloseDeadline)
		defer cancel()
		s.stop() // ends injected delays
		if err := s.server.Shutdown(ctx); err != nil {
			s.closeErr = s.server.Close()
		}
		<-s.served
		s.lock.release()
	})
	return s.closeErr
}
