package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// connector makes one on the sandbox, running or not, and returns its ID.
func (s *site) connector(name string, desired control.Desired) int64 {
	s.t.Helper()
	ctx := control.WithActor(s.t.Context(), control.System())
	cfg := connector.Config{"connector.class": "KAFKA2OSS", "topics": "orders", "oss.bucket": "sandbox-bucket", "oss.endpoint": "http://127.0.0.1:19100", "aliyun.access.key.id": "id", "aliyun.access.key.secret": "very-secret-value"}
	c, err := s.svc.CreateConnector(ctx, "sandbox", name, cfg, desired)
	if err != nil {
		s.t.Fatal(err)
	}
	return c.ID
}

// is gives a connector the state of its only task.
func (s *site) is(id int64, state connector.State, cause, remedy string) {
	s.t.Helper()
	st := runner.TaskStatus{ConnectorID: id, Node: "n", Status: connector.Status{State: state, Cause: cause, Remedy: remedy, Since: time.Now()}, UpdatedAt: time.Now()}
	if err := s.store.SaveTaskStatus(s.t.Context(), st); err != nil {
		s.t.Fatal(err)
	}
}

// pages are all pages of this part, by somebody who may see them all.
func pages() []string {
	return []string{"/", "/?state=FAILED", "/?q=nothing-like-this", "/instances", "/instances/new", "/instances/sandbox", "/instances/sandbox/topics", "/instances/sandbox/topics?internal=true&q=ord", "/instances/sandbox/settings",
		"/instances/sandbox/enable", "/connectors/new", "/sandbox", "/sandbox?prefix=orders/", "/sandbox?key=orders/dt=2026-01-01/b.bin", "/sandbox/requests", "/sandbox/requests?part=fc", "/sandbox/faults", "/sandbox/faults?part=odps",
		"/sandbox/functions", "/sandbox/functions?failed=on&contains=x&function=sandbox/echo", "/sandbox/tables", "/sandbox/tables?table=sandbox.plain", "/help", "/help?q=flush", "/help?q=zzz",
		"/help/connectors/KAFKA2OSS", "/help/connectors/kafka2oss", "/admin", "/admin/sessions", "/admin/audit"}
}

// TestEveryPageIsWhole: each page renders with its frame, keeps the content policy, and
// its forms carry the token.
func TestEveryPageIsWhole(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.is(s.connector("orders-to-oss", control.DesiredRunning), connector.StateFailed, "The key was refused.", "Enter a valid access key.")
	admin := s.as("admin")
	for _, path := range pages() {
		a := admin.get(path)
		if path == "/connectors/new" { // with one instance there is nothing to choose
			a.to("/instances/sandbox/connectors/new")
			continue
		}
		a.want(http.StatusOK)
		headers(t, a)
		whole(t, path, a)
		if part := admin.get(path, "HX-Request", "true"); part.header.Get("Vary") == "" {
			t.Errorf("%s: no Vary", path)
		}
	}
	whole(t, "/nothing", admin.get("/nothing"))
	whole(t, "/login", s.browser().get("/login"))
}

func whole(t *testing.T, path string, a answer) {
	t.Helper()
	doc := a.doc
	if doc == nil || doc.Find("main").Length() != 1 || doc.Find("h1").Length() != 1 || strings.TrimSpace(doc.Find("title").Text()) == "" {
		t.Errorf("%s: no main, no heading or no title", path)
		return
	}
	doc.Find("*").Each(func(_ int, e *goquery.Selection) {
		for _, attr := range e.Nodes[0].Attr {
			if strings.HasPrefix(attr.Key, "on") || attr.Key == "style" {
				t.Errorf("%s: <%s %s=%q>", path, goquery.NodeName(e), attr.Key, attr.Val)
			}
			if (attr.Key == "href" || attr.Key == "action" || attr.Key == "src") && strings.HasPrefix(attr.Val, "javascript:") {
				t.Errorf("%s: %s", path, attr.Val)
			}
		}
	})
	doc.Find("script").Each(func(_ int, e *goquery.Selection) {
		if e.AttrOr("src", "") == "" {
			t.Errorf("%s: an inline script", path)
		}
	})
	if n := doc.Find("style").Length(); n > 0 {
		t.Errorf("%s: %d inline styles", path, n)
	}
	doc.Find(`form[method="post"]`).Each(func(_ int, e *goquery.Selection) {
		if e.Find(`input[name="_csrf"]`).AttrOr("value", "") == "" {
			t.Errorf("%s: the form to %s has no token", path, e.AttrOr("action", ""))
		}
	})
	ids := map[string]bool{}
	doc.Find("[id]").Each(func(_ int, e *goquery.Selection) {
		id := e.AttrOr("id", "")
		if ids[id] {
			t.Errorf("%s: the id %q stands twice", path, id)
		}
		ids[id] = true
	})
	if strings.Contains(a.body, "very-secret-value") {
		t.Errorf("%s shows a secret", path)
	}
}

