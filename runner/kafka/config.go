package kafka

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// Bounds of one client's network use.
const (
	dialTimeout    = 10 * time.Second
	requestTimeout = 30 * time.Second
	// refreshEvery: sarama compares the number of partitions as often as it refreshes
	// metadata, so that new ones are noticed after at most two of these; 60 s are allowed.
	refreshEvery       = 15 * time.Second
	defaultFetchBytes  = 4 << 20
	largestRequest     = 100 << 20
	defaultClientID    = "sluice"
	maxInstanceIDBytes = 249
)

// Config makes the options of a client. It is the one place where they are made:
// topics are never created by a metadata request, every connection goes through
// Dial, and the protocol is that of Version, which must be known (see Probe).
func (c Cluster) Config() (*sarama.Config, error) {
	if c.Version == "" {
		return nil, errors.New("the cluster's Kafka version is not known: probe it first")
	}
	v, err := parseVersion(c.Version)
	if err != nil {
		return nil, err
	}
	return c.options(v)
}

// options is Config for a version that is already read.
func (c Cluster) options(v sarama.KafkaVersion) (*sarama.Config, error) {
	if len(c.Bootstrap) == 0 {
		return nil, errors.New("no bootstrap server is given")
	}
	conf := sarama.NewConfig()
	conf.Version = v
	conf.ClientID = defaultClientID
	if c.ClientID != "" {
		conf.ClientID = c.ClientID
	}
	conf.Metadata.AllowAutoTopicCreation = false
	conf.Metadata.Full = false // a cluster may have thousands of topics that are none of ours
	conf.Metadata.RefreshFrequency = refreshEvery
	conf.Metadata.Timeout = requestTimeout
	conf.Metadata.Retry.Max = 3
	conf.Metadata.Retry.Backoff = 100 * time.Millisecond
	conf.Net.DialTimeout = dialTimeout
	conf.Net.ReadTimeout = requestTimeout
	conf.Net.WriteTimeout = requestTimeout
	conf.Net.Proxy.Enable = true
	conf.Net.Proxy.Dialer = newDialer(c.Dial)
	conf.Admin.Timeout = DefaultAdminTimeout
	if err := c.secure(conf); err != nil {
		return nil, err
	}
	return conf, nil
}

// secure sets TLS and SASL.
func (c Cluster) secure(conf *sarama.Config) error {
	useTLS, useSASL, err := c.protocol()
	if err != nil {
		return err
	}
	if useTLS {
		roots, err := c.roots()
		if err != nil {
			return err
		}
		conf.Net.TLS.Enable = true
		conf.Net.TLS.Config = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	if !useSASL {
		return nil
	}
	if c.Username == "" || c.Password == "" {
		return fmt.Errorf("%s needs a user name and a password: %w", c.Protocol, ErrAuth)
	}
	s := &conf.Net.SASL
	s.Enable, s.User, s.Password = true, c.Username, c.Password
	s.Version = sarama.SASLHandshakeV1
	if !conf.Version.IsAtLeast(sarama.V1_0_0_0) {
		s.Version = sarama.SASLHandshakeV0
	}
	switch c.Mechanism {
	case sarama.SASLTypePlaintext, "":
		s.Mechanism = sarama.SASLTypePlaintext
	case sarama.SASLTypeSCRAMSHA256, sarama.SASLTypeSCRAMSHA512:
		mechanism := c.Mechanism
		s.Mechanism = sarama.SASLMechanism(mechanism)
		s.SCRAMClientGeneratorFunc = func() sarama.SCRAMClient { return newSCRAM(mechanism) }
	default:
		return fmt.Errorf("SASL mechanism %q is not supported: use PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512", c.Mechanism)
	}
	return nil
}

// protocol tells what Protocol asks for.
func (c Cluster) protocol() (useTLS, useSASL bool, err error) {
	switch c.Protocol {
	case "PLAINTEXT", "":
		return false, false, nil
	case "SSL":
		return true, false, nil
	case "SASL_PLAINTEXT":
		return false, true, nil
	case "SASL_SSL":
		return true, true, nil
	}
	return false, false, fmt.Errorf("security protocol %q is not supported: use PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL", c.Protocol)
}

// roots is the pool that broker certificates are checked against; nil is the system's.
func (c Cluster) roots() (*x509.CertPool, error) {
	if c.CAPEM == "" {
		return c.Roots, nil
	}
	var roots *x509.CertPool
	if c.Roots != nil {
		roots = c.Roots.Clone()
	} else if system, err := x509.SystemCertPool(); err == nil {
		roots = system
	} else {
		roots = x509.NewCertPool()
	}
	if !roots.AppendCertsFromPEM([]byte(c.CAPEM)) {
		return nil, errors.New("the CA certificate holds no certificate in PEM form")
	}
	return roots, nil
}

func (c Cluster) logger() *slog.Logger {
	if c.Logger != nil {
		return c.Logger
	}
	return slog.New(slog.NewTextHandler(io.Discard, nil))
}

// dialer dials for one client and remembers its connections, so that a request that
// waits for a silent broker can be ended: sarama holds the broker's lock meanwhile
// and cannot be told to.
type dialer struct {
	dial   func(ctx context.Context, network, address string) (net.Conn, error)
	ctx    context.Context
	cancel context.CancelFunc
	mu     sync.Mutex
	conns  map[*tracked]struct{}
}

func newDialer(dial func(context.Context, string, string) (net.Conn, error)) *dialer {
	if dial == nil {
		dial = (&net.Dialer{}).DialContext
	}
	d := &dialer{dial: dial, conns: make(map[*tracked]struct{})}
	d.ctx, d.cancel = context.WithCancel(context.Background())
	return d
}

// Dial implements proxy.Dialer.
func (d *dialer) Dial(network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(d.ctx, dialTimeout)
	defer cancel()
	c, err := d.dial(ctx, network, address)
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", address, err)
	}
	t := &tracked{Conn: c, owner: d}
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.ctx.Err() != nil {
		c.Close()
		return nil, net.ErrClosed
	}
	d.conns[t] = struct{}{}
	return t, nil
}

// breakAll ends every open connection; the client may open new ones.
func (d *dialer) breakAll() {
	d.mu.Lock()
	conns := d.conns
	d.conns = make(map[*tracked]struct{})
	d.mu.Unlock()
	for c := range conns {
		c.Conn.Close()
	}
}

// shut ends every connection and refuses new ones.
func (d *dialer) shut() {
	d.cancel()
	d.breakAll()
}

type tracked struct {
	net.Conn
	owner *dialer
}

func (t *tracked) Close() error {
	t.owner.mu.Lock()
	delete(t.owner.conns, t)
	t.owner.mu.Unlock()
	return t.Conn.Close()
}
