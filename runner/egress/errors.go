package egress

import (
	"fmt"
	"net"
	"net/netip"
	"strings"
)

// Refused says which rule forbids an address, and what can be done about it.
type Refused struct {
	Address string     // as it was to be dialled, host:port
	IP      netip.Addr // what it resolved to; invalid when it was not resolved
	Rule    string     // "loopback addresses are reached only when an administrator allows them"
	Remedy  string     // a sentence
}

// Error is the sentence that people see: what is refused, the rule, the remedy.
func (e *Refused) Error() string {
	who := e.Address
	if e.IP.IsValid() && e.IP.String() != hostOf(e.Address) {
		who = fmt.Sprintf("%s (%s)", e.Address, e.IP)
	}
	return fmt.Sprintf("%s is refused: %s. %s", who, e.Rule, e.Remedy)
}

// hostOf is the host of host:port, or all of an address that has no port.
func hostOf(addr string) string {
	if host, _, err := net.SplitHostPort(addr); err == nil {
		return host
	}
	return strings.Trim(addr, "[]")
}