// TestFragments: a script that asks for the part gets the part alone.
func TestFragments(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	s.connector("a", control.DesiredNotDeployed)
	admin := s.as("admin")
	for path, id := range map[string]string{"/?q=a": "connectors", "/instances/sandbox": "instance", "/instances/sandbox/enable": "enable", "/sandbox/requests": "requests"} {
		a := admin.get(path, "HX-Request", "true").want(200)
		if a.doc.Find("body > #"+id).Length() != 1 || strings.Contains(a.body, "<html") {
			t.Errorf("%s: not the element %s alone", path, id)
		}
		if url := a.doc.Find("#"+id).AttrOr("hx-get", path); url != path {
			t.Errorf("%s asks for %s", path, url)
		}
		admin.get(path, "HX-Request", "true", "HX-History-Restore-Request", "true").want(200).has("nav.nav")
	}
}

func TestHome(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin, vera := s.as("admin"), s.as("vera")
	admin.get("/").want(200).says("No connectors yet", "Start the example").has(`button[formaction="/sandbox/example"]`)
	vera.get("/").want(200).says("No connectors yet").hasNot(`button[formaction="/sandbox/example"]`).hasNot(`a[href="/instances/new"]`)
	s.is(s.connector("well", control.DesiredRunning), connector.StateRunning, "", "")
	s.is(s.connector("broken", control.DesiredRunning), connector.StateFailed, "The access key was refused.", "Enter a valid access key.")
	s.connector("fresh", control.DesiredNotDeployed)
	page := admin.get("/").want(200).says("The access key was refused.", "Enter a valid access key.")
	if first := strings.TrimSpace(page.doc.Find("tbody .row-link").First().Text()); first != "broken" {
		t.Errorf("the first row is %q", first)
	}
	page.has(`button[formaction="/instances/sandbox/connectors/broken/resume"]`).has(`button[formaction="/instances/sandbox/connectors/fresh/deploy"]`)
	page.has(`.strip-item[href="/?state=FAILED"]`).has(`.nav-count-bad`)
	rows := func(path string) string {
		var names []string
		for _, e := range admin.get(path).want(200).doc.Find("tbody .row-link").EachIter() {
			names = append(names, e.Text())
		}
		return strings.Join(names, " ")
	}
	for path, want := range map[string]string{"/?state=FAILED": "broken", "/?q=ES": "fresh", "/?q=sand": "broken fresh well", "/?type=KAFKA2OSS&state=RUNNING": "well", "/?type=NONE": "", "/?instance=none": "", "/?state=%00": "", "/?from=-1": "broken fresh well",
		"/?from=99999999999999999999": "broken fresh well", "/?state=NOT_DEPLOYED&instance=sandbox": "fresh"} {
		if strings.Contains(path, "%00") {
			admin.get(path).want(http.StatusBadRequest)
			continue
		}
		if got := rows(path); got != want {
			t.Errorf("%s shows %q, want %q", path, got, want)
		}
	}
	admin.get("/?q=%3Cscript%3Ealert(1)%3C/script%3E").want(200).says("No connector matches").hasNot("main script")
	vera.get("/").hasNot(`input[name="connector"]`).hasNot(`button[formaction$="/suspend"]`)
	admin.post("/connectors/bulk", "act", "suspend", "connector", "sandbox/well", "connector", "sandbox/none", "connector", "nonsense").to("/")
	admin.get("/").says("1 connector is being suspended", "1 connector could not be changed", "sandbox/none")
	admin.post("/connectors/bulk", "act", "explode", "connector", "sandbox/well").want(http.StatusUnprocessableEntity)
}

