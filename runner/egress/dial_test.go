package egress

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// names is a resolver of a table; every lookup of a name takes its next answer.
type names map[string][][]string

func (n names) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	answers, ok := n[host]
	if !ok {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(answers) > 1 {
		n[host] = answers[1:]
	}
	var out []netip.Addr
	for _, s := range answers[0] {
		out = append(out, netip.MustParseAddr(s))
	}
	return out, nil
}

// greeter accepts connections, says hello and counts.
func greeter(t *testing.T) (addr string, accepted *atomic.Int64) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	accepted = new(atomic.Int64)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			accepted.Add(1)
			_, _ = io.WriteString(c, "hello")
			c.Close()
		}
	}()
	return l.Addr().String(), accepted
}

func portOnly(t *testing.T, addr string) string {
	t.Helper()
	_, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	return port
}

func readAll(t *testing.T, c net.Conn) string {
	t.Helper()
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(10 * time.Second))
	b, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestDialAllowedOnly(t *testing.T) {
	t.Parallel()
	addr, accepted := greeter(t)
	port := portOnly(t, addr)
	e := mustNew(t, "127.0.0.1", "")
	e.resolver = names{
		"good":  {{"127.0.0.1"}},
		"mixed": {{"169.254.169.254", "127.0.0.1"}},
		"bad":   {{"169.254.169.254", "127.0.0.2"}},
		"empty": {{}},
	}
	dial := e.Dialer(false)
	for _, host := range []string{"good", "mixed", "127.0.0.1", "::ffff:127.0.0.1"} {
		c, err := dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		if err != nil {
			t.Fatalf("%s: %v", host, err)
		}
		if got := readAll(t, c); got != "hello" {
			t.Errorf("%s: %q", host, got)
		}
	}
	before := accepted.Load()
	for _, host := range []string{"bad", "127.0.0.2", "::1", "0x7f.1", "2130706433", "127.1"} {
		_, err := dial(t.Context(), "tcp", net.JoinHostPort(host, port))
		var refused *Refused
		if !errors.As(err, &refused) {
			t.Errorf("%s: %v is no refusal", host, err)
		}
	}
	for _, c := range []struct{ network, addr string }{{"udp", addr}, {"unix", "/run/docker.sock"}, {"tcp", "127.0.0.1"}, {"tcp", "empty:" + port}, {"tcp", "absent:" + port}} {
		if _, err := dial(t.Context(), c.network, c.addr); err == nil {
			t.Errorf("%s %s was dialled", c.network, c.addr)
		}
	}
	if accepted.Load() != before {
		t.Error("a refused address was connected to")
	}
}

// The socket itself is judged, whatever the lookup before it said.
func TestSocketIsJudged(t *testing.T) {
	t.Parallel()
	addr, accepted := greeter(t)
	e := mustNew(t, "", "")
	_, err := e.connect(t.Context(), "rebound.example:80", netip.MustParseAddrPort(addr), true)
	var refused *Refused
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), "loopback") {
		t.Fatalf("got %v", err)
	}
	if !strings.Contains(err.Error(), "rebound.example:80 (127.0.0.1)") {
		t.Errorf("%v does not name the name and what it resolved to", err)
	}
	if accepted.Load() != 0 {
		t.Error("it was connected to")
	}
}

func TestResolve(t *testing.T) {
	t.Parallel()
	e := mustNew(t, "", "")
	e.resolver = names{"in": {{"10.0.0.1", "8.8.8.8"}}, "out": {{"8.8.8.8"}}}
	if got, err := e.Resolve(t.Context(), "in:80", false); err != nil || len(got) != 1 || got[0].String() != "10.0.0.1" {
		t.Errorf("got %v, %v", got, err)
	}
	if _, err := e.Resolve(t.Context(), "out:80", false); err == nil || !strings.Contains(err.Error(), "Enable Internet access") {
		t.Errorf("got %v", err)
	}
	if _, err := e.Resolve(t.Context(), "out:80", true); err != nil {
		t.Error(err)
	}
}

