package egress

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"time"

	"golang.org/x/net/proxy"
)

// maxProxyHeader bounds what a proxy may answer to CONNECT.
const maxProxyHeader = 64 << 10

// proxyAddress is host:port of a proxy, with the scheme's port where none is given.
func proxyAddress(u *url.URL) string {
	port := u.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443", "socks5": "1080"}[u.Scheme]
	}
	return net.JoinHostPort(u.Hostname(), port)
}

// throughProxy asks the proxy for a connection to an IP that the rules allow. The
// proxy's own address is judged too, as what a connector with Internet access may reach.
func (e *Egress) throughProxy(ctx context.Context, ipPort string) (net.Conn, error) {
	u := e.policy.Proxy
	if u.Scheme == "socks5" {
		return e.socks(ctx, u, ipPort)
	}
	c, err := e.dialProxy(ctx, u)
	if err != nil {
		return nil, err
	}
	stop := abortOn(ctx, c)
	tunnel, err := connectTunnel(c, u, ipPort)
	if stopped := stop(); !stopped && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		c.Close()
		return nil, fmt.Errorf("asking the egress proxy %s for %s: %w", u.Redacted(), ipPort, err)
	}
	return tunnel, nil
}

// abortOn ends reads and writes of c when ctx ends; the result takes that back and
// tells whether it came in time.
func abortOn(ctx context.Context, c net.Conn) (stop func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetDeadline(time.Unix(1, 0)) })
}

// dialProxy connects to the proxy itself, judging what its name resolves to.
func (e *Egress) dialProxy(ctx context.Context, u *url.URL) (net.Conn, error) {
	t, refused := parse(proxyAddress(u), true)
	if refused != nil {
		return nil, refused
	}
	hops, err := e.hops(ctx, t, "ip", true)
	if err != nil {
		return nil, fmt.Errorf("reaching the egress proxy: %w", err)
	}
	c, err := each(ctx, hops, func(ctx context.Context, h hop) (net.Conn, error) {
		return e.connect(ctx, t.address, netip.AddrPortFrom(h.ip, portOf(t)), true)
	})
	if err != nil {
		return nil, fmt.Errorf("reaching the egress proxy: %w", err)
	}
	if u.Scheme != "https" {
		return c, nil
	}
	secure := tls.Client(c, &tls.Config{ServerName: t.host, MinVersion: tls.VersionTLS12})
	if err := secure.HandshakeContext(ctx); err != nil {
		c.Close()
		return nil, fmt.Errorf("reaching the egress proxy by TLS: %w", err)
	}
	return secure, nil
}

// connectTunnel speaks HTTP CONNECT (RFC 9110, 9.3.6).
func connectTunnel(c net.Conn, u *url.URL, ipPort string) (net.Conn, error) {
	var req strings.Builder
	fmt.Fprintf(&req, "CONNECT %s HTTP/1.1\r\nHost: %s\r\n", ipPort, ipPort)
	if u.User != nil {
		password, _ := u.User.Password()
		fmt.Fprintf(&req, "Proxy-Authorization: Basic %s\r\n", base64.StdEncoding.EncodeToString([]byte(u.User.Username()+":"+password)))
	}
	req.WriteString("\r\n")
	if _, err := io.WriteString(c, req.String()); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: c, N: maxProxyHeader}
	br := bufio.NewReaderSize(limited, 4096)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodConnect})
	if err != nil {
		return nil, fmt.Errorf("reading its answer: %w", err)
	}
	switch resp.StatusCode {
	case http.StatusOK:
	case http.StatusProxyAuthRequired:
		return nil, errors.New("it wants credentials: put user:password@ into SLUICE_EGRESS_PROXY")
	default:
		return nil, fmt.Errorf("it answered %q: let the proxy's rules allow CONNECT to this address", clip(resp.Status))
	}
	early, _ := br.Peek(br.Buffered())
	if len(early) == 0 {
		return c, nil
	}
	return &earlyConn{Conn: c, r: io.MultiReader(strings.NewReader(string(early)), c)}, nil
}

// earlyConn gives first what the far side said together with the proxy's answer.
type earlyConn struct {
	net.Conn
	r io.Reader
}

func (c *earlyConn) Read(p []byte) (int, error) { return c.r.Read(p) }

// socks speaks SOCKS5 (RFC 1928, RFC 1929); the address goes as an IP.
func (e *Egress) socks(ctx context.Context, u *url.URL, ipPort string) (net.Conn, error) {
	var auth *proxy.Auth
	if u.User != nil {
		password, _ := u.User.Password()
		auth = &proxy.Auth{User: u.User.Username(), Password: password}
	}
	d, err := proxy.SOCKS5("tcp", proxyAddress(u), auth, forward{e, u})
	if err != nil {
		return nil, fmt.Errorf("preparing the egress proxy: %w", err)
	}
	c, err := d.(proxy.ContextDialer).DialContext(ctx, "tcp", ipPort)
	if err != nil {
		return nil, fmt.Errorf("asking the egress proxy %s for %s: %w", u.Redacted(), ipPort, err)
	}
	return c, nil
}

// forward is how the SOCKS client reaches its proxy.
type forward struct {
	e *Egress
	u *url.URL
}

func (f forward) Dial(network, addr string) (net.Conn, error) {
	return f.DialContext(context.Background(), network, addr)
}

func (f forward) DialContext(ctx context.Context, _, _ string) (net.Conn, error) {
	return f.e.dialProxy(ctx, f.u)
}
