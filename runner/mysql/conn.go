package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/connector"
)

const (
	// dialTimeout bounds opening a connection, the handshake included.
	dialTimeout = 10 * time.Second
	// answerTimeout is how long a statement may go without a byte of an answer.
	answerTimeout = 2 * time.Minute
	// writeTimeout bounds the sending of a statement.
	writeTimeout = 30 * time.Second
	// clientSSL is the capability bit of a server that offers TLS.
	clientSSL = 1 << 11
)

// session is what every plain connection of ours sets first: instants in UTC, names and
// comparisons in full UTF-8, no waiting for locks that somebody keeps, and no mode of the
// account's own that would change how a statement is read.
var session = []string{
	"SET NAMES utf8mb4",
	"SET SESSION time_zone = '+00:00', sql_mode = '', autocommit = 1, lock_wait_timeout = 1, net_write_timeout = 600, wait_timeout = 28800",
}

// connect opens a plain session: through deps.Dial, secured as the settings say. Errors
// are classified: what the account or the settings are to blame for is a *WrongError that
// names the field, everything else a *AwayError.
func connect(ctx context.Context, s *Settings, deps connector.Deps) (*client.Conn, error) {
	conn, err := open(ctx, s, deps, nil)
	if err != nil {
		return nil, classify(s, err)
	}
	for _, statement := range session {
		if _, err := conn.Execute(statement); err != nil {
			_ = conn.Close()
			return nil, classify(s, fmt.Errorf("preparing the session: %w", err))
		}
	}
	return conn, nil
}

// open dials and shakes hands. With TLS preferred a server that offers none is spoken to
// in the clear, as MySQL's own clients do.
func open(ctx context.Context, s *Settings, deps connector.Deps, more func(*client.Conn)) (*client.Conn, error) {
	config, err := tlsConfig(s, deps)
	if err != nil {
		return nil, err
	}
	conn, offered, err := shake(ctx, s, deps, config, more)
	if err != nil && config != nil && offered == tlsNotOffered {
		if s.TLS != TLSPreferred {
			return nil, &connector.WrongError{Field: keyTLS, Remedy: "Turn TLS on at the server, or set " + keyTLS + " to preferred or disabled.",
				Err: errors.New("the server offers no TLS")}
		}
		conn, _, err = shake(ctx, s, deps, nil, more)
	}
	return conn, err
}

type tlsOffer int

const (
	tlsUnknown tlsOffer = iota
	tlsOffered
	tlsNotOffered
)

func shake(ctx context.Context, s *Settings, deps connector.Deps, config *tls.Config, more func(*client.Conn)) (*client.Conn, tlsOffer, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	greeting := &greeting{}
	stop := func() bool { return true }
	dial := func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialTo(ctx, deps, network, address)
		if err != nil {
			return nil, err
		}
		stop = context.AfterFunc(ctx, func() { _ = c.Close() }) // the handshake knows no context
		return &greeted{Conn: c, greeting: greeting}, nil
	}
	conn, err := client.ConnectWithDialer(ctx, "tcp", s.Address(), s.User, s.Password, "", dial, func(c *client.Conn) error {
		c.SetTLSConfig(config)
		c.ReadTimeout, c.WriteTimeout = answerTimeout, writeTimeout
		c.SetAttributes(map[string]string{"program_name": "sluice", "connector": s.Name})
		if more != nil {
			more(c)
		}
		return nil
	})
	if err != nil {
		stop()
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return nil, greeting.offer(), fmt.Errorf("connecting to %s: %w", s.Address(), err)
	}
	if !stop() {
		_ = conn.Close()
		return nil, greeting.offer(), fmt.Errorf("connecting to %s: %w", s.Address(), context.Cause(ctx))
	}
	return conn, greeting.offer(), nil
}

// dialTo dials by the network rules and keeps the connection alive.
func dialTo(ctx context.Context, deps connector.Deps, network, address string) (net.Conn, error) {
	c, err := deps.Dial(ctx, network, address)
	if err != nil {
		return nil, err
	}
	if tcp, ok := c.(*net.TCPConn); ok {
		_ = tcp.SetKeepAliveConfig(net.KeepAliveConfig{Enable: true, Idle: 15 * time.Second, Interval: 5 * time.Second, Count: 4})
	}
	return c, nil
}

// tlsConfig is nil when the connection is not to be encrypted.
func tlsConfig(s *Settings, deps connector.Deps) (*tls.Config, error) {
	if s.TLS == TLSDisabled || s.TLS == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.Host, RootCAs: deps.Roots}
	if s.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, &connector.WrongError{Field: keyCA, Remedy: "Give the authority's certificate as PEM.", Err: errors.New("the CA certificate holds no certificate")}
		}
	}
	switch s.TLS {
	case TLSVerifyIdentity:
	case TLSVerifyCA: // the chain, whatever name the certificate bears
		roots := c.RootCAs
		c.InsecureSkipVerify = true
		c.VerifyConnection = func(state tls.ConnectionState) error { return verifyChain(state, roots) }
	default:
		c.InsecureSkipVerify = true
	}
	return c, nil
}

func verifyChain(state tls.ConnectionState, roots *x509.CertPool) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server sent no certificate")
	}
	o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
	for _, c := range state.PeerCertificates[1:] {
		o.Intermediates.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(o)
	if err != nil {
		return &tls.CertificateVerificationError{UnverifiedCertificates: state.PeerCertificates, Err: err}
	}
	return nil
}

// greeting keeps the first bytes that the server sends: the library says only in words
// that a server offers no TLS.
type greeting struct {
	mu   sync.Mutex
	head []byte
}

type greeted struct {
	net.Conn
	*greeting
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

// offer reads the capabilities out of Protocol::HandshakeV10: packet header, protocol 10,
// version, NUL, thread id, 8 bytes of salt, NUL, lower two bytes of capabilities.
func (g *greeting) offer() tlsOffer {
	g.mu.Lock()
	defer g.mu.Unlock()
	b := g.head
	if len(b) < 6 || b[4] != 10 {
		return tlsUnknown
	}
	for i := 5; i < len(b); i++ {
		if b[i] != 0 {
			continue
		}
		at := i + 1 + 4 + 8 + 1
		if at+2 > len(b) {
			return tlsUnknown
		}
		if binary.LittleEndian.Uint16(b[at:])&clientSSL != 0 {
			return tlsOffered
		}
		return tlsNotOffered
	}
	return tlsUnknown
}
