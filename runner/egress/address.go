package egress

import (
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// target is an address taken apart: ip is valid when it was written as an IP.
type target struct {
	address string // as given
	host    string
	port    string
	ip      netip.Addr
}

// parse takes host:port apart; the port may be left out where needPort is false.
// Everything that some resolver might take for an IP but that is not written as one
// (decimal, octal and hexadecimal forms, a dot behind) is refused.
func parse(address string, needPort bool) (target, *Refused) {
	t := target{address: address}
	bad := func(rule, remedy string) (target, *Refused) {
		return t, &Refused{Address: clip(address), Rule: rule, Remedy: remedy}
	}
	host, port, err := net.SplitHostPort(address)
	switch {
	case err == nil:
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 || port[0] == '+' {
			return bad("the port is not a number from 1 to 65535", "Write it as host:port.")
		}
		t.host, t.port = host, port
	case needPort || strings.ContainsAny(address, "[]") && !bracketed(address):
		return bad("it is not of the form host:port", "Write it as host:port, an IPv6 address in brackets.")
	default:
		t.host = strings.TrimSuffix(strings.TrimPrefix(address, "["), "]")
	}
	if ip, err := netip.ParseAddr(t.host); err == nil {
		t.ip = ip
		return t, nil
	}
	if t.host == "" {
		return bad("the host is empty", "Write it as host:port.")
	}
	if numeric(t.host) {
		return bad("it looks like an IP address in an unusual spelling", remedySpelling)
	}
	if !validName(t.host) {
		return bad("it is neither a host name nor an IP address", "Use letters, digits, hyphens and dots.")
	}
	return t, nil
}

func bracketed(s string) bool {
	return strings.HasPrefix(s, "[") && strings.HasSuffix(s, "]") && strings.Count(s, "[") == 1 && strings.Count(s, "]") == 1
}

// numeric tells whether the last label is a number in any base that inet_aton or the
// URL standard read: such a host never is a name, because no top-level domain is one.
func numeric(host string) bool {
	labels := strings.Split(strings.TrimSuffix(host, "."), ".")
	last := strings.ToLower(labels[len(labels)-1])
	if hex, ok := strings.CutPrefix(last, "0x"); ok {
		return strings.Trim(hex, "0123456789abcdef") == ""
	}
	return last != "" && strings.Trim(last, "0123456789") == ""
}

// validName follows RFC 1123, with underscores, which internal names do have.
func validName(host string) bool {
	host = strings.TrimSuffix(host, ".")
	if len(host) == 0 || len(host) > 253 {
		return false
	}
	for label := range strings.SplitSeq(host, ".") {
		if len(label) == 0 || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' {
			return false
		}
		for _, c := range []byte(label) {
			if c != '-' && c != '_' && (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') {
				return false
			}
		}
	}
	return true
}

// clip keeps hostile addresses short in messages.
func clip(s string) string {
	if r := []rune(s); len(r) > 100 {
		return string(r[:100]) + "…"
	}
	return s
}
