package console

import (
	"net/netip"
	"strconv"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// Settings that hold ranges of their own.
const (
	settingAllow = "SLUICE_EGRESS_ALLOW"
	settingDeny  = "SLUICE_EGRESS_DENY"
)

// adminEgress lists the network rules, with the form that adds one.
func (c *Console) adminEgress(q *request) error { return c.showEgress(q, nil) }

// showEgress shows the rules; refused is why what was posted was not added.
func (c *Console) showEgress(q *request, refused error) error {
	ctx := q.Request.Context()
	fields, general, ok := problems(refused)
	if !ok {
		return refused
	}
	rules, err := c.control.EgressRules(ctx)
	if err != nil {
		return err
	}
	m := views.AdminEgressPage{AdminPage: q.adminPage(tabEgress, 0), Rows: egressRows(rules)}
	list := q.value(control.EgressList)
	if list != control.ListAllow {
		list = control.ListDeny // what closes is the safer choice
	}
	m.Form = views.AdminForm{URL: tabEgress, Submit: text.T(ctx, "admin_egress.add"), General: general,
		Group: components.Group{Title: text.T(ctx, "admin_egress.add"), Intro: text.T(ctx, "admin_egress.intro"), Fields: []components.Field{
			{Key: control.EgressList, Kind: components.KindRadio, Label: text.T(ctx, "admin_egress.list"), Value: list, Error: fields[control.EgressList], Options: []components.Option{
				{Value: control.ListDeny, Label: text.T(ctx, "admin_egress.deny"), Hint: text.T(ctx, "admin_egress.deny_help")},
				{Value: control.ListAllow, Label: text.T(ctx, "admin_egress.allow"), Hint: text.T(ctx, "admin_egress.allow_help")}}},
			{Key: control.EgressCIDR, Kind: components.KindText, Mono: true, Required: true, Label: text.T(ctx, "admin_egress.cidr"), Help: text.T(ctx, "admin_egress.cidr_help"),
				Placeholder: "10.20.0.0/16", Value: q.value(control.EgressCIDR), Error: fields[control.EgressCIDR]},
			{Key: control.EgressNote, Kind: components.KindText, Optional: true, Label: text.T(ctx, "admin_egress.note"), Help: text.T(ctx, "admin_egress.note_help"),
				Value: q.value(control.EgressNote), Error: fields[control.EgressNote]},
		}}}
	return q.render(formStatus(refused), views.AdminEgress(m))
}

// egressRows puts the rules in the order in which they decide: denied ranges first, on
// each list those of the settings first.
func egressRows(rules control.EgressRules) []views.EgressRule {
	var out []views.EgressRule
	denied := append([]netip.Prefix{}, rules.FixedDeny...)
	add := func(allow bool, fixed []netip.Prefix, setting string) {
		for _, p := range fixed {
			row := views.EgressRule{CIDR: p.String(), Allow: allow, Setting: setting}
			if allow {
				row.Overruled = overruled(denied, p)
			}
			out = append(out, row)
		}
		for _, r := range rules.Stored {
			if r.Allow != allow {
				continue
			}
			row := views.EgressRule{CIDR: r.CIDR, Allow: allow, Note: r.Note, User: r.By, Time: r.CreatedAt, Remove: tabEgress + "/" + strconv.FormatInt(r.ID, 10) + "/delete"}
			if p, err := netip.ParsePrefix(r.CIDR); err == nil {
				if allow {
					row.Overruled = overruled(denied, p)
				} else {
					denied = append(denied, p)
				}
			}
			out = append(out, row)
		}
	}
	add(false, rules.FixedDeny, settingDeny)
	add(true, rules.FixedAllow, settingAllow)
	return out
}

// overruled names the first denied range that shares addresses with an allowed one.
func overruled(denied []netip.Prefix, p netip.Prefix) string {
	for _, d := range denied {
		if d.Overlaps(p) {
			return d.String()
		}
	}
	return ""
}

// adminEgressAdd stores a rule and puts it in force.
func (c *Console) adminEgressAdd(q *request) error {
	ctx := q.Request.Context()
	r, err := c.control.AddEgressRule(ctx, q.value(control.EgressList), q.value(control.EgressCIDR), q.value(control.EgressNote))
	if err != nil {
		return c.showEgress(q, err)
	}
	title := text.T(ctx, "admin_egress.now_denied", r.CIDR)
	if r.Allow {
		title = text.T(ctx, "admin_egress.now_allowed", r.CIDR)
	}
	q.done(title, text.T(ctx, "admin_egress.in_force"))
	return q.redirect(tabEgress)
}

// adminEgressDelete removes a rule, in force at once.
func (c *Console) adminEgressDelete(q *request) error {
	ctx := q.Request.Context()
	id, err := strconv.ParseInt(q.Param("rule"), 10, 64)
	if err != nil || id < 1 {
		return q.notFound()
	}
	gone, err := c.control.DeleteEgressRule(ctx, id)
	return q.acted(err, text.T(ctx, "admin_egress.removed", gone.CIDR), text.T(ctx, "admin_egress.in_force"), tabEgress)
}
