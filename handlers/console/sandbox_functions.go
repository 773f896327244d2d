package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

const invocationsPage = 50

// sandboxFunctions shows what the functions were given: a list of invocations, newest first, and one with its body.
func (c *Console) sandboxFunctions(q *request) error {
	ctx := q.Request.Context()
	m := views.SandboxFunctionsPage{SandboxPage: q.sandboxPage(tabFunctions), Function: q.Query("function"), Failed: q.Query("failed") != ""}
	choice := SandboxChoice{Failed: m.Failed}
	if m.Function != "" {
		choice.Service, choice.Function = "-", m.Function
		if service, name, ok := strings.Cut(m.Function, "/"); ok {
			choice.Service, choice.Function = service, name
		}
	}
	if m.Operator { // what a body contains is payload
		m.Contains = q.Query("contains")
		choice.Contains = m.Contains
	}
	for _, f := range c.sandbox.Functions() {
		name := functionName(f.Service, f.Name)
		m.Functions = append(m.Functions, components.Option{Value: name, Hint: text.T(ctx, "sandbox_page.function", f.Description, text.N(ctx, "sandbox_page.invocations", f.Invocations),
			text.N(ctx, "sandbox_page.failed", f.Failed), text.N(ctx, "sandbox_page.repeated", f.Repeated), text.N(ctx, "sandbox_page.throttled", f.Throttled))})
	}
	for key, at := range map[string]*int64{"before": &choice.Before, "invocation": &m.Chosen.Sequence} {
		if given := q.Query(key); given != "" {
			n, err := strconv.ParseInt(given, 10, 64)
			if err != nil || n < 1 {
				return q.notFound()
			}
			*at = n
		}
	}
	list, more, err := c.sandbox.Invocations(ctx, choice, invocationsPage)
	if err != nil {
		return sandboxError(q, err)
	}
	if m.Chosen.Sequence == 0 && len(list) > 0 {
		m.Chosen.Sequence = list[0].Sequence // a newcomer sees at once what arrived
	}
	at := func(before, invocation int64) string { return functionsURL(&m, before, invocation) }
	for _, inv := range list {
		m.Invocations = append(m.Invocations, views.Invocation{Name: functionName(inv.Service, inv.Function), Href: at(choice.Before, inv.Sequence), Time: inv.Time,
			Records: int64(inv.Records), Size: inv.Bytes, Async: inv.Async, Status: inv.Status, Current: inv.Sequence == m.Chosen.Sequence})
	}
	if more {
		m.Next = at(list[len(list)-1].Sequence, 0)
	}
	if choice.Before != 0 {
		m.First = at(0, 0)
	}
	if m.Chosen.Sequence != 0 {
		if err := c.showInvocation(q, &m.Chosen); err != nil {
			return sandboxError(q, err)
		}
	}
	return q.render(http.StatusOK, views.SandboxFunctions(m))
}

// functionName is how a function is called: with its service, or alone as FC 3.0 knows it.
func functionName(service, name string) string {
	if service == "" {
		return name
	}
	return service + "/" + name
}

// functionsURL is the page with the same choice, another page of it, and an invocation.
func functionsURL(m *views.SandboxFunctionsPage, before, invocation int64) string {
	v := url.Values{}
	for name, value := range map[string]string{"function": m.Function, "contains": m.Contains} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if m.Failed {
		v.Set("failed", "on")
	}
	for name, value := range map[string]int64{"before": before, "invocation": invocation} {
		if value != 0 {
			v.Set(name, strconv.FormatInt(value, 10))
		}
	}
	if len(v) == 0 {
		return tabFunctions
	}
	return tabFunctions + "?" + v.Encode()
}

// showInvocation fills in the chosen invocation; its body is for operators: it is payload.
func (c *Console) showInvocation(q *request, out *views.InvocationContent) error {
	ctx := q.Request.Context()
	inv, body, err := c.sandbox.Invocation(out.Sequence, previewBytes)
	if err != nil {
		return err
	}
	api := "2.0 (" + inv.API + ")"
	if inv.Service == "" {
		api = "3.0 (" + inv.API + ")"
	}
	kind := text.T(ctx, "invocation.sync")
	if inv.Async {
		kind = text.T(ctx, "invocation.async")
	}
	out.Title, out.Status, out.Time, out.Error = functionName(inv.Service, inv.Function), inv.Status, inv.Time, inv.Error
	fact := func(id, value string, mono bool) {
		if value != "" {
			out.Facts = append(out.Facts, components.Pair{Key: text.T(ctx, id), Value: value, Mono: mono})
		}
	}
	fact("invocation.kind", kind, false)
	fact("invocation.records", text.Number(int64(inv.Records)), false)
	fact("object.size", components.Bytes(inv.Bytes), false)
	fact("invocation.api", api, false)
	fact("invocation.qualifier", inv.Qualifier, true)
	fact("invocation.id", inv.InvocationID, true)
	fact("invocation.request", inv.ID, true)
	if inv.Took > 0 {
		fact("request.took", components.Duration(ctx, inv.Took), false)
	}
	fact("invocation.error_type", inv.ErrorType, true)
	if !q.may(control.Operator) {
		out.Preview = text.T(ctx, "sandbox_page.no_payload")
		return nil
	}
	out.Preview, out.Truncated = bodyPreview(body, inv.Bytes > int64(len(body)))
	out.Download = "/sandbox/body?invocation=" + strconv.FormatInt(inv.Sequence, 10)
	return nil
}

// bodyPreview shows a body: JSON with a line a member, other text as it is, bytes in hex. A list that is cut off is
// shown up to its last whole element.
func bodyPreview(body []byte, cut bool) (preview string, truncated bool) {
	whole := body
	if cut {
		if end := bytes.LastIndex(body, []byte(`},{"`)); end > 0 && body[0] == '[' {
			whole = append(bytes.Clone(body[:end]), "}]"...)
		}
	}
	var pretty bytes.Buffer
	if json.Indent(&pretty, whole, "", "  ") == nil {
		return pretty.String(), cut
	}
	if text := bytes.TrimRightFunc(body, func(r rune) bool { return cut && r == utf8.RuneError }); utf8.Valid(text) {
		return string(text), cut
	}
	return hex.Dump(body[:min(len(body), previewHex)]), cut || len(body) > previewHex
}

// sandboxBody downloads an invocation's body.
func (c *Console) sandboxBody(q *request) error {
	n, err := strconv.ParseInt(q.Query("invocation"), 10, 64)
	if err != nil || n < 1 {
		return q.notFound()
	}
	inv, body, err := c.sandbox.Invocation(n, downloadBytes)
	if err != nil {
		return sandboxError(q, err)
	}
	h := q.Writer.Header()
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="invocation-%d.json"`, inv.Sequence))
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Length", strconv.Itoa(len(body)))
	q.Writer.WriteHeader(http.StatusOK)
	_, _ = q.Writer.Write(body) // the client went away: nobody is left to tell
	return nil
}
