package console_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/control"
)

// TestAdminEgress adds and removes rules by the forms; each is in force at once, and deny
// wins.
func TestAdminEgress(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	reached := func(address string, want bool) {
		t.Helper()
		if err := s.rules.CheckAddress(address, false); (err == nil) != want {
			t.Errorf("%s: %v, want it reached: %v", address, err, want)
		}
	}
	page := admin.get("/admin/egress").want(200).says("127.0.0.0/8", "SLUICE_EGRESS_ALLOW")
	page.hasNot(`button[formaction*="/admin/egress/"]`) // those of settings cannot be removed
	reached("8.8.8.8:443", false)
	reached("10.1.2.3:9092", true)

	admin.fill(page, `form[action="/admin/egress"]`, "list", "allow", "cidr", " 8.8.8.0/24 ", "note", "<b>the mirror</b>").to("/admin/egress")
	admin.get("/admin/egress").says("8.8.8.0/24 is allowed", "<b>the mirror</b>", "admin").hasNot("main b")
	reached("8.8.8.8:443", true)

	admin.post("/admin/egress", "list", "deny", "cidr", "8.8.8.8").to("/admin/egress")
	page = admin.get("/admin/egress").says("8.8.8.8/32", "8.8.8.8/32 is denied; deny wins")
	reached("8.8.8.8:443", false)
	reached("8.8.8.9:443", true)
	admin.post("/admin/egress", "list", "deny", "cidr", "10.1.0.0/16").to("/admin/egress")
	reached("10.1.2.3:9092", false)
	refused := admin.post("/instances", "name", "second", "region", "self-hosted", "bootstrap.servers", "10.1.2.3:9092", "security.protocol", "PLAINTEXT").want(http.StatusUnprocessableEntity)
	refused.says("deny list")

	remove := ""
	for _, row := range page.doc.Find("tbody tr").EachIter() {
		if strings.Contains(row.Text(), "8.8.8.8/32") && strings.Contains(row.Text(), "Deny") {
			remove = row.Find("button").AttrOr("formaction", "")
		}
	}
	admin.post(remove).to("/admin/egress")
	admin.get("/admin/egress").says("The rule for 8.8.8.8/32 was removed")
	reached("8.8.8.8:443", true)
	admin.post(remove).want(http.StatusNotFound)
	for _, bad := range []string{"/admin/egress/x/delete", "/admin/egress/0/delete", "/admin/egress/-1/delete", "/admin/egress/99999999999999999999/delete"} {
		admin.post(bad).want(http.StatusNotFound)
	}
	admin.get("/admin/audit").says("egress.allow", "egress.deny", "egress.delete", "8.8.8.8/32")
	stored, err := s.store.EgressRules(t.Context())
	if err != nil || len(stored) != 2 || stored[0].CIDR != "10.1.0.0/16" || stored[0].Allow || stored[1].Note != "<b>the mirror</b>" || stored[1].By != "admin" {
		t.Errorf("%+v %v", stored, err)
	}
}

// TestAdminRegions adds a region, uses it and removes it.
func TestAdminRegions(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	page := admin.get("/admin/regions").want(200).says("China (Hangzhou)", "cn-hangzhou", "built in").hasNot(`button[formaction*="/admin/regions/"]`)
	admin.fill(page, `form[action="/admin/regions"]`, "id", "eu-central-1", "name", "Frankfurt <i>").to("/admin/regions")
	admin.get("/admin/regions").says("The region Frankfurt <i> was added", "eu-central-1").has(`button[formaction="/admin/regions/eu-central-1/delete"]`)
	admin.get("/instances/new").has(`option[value="eu-central-1"]`)
	env, err := s.svc.Env(control.WithActor(t.Context(), control.System()), "sandbox")
	if err != nil || !strings.Contains(fmt.Sprint(env.Regions), "eu-central-1") {
		t.Errorf("forms of connectors do not know it: %v %v", env.Regions, err)
	}
	admin.post("/instances/sandbox/settings", "region", "eu-central-1", "bootstrap.servers", s.kafka, "connector.quota", "10").to("/instances/sandbox/settings")
	page = admin.get("/admin/regions")
	for _, row := range page.doc.Find("tbody tr").EachIter() {
		want := map[bool]string{true: "1", false: "0"}[strings.Contains(row.Text(), "eu-central-1")]
		if got := strings.TrimSpace(row.Find("td.num").First().Text()); got != want {
			t.Errorf("%q instances of %q", got, row.Text())
		}
	}
	admin.post("/admin/regions/eu-central-1/delete").to("/admin/regions")
	if a := admin.get("/admin/regions").says("was removed"); strings.Contains(a.doc.Find("tbody").Text(), "eu-central-1") {
		t.Error("it is still listed")
	}
	admin.get("/instances/sandbox").want(200).says("eu-central-1") // keeps it
	admin.post("/admin/regions/eu-central-1/delete").want(http.StatusNotFound)
	admin.post("/admin/regions/cn-hangzhou/delete").to("/admin/regions")
	admin.get("/admin/regions").says("is built in and cannot be removed", "cn-hangzhou")
	admin.get("/admin/audit").says("region.add", "region.delete")
}

