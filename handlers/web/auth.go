// Package web holds what every surface for programs shares: who asks, reading bodies
// with a bound, JSON in and out.
package web

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/http"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/control"
)

// ErrUnauthorized: no credentials, or wrong ones.
var ErrUnauthorized = errors.New("user or password is wrong")

// ThrottledError: too many wrong attempts from this address or for this user.
type ThrottledError struct{ After time.Duration }

func (e *ThrottledError) Error() string {
	return fmt.Sprintf("Too many wrong attempts; try again in %d s.", RetrySeconds(e.After))
}

// Authenticate verifies a name and a password: ErrUnauthorized, *ThrottledError.
// address is the client's, without port.
type Authenticate func(ctx context.Context, name, password, address string) (control.Actor, error)

// Challenge is what a 401 carries as WWW-Authenticate.
const Challenge = `Basic realm="Sluice", charset="UTF-8"`

// Actor finds out who asks by the request's Basic credentials.
func (a Authenticate) Actor(r *http.Request) (control.Actor, error) {
	name, password, ok := r.BasicAuth()
	if !ok || name == "" {
		return control.Actor{}, ErrUnauthorized
	}
	actor, err := a(r.Context(), name, password, ClientAddress(r))
	if err != nil {
		return control.Actor{}, err
	}
	actor.Address = ClientAddress(r)
	return actor, nil
}

// ClientAddress is the address of the peer, without its port. No header is trusted.
func ClientAddress(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// RetrySeconds is a waiting time as Retry-After takes it: whole seconds, at least 1.
func RetrySeconds(d time.Duration) int {
	return max(1, int(math.Ceil(d.Seconds())))
}

// SetRetryAfter tells when to try again.
func SetRetryAfter(h http.Header, d time.Duration) {
	h.Set("Retry-After", strconv.Itoa(RetrySeconds(d)))
}
