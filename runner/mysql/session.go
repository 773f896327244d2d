package mysql

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-mysql-org/go-mysql/client"
	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/connector"
)

// connectTimeout bounds dialling and signing in.
const connectTimeout = 10 * time.Second

// session is a connection for statements. It ends with the context it was opened with.
type session struct {
	*client.Conn
	raw     net.Conn
	secured bool // by TLS
	stop    func() bool
}

// openSession connects and signs in. Its errors are classified.
func openSession(ctx context.Context, s *Settings, deps connector.Deps) (*session, error) {
	config, err := s.tlsConfig(deps.Roots)
	if err != nil {
		return nil, err
	}
	x, err := dialSession(ctx, s, deps, config)
	if err != nil && config != nil && s.TLS == TLSPreferred && noTLS(err) {
		x, err = dialSession(ctx, s, deps, nil)
	}
	if err != nil {
		return nil, s.classify("connecting to "+s.Address(), err)
	}
	s.signedIn.note(x)
	return x, nil
}

func dialSession(ctx context.Context, s *Settings, deps connector.Deps, config *tls.Config) (*session, error) {
	limited, cancel := context.WithTimeout(ctx, connectTimeout)
	defer cancel()
	var raw net.Conn
	hello := &greeting{}
	var stopSignIn func() bool
	dial := func(context.Context, string, string) (net.Conn, error) {
		var err error
		if raw, err = deps.Dial(limited, "tcp", s.Address()); err != nil {
			return nil, err
		}
		keepAlive(raw)
		stopSignIn = context.AfterFunc(limited, func() { _ = raw.Close() })
		return &greeted{Conn: raw, greeting: hello}, nil
	}
	conn, err := client.ConnectWithDialer(limited, "tcp", s.Address(), s.User, s.Password, "", dial, func(c *client.Conn) error {
		if config != nil {
			c.SetTLSConfig(config)
		}
		c.ReadTimeout, c.WriteTimeout = answerTimeout, writeTimeout
		return nil
	})
	if config != nil {
		err = hello.judge(err)
	}
	if stopSignIn != nil && !stopSignIn() && err == nil {
		_ = conn.Close()
		err = limited.Err()
	}
	if err != nil {
		if limited.Err() != nil && ctx.Err() == nil {
			err = fmt.Errorf("no answer within %s: %w", connectTimeout, err)
		}
		return nil, err
	}
	x := &session{Conn: conn, raw: raw, secured: config != nil}
	x.stop = context.AfterFunc(ctx, func() { _ = raw.Close() })
	return x, nil
}

// Close ends the connection.
func (x *session) Close() error {
	if x == nil {
		return nil
	}
	x.stop()
	return x.Conn.Close()
}

// cut ends the connection under whoever is using it.
func (x *session) cut() { _ = x.raw.Close() }

// rows executes a statement and returns its rows as texts; NULL is "".
func (x *session) rows(statement string) ([][]string, error) {
	r, err := x.Execute(statement)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !r.HasResultset() {
		return nil, nil
	}
	out := make([][]string, r.RowNumber())
	for i := range out {
		out[i] = make([]string, r.ColumnNumber())
		for j := range out[i] {
			if out[i][j], err = textAt(r, i, j); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// textAt is one value of a result. The library's strings are views of memory that it
// uses again once the result is closed, so it is copied.
func textAt(r *gomysql.Result, row, column int) (string, error) {
	s, err := r.GetString(row, column)
	return strings.Clone(s), err
}

// named are the rows of a statement by their columns' names in lower case.
func (x *session) named(statement string) ([]map[string]string, error) {
	r, err := x.Execute(statement)
	if err != nil {
		return nil, err
	}
	defer r.Close()
	if !r.HasResultset() {
		return nil, nil
	}
	out := make([]map[string]string, r.RowNumber())
	for i := range out {
		out[i] = map[string]string{}
		for j, f := range r.Fields {
			if out[i][strings.ToLower(string(f.Name))], err = textAt(r, i, j); err != nil {
				return nil, err
			}
		}
	}
	return out, nil
}

// tlsConfig is nil when connections are not to be secured. roots are trusted where no
// authority was given; nil means the system's.
func (s *Settings) tlsConfig(roots *x509.CertPool) (*tls.Config, error) {
	if s.TLS == TLSDisabled || s.TLS == "" {
		return nil, nil
	}
	c := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: s.Host, RootCAs: roots}
	if s.CA != "" {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM([]byte(s.CA)) {
			return nil, &connector.WrongError{Field: keyCA, Err: errors.New("the CA certificate is no PEM"), Remedy: "Give the PEM of the authority in " + keyCA + "."}
		}
	}
	switch s.TLS {
	case TLSVerifyIdentity:
	case TLSVerifyCA:
		c.InsecureSkipVerify = true // the chain is verified below, the name is not
		c.VerifyConnection = verifyChain(c.RootCAs)
	default:
		c.InsecureSkipVerify = true // what preferred and required mean
	}
	return c, nil
}

// verifyChain checks that the server's certificate is signed by an authority, whatever
// name it is issued for.
func verifyChain(roots *x509.CertPool) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		o := x509.VerifyOptions{Roots: roots, Intermediates: x509.NewCertPool()}
		for _, c := range state.PeerCertificates[1:] {
			o.Intermediates.AddCert(c)
		}
		_, err := state.PeerCertificates[0].Verify(o)
		return err
	}
}

// noTLS tells that the server does not offer TLS.
func noTLS(err error) bool { return errors.Is(err, errNoTLS) }

// serverCode is the server's own number of an error; 0 when it is not the server's.
func serverCode(err error) uint16 {
	var e *gomysql.MyError
	if errors.As(err, &e) {
		return e.Code
	}
	return 0
}