func TestMetadataDialer(t *testing.T) {
	t.Parallel()
	closed := mustNew(t, "", "").MetadataDialer()
	open := mustNew(t, "", "", func(p *Policy) { p.Metadata = true }).MetadataDialer()
	denied := mustNew(t, "", "100.100.100.200", func(p *Policy) { p.Metadata = true }).MetadataDialer()
	for name, c := range map[string]struct {
		dial DialFunc
		addr string
	}{
		"not allowed": {closed, metadataService}, "another address": {open, "169.254.169.254:80"}, "another port": {open, "100.100.100.200:81"},
		"public": {open, "8.8.8.8:80"}, "denied": {denied, metadataService},
	} {
		var refused *Refused
		if _, err := c.dial(t.Context(), "tcp", c.addr); !errors.As(err, &refused) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Allowed: what comes back is the network's answer, or its silence.
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var refused *Refused
	if c, err := open(ctx, "tcp", metadataService); errors.As(err, &refused) {
		t.Errorf("refused: %v", err)
	} else if err == nil {
		c.Close()
	}
}

func TestHTTPClientFollowsNothing(t *testing.T) {
	t.Parallel()
	hits := new(atomic.Int64)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		hits.Add(1)
		http.Redirect(w, r, "http://169.254.169.254/latest", http.StatusTemporaryRedirect)
	}))
	t.Cleanup(srv.Close)
	client := HTTPClient(mustNew(t, "127.0.0.1", "").Dialer(false), nil, 10*time.Second)
	defer client.CloseIdleConnections()
	resp, err := client.Get(srv.URL)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusTemporaryRedirect || hits.Load() != 1 {
		t.Errorf("status %d after %d requests", resp.StatusCode, hits.Load())
	}
	if _, err := HTTPClient(mustNew(t, "", "").Dialer(true), nil, time.Second).Get(srv.URL); err == nil {
		t.Error("loopback was reached")
	}
}

func TestNewRefusesProxies(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"ftp://10.0.0.1", "socks4://10.0.0.1:1080", "http://", "http://0x7f.1:80", "http://10.0.0.1:99999"} {
		u, err := url.Parse(s)
		if err != nil {
			continue
		}
		if _, err := New(Policy{Proxy: u}); err == nil {
			t.Errorf("%s was taken", s)
		}
	}
}

// connectProxy answers CONNECT by piping to backend, whatever was asked for.
func connectProxy(t *testing.T, backend, answer string) (addr string, asked chan *http.Request) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = make(chan *http.Request, 16)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				req, err := http.ReadRequest(bufio.NewReader(c))
				if err != nil {
					return
				}
				asked <- req
				b, err := net.Dial("tcp", backend)
				if err != nil {
					return
				}
				defer b.Close()
				early := make([]byte, 2)
				if _, err := io.ReadFull(b, early); err != nil {
					return
				}
				_, _ = io.WriteString(c, answer+string(early)) // the far side's first bytes in the same packet
				_, _ = io.Copy(c, b)
			}()
		}
	}()
	return l.Addr().String(), asked
}

func TestConnectProxy(t *testing.T) {
	t.Parallel()
	backend, _ := greeter(t)
	addr, asked := connectProxy(t, backend, "HTTP/1.1 200 Connection established\r\n\r\n")
	withProxy := func(p *Policy) {
		p.Proxy = &url.URL{Scheme: "http", Host: addr, User: url.UserPassword("bob", "geheim")}
	}
	e := mustNew(t, "127.0.0.1", "8.8.4.4", withProxy)
	e.resolver = names{"public.example": {{"8.8.8.8"}}, "denied.example": {{"8.8.4.4"}}}
	c, err := e.Dialer(true)(t.Context(), "tcp", "public.example:443")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); got != "hello" {
		t.Errorf("through the proxy came %q", got)
	}
	req := <-asked
	if req.Host != "8.8.8.8:443" {
		t.Errorf("the proxy was asked for %s, not for the IP", req.Host)
	}
	if req.Header.Get("Proxy-Authorization") != "Basic Ym9iOmdlaGVpbQ==" {
		t.Error("credentials did not arrive")
	}
	for _, address := range []string{"denied.example:443", "169.254.169.254:80", "127.0.0.2:80"} {
		var refused *Refused
		if _, err := e.Dialer(true)(t.Context(), "tcp", address); !errors.As(err, &refused) {
			t.Errorf("%s: %v", address, err)
		}
	}
	var refused *Refused
	if _, err := e.Dialer(false)(t.Context(), "tcp", "public.example:443"); !errors.As(err, &refused) {
		t.Errorf("without internet access: %v", err)
	}
	// The proxy itself is under the rules.
	if _, err := mustNew(t, "", "", withProxy).Dialer(true)(t.Context(), "tcp", "8.8.8.8:443"); !errors.As(err, &refused) || !strings.Contains(err.Error(), "proxy") {
		t.Errorf("a loopback proxy that nobody allowed: %v", err)
	}
	if len(asked) != 0 {
		t.Errorf("%d refused addresses reached the proxy", len(asked))
	}
}