// TestManyConnectors pages a long list.
func TestManyConnectors(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	ctx := t.Context()
	in, err := s.store.InstanceByName(ctx, "sandbox")
	if err != nil {
		t.Fatal(err)
	}
	in.Quota = 1000
	if err := s.store.UpdateInstance(ctx, in); err != nil {
		t.Fatal(err)
	}
	for i := range 130 {
		row := runner.Connector{InstanceID: in.ID, Instance: "sandbox", Name: "c" + string(rune('a'+i/26)) + string(rune('a'+i%26)), Class: "KAFKA2OSS", Config: connector.Config{}, Desired: runner.DesiredNotDeployed}
		if err := s.store.CreateConnector(ctx, &row, "test"); err != nil {
			t.Fatal(err)
		}
	}
	admin := s.as("admin")
	first := admin.get("/?q=c").want(200).says("1–100 of 130").has(`a[href="/?from=100&q=c"]`)
	if n := first.doc.Find("tbody .row-link").Length(); n != 100 {
		t.Errorf("%d rows", n)
	}
	if n := first.doc.Find(".nav-leaf").Length(); n > 10 {
		t.Errorf("%d connectors in the navigation", n)
	}
	admin.get("/?from=100&q=c").want(200).says("101–130 of 130").has(`a[href="/?q=c"]`)
}

func TestSandboxPages(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin := s.as("admin")
	admin.get("/sandbox").want(200).says("top.json", "orders/", "4 objects").has(`a[href="/sandbox?bucket=sandbox-bucket&prefix=orders%2F"]`)
	admin.get("/sandbox?prefix=orders/").want(200).says("dt=2026-01-01/", "dt=2026-01-02/").has(`a[href="/sandbox?bucket=sandbox-bucket"]`)
	admin.get("/sandbox?prefix=orders/dt=2026-01-01/").says("a.json", "b.bin")
	admin.get("/sandbox?key=orders/dt=2026-01-01/b.bin").says("00 ff 01")
	download := admin.get("/sandbox/object?bucket=sandbox-bucket&key=top.json").want(200)
	if download.header.Get("Content-Disposition") != "attachment; filename=top.json" || download.header.Get("Content-Type") != "application/octet-stream" || !strings.Contains(download.body, "<script>") {
		t.Errorf("download: %v", download.header)
	}
	admin.get("/sandbox/requests").says("PutObject", "503 ServiceUnavailable")
	admin.post("/sandbox/faults", "kind", "status", "status", "503", "code", "SlowDown", "operation", "PutObject", "percent", "5").to("/sandbox/faults")
	admin.get("/sandbox/faults").says("The fault is switched on", "answers 503 SlowDown: 5 % of PutObject")
	if f := s.box.Faults("oss"); len(f) != 1 || f[0].Rate != 0.05 || f[0].Status != 503 {
		t.Errorf("faults: %+v", f)
	}
	for _, bad := range []map[string]string{{"percent": "0"}, {"percent": "NaN"}, {"percent": "101"}, {"percent": "a"}, {"status": "200"}, {"status": ""}, {"status": "1e3"}, {"kind": "none"}, {"kind": "slow", "millis": "-5"}, {"kind": "slow", "millis": "soon"}, {"kind": "skew", "seconds": "0"}} {
		pairs := []string{"kind", "status", "status", "503", "percent", "5"}
		for k, v := range bad {
			pairs = append(pairs, k, v)
		}
		admin.post("/sandbox/faults", pairs...).want(http.StatusUnprocessableEntity).has(`[aria-invalid="true"]`).has("#errors")
	}
	admin.post("/sandbox/faults/update", "kind", "slow").want(200).says("Delay")
	admin.post("/sandbox/faults/0/off").to("/sandbox/faults")
	for _, n := range []string{"0", "7", "-1", "x"} {
		admin.post("/sandbox/faults/" + n + "/off").to("/sandbox/faults")
	}
	if len(s.box.Faults("oss")) != 0 {
		t.Error("a fault stayed on")
	}
}

