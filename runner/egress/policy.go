// Package egress is the one way out: a dialer that resolves names itself, checks
// every address against the network rules and connects only to what they allow.
//
// Without Internet access only private addresses are reached (RFC 1918, fc00::/7,
// 100.64.0.0/10) and what an administrator allowed; with it public ones too, directly
// or through a proxy. Link-local and metadata addresses are always refused, loopback
// unless allowed by a list, and a deny list wins over everything.
package egress

import (
	"net/netip"
	"net/url"
)

// Policy is what an administrator and the settings decided.
type Policy struct {
	// Allow and Deny are CIDR lists. Deny wins. Allow opens private, public and loopback
	// addresses, never link-local or metadata ones.
	Allow, Deny []netip.Prefix
	// Proxy carries connections to public addresses: http://, https:// or socks5://
	// [user:password@]host:port. Nil dials directly.
	Proxy *url.URL
	// Metadata lets MetadataDialer ask the ECS metadata service (100.100.100.200:80).
	Metadata bool
}
