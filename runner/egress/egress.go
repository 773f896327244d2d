package egress

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"sync/atomic"
	"syscall"
	"time"
)

const (
	dialTimeout = 30 * time.Second // of all attempts together, when ctx has no earlier end
	keepAlive   = 15 * time.Second
	leastShare  = 2 * time.Second // of one IP among several
)

// DialFunc is the shape of net.Dialer.DialContext.
type DialFunc = func(ctx context.Context, network, addr string) (net.Conn, error)

// resolver is what Egress needs of net.Resolver.
type resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// Egress enforces a Policy. It is safe for concurrent use.
type Egress struct {
	policy   Policy
	lists    atomic.Pointer[lists]
	resolver resolver
}

// New checks the policy: the proxy's scheme and host.
func New(p Policy) (*Egress, error) {
	if p.Proxy != nil {
		if err := checkProxy(p.Proxy); err != nil {
			return nil, err
		}
	}
	e := &Egress{policy: p, resolver: net.DefaultResolver}
	return e, e.SetLists(nil, nil)
}

// SetLists replaces the administrator's own lists for every dial from now on; those of
// the Policy stay. An error names the item that is no address range, and changes nothing.
func (e *Egress) SetLists(allow, deny []string) error {
	l := &lists{}
	for _, part := range []struct {
		name  string
		fixed []netip.Prefix
		items []string
		into  *[]netip.Prefix
	}{{"allow", e.policy.Allow, allow, &l.allow}, {"deny", e.policy.Deny, deny, &l.deny}} {
		more, err := ParseList(part.items)
		if err != nil {
			return fmt.Errorf("reading the %s list: %w", part.name, err)
		}
		for _, p := range part.fixed {
			*part.into = append(*part.into, normal(p))
		}
		*part.into = append(*part.into, more...)
	}
	e.lists.Store(l)
	return nil
}

// CheckAddress judges an address written as an IP, without asking anybody: host:port,
// or a host alone. Names pass: the dial judges what they resolve to. The error is a
// *Refused.
func (e *Egress) CheckAddress(hostport string, internetAccess bool) error {
	t, refused := parse(hostport, false)
	if refused != nil {
		return refused
	}
	if t.ip.IsValid() {
		if _, refused := e.lists.Load().judge(hostport, t.ip, internetAccess); refused != nil {
			return refused
		}
	}
	return nil
}

// Resolve judges a name or an IP as a dial would, without connecting, and gives the
// addresses that a dial would use.
func (e *Egress) Resolve(ctx context.Context, hostport string, internetAccess bool) ([]netip.Addr, error) {
	t, refused := parse(hostport, false)
	if refused != nil {
		return nil, refused
	}
	hops, err := e.hops(ctx, t, "ip", internetAccess)
	if err != nil {
		return nil, err
	}
	out := make([]netip.Addr, len(hops))
	for i, h := range hops {
		out[i] = h.ip
	}
	return out, nil
}

// Dialer gives the dial function of a connector or an instance. Only TCP is dialled.
// Errors are *Refused, or what resolving, connecting and the proxy answered.
func (e *Egress) Dialer(internetAccess bool) DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		family, ok := map[string]string{"tcp": "ip", "tcp4": "ip4", "tcp6": "ip6"}[network]
		if !ok {
			return nil, &Refused{Address: clip(addr), Rule: fmt.Sprintf("network %q is not TCP", clip(network)), Remedy: remedyNone}
		}
		t, refused := parse(addr, true)
		if refused != nil {
			return nil, refused
		}
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		hops, err := e.hops(ctx, t, family, internetAccess)
		if err != nil {
			return nil, err
		}
		return each(ctx, hops, func(ctx context.Context, h hop) (net.Conn, error) {
			if h.route == proxied && e.policy.Proxy != nil {
				return e.throughProxy(ctx, net.JoinHostPort(h.ip.String(), t.port))
			}
			return e.connect(ctx, t.address, netip.AddrPortFrom(h.ip, portOf(t)), internetAccess)
		})
	}
}

// hop is one address that may be dialled.
type hop struct {
	ip    netip.Addr
	route route
}

