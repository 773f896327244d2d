package egress

import "net/netip"

// class is what kind of place an IP address is.
type class int

const (
	public class = iota
	private
	loopback
	linkLocal
	metadata
	unspecified
	multicast
	broadcast
	reserved
	zoned
	tunnel
)

var ranges = struct{ private, metadata, thisNetwork, reserved, tunnel []netip.Prefix }{
	// RFC 1918, RFC 4193, and RFC 6598, where Alibaba Cloud's internal endpoints are.
	private: prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"),
	// Alibaba Cloud's service; the IPv6 ones are Amazon's and Google's, inside fc00::/7.
	metadata:    prefixes("100.100.100.200/32", "fd00:ec2::254/128", "fd20:ce::254/128"),
	thisNetwork: prefixes("0.0.0.0/8", "::/128"),
	// RFC 6890: future use, protocol assignments; RFC 3879: site-local; RFC 6666: discard.
	reserved: prefixes("240.0.0.0/4", "192.0.0.0/24", "fec0::/10", "100::/64"),
	// What carries an IPv4 address that cannot be told for sure: IPv4-compatible (RFC
	// 4291), Teredo (RFC 4380), local-use NAT64 (RFC 8215).
	tunnel: prefixes("::/96", "2001::/32", "64:ff9b:1::/48"),
}

var (
	nat64     = netip.MustParsePrefix("64:ff9b::/96") // RFC 6052
	sixToFour = netip.MustParsePrefix("2002::/16")    // RFC 3056
	allOnes   = netip.MustParseAddr("255.255.255.255")
)

func prefixes(list ...string) []netip.Prefix {
	out := make([]netip.Prefix, len(list))
	for i, s := range list {
		out[i] = netip.MustParsePrefix(s)
	}
	return out
}

func within(list []netip.Prefix, ip netip.Addr) bool {
	for _, p := range list {
		if p.Contains(ip) {
			return true
		}
	}
	return false
}

// classify tells the class of an unmapped address; see embedded for translated ones.
func classify(ip netip.Addr) class {
	switch {
	case ip.Zone() != "":
		return zoned
	case within(ranges.metadata, ip):
		return metadata
	case ip.IsLoopback():
		return loopback
	case within(ranges.thisNetwork, ip):
		return unspecified
	case ip.IsLinkLocalUnicast():
		return linkLocal
	case ip.IsMulticast():
		return multicast
	case ip == allOnes:
		return broadcast
	case within(ranges.reserved, ip):
		return reserved
	case within(ranges.tunnel, ip):
		return tunnel
	case within(ranges.private, ip):
		return private
	}
	return public
}

// embedded gives the IPv4 address that NAT64, 6to4 or ISATAP (RFC 5214) would take the
// packets to.
func embedded(ip netip.Addr) (netip.Addr, bool) {
	if !ip.Is6() {
		return netip.Addr{}, false
	}
	b := ip.As16()
	switch {
	case nat64.Contains(ip):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case sixToFour.Contains(ip):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	case b[8]&^2 == 0 && b[9] == 0 && b[10] == 0x5e && b[11] == 0xfe:
		return netip.AddrFrom4([4]byte(b[12:16])), true
	}
	return netip.Addr{}, false
}
