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
	tabObjects   = "/sandbox"
	tabFunctions = "/sandbox/functions"
	tabTables    = "/sandbox/tables"
	tabRequests  = "/sandbox/requests"
	tabFaults    = "/sandbox/faults"
)

// sandboxPage is the head that the tabs share; its address is the tab's.
func (q *request) sandboxPage(tab string) views.SandboxPage {
	ctx := q.Request.Context()
	box := q.c.sandbox
	m := views.SandboxPage{Page: q.page(text.T(ctx, "sandbox.title"), "sandbox"), Operator: q.may(control.Operator)}
	faults, objects, invocations, rows := 0, 0, int64(0), int64(0)
	for _, b := range box.Buckets() {
		objects += b.Objects
	}
	for _, f := range box.Functions() {
		invocations += f.Invocations
	}
	for _, t := range box.Tables() {
		rows += t.Rows
	}
	for _, p := range box.Parts() {
		v := q.c.partView(ctx, p)
		faults += v.Faults
		if m.Operator {
			q.c.offerExample(ctx, p.Name, &v)
		}
		m.Parts = append(m.Parts, v)
	}
	m.Tabs = []components.Tab{{Label: text.T(ctx, "sandbox.objects"), Href: tabObjects, Current: tab == tabObjects, Count: objects},
		{Label: text.T(ctx, "sandbox.functions"), Href: tabFunctions, Current: tab == tabFunctions, Count: int(invocations)},
		{Label: text.T(ctx, "sandbox.tables"), Href: tabTables, Current: tab == tabTables, Count: int(rows)}}
	if m.Operator { // requests name objects, faults are acts: neither is a viewer's
		m.Tabs = append(m.Tabs, components.Tab{Label: text.T(ctx, "sandbox_page.requests"), Href: tabRequests, Current: tab == tabRequests},
			components.Tab{Label: text.T(ctx, "sandbox_page.faults"), Href: tabFaults, Current: tab == tabFaults, Count: faults})
	}
	return m
}

// partTitle is what the cloud calls a part's service, and its icon.
func partTitle(part string) (title, icon string) {
	switch part {
	case "kafka":
		return "Kafka", "layers"
	case "oss":
		return "Object Storage Service", "package"
	case "fc":
		return "Function Compute", "send"
	case "odps":
		return "MaxCompute", "table-2"
	case "sts":
		return "Security Token Service", "key-round"
	case "mysql":
		return "MySQL", "database"
	}
	return part, "server"
}

func (c *Console) partView(ctx context.Context, p SandboxPart) views.SandboxPart {
	out := views.SandboxPart{Address: p.Address, Faults: len(c.sandbox.Faults(p.Name))}
	out.Title, out.Icon = partTitle(p.Name)
	switch p.Name {
	case "kafka":
		out.Detail = text.T(ctx, "sandbox_page.kafka")
	case "oss":
		var objects, size int64
		var names []string
		for _, b := range c.sandbox.Buckets() {
			objects, size, names = objects+int64(b.Objects), size+b.Bytes, append(names, b.Name)
		}
		out.Href, out.Detail = tabObjects, text.T(ctx, "sandbox_page.oss", strings.Join(names, ", "), text.Number(objects), components.Bytes(size))
	case "fc":
		var invocations, records int64
		for _, f := range c.sandbox.Functions() {
			invocations, records = invocations+f.Invocations, records+f.Records
		}
		out.Href, out.Detail = tabFunctions, text.T(ctx, "sandbox_page.fc", text.N(ctx, "sandbox_page.invocations", invocations), text.N(ctx, "sandbox_page.records", records))
	case "odps":
		var rows, size int64
		var names []string
		for _, t := range c.sandbox.Tables() {
			rows, size, names = rows+t.Rows, size+t.Bytes, append(names, t.Name)
		}
		out.Href, out.Detail = tabTables, text.T(ctx, "sandbox_page.odps", strings.Join(names, ", "), text.N(ctx, "sandbox_page.rows", rows), components.Bytes(size))
	case "sts":
		out.Detail = text.T(ctx, "sandbox_page.sts")
	case "mysql":
		out.Detail = c.databaseDetail(ctx)
	}
	return out
}

// databaseDetail says what the database server holds, or why there is none.
func (c *Console) databaseDetail(ctx context.Context) string {
	box, ok := c.sandbox.(SandboxDatabases)
	if !ok {
		return ""
	}
	switch db := box.Database(); {
	case db.Missing:
		return text.T(ctx, "sandbox_page.mysql_missing")
	case db.Problem != "":
		return text.T(ctx, "sandbox_page.mysql_problem", db.Problem)
	default:
		return text.T(ctx, "sandbox_page.mysql", db.Version, db.Database, strings.Join(db.Tables, ", "), db.User, db.Password, text.N(ctx, "sandbox_page.changes", db.Changes))
	}
}
