package control

import (
	"context"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/sluice-io/sluice/runner/connector"
)

// Fields of the forms for network rules and regions.
const (
	EgressList = "list" // "allow" or "deny"
	EgressCIDR = "cidr"
	EgressNote = "note"
	RegionID   = "id"
	RegionName = "name"
)

// The two lists of the network rules. Deny wins.
const (
	ListAllow = "allow"
	ListDeny  = "deny"
)

const maxNote = 200 // characters

// EgressRule is an address range that an administrator allowed or denied.
type EgressRule struct {
	ID        int64
	Allow     bool // otherwise denied
	CIDR      string
	Note      string
	By        string
	CreatedAt time.Time
}

// List is the list that the rule stands on.
func (r EgressRule) List() string {
	if r.Allow {
		return ListAllow
	}
	return ListDeny
}

// Egress is what the use cases know of the network rules in force.
type Egress struct {
	// Apply reads the stored rules again and puts them in force for every dial from then
	// on. Nil: nothing dials.
	Apply func(ctx context.Context) error
	// Allow and Deny come from the settings; only a restart changes them.
	Allow, Deny []netip.Prefix
}

// EgressRules are the network rules: those that administrators stored, and those of the
// settings.
type EgressRules struct {
	Stored                []EgressRule // denied first, then allowed
	FixedAllow, FixedDeny []netip.Prefix
}

// EgressRules lists the network rules; administrators only.
func (s *Service) EgressRules(ctx context.Context) (EgressRules, error) {
	if err := need(ctx, Admin); err != nil {
		return EgressRules{}, err
	}
	stored, err := s.store.EgressRules(ctx)
	if err != nil {
		return EgressRules{}, fromStore(err, "network rules")
	}
	return EgressRules{Stored: stored, FixedAllow: s.egress.Allow, FixedDeny: s.egress.Deny}, nil
}

// AddEgressRule stores an address range on a list (ListAllow, ListDeny) and puts it in
// force for every dial from now on; connections that are open stay open. When it cannot
// be put in force it is not kept either.
func (s *Service) AddEgressRule(ctx context.Context, list, cidr, note string) (EgressRule, error) {
	if err := need(ctx, Admin); err != nil {
		return EgressRule{}, err
	}
	r := EgressRule{Allow: list == ListAllow, Note: strings.TrimSpace(note), By: ActorFrom(ctx).Name}
	var problems []connector.FieldError
	wrong := func(field, message string) {
		problems = append(problems, connector.FieldError{Field: field, Message: message})
	}
	if list != ListAllow && list != ListDeny {
		wrong(EgressList, "Choose "+ListAllow+" or "+ListDeny+".")
	}
	p, message := addressRange(cidr, r.Allow)
	if message != "" {
		wrong(EgressCIDR, message)
	}
	if message := plainText(r.Note, 0, maxNote); message != "" {
		wrong(EgressNote, message)
	}
	if err := invalid(problems); err != nil {
		return EgressRule{}, err
	}
	r.CIDR = p.String()
	unlock, err := s.locks.lock(ctx, "egress")
	if err != nil {
		return EgressRule{}, err
	}
	defer unlock()
	if err := s.store.AddEgressRule(ctx, &r); err != nil {
		return EgressRule{}, taken(fromStore(err, "network rule"), EgressCIDR, "The "+list+" list has "+r.CIDR+" already.")
	}
	if err := s.applyEgress(ctx); err != nil {
		if undo := s.store.DeleteEgressRule(context.WithoutCancel(ctx), r.ID); undo != nil {
			s.log.Error("taking back a network rule that could not be put in force", "cidr", r.CIDR, "err", undo)
		}
		return EgressRule{}, unavailable(err, "The network rules could not be changed: the rule was not kept. Try again; the server's log says why.")
	}
	s.audit(ctx, "egress."+list, r.CIDR, map[string]string{"note": r.Note})
	return r, nil
}

