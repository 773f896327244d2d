package egress

import (
	"fmt"
	"net/netip"
	"strings"
)

// route is how an allowed address is reached.
type route int

const (
	direct route = iota
	proxied
)

// lists are the allow and deny lists of one moment.
type lists struct{ allow, deny []netip.Prefix }

// ParseList reads CIDRs and single addresses; blanks and empty items are skipped. The
// error names the item that is neither.
func ParseList(items []string) ([]netip.Prefix, error) {
	var out []netip.Prefix
	for _, item := range items {
		if item = strings.TrimSpace(item); item == "" {
			continue
		}
		p, err := parsePrefix(item)
		if err != nil {
			return nil, fmt.Errorf("%q is no address range: write it like 10.20.0.0/16, 192.168.1.7 or fd00:1::/32", item)
		}
		out = append(out, p)
	}
	return out, nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	if !strings.Contains(s, "/") {
		ip, err := netip.ParseAddr(s)
		if err != nil {
			return netip.Prefix{}, err
		}
		if ip.Zone() != "" {
			return netip.Prefix{}, fmt.Errorf("zone in %q", s)
		}
		ip = ip.Unmap()
		return netip.PrefixFrom(ip, ip.BitLen()), nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, err
	}
	return normal(p), nil
}

// normal masks a prefix and turns one inside ::ffff:0:0/96 into its IPv4 form, which
// is what addresses are compared as.
func normal(p netip.Prefix) netip.Prefix {
	if p.Addr().Is4In6() && p.Bits() >= 96 {
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked()
}

// Sentences of the rules. Remedies say who can change it.
const (
	remedyNone     = "No setting opens it; give another address."
	remedyAllow    = "An administrator can allow it with SLUICE_EGRESS_ALLOW or on /admin."
	remedyDeny     = "An administrator can change the deny list (SLUICE_EGRESS_DENY, /admin)."
	remedyInternet = "Enable Internet access, or give a private address."
	remedySpelling = "Write an IPv4 address as four decimal numbers, or give a name."
)

// judge decides on one IP address: nil and how to reach it, or the refusal.
func (l *lists) judge(address string, ip netip.Addr, internet bool) (route, *Refused) {
	refuse := func(rule, remedy string) (route, *Refused) {
		return direct, &Refused{Address: address, IP: ip, Rule: rule, Remedy: remedy}
	}
	ip = ip.Unmap()
	kind := classify(ip)
	inner, translated := embedded(ip)
	if translated {
		if in := classify(inner); in != public && in != private {
			return refuse(fmt.Sprintf("it is translated to %s, which is never reached that way", inner), remedyNone)
		}
		if nat64.Contains(ip) {
			kind = classify(inner)
		}
	}
	if within(l.deny, ip) || translated && within(l.deny, inner) {
		return refuse("the deny list of the network rules names it", remedyDeny)
	}
	if rule, always := never[kind]; always {
		return refuse(rule, remedyNone)
	}
	allowed := within(l.allow, ip) || translated && within(l.allow, inner)
	switch {
	case allowed || kind == private:
		return direct, nil
	case kind == loopback:
		return refuse("loopback addresses are reached only when an administrator allows them", remedyAllow)
	case kind == reserved:
		return refuse("it is in a reserved range", remedyAllow)
	case !internet:
		return refuse("it is a public address, and without Internet access only private addresses are reached", remedyInternet)
	}
	return proxied, nil
}

var never = map[class]string{
	zoned:       "addresses with a zone are link-local, which are never reached",
	linkLocal:   "link-local addresses are never reached",
	metadata:    "metadata services are never reached",
	unspecified: "it is the unspecified address, which means this machine",
	multicast:   "multicast addresses are never reached",
	broadcast:   "the broadcast address is never reached",
	tunnel:      "it carries another address inside (an IPv6 transition range), which is never reached",
}
