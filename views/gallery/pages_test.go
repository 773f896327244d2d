package gallery

import (
	"strings"
	"time"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

func options(values ...string) []components.Option {
	var out []components.Option
	for _, v := range values {
		out = append(out, components.Option{Value: v, Label: v})
	}
	return out
}

func addHome(out map[string]templ.Component) {
	home := views.ConnectorsPage{Page: frame("Connectors", "connectors"), Counts: counts(), Rows: rows(), Total: 9, Operator: true, New: "/new", Live: "/?live=1",
		Filter: views.ConnectorFilter{States: options("FAILED"), Types: options("KAFKA2OSS"), Instances: options("orders-prod")}, Shown: "1–9 of 9", Next: "/?after=9"}
	home.Page.Flash = []layout.Flash{{Tone: components.ToneOK, Title: "sessions-to-oss resumes.", Body: "It goes on where it stopped.", Action: components.Action{Label: "View connector", Href: "/x"}}}
	out["home"] = views.Connectors(home)
	none := home
	none.Rows, none.Filter.Text, none.Shown = nil, "nothing like this", ""
	out["home-filtered"] = views.Connectors(none)
	empty := home
	empty.Total, empty.Example, empty.Page.Flash = 0, "/sandbox/example", nil
	out["home-empty"] = views.Connectors(empty)
	out["login"] = views.Login(views.LoginPage{Page: layout.Page{Title: "Sign in", Version: "0.1.0"}})
	out["login-wrong"] = views.Login(views.LoginPage{Page: layout.Page{Title: "Sign in", Version: "0.1.0"}, User: "admin", Error: "User or password is wrong."})
	out["login-throttled"] = views.Login(views.LoginPage{Page: layout.Page{Title: "Sign in", Version: "0.1.0"}, User: "admin", Error: "Too many tries. Wait 30 s, then try again."})
	out["error-403"] = views.Error(views.ErrorPage{Page: frame("Not allowed", ""), Status: 403, SignedIn: true, Title: "You may not do this", Detail: "Deleting a connector needs the role operator; you have the role viewer.", Remedy: "Ask an administrator for the role."})
	out["error-404"] = views.Error(views.ErrorPage{Page: frame("Not found", ""), Status: 404, SignedIn: true, Title: "There is no connector “orders-archiv” on orders-prod", Detail: "It may have been deleted, or the address is mistyped.",
		Actions: []components.Action{{Label: "Connectors of orders-prod", Href: "/instances/orders-prod"}}})
	out["error-500"] = views.Error(views.ErrorPage{Page: layout.Page{Title: "Error", Version: "0.1.0"}, Status: 500, Title: "The page could not be made", Detail: "The database did not answer in time.", Remedy: "Try again; the log has the reason under this ID.", Request: "01HV-7K2Q"})
}

func addInstances(out map[string]templ.Component) {
	away := views.Instance{Name: "tokyo-dr", Href: "/t", Region: "Japan (Tokyo)", Status: "UNREACHABLE", Since: before(41 * time.Minute), Detail: "10.9.0.4:9092 refuses connections. Check the bootstrap servers and the security group.", Bootstrap: "10.9.0.4:9092", Quota: 3}
	out["instances"] = views.Instances(views.InstancesPage{Page: frame("Instances", "instances"), Rows: []views.Instance{away, instance()}, Admin: true})
	out["instances-empty"] = views.Instances(views.InstancesPage{Page: frame("Instances", "instances"), Admin: true})
	out["instance"] = views.InstanceConnectors(views.InstanceConnectorsPage{InstancePage: instancePage(0), Rows: rows()[:3], RequestURL: "/q"})
	unreached := views.InstanceConnectorsPage{InstancePage: instancePage(0), RequestedAt: now()}
	unreached.Instance.Status, unreached.Instance.Enabled, unreached.Instance.Detail = "UNREACHABLE", false, away.Detail
	out["instance-away"] = views.InstanceConnectors(unreached)
	topics := []views.Topic{{Name: "orders", Href: "/t", Partitions: 12, Replicas: 3, Records: 184220114, Cleanup: "delete", Retention: "7 d", UsedBy: []views.Link{{Label: "orders-archive", Href: "/x"}}, Send: "/s"},
		{Name: "payments", Href: "/t", Partitions: 6, Replicas: 3, Records: 48211, Cleanup: "delete", Retention: "3 d", Send: "/s"}, {Name: "prices", Href: "/t", Partitions: 3, Replicas: 3, Records: -1, Cleanup: "compact", Send: "/s"}}
	out["topics"] = views.InstanceTopics(views.InstanceTopicsPage{InstancePage: instancePage(1), Rows: topics, Create: "/c"})
	out["topics-error"] = views.InstanceTopics(views.InstanceTopicsPage{InstancePage: instancePage(1), Error: "The broker closed the connection: SASL authentication failed. Check the user and password in Settings."})
	out["groups"] = views.InstanceGroups(views.InstanceGroupsPage{InstancePage: instancePage(2), Rows: []views.ConsumerGroup{{Name: "connect-orders-archive", State: "Stable", Members: 6, Lag: 310, Topics: []string{"orders"}, UsedBy: []views.Link{{Label: "orders-archive", Href: "/x"}}}}})
	out["groups-empty"] = views.InstanceGroups(views.InstanceGroupsPage{InstancePage: instancePage(2)})
	groups, _ := formGroups()
	form := views.InstanceForm{URL: "/instances", Groups: groups, Findings: conditions(), Live: "/f", Cancel: "/instances", New: true}
	out["instance-new"] = views.InstanceNew(views.InstanceFormPage{Page: frame("Add instance", "instances", layout.Crumb{Label: "Instances", Href: "/instances"}), Form: form})
	out["instance-settings"] = views.InstanceSettings(views.InstanceSettingsPage{InstancePage: instancePage(3), Form: views.InstanceForm{URL: "/i", Groups: groups[:1], Cancel: "/i"},
		Delete: components.Confirm{Title: "Delete instance", Body: "Sluice forgets this cluster. Nothing on it is changed.", Name: "orders-prod", URL: "/d", Act: "Delete instance", Cancel: "/i"}})
	out["instance-settings-kept"] = views.InstanceSettings(views.InstanceSettingsPage{InstancePage: instancePage(3), Form: views.InstanceForm{URL: "/i", Groups: groups[:1], Cancel: "/i"}, Why: "It still has 3 connectors. Delete them first."})
	enable := views.EnablePage{Page: frame("Enable connectors", "instances"), Instance: instance(), Conditions: conditions(), Live: "/e", Admin: true}
	out["enable"] = views.Enable(enable)
	enable.Conditions, enable.Ready, enable.Asked, enable.Live = conditions()[:2], true, true, ""
	out["enable-note"] = views.Enable(enable)
	enable.Ready, enable.Done, enable.New = false, true, "/new"
	out["enable-done"] = views.Enable(enable)
	enable.Done, enable.Admin = false, false
	out["enable-viewer"] = views.Enable(enable)
}

func addSandboxServices(out map[string]templ.Component, base func(int) views.SandboxPage) {
	functions := views.SandboxFunctionsPage{SandboxPage: base(1), Function: "sandbox/poison", Next: "/next", First: "/first", Failed: true,
		Functions: []components.Option{{Value: "sandbox/echo"}, {Value: "sandbox/poison", Hint: "Fails for an event that contains a certain word. Since the start: 12 invocations, 3 failed."}},
		Invocations: []views.Invocation{{Name: "sandbox/poison", Href: "/i", Time: before(time.Minute), Records: 20, Size: 12345, Async: true, Status: "Failed", Current: true},
			{Name: "sandbox/slow", Href: "/i", Time: before(time.Minute), Records: 1, Size: 345, Status: "Running"}, {Name: "echo", Href: "/i", Time: before(time.Hour), Size: 2, Status: "Succeeded"}},
		Chosen: views.InvocationContent{Sequence: 7, Title: "sandbox/poison", Status: "Failed", Time: before(time.Minute), Error: "the event contains \"poison\"", Truncated: true, Download: "/d",
			Facts:   []components.Pair{{Key: "Kind", Value: "asynchronous"}, {Key: "Invocation ID", Value: "s_" + strings.Repeat("abcdefgh", 6), Mono: true}},
			Preview: "[\n  {\n    \"key\": \"ord-1001\",\n    \"value\": \"" + strings.Repeat("poison ", 30) + "\"\n  }\n]"}}
	out["sandbox-functions"] = views.SandboxFunctions(functions)
	out["sandbox-functions-empty"] = views.SandboxFunctions(views.SandboxFunctionsPage{SandboxPage: base(1)})
	tables := views.SandboxTablesPage{SandboxPage: base(2), Tables: []components.Option{{Value: "sandbox.kafka_messages", Hint: "12,000 rows in 3 partitions, 1.1 MiB"}}, Table: "sandbox.kafka_messages", Partitioned: true,
		Partition: "pt=03-14-2026 17", Partitions: []views.TablePartition{{Spec: "pt=03-14-2026 16", Href: "/p", Rows: 9000, Size: 900_000, Time: before(time.Hour)}, {Spec: "pt=03-14-2026 17", Href: "/p", Rows: 3000, Size: 300_000, Time: before(time.Minute), Current: true}},
		Columns: []views.Column{{Name: "topic", Type: "string"}, {Name: "offset", Type: "bigint", Number: true}, {Name: "key", Type: "binary"}, {Name: "value", Type: "string"}}, FirstRow: 50, PreviousRows: "/r", NextRows: "/r", NextPartitions: "/n"}
	for range 3 {
		tables.Rows = append(tables.Rows, []views.Cell{{Text: "orders"}, {Text: "1234567"}, {Text: "00ff01", Hex: true}, {Text: strings.Repeat(`{"order":1},`, 15), Cut: true, Long: true}}, []views.Cell{{Text: "orders"}, {Text: "1"}, {Null: true}, {Text: "short"}})
	}
	out["sandbox-tables"] = views.SandboxTables(tables)
	out["sandbox-tables-empty"] = views.SandboxTables(views.SandboxTablesPage{SandboxPage: base(2), Tables: tables.Tables, Table: tables.Table, Partitioned: true})
}

func addSandbox(out map[string]templ.Component) {
	base := func(tab int) views.SandboxPage {
		tabs := []components.Tab{{Label: "Objects", Href: "/sandbox", Count: 214}, {Label: "Functions", Href: "/sandbox/functions", Count: 1210}, {Label: "Tables", Href: "/sandbox/tables", Count: 12000}, {Label: "Requests", Href: "/sandbox/requests"}, {Label: "Faults", Href: "/sandbox/faults", Count: 1}}
		tabs[tab].Current = true
		return views.SandboxPage{Page: frame("Sandbox", "sandbox"), Tabs: tabs, Operator: true, Parts: []views.SandboxPart{
			{Title: "Kafka", Address: "127.0.0.1:19092", Detail: "4 topics; sample orders arrive ten a second", Icon: "layers"},
			{Title: "Object Storage Service", Address: "http://127.0.0.1:19100", Detail: "1 bucket, 214 objects, 3.1 MiB", Icon: "package", Faults: 1, Href: "/sandbox", ExampleHref: "/e", ExampleName: "orders-to-oss"},
			{Title: "Function Compute", Address: "http://127.0.0.1:19101", Detail: "1,210 invocations with 24,200 records since the start", Icon: "send", Href: "/sandbox/functions", Example: "/example"}}}
	}
	choices := func(m views.SandboxPage) views.SandboxPage {
		m.Choices = []components.Tab{{Label: "Object Storage Service", Href: "/c", Current: true, Count: 1}, {Label: "Function Compute", Href: "/c"}, {Label: "MaxCompute", Href: "/c"}, {Label: "Security Token Service", Href: "/c"}}
		return m
	}
	addSandboxServices(out, base)
	name := "orders-0-00000000000000000000-00000000000000009999.json"
	out["sandbox"] = views.SandboxObjects(views.SandboxObjectsPage{SandboxPage: base(0), Buckets: []components.Option{{Value: "sandbox-bucket", Hint: "214 objects, 3.1 MiB"}}, Bucket: "sandbox-bucket", Prefix: "example/orders/dt=2026-03-14/hh=17/", Up: "/up",
		Folders: []views.Folder{{Name: "late/", Href: "/f"}}, Objects: []views.Object{{Name: name, Href: "/o", Size: 1482133, Time: before(3 * time.Minute), Current: true}, {Name: strings.Replace(name, "orders-0", "orders-1", 1), Href: "/o", Size: 1480001, Time: before(4 * time.Minute)}},
		Chosen: &views.ObjectContent{Key: "example/orders/dt=2026-03-14/hh=17/" + name, Size: 1482133, Time: before(3 * time.Minute), MediaType: "application/json", Truncated: true, Download: "/d",
			Facts:   []components.Pair{{Key: "ETag", Value: "5B3C1A2E053D763E1B002CC607C5A0FE", Mono: true}},
			Preview: "[{\"key\":\"ord-1001\",\"offset\":0,\"overflowFlag\":false,\"partition\":0,\"timestamp\":1773480413000,\"topic\":\"orders\",\"value\":\"{\\\"id\\\":1001,\\\"total\\\":42.5}\",\"valueSize\":24},\n {\"key\":\"ord-1002\",\"offset\":1,\"overflowFlag\":false,\"partition\":0,\"timestamp\":1773480413100,\"topic\":\"orders\",\"value\":\"{\\\"id\\\":1002,\\\"total\\\":17.0}\",\"valueSize\":24}"}})
	out["sandbox-empty"] = views.SandboxObjects(views.SandboxObjectsPage{SandboxPage: base(0), Buckets: options("sandbox-bucket"), Bucket: "sandbox-bucket"})
	out["sandbox-requests"] = views.SandboxRequests(views.SandboxRequestsPage{SandboxPage: base(3), Rows: []views.SandboxRequest{
		{Time: before(time.Second), Method: "PUT", Target: "/sandbox-bucket/example/orders/" + name, Status: 200, Bytes: 1482133, Elapsed: 31 * time.Millisecond},
		{Time: before(2 * time.Second), Method: "PUT", Target: "/sandbox-bucket/example/orders/x.json", Status: 503, Code: "ServiceUnavailable", Fault: "503 to 5 %", Elapsed: 2 * time.Millisecond},
		{Time: before(3 * time.Second), Method: "HEAD", Target: "/sandbox-bucket/", Status: 0, Fault: "cut after storing", Elapsed: 120 * time.Millisecond}}})
	out["sandbox-faults"] = views.SandboxFaults(views.SandboxFaultsPage{SandboxPage: choices(base(4)), URL: "/f", Part: "oss", Active: []views.Fault{{Title: "503 to 5 % of PutObject", Hits: 12, Since: before(time.Minute), Off: "/off"}},
		Form: components.Group{Title: "New fault", Fields: []components.Field{{Key: "kind", Kind: components.KindSegmented, Label: "What happens", Value: "status", Options: options("status", "slow", "cut before", "cut after")},
			{Key: "rate", Kind: components.KindNumber, Label: "How often", Unit: "%", Value: "5", Short: true}}}})
}

func addRest(out map[string]templ.Component) {
	out["help"] = views.Help(views.HelpPage{Page: frame("Help", "help"), Connectors: []views.HelpConnector{{Class: "KAFKA2OSS", Title: "Object Storage Service", Summary: "Writes records as objects: JSON, CSV, Parquet or Avro, exactly once.", Href: "/h", Path: toOSS}},
		Articles: []views.HelpArticle{{Title: "States and what to do", Summary: "What each state means and what to do about it.", Href: "/h/states", Icon: "activity"}}})
	out["help-search"] = views.Help(views.HelpPage{Page: frame("Help", "help"), Query: "flush", Results: []views.HelpResult{{Key: "flush.size", Label: "Flush size", Help: "Records that close a chunk.", Connector: "KAFKA2OSS", Href: "/h"}}})
	out["help-none"] = views.Help(views.HelpPage{Page: frame("Help", "help"), Query: "zzz"})
	out["reference"] = views.Reference(views.ReferencePage{Page: frame("KAFKA2OSS", "help"), Class: "KAFKA2OSS", Title: "Object Storage Service", Summary: "Writes the records of topics as objects.", Path: toOSS, Example: "{\n  \"name\": \"orders\"\n}",
		Groups: []views.ReferenceGroup{{ID: "destination", Title: "Configure Destination", Params: []views.Param{
			{Key: "oss.bucket", Label: "Bucket Name", Help: "The bucket that receives the objects.", Type: "text", Example: "my-bucket", Required: true, FixedAfter: true},
			{Key: "oss.format", Label: "Data format", Help: "How records are written.", Type: "choice", Default: "json", Options: []components.Option{{Value: "json", Hint: "an array"}}},
			{Key: "aliyun.access.key.secret", Label: "Access key secret", Help: "Write-only.", Type: "text", Secret: true, Advanced: true, When: "When credentials are an access key."}}}}})
	tabs := []components.Tab{{Label: "Requests", Href: "/admin", Count: 1, Current: true}, {Label: "Sessions", Href: "/admin/sessions"}, {Label: "Audit", Href: "/admin/audit"}}
	admin := views.AdminPage{Page: frame("Administration", "admin"), Tabs: tabs}
	out["admin"] = views.AdminRequests(views.AdminRequestsPage{AdminPage: admin, Rows: []views.QuotaRequest{{Instance: "orders-prod", InstanceHref: "/i", User: "mei", Reason: "Two more archives for the audit", Time: before(time.Hour), Quota: 3, Used: 3, Wanted: 6, Grant: "/g", Decline: "/d"},
		{Instance: "sandbox", InstanceHref: "/i", User: "ali", Reason: "Trial", Time: before(90 * time.Hour), Quota: 10, Used: 2, Wanted: 20, Decided: "declined", DecidedBy: "admin"}}})
	out["admin-empty"] = views.AdminRequests(views.AdminRequestsPage{AdminPage: admin})
	addAdminLists(out, admin)
	out["sessions"] = views.AdminSessions(views.AdminSessionsPage{AdminPage: admin, Rows: []views.Session{{User: "admin", Address: "127.0.0.1", Agent: "Chrome on Linux", Since: before(time.Hour), Seen: now(), Current: true}, {User: "mei", Address: "10.0.0.9", Agent: "Safari on macOS", Since: before(50 * time.Hour), Seen: before(time.Hour), End: "/e"}}})
	out["audit-empty"] = views.AdminAudit(views.AdminAuditPage{AdminPage: admin})
	out["audit"] = views.AdminAudit(views.AdminAuditPage{AdminPage: admin, Shown: "1–2 of 2", Rows: []views.AuditRow{{Time: before(time.Minute), User: "mei", Address: "10.0.0.9", Act: "connector.create", Subject: "orders-prod/orders-archive", Href: "/x", Detail: "KAFKA2OSS, version 1"},
		{Time: before(time.Hour), User: "ali", Address: "10.0.0.7", Act: "connector.delete", Subject: "orders-prod/orders-archive", Detail: "not an operator", Refused: true}}})
}

func addAdminLists(out map[string]templ.Component, admin views.AdminPage) {
	add := views.AdminForm{URL: "/a", Submit: "Add", Group: components.Group{Title: "Add", Intro: "What it does.", Fields: []components.Field{{Key: "id", Kind: components.KindText, Label: "ID", Error: "Use letters."}}}, General: []string{"It is full."}}
	out["regions"] = views.AdminRegions(views.AdminRegionsPage{AdminPage: admin, Form: add, Rows: []views.Region{{ID: "cn-hangzhou", Name: "China (Hangzhou)", Instances: 1204}, {ID: "eu-central-1", Name: "Germany (Frankfurt)", Remove: "/r"}}})
	out["egress"] = views.AdminEgress(views.AdminEgressPage{AdminPage: admin, Form: add, Rows: []views.EgressRule{{CIDR: "203.0.113.0/24", Setting: "SLUICE_EGRESS_DENY"}, {CIDR: "8.8.8.8/32", Note: "Not the name server", User: "mei", Time: before(time.Hour), Remove: "/r"},
		{CIDR: "8.8.8.0/24", Allow: true, Overruled: "8.8.8.8/32", User: "ali", Time: before(50 * time.Hour), Remove: "/r"}}})
	out["egress-empty"] = views.AdminEgress(views.AdminEgressPage{AdminPage: admin, Form: add})
	out["quotas"] = views.AdminQuotas(views.AdminQuotasPage{AdminPage: admin, Rows: []views.Quota{{Instance: instance(), Settings: "/s", URL: "/q", Value: "3"}, {Instance: views.Instance{Name: "tokyo-dr", Href: "/t", Region: "Japan (Tokyo)", Connectors: 3, Quota: 3}, Settings: "/s", URL: "/q", Value: "many", Error: "Write a whole number from 0 to 10000."}}})
	out["quotas-empty"] = views.AdminQuotas(views.AdminQuotasPage{AdminPage: admin})
}