// DeleteEgressRule takes a range off its list, in force for every dial from now on.
func (s *Service) DeleteEgressRule(ctx context.Context, id int64) (EgressRule, error) {
	if err := need(ctx, Admin); err != nil {
		return EgressRule{}, err
	}
	unlock, err := s.locks.lock(ctx, "egress")
	if err != nil {
		return EgressRule{}, err
	}
	defer unlock()
	stored, err := s.store.EgressRules(ctx)
	if err != nil {
		return EgressRule{}, fromStore(err, "network rules")
	}
	var gone EgressRule
	for _, r := range stored {
		if r.ID == id {
			gone = r
		}
	}
	if gone.ID == 0 {
		return EgressRule{}, notFound("There is no network rule number %d; it may have been removed already.", id)
	}
	if err := s.store.DeleteEgressRule(ctx, id); err != nil {
		return EgressRule{}, fromStore(err, "network rule")
	}
	s.audit(ctx, "egress.delete", gone.CIDR, map[string]string{EgressList: gone.List(), "note": gone.Note})
	if err := s.applyEgress(ctx); err != nil {
		return EgressRule{}, unavailable(err, "%s was removed from the %s list, but stays in force until the network rules are changed again or Sluice restarts; the server's log says why.", gone.CIDR, gone.List())
	}
	return gone, nil
}

// applyEgress puts what is stored in force, also when the client has gone: what is
// stored and what is in force must not differ. The caller holds the lock "egress", so
// that an older reading never replaces a newer one.
func (s *Service) applyEgress(ctx context.Context) error {
	if s.egress.Apply == nil {
		return nil
	}
	err := s.egress.Apply(context.WithoutCancel(ctx))
	if err != nil {
		s.log.Error("putting the network rules in force", "err", err)
	}
	return err
}

// addressRange reads a CIDR or a single address as the network rules compare them; the
// message says what is wrong with it.
func addressRange(text string, allow bool) (netip.Prefix, string) {
	text = strings.TrimSpace(text)
	const example = "write an address range like 10.20.0.0/16, 192.168.1.7 or fd00:1::/32."
	if text == "" {
		return netip.Prefix{}, "Name the addresses: " + example
	}
	var p netip.Prefix
	if ip, err := netip.ParseAddr(text); err == nil {
		if ip.Zone() != "" {
			return p, "Addresses with a zone are link-local, which are never reached; leave the zone out."
		}
		p = netip.PrefixFrom(ip.Unmap(), ip.Unmap().BitLen())
	} else if p, err = netip.ParsePrefix(text); err != nil {
		return p, quoted(text) + " is no address range: " + example
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return p, quoted(text) + " covers IPv4 addresses written as IPv6; write them as IPv4: 10.20.0.0/16."
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	if m := p.Masked(); m != p {
		return p, quoted(text) + " has bits set behind its length: write " + m.String() + " for the whole range, or " + p.Addr().String() + " for the one address."
	}
	if a := p.Addr(); allow && (a.IsLinkLocalUnicast() || a.IsMulticast() || a.IsUnspecified() && p.IsSingleIP()) {
		return p, "Link-local (metadata), multicast and unspecified addresses are never reached; no rule allows them."
	}
	return p, ""
}

// plainText says what is wrong with a text of one line; "" when nothing is.
func plainText(text string, least, most int) string {
	n := len([]rune(text))
	switch {
	case n < least || n > most:
		return "Use " + strconv.Itoa(least) + " to " + strconv.Itoa(most) + " characters."
	case strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) }):
		return "Control characters are not allowed."
	}
	return ""
}

// taken names the field when a refusal is that something exists already.
func taken(err error, field, message string) error {
	if e := AsError(err); e.Exists {
		return &Error{Kind: Conflict, Exists: true, Message: message, Err: e.Err, Fields: []connector.FieldError{{Field: field, Message: message}}}
	}
	return err
}