// hops resolves a target and keeps what the rules allow. When nothing is left, the
// error is the refusal of the first address.
func (e *Egress) hops(ctx context.Context, t target, family string, internet bool) ([]hop, error) {
	ips := []netip.Addr{t.ip}
	if !t.ip.IsValid() {
		var err error
		if ips, err = e.resolver.LookupNetIP(ctx, family, t.host); err != nil {
			return nil, fmt.Errorf("resolving %s: %w", t.host, err)
		}
	}
	var first *Refused
	var out []hop
	l := e.lists.Load()
	for _, ip := range ips {
		r, refused := l.judge(t.address, ip, internet)
		if refused == nil {
			out = append(out, hop{ip.Unmap(), r})
		} else if first == nil {
			first = refused
		}
	}
	if len(out) > 0 {
		return out, nil
	}
	if first != nil {
		return nil, first
	}
	return nil, fmt.Errorf("resolving %s: no address", t.host)
}

// connect opens a socket. The address is judged once more when the socket exists and
// before it connects, so that nothing between check and connect can change it.
func (e *Egress) connect(ctx context.Context, address string, to netip.AddrPort, internet bool) (net.Conn, error) {
	d := net.Dialer{KeepAlive: keepAlive, ControlContext: func(_ context.Context, _, actual string, _ syscall.RawConn) error {
		return e.judgeSocket(address, actual, internet)
	}}
	c, err := d.DialContext(ctx, "tcp", to.String())
	var refused *Refused
	if errors.As(err, &refused) {
		return nil, refused
	}
	if err != nil {
		return nil, fmt.Errorf("dialling %s: %w", address, err)
	}
	return c, nil
}

func (e *Egress) judgeSocket(address, actual string, internet bool) error {
	ap, err := netip.ParseAddrPort(actual)
	if err != nil {
		return &Refused{Address: address, Rule: fmt.Sprintf("its socket address %q is no IP", actual), Remedy: remedyNone}
	}
	if _, refused := e.lists.Load().judge(address, ap.Addr(), internet); refused != nil {
		return refused
	}
	return nil
}

// MetadataDialer reaches the ECS metadata service of Alibaba Cloud and nothing else,
// when the policy lets it: it is for the credential provider of an instance's RAM role.
func (e *Egress) MetadataDialer() DialFunc {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if !e.policy.Metadata {
			return nil, &Refused{Address: clip(addr), Rule: "this node may not ask the metadata service", Remedy: "An administrator can allow it with SLUICE_ALLOW_ECS_RAM_ROLE=on."}
		}
		if network != "tcp" && network != "tcp4" || addr != metadataService {
			return nil, &Refused{Address: clip(addr), Rule: "it is not the metadata service", Remedy: remedyNone}
		}
		if to := netip.MustParseAddrPort(addr); within(e.lists.Load().deny, to.Addr()) {
			return nil, &Refused{Address: addr, IP: to.Addr(), Rule: "the deny list of the network rules names it", Remedy: remedyDeny}
		}
		return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, "tcp4", addr)
	}
}

// metadataService is the ECS metadata service.
const metadataService = "100.100.100.200:80"

// each tries the hops in order, giving each a share of the time that is left.
func each(ctx context.Context, hops []hop, dial func(context.Context, hop) (net.Conn, error)) (net.Conn, error) {
	var first error
	for i, h := range hops {
		try, cancel := ctx, context.CancelFunc(func() {})
		if end, ok := ctx.Deadline(); ok && i < len(hops)-1 {
			try, cancel = context.WithTimeout(ctx, max(time.Until(end)/time.Duration(len(hops)-i), leastShare))
		}
		c, err := dial(try, h)
		cancel()
		if err == nil {
			return c, nil
		}
		if first == nil {
			first = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func portOf(t target) uint16 {
	ap, _ := netip.ParseAddrPort("0.0.0.0:" + t.port) // parse checked the number
	return ap.Port()
}

func checkProxy(u *url.URL) error {
	switch u.Scheme {
	case "http", "https", "socks5":
	default:
		return fmt.Errorf("egress proxy: scheme %q is not supported: use http, https or socks5", u.Scheme)
	}
	if _, refused := parse(proxyAddress(u), true); refused != nil {
		return fmt.Errorf("egress proxy: %w", refused)
	}
	return nil
}
