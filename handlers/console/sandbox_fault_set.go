package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/views/text"
)

// readFault takes a fault from a posted form; what is no number is a problem of its field.
func (q *request) readFault(part string) (*faultForm, SandboxFault) {
	ctx := q.Request.Context()
	f := newFaultForm(part)
	for key, at := range map[string]*string{"kind": &f.kind, "operation": &f.operation, "prefix": &f.prefix, "percent": &f.percent, "status": &f.status, "code": &f.code, "millis": &f.millis, "seconds": &f.seconds} {
		if q.has(key) {
			*at = strings.TrimSpace(q.value(key))
		}
	}
	number := func(key, value string) int {
		n, err := strconv.Atoi(value)
		if err != nil {
			f.problems[key] = text.T(ctx, "fault_form.number")
		}
		return n
	}
	out := SandboxFault{Operation: f.operation, KeyPrefix: f.prefix}
	if out.Operation == "" {
		out.Operation = "*"
	}
	percent, err := strconv.ParseFloat(f.percent, 64)
	if err != nil || !(percent > 0 && percent <= 100) {
		f.problems["percent"] = text.T(ctx, "fault_form.percent_wrong")
	}
	out.Rate = percent / 100
	switch f.kind {
	case "status", "stored":
		out.Status, out.Code, out.AfterStoring = number("status", f.status), f.code, f.kind == "stored"
		if f.problems["status"] == "" && out.Status == 0 {
			f.problems["status"] = text.T(ctx, "fault_form.status_wrong")
		}
	case "slow":
		out.LatencyMS = number("millis", f.millis)
		if f.problems["millis"] == "" && out.LatencyMS <= 0 {
			f.problems["millis"] = text.T(ctx, "fault_form.number")
		}
	case "before", "after":
		out.Cut = f.kind
	case "skew":
		out.SkewSeconds = number("seconds", f.seconds)
		if f.problems["seconds"] == "" && out.SkewSeconds == 0 {
			f.problems["seconds"] = text.T(ctx, "fault_form.number")
		}
	case "crc":
		out.WrongCRC = true
	default:
		f.problems["kind"] = text.T(ctx, "fault_form.kind_wrong")
	}
	return f, out
}

// sandboxFaultAdd switches a fault on.
func (c *Console) sandboxFaultAdd(q *request) error {
	ctx := q.Request.Context()
	part, ok := q.faultPart(q.value("part"))
	if !ok {
		return q.notFound()
	}
	f, fault := q.readFault(part)
	if len(f.problems) == 0 {
		list := append(c.sandbox.Faults(part), fault)
		for _, p := range c.sandbox.SetFaults(part, list) {
			f.problems[faultField(p.Field)] = p.Message
		}
	}
	if len(f.problems) > 0 {
		return c.showFaults(q, http.StatusUnprocessableEntity, f)
	}
	q.audit(q.user.Name, "sandbox.fault.on", part, map[string]string{"fault": faultTitle(ctx, fault)})
	q.done(text.T(ctx, "fault_form.added"), faultTitle(ctx, fault))
	return q.redirect(partURL(tabFaults, part))
}

// faultField is the form's field for a member of a fault.
func faultField(member string) string {
	switch member {
	case "rate":
		return "percent"
	case "latency_ms":
		return "millis"
	case "skew_seconds":
		return "seconds"
	case "key_prefix", "message":
		return "prefix"
	case "status", "code", "operation":
		return member
	}
	return "kind"
}

// sandboxFaultUpdate answers the form with the fields of the chosen kind.
func (c *Console) sandboxFaultUpdate(q *request) error {
	part, ok := q.faultPart(q.value("part"))
	if !ok {
		return q.notFound()
	}
	f, _ := q.readFault(part)
	f.problems = map[string]string{}
	return c.showFaults(q, http.StatusOK, f)
}

// sandboxFaultOff switches one fault off; one that is off already is no error.
func (c *Console) sandboxFaultOff(q *request) error {
	ctx := q.Request.Context()
	part, ok := q.faultPart(q.Query("part"))
	if !ok {
		return q.notFound()
	}
	n, err := strconv.Atoi(q.Param("fault"))
	list := c.sandbox.Faults(part)
	if err != nil || n < 0 || n >= len(list) {
		q.done(text.T(ctx, "fault_form.off_already"), "")
		return q.redirect(partURL(tabFaults, part))
	}
	title := faultTitle(ctx, list[n])
	c.sandbox.SetFaults(part, append(list[:n:n], list[n+1:]...))
	q.audit(q.user.Name, "sandbox.fault.off", part, map[string]string{"fault": title})
	q.done(text.T(ctx, "fault_form.removed"), title)
	return q.redirect(partURL(tabFaults, part))
}