// TestAdminQuotas sets an instance's quota where all are listed.
func TestAdminQuotas(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	page := admin.get("/admin/quotas").want(200).says("sandbox", "0 of 10 used").has(`a[href="/instances/sandbox/settings"]`)
	admin.fill(page, `form[action="/admin/quotas/sandbox"]`, "connector.quota", "4").to("/admin/quotas")
	admin.get("/admin/quotas").says("The quota of sandbox is now 4", "0 of 4 used")
	admin.post("/admin/quotas/none", "connector.quota", "4").want(http.StatusNotFound)
	if in, err := s.store.InstanceByName(t.Context(), "sandbox"); err != nil || in.Quota != 4 {
		t.Errorf("quota %d, %v", in.Quota, err)
	}
	admin.get("/admin/audit").says("instance.update", "10 → 4")
}

// TestQuotaRequestIsSeen: an operator at a full quota sees that a request waits, and is
// not asked for another; of other instances nothing is shown.
func TestQuotaRequestIsSeen(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin, otto := s.as("admin"), s.as("otto")
	admin.post("/instances", "name", "second", "region", "self-hosted", "bootstrap.servers", s.kafka, "security.protocol", "PLAINTEXT", "connector.quota", "0").to("/instances/second/enable")
	admin.post("/admin/quotas/sandbox", "connector.quota", "0").to("/admin/quotas")
	for _, name := range []string{"sandbox", "second"} {
		if err := s.svc.EnsureSandbox(t.Context(), s.kafka); err != nil {
			t.Fatal(err)
		}
		in, err := s.store.InstanceByName(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.store.SetInstanceEnabled(t.Context(), in.ID, true); err != nil {
			t.Fatal(err)
		}
	}
	page := otto.get("/instances/sandbox").want(200).says("Request a higher quota")
	otto.fill(page, `form[action="/instances/sandbox/quota"]`, "wanted", "5", "reason", "more").to("/instances/sandbox")
	otto.get("/instances/sandbox").says("waits for an administrator").hasNot(`form[action="/instances/sandbox/quota"]`)
	otto.get(newConnector).says("waits for an administrator").hasNot(`form[action="/instances/sandbox/quota"]`)
	if a := otto.get("/instances/second").has(`form[action="/instances/second/quota"]`); strings.Contains(a.text(), "waits for an administrator") {
		t.Error("another instance's request is shown")
	}
	grant := admin.get("/admin").doc.Find(`button[formaction*="/refuse"]`).AttrOr("formaction", "")
	admin.post(grant).to("/admin")
	otto.get("/instances/sandbox").has(`form[action="/instances/sandbox/quota"]`)
}

const newConnector = "/instances/sandbox/connectors/new"

// TestAdminBadValues: every bad value is refused at its field, what was typed stays, and
// nothing is stored.
func TestAdminBadValues(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	admin.post("/admin/regions", "id", "eu-central-1", "name", "Frankfurt").to("/admin/regions")
	admin.post("/admin/egress", "list", "deny", "cidr", "10.9.0.0/16").to("/admin/egress")
	long := strings.Repeat("x", 300)
	for _, c := range []struct {
		path  string
		field string // that is marked
		pairs []string
	}{
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", ""}},
		{"/admin/egress", "cidr", []string{"list", "deny"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "example.com"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.0.0.0/33"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.0.0/8"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.1.2.3/8"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "010.0.0.0/8"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.0.0.0/8,11.0.0.0/8"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.0.0.1-10.0.0.9"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "fe80::1%eth0"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "::ffff:0:0/90"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "<script>alert(1)</script>"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", long}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "10.9.0.0/16"}},
		{"/admin/egress", "cidr", []string{"list", "deny", "cidr", "::ffff:10.9.0.0/112"}},
		{"/admin/egress", "cidr", []string{"list", "allow", "cidr", "169.254.169.254"}},
		{"/admin/egress", "cidr", []string{"list", "allow", "cidr", "169.254.0.0/16"}},
		{"/admin/egress", "cidr", []string{"list", "allow", "cidr", "224.0.0.0/4"}},
		{"/admin/egress", "cidr", []string{"list", "allow", "cidr", "0.0.0.0"}},
		{"/admin/egress", "list", []string{"list", "perhaps", "cidr", "10.7.0.0/16"}},
		{"/admin/egress", "list", []string{"cidr", "10.7.0.0/16"}},
		{"/admin/egress", "note", []string{"list", "deny", "cidr", "10.7.0.0/16", "note", long}},
		{"/admin/egress", "note", []string{"list", "deny", "cidr", "10.7.0.0/16", "note", "a\x07b"}},
		{"/admin/egress", "note", []string{"list", "deny", "cidr", "10.7.0.0/16", "note", "a\u202eb"}},
		{"/admin/regions", "id", []string{"name", "X"}},
		{"/admin/regions", "id", []string{"id", "Upper", "name", "X"}},
		{"/admin/regions", "id", []string{"id", "-a", "name", "X"}},
		{"/admin/regions", "id", []string{"id", "a b", "name", "X"}},
		{"/admin/regions", "id", []string{"id", "../x", "name", "X"}},
		{"/admin/regions", "id", []string{"id", "ä", "name", "X"}},
		{"/admin/regions", "id", []string{"id", long, "name", "X"}},
		{"/admin/regions", "id", []string{"id", "cn-hangzhou", "name", "X"}},
		{"/admin/regions", "id", []string{"id", "eu-central-1", "name", "Again"}},
		{"/admin/regions", "name", []string{"id", "eu-west-1", "name", " "}},
		{"/admin/regions", "name", []string{"id", "eu-west-1", "name", long}},
		{"/admin/regions", "name", []string{"id", "eu-west-1", "name", "a\x01"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", ""}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "-1"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "10001"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "1.5"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "many"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "99999999999999999999"}},
		{"/admin/quotas/sandbox", "connector.quota", []string{"connector.quota", "<b>"}},
	} {
		t.Run(fmt.Sprintf("%s %.60q", c.path, c.pairs), func(t *testing.T) {
			a := admin.post(c.path, c.pairs...)
			a.t = t
			a.want(http.StatusUnprocessableEntity).has("#errors").hasNot("main script, main b")
			if a.doc.Find(fmt.Sprintf(`[aria-invalid=true][name=%q]`, c.field)).Length() == 0 && a.doc.Find("#field-f-"+c.field+" .field-error").Length() == 0 {
				t.Errorf("%s is not marked: %.1500s", c.field, a.body)
			}
			if href := a.doc.Find("#errors a").First().AttrOr("href", "#?"); a.doc.Find(href).Length() != 1 {
				t.Errorf("the summary leads to %q", href)
			}
			for i := 0; i+1 < len(c.pairs); i += 2 {
				typed := a.doc.Find(fmt.Sprintf(`main input[type=text][name=%q]`, c.pairs[i])).AttrOr("value", c.pairs[i+1])
				if typed != c.pairs[i+1] {
					t.Errorf("%s is now %q", c.pairs[i], typed)
				}
			}
		})
	}
	ctx := t.Context()
	rules, err := s.store.EgressRules(ctx)
	if err != nil || len(rules) != 1 {
		t.Errorf("rules %v %v", rules, err)
	}
	regions, err := s.store.Regions(ctx)
	if err != nil || len(regions) != 1 {
		t.Errorf("regions %v %v", regions, err)
	}
	if in, err := s.store.InstanceByName(ctx, "sandbox"); err != nil || in.Quota != 10 {
		t.Errorf("quota %d %v", in.Quota, err)
	}
}
