package gallery

import (
	"math"
	"sync"
	"time"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// now is one moment for all pages.
var now = sync.OnceValue(time.Now)

func before(d time.Duration) time.Time { return now().Add(-d) }

func frame(title, current string, crumbs ...layout.Crumb) layout.Page {
	return layout.Page{
		Title: title, Breadcrumbs: append(crumbs, layout.Crumb{Label: title}), Version: "0.1.0", Path: "/", Theme: "auto", Language: "en",
		User: layout.User{Name: "admin", Role: "admin"},
		Nav: layout.Nav{Current: current, Connectors: 9, Failing: 2, Sandbox: true, Requests: 1, More: 4, Instances: []layout.NavInstance{
			{Name: "orders-prod", Href: "/instances/orders-prod", Status: "RUNNING", Open: true, Connectors: []layout.NavConnector{
				{Name: "orders-archive", Href: "/instances/orders-prod/connectors/orders-archive", State: "RUNNING"},
				{Name: "payments-to-oss", Href: "/x", State: "FAILED"},
				{Name: "clicks-to-odps", Href: "/x", State: "RUNNING", Stalled: true},
			}},
			{Name: "sandbox", Href: "/instances/sandbox", Status: "RUNNING", Connectors: []layout.NavConnector{{Name: "example", Href: "/x", State: "RUNNING"}}},
			{Name: "tokyo-dr", Href: "/instances/tokyo-dr", Status: "UNREACHABLE"},
		}},
	}
}

var toOSS = views.DumpPath{Source: "Message Queue for Apache Kafka", Destination: "Object Storage Service", From: "Kafka", To: "OSS"}

func rowMenu() []components.MenuItem {
	return []components.MenuItem{
		{Label: "View logs", Icon: "scroll-text", Href: "/l"}, {Label: "Suspend", Icon: "pause", Post: "/s"}, {Label: "Restart", Icon: "rotate-ccw", Post: "/r"},
		{}, {Label: "Delete…", Icon: "trash-2", Href: "/d", Danger: true},
	}
}

func rows() []views.ConnectorRow {
	row := func(name, state string, path views.DumpPath, rate float64, lag time.Duration, waiting int64, last time.Duration) views.ConnectorRow {
		return views.ConnectorRow{Name: name, Href: "/instances/orders-prod/connectors/" + name, Instance: "orders-prod", InstanceHref: "/instances/orders-prod", State: state,
			Path: path, Rate: rate, Lag: lag, Waiting: waiting, LastDelivery: before(last), Since: before(14 * time.Minute), Menu: rowMenu()}
	}
	fc := views.DumpPath{Source: "Message Queue for Apache Kafka", Destination: "Function Compute", From: "Kafka", To: "FC"}
	odps := views.DumpPath{Source: "Message Queue for Apache Kafka", Destination: "MaxCompute", From: "Kafka", To: "MaxCompute"}
	failed := row("payments-to-oss", "FAILED", toOSS, -1, 14*time.Minute, 48211, 14*time.Minute)
	failed.Cause, failed.Remedy = "Object Storage Service refused the access key (InvalidAccessKeyId).", "Enter a valid access key in the destination's configuration, then resume."
	failed.Act = components.Action{Label: "Change credentials", Href: "/m", Icon: "key-round", Small: true}
	stalled := row("clicks-to-odps", "RUNNING", odps, 0, 11*time.Minute, 1204551, 11*time.Minute)
	stalled.Stalled, stalled.Cause, stalled.Remedy = true, "Records wait and nothing has moved for 11 min.", "See what the last request waits for in the logs."
	stalled.Act = components.Action{Label: "View logs", Href: "/l", Icon: "scroll-text", Small: true}
	degraded := row("audit-to-fc", "DEGRADED", fc, 210, 4*time.Second, 12, 2*time.Second)
	degraded.Diverted = 17
	return []views.ConnectorRow{failed, stalled, degraded,
		row("inventory-to-oss", "RECOVERING", toOSS, 0, 95*time.Second, 8120, 95*time.Second),
		row("orders-archive", "RUNNING", toOSS, 12431, 2*time.Second, 310, time.Second),
		row("sessions-to-oss", "RUNNING", toOSS, 88.4, time.Second, 0, 8*time.Second),
		row("sms-callbacks", "DEPLOYING", fc, -1, -1, -1, 400*time.Hour),
		row("legacy-export", "SUSPENDED", odps, -1, 26*time.Hour, 5210034, 26*time.Hour),
		row("trial", "NOT_DEPLOYED", toOSS, -1, -1, -1, 900*time.Hour)}
}

func counts() []components.StripItem {
	n := map[string]int{"FAILED": 1, "STALLED": 1, "DEGRADED": 1, "RECOVERING": 1, "RUNNING": 3, "SUSPENDED": 1, "NOT_DEPLOYED": 1}
	var out []components.StripItem
	for _, s := range []string{"FAILED", "GAP", "STALLED", "DEGRADED", "RECOVERING", "RUNNING", "SUSPENDED", "NOT_DEPLOYED"} {
		out = append(out, components.StripItem{Look: components.StateLook(s), Count: n[s], Href: "/?state=" + s})
	}
	return out
}

func wave(name string, base, swing, phase float64) components.Series {
	s := components.Series{Name: name}
	for i := range 61 {
		v := base + swing*math.Sin(float64(i)/7+phase) + swing/3*math.Sin(float64(i)*1.7)
		if name == "Waiting" && i > 22 && i < 28 {
			v = math.NaN()
		}
		s.Points = append(s.Points, components.Point{Time: before(time.Duration(60-i) * time.Minute), Value: v})
	}
	return s
}

func instance() views.Instance {
	return views.Instance{Name: "orders-prod", Href: "/instances/orders-prod", Region: "China (Hangzhou)", Status: "RUNNING", Since: before(80 * time.Hour), Version: "3.9",
		Guarantees: "Idempotent and transactional writes: exactly once to Object Storage Service and MaxCompute.", Bootstrap: "10.0.4.11:9092,10.0.4.12:9092", Security: "SASL_SSL, SCRAM-SHA-512",
		Brokers: []views.Broker{{ID: 1, Address: "10.0.4.11:9092", Controller: true}, {ID: 2, Address: "10.0.4.12:9092"}, {ID: 3, Address: "10.0.4.13:9092"}},
		Enabled: true, Connectors: 3, Quota: 3, Failing: 2, ClusterID: "5L6g3nShT-eMCtK--X86sw", VPC: "vpc-bp1qevb59nv1"}
}

func instancePage(tab int) views.InstancePage {
	tabs := []components.Tab{{Label: "Connectors", Href: "/i", Count: 3}, {Label: "Topics", Href: "/i/topics"}, {Label: "Groups", Href: "/i/groups"}, {Label: "Settings", Href: "/i/settings"}}
	tabs[tab].Current = true
	return views.InstancePage{Page: frame("orders-prod", "/instances/orders-prod", layout.Crumb{Label: "Instances", Href: "/instances"}), Instance: instance(), Tabs: tabs, Admin: true, Operator: true, New: "/new"}
}

func conditions() []components.Finding {
	return []components.Finding{
		{Name: "The instance answers", Status: "ok", Detail: "3 brokers, all reached", Millis: 42},
		{Name: "Kafka 0.10.2 or later", Status: "ok", Detail: "Detected 3.9", Millis: 3},
		{Name: "Permission to create topics", Status: "failed", Detail: "TOPIC_AUTHORIZATION_FAILED for connect-*", Remedy: "Grant Create and Alter on topics with the prefix connect- to the user sluice, then check again.", Millis: 118},
		{Name: "Idempotent writes", Status: "running"},
		{Name: "Quota", Status: "skipped", Detail: "Checked when a connector is created"},
	}
}

func pages() map[string]templ.Component {
	out := map[string]templ.Component{}
	addHome(out)
	addInstances(out)
	addSandbox(out)
	addRest(out)
	addConnector(out)
	addConnectorTabs(out)
	addTopic(out)
	addWizard(out)
	addSource(out)
	out["components"] = kitchen()
	return out
}
