package egress

import (
	"fmt"
	"net/netip"
)

// Refused says which rule forbids an address, and what can be done about it.
type Refused struct {
	Address string     // as it was to be dialled, host:port
	IP      netip.Addr // what it resolved to; invalid when it was not resolved
	Rule    string     // "link-local addresses are never reached"
	Remedy  string     // a sentence
}

func (e *Refused) Error() string {
	who := e.Address
	if e.IP.IsValid() && e.IP.String() != hostOf(e.Address) {
		who = fmt.Sprintf("%s (%s)", e.Address, e.IP)
	}
	return fmt.Sprintf("%s is refused: %s. %s", who, e.Rule, e.Remedy)
}
