package console

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// faultForm is a fault as it was typed.
type faultForm struct {
	part, kind, operation, prefix, percent, status, code, millis, seconds string
	problems                                                              map[string]string
}

// newFaultForm is the form as it begins for a part: a passing error of what connectors ask it most.
func newFaultForm(part string) *faultForm {
	f := &faultForm{part: part, kind: "status", operation: "PutObject", percent: "50", status: "503", code: "ServiceUnavailable", millis: "2000", seconds: "1800", problems: map[string]string{}}
	switch part {
	case "fc":
		f.operation, f.code = "InvokeFunction", "ResourceThrottled"
	case "odps":
		f.operation, f.status, f.code = "UploadBlock", "500", "InternalServerError"
	case "sts":
		f.operation = "AssumeRole"
	}
	return f
}

// sandboxFaults shows what is switched on in a part, and the form for another fault.
func (c *Console) sandboxFaults(q *request) error {
	part, ok := q.faultPart(q.Query("part"))
	if !ok {
		return q.notFound()
	}
	return c.showFaults(q, http.StatusOK, newFaultForm(part))
}

// faultPart is the part that a request names, by default the first that has faults.
func (q *request) faultPart(named string) (string, bool) {
	for _, p := range q.c.sandbox.Parts() {
		if (named == "" || named == p.Name) && len(q.c.sandbox.Operations(p.Name)) > 0 {
			return p.Name, true
		}
	}
	return "", false
}

// partURL is a tab with a part chosen; the object store is the first and needs no choosing.
func partURL(tab, part string) string {
	if part == "oss" {
		return tab
	}
	return tab + "?part=" + part
}

// partChoices are the parts that have faults and requests, as a row of tabs.
func (c *Console) partChoices(tab, chosen string, count func(part string) int) []components.Tab {
	var out []components.Tab
	for _, p := range c.sandbox.Parts() {
		if len(c.sandbox.Operations(p.Name)) > 0 {
			title, _ := partTitle(p.Name)
			out = append(out, components.Tab{Label: title, Href: partURL(tab, p.Name), Current: p.Name == chosen, Count: count(p.Name)})
		}
	}
	return out
}

func (c *Console) showFaults(q *request, status int, f *faultForm) error {
	ctx := q.Request.Context()
	m := views.SandboxFaultsPage{SandboxPage: q.sandboxPage(tabFaults), URL: tabFaults, Part: f.part, Form: f.group(ctx, c.sandbox.Operations(f.part))}
	m.Choices = c.partChoices(tabFaults, f.part, func(part string) int { return len(c.sandbox.Faults(part)) })
	m.Errors = components.Errors(m.Form)
	for i, fault := range c.sandbox.Faults(f.part) {
		m.Active = append(m.Active, views.Fault{Title: faultTitle(ctx, fault), Hits: int64(fault.Hits), Off: partURL(tabFaults+"/"+strconv.Itoa(i)+"/off", f.part)})
	}
	return q.renderPart(status, views.SandboxFaults(m), views.SandboxFaultsForm(m))
}

// group is the form: what happens, to which requests, how often.
func (f *faultForm) group(ctx context.Context, names []string) components.Group {
	field := func(key, kind, value, unit, label, help string, options ...components.Option) components.Field {
		return components.Field{Key: key, Kind: kind, Label: text.T(ctx, label), Help: text.T(ctx, help), Value: value, Unit: unit, Options: options,
			Error: f.problems[key], Short: kind == components.KindNumber, Complete: "off"}
	}
	var choices []components.Option
	for _, k := range faultKinds() {
		if k[0] == "crc" && f.part != "oss" {
			continue // only its answers carry one
		}
		choices = append(choices, components.Option{Value: k[0], Label: text.T(ctx, k[1])})
	}
	kind := field("kind", components.KindRadio, f.kind, "", "fault_form.kind", "fault_form.kind_help", choices...)
	kind.UpdateURL = tabFaults + "/update"
	var operations []components.Option
	for _, o := range append([]string{"*"}, names...) {
		operations = append(operations, components.Option{Value: o})
	}
	g := components.Group{Title: text.T(ctx, "fault_form.title"), Intro: text.T(ctx, "fault_form.intro"), Fields: []components.Field{kind}}
	switch f.kind {
	case "status", "stored":
		g.Fields = append(g.Fields, field("status", components.KindNumber, f.status, "", "fault_form.status", "fault_form.status_help"),
			field("code", components.KindText, f.code, "", "fault_form.code", "fault_form.code_help"))
	case "slow":
		g.Fields = append(g.Fields, field("millis", components.KindNumber, f.millis, "ms", "fault_form.millis", "fault_form.millis_help"))
	case "skew":
		g.Fields = append(g.Fields, field("seconds", components.KindNumber, f.seconds, "s", "fault_form.seconds", "fault_form.seconds_help"))
	}
	g.Fields = append(g.Fields, field("operation", components.KindPicker, f.operation, "", "fault_form.operation", "fault_form.operation_help", operations...),
		field("prefix", components.KindText, f.prefix, "", "fault_form.prefix", prefixHelp(f.part)),
		field("percent", components.KindNumber, f.percent, "%", "fault_form.percent", "fault_form.percent_help"))
	return g
}

// prefixHelp says what the beginning of a fault's target is in a part.
func prefixHelp(part string) string {
	switch part {
	case "fc":
		return "fault_form.prefix_help_fc"
	case "odps":
		return "fault_form.prefix_help_odps"
	case "sts":
		return "fault_form.prefix_help_sts"
	}
	return "fault_form.prefix_help_oss"
}

// faultKinds are the kinds of faults with what each is called.
func faultKinds() [][2]string {
	return [][2]string{{"status", "fault_form.kind_status"}, {"stored", "fault_form.kind_stored"}, {"slow", "fault_form.kind_slow"}, {"before", "fault_form.kind_before"},
		{"after", "fault_form.kind_after"}, {"skew", "fault_form.kind_skew"}, {"crc", "fault_form.kind_crc"}}
}

// faultTitle says what a fault does.
func faultTitle(ctx context.Context, f SandboxFault) string {
	var what []string
	switch {
	case f.Status != 0 && f.AfterStoring:
		what = append(what, text.T(ctx, "fault_form.does_stored", f.Status))
	case f.Status != 0:
		what = append(what, text.T(ctx, "fault_form.does_status", strings.TrimSpace(fmt.Sprintf("%d %s", f.Status, f.Code))))
	}
	if f.LatencyMS != 0 {
		what = append(what, text.T(ctx, "fault_form.does_slow", text.Number(int64(f.LatencyMS))))
	}
	switch f.Cut {
	case "before":
		what = append(what, text.T(ctx, "fault_form.does_before"))
	case "after":
		what = append(what, text.T(ctx, "fault_form.does_after"))
	}
	if f.SkewSeconds != 0 {
		what = append(what, text.T(ctx, "fault_form.does_skew", f.SkewSeconds))
	}
	if f.WrongCRC {
		what = append(what, text.T(ctx, "fault_form.does_crc"))
	}
	operation := f.Operation
	if operation == "*" {
		operation = text.T(ctx, "fault_form.any")
	}
	return text.T(ctx, "fault_form.of", strings.Join(what, ", "), strconv.FormatFloat(f.Rate*100, 'f', -1, 64), operation)
}
