package egress

import (
	"context"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"time"
)

var errPending = errors.New("not built yet")

func hostOf(addr string) string { return addr }

// Egress enforces a Policy. It is safe for concurrent use.
type Egress struct{}

// DialFunc is the shape of net.Dialer.DialContext.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

func New(p Policy) (*Egress, error) { return nil, errPending }

// SetLists replaces the administrator's lists for every dial from now on (Policy's
// own lists stay): for lists that are changed while the program runs.
func (e *Egress) SetLists(allow, deny []string) error { return errPending }

// Dialer gives the dial function of a connector or instance.
func (e *Egress) Dialer(internetAccess bool) DialFunc { return nil }

// MetadataDialer reaches the ECS metadata service and nothing else, when the policy lets it.
func (e *Egress) MetadataDialer() DialFunc { return nil }

// CheckAddress judges an address written as an IP; names pass (the dial judges them).
func (e *Egress) CheckAddress(hostport string, internetAccess bool) error { return errPending }

// Resolve judges a name or IP as a dial would, without connecting: for live checks.
func (e *Egress) Resolve(ctx context.Context, hostport string, internetAccess bool) error {
	return errPending
}

// HTTPClient never follows redirects and uses no proxy of the environment.
func HTTPClient(dial DialFunc, roots *x509.CertPool, timeout time.Duration) *http.Client { return nil }
