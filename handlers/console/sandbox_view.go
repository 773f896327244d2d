package console

import (
	"context"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// The tabs of /sandbox.
const (
	tabObjects  = "/sandbox"
	tabRequests = "/sandbox/requests"
	tabFaults   = "/sandbox/faults"
)

// sandboxPage is the head that the tabs share; its address is the tab's.
func (q *request) sandboxPage(tab string) views.SandboxPage {
	ctx := q.Request.Context()
	box := q.c.sandbox
	faults := len(box.Faults())
	m := views.SandboxPage{Page: q.page(text.T(ctx, "sandbox.title"), "sandbox"), Operator: q.may(control.Operator)}
	objects := 0
	for _, b := range box.Buckets() {
		objects += b.Objects
	}
	m.Tabs = []components.Tab{{Label: text.T(ctx, "sandbox.objects"), Href: tabObjects, Current: tab == tabObjects, Count: objects}}
	if m.Operator { // requests name objects, faults are acts: neither is a viewer's
		m.Tabs = append(m.Tabs, components.Tab{Label: text.T(ctx, "sandbox_page.requests"), Href: tabRequests, Current: tab == tabRequests},
			components.Tab{Label: text.T(ctx, "sandbox_page.faults"), Href: tabFaults, Current: tab == tabFaults, Count: faults})
	}
	for _, p := range box.Parts() {
		m.Parts = append(m.Parts, partView(ctx, p, box.Buckets(), faults))
	}
	return m
}

func partView(ctx context.Context, p SandboxPart, buckets []SandboxBucket, faults int) views.SandboxPart {
	out := views.SandboxPart{Title: p.Name, Address: p.Address, Icon: "server"}
	switch p.Name {
	case "kafka":
		out.Title, out.Icon, out.Detail = "Kafka", "layers", text.T(ctx, "sandbox_page.kafka")
	case "oss":
		var objects, size int64
		names := make([]string, len(buckets))
		for i, b := range buckets {
			objects, size, names[i] = objects+int64(b.Objects), size+b.Bytes, b.Name
		}
		out.Title, out.Icon, out.Faults = "Object Storage Service", "package", faults
		out.Detail = text.T(ctx, "sandbox_page.oss", strings.Join(names, ", "), text.Number(objects), components.Bytes(size))
	}
	return out
}