// TestExample: one press makes and starts the example, a second leads to it.
func TestExample(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	otto := s.as("otto")
	otto.post("/sandbox/example").to("/instances/sandbox/connectors/orders-to-oss")
	ctx := control.WithActor(t.Context(), control.System())
	c, err := s.svc.Connector(ctx, "sandbox", "orders-to-oss")
	if err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]string{"connector.class": "KAFKA2OSS", "topics": "orders", "oss.bucket": "sandbox-bucket", "oss.endpoint": "http://127.0.0.1:19100", "flush.interval.ms": "5000", "consumer.override.auto.offset.reset": "earliest", "aliyun.access.key.secret": connector.Masked} {
		if got := c.Config[key]; got != want {
			t.Errorf("%s = %q, want %q", key, got, want)
		}
	}
	if c.Desired != control.DesiredRunning {
		t.Errorf("it is %s", c.Desired)
	}
	otto.post("/sandbox/example").to("/instances/sandbox/connectors/orders-to-oss")
}

func TestHelpAndAdmin(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin := s.as("admin")
	ref := admin.get("/help/connectors/KAFKA2OSS").want(200).says("Configure Destination", "Bucket Name", "1–1,000,000", "Fixed from the beginning")
	spec, err := s.svc.Spec("KAFKA2OSS")
	if err != nil {
		t.Fatal(err)
	}
	anchors := map[string]bool{}
	ref.doc.Find("article.param").Each(func(_ int, e *goquery.Selection) { anchors[e.AttrOr("id", "")] = true })
	for _, f := range spec.Fields() {
		if !anchors[f.Key] {
			t.Errorf("%s is not in the reference", f.Key)
		}
	}
	admin.get("/help?q=FLUSH.size").says("flush.size").has(`a[href="/help/connectors/KAFKA2OSS#flush.size"]`)
	admin.get("/help?q=%3Cb%3E").says("Nothing found for “<b>”")

	otto := s.as("otto")
	otto.post("/instances/sandbox/quota", "wanted", "3", "reason", "x").to("/instances/sandbox")
	otto.get("/instances/sandbox").says("Some values are not valid", "wanted")
	otto.post("/instances/sandbox/quota", "wanted", "20", "reason", "<i>more</i>").to("/instances/sandbox")
	page := admin.get("/admin").want(200).says("otto", "asks for 20 connectors", "<i>more</i>").has(".nav-count-bad")
	grant := page.doc.Find(`button[formaction*="/grant"]`).AttrOr("formaction", "")
	admin.post(grant).to("/admin")
	admin.get("/admin").says("The quota was raised to 20", "Granted by admin")
	admin.post(grant).to("/admin")
	admin.get("/admin").says("already decided")
	for _, bad := range []string{"/admin/requests/0/grant", "/admin/requests/x/grant", "/admin/requests/99/refuse", "/admin/sessions/x/end"} {
		admin.post(bad).want(http.StatusNotFound)
	}
	if in, _ := s.store.InstanceByName(t.Context(), "sandbox"); in.Quota != 20 {
		t.Errorf("quota %d", in.Quota)
	}
	for i := range 120 {
		if err := s.store.Audit(t.Context(), models.AuditEntry{Actor: "robot", Act: "connector.create", Object: "sandbox/n" + string(rune('a'+i%26))}); err != nil {
			t.Fatal(err)
		}
	}
	first := admin.get("/admin/audit?q=robot").want(200).says("100 entries")
	next := first.doc.Find(".pages a").Last().AttrOr("href", "")
	if n := admin.get(next).want(200).doc.Find("tbody tr").Length(); n != 20 {
		t.Errorf("%d rows on the second page", n)
	}
	admin.get("/admin/audit?before=x&q=quota").want(200).says("quota.request", "quota.decide")
}