func TestConnectProxyRefuses(t *testing.T) {
	t.Parallel()
	backend, _ := greeter(t)
	for answer, want := range map[string]string{
		"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n":           "credentials",
		"HTTP/1.1 403 Forbidden\r\n\r\n":                               "403 Forbidden",
		"nonsense\r\n\r\n":                                             "answer",
		"HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", maxProxyHeader): "answer",
	} {
		addr, _ := connectProxy(t, backend, answer)
		e := mustNew(t, "127.0.0.1", "", func(p *Policy) {
			p.Proxy = &url.URL{Scheme: "http", Host: addr, User: url.UserPassword("bob", "geheim")}
		})
		_, err := e.Dialer(true)(t.Context(), "tcp", "8.8.8.8:443")
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%.30q: %v", answer, err)
		}
	}
}

func TestSilentProxyEndsWithContext(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	for _, scheme := range []string{"http", "https", "socks5"} {
		e := mustNew(t, "127.0.0.1", "", func(p *Policy) { p.Proxy = &url.URL{Scheme: scheme, Host: l.Addr().String()} })
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		start := time.Now()
		if _, err := e.Dialer(true)(ctx, "tcp", "8.8.8.8:443"); err == nil || time.Since(start) > 5*time.Second {
			t.Errorf("%s: %v after %v", scheme, err, time.Since(start))
		}
		cancel()
	}
}

// socksProxy answers one RFC 1928 request without authentication.
func socksProxy(t *testing.T, backend string) (addr string, asked chan string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	asked = make(chan string, 1)
	go func() {
		c, err := l.Accept()
		if err != nil {
			return
		}
		defer c.Close()
		hello := make([]byte, 3) // version, one method, none
		if _, err := io.ReadFull(c, hello); err != nil {
			return
		}
		_, _ = c.Write([]byte{5, 0})
		req := make([]byte, 10) // version, CONNECT, reserved, IPv4, address, port
		if _, err := io.ReadFull(c, req); err != nil {
			return
		}
		asked <- netip.AddrFrom4([4]byte(req[4:8])).String()
		_, _ = c.Write([]byte{5, 0, 0, 1, 0, 0, 0, 0, 0, 0})
		b, err := net.Dial("tcp", backend)
		if err != nil {
			return
		}
		defer b.Close()
		_, _ = io.Copy(c, b)
	}()
	return l.Addr().String(), asked
}

func TestSOCKSProxy(t *testing.T) {
	t.Parallel()
	backend, _ := greeter(t)
	addr, asked := socksProxy(t, backend)
	e := mustNew(t, "127.0.0.1", "", func(p *Policy) { p.Proxy = &url.URL{Scheme: "socks5", Host: addr} })
	e.resolver = names{"public.example": {{"8.8.8.8"}}}
	c, err := e.Dialer(true)(t.Context(), "tcp", "public.example:443")
	if err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, c); got != "hello" {
		t.Errorf("got %q", got)
	}
	if ip := <-asked; ip != "8.8.8.8" {
		t.Errorf("the proxy was asked for %s", ip)
	}
}
