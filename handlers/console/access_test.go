package console_test

import (
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/gin-gonic/gin"

	"github.com/sluice-io/sluice/handlers/console"
)

func discard() *slog.Logger { return slog.New(slog.DiscardHandler) }

// allRoutes lists method and path of every route of the console, its assets left out.
func allRoutes(s *site) [][2]string {
	e := gin.New()
	console.New(console.Options{Control: s.svc, Store: s.store, Sandbox: s.box}).Routes(e)
	var out [][2]string
	for _, r := range e.Routes() {
		if !strings.HasPrefix(r.Path, "/static/") && r.Method != http.MethodHead {
			path := strings.NewReplacer(":instance", "sandbox", ":connector", "nothing", ":topic", "orders", ":class", "KAFKA2OSS", ":check", "x", ":fault", "0", ":request", "1", ":session", "99", ":region", "nowhere", ":rule", "99").Replace(r.Path)
			out = append(out, [2]string{r.Method, path})
		}
	}
	return out
}

func TestEveryRouteNeedsASession(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	routes := allRoutes(s)
	if len(routes) < 35 {
		t.Fatalf("only %d routes", len(routes))
	}
	for _, r := range routes {
		if r[1] == "/login" {
			continue
		}
		b := s.browser()
		a := b.do(r[0], r[1], "", "Content-Type", "application/x-www-form-urlencoded")
		want := "/login"
		if r[0] == http.MethodGet && r[1] != "/" {
			want += "?return=" + url.QueryEscape(r[1])
		}
		if a.status != http.StatusSeeOther || a.header.Get("Location") != want {
			t.Errorf("%s %s: %d to %q, want %q", r[0], r[1], a.status, a.header.Get("Location"), want)
		}
		if a := b.do(r[0], r[1], "", "HX-Request", "true", "Content-Type", "application/x-www-form-urlencoded"); a.status != http.StatusUnauthorized || a.body != "" {
			t.Errorf("%s %s by a script: %d", r[0], r[1], a.status)
		}
		headers(t, a)
	}
}

func headers(t testing.TB, a answer) {
	t.Helper()
	for name, want := range map[string]string{"X-Content-Type-Options": "nosniff", "Cache-Control": "no-store", "X-Frame-Options": "DENY", "Referrer-Policy": "same-origin"} {
		if got := a.header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	policy := a.header.Get("Content-Security-Policy")
	if !strings.Contains(policy, "frame-ancestors 'none'") || !strings.Contains(policy, "script-src 'self'") || strings.Contains(policy, "unsafe") {
		t.Errorf("Content-Security-Policy is %q", policy)
	}
}

// TestEveryFormNeedsItsToken posts to every route with a session but without its token,
// with another session's, and from another site.
func TestEveryFormNeedsItsToken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, other := s.as("admin"), s.as("admin")
	for _, r := range allRoutes(s) {
		if r[0] != http.MethodPost || r[1] == "/login" {
			continue
		}
		kind := []string{"Content-Type", "application/x-www-form-urlencoded"}
		for name, a := range map[string]answer{
			"no token":        admin.do(r[0], r[1], "a=b", kind...),
			"another's token": admin.do(r[0], r[1], "_csrf="+other.token, kind...),
			"an empty token":  admin.do(r[0], r[1], "_csrf=", kind...),
			"another site":    admin.do(r[0], r[1], "_csrf="+admin.token, append(kind, "Sec-Fetch-Site", "cross-site")...),
			"another origin":  admin.do(r[0], r[1], "_csrf="+admin.token, append(kind, "Origin", "https://evil.example")...),
		} {
			if a.status != http.StatusForbidden {
				t.Errorf("%s with %s: %d", r[1], name, a.status)
			}
		}
	}
	admin.get("/").want(http.StatusOK).says("admin") // /logout was refused too
	a := admin.do(http.MethodPost, "/account/theme", "theme=dark&return=/help", "Content-Type", "application/x-www-form-urlencoded", "X-CSRF-Token", admin.token)
	a.to("/help")
}

// TestRoles asks for routes as each role; what is not allowed is 403 before anything is done.
func TestRoles(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	who := map[string]*browser{"viewer": s.as("vera"), "operator": s.as("otto"), "admin": s.as("admin")}
	for _, c := range []struct{ method, path, least string }{
		{"GET", "/", "viewer"}, {"GET", "/instances", "viewer"}, {"GET", "/instances/sandbox", "viewer"}, {"GET", "/instances/sandbox/topics", "viewer"},
		{"GET", "/instances/sandbox/enable", "viewer"}, {"GET", "/sandbox", "viewer"}, {"GET", "/help", "viewer"}, {"GET", "/help/connectors/KAFKA2OSS", "viewer"},
		{"POST", "/account/theme", "viewer"},
		{"GET", "/sandbox/requests", "operator"}, {"GET", "/sandbox/faults", "operator"}, {"GET", "/sandbox/object?bucket=sandbox-bucket&key=top.json", "operator"}, {"GET", "/connectors/new", "operator"},
		{"POST", "/connectors/bulk", "operator"}, {"POST", "/sandbox/faults", "operator"}, {"POST", "/sandbox/example", "operator"}, {"POST", "/instances/sandbox/quota", "operator"},
		{"GET", "/admin", "admin"}, {"GET", "/admin/sessions", "admin"}, {"GET", "/admin/audit", "admin"}, {"GET", "/instances/new", "admin"}, {"GET", "/instances/sandbox/settings", "admin"},
		{"POST", "/instances", "admin"}, {"POST", "/instances/sandbox/enable", "admin"}, {"POST", "/instances/sandbox/delete", "admin"}, {"POST", "/instances/sandbox/settings", "admin"},
		{"POST", "/admin/sessions/99/end", "admin"}, {"POST", "/admin/requests/1/grant", "admin"},
		{"GET", "/admin/quotas", "admin"}, {"GET", "/admin/regions", "admin"}, {"GET", "/admin/egress", "admin"}, {"POST", "/admin/quotas/sandbox", "admin"}, {"POST", "/admin/regions", "admin"},
		{"POST", "/admin/regions/nowhere/delete", "admin"}, {"POST", "/admin/egress", "admin"}, {"POST", "/admin/egress/99/delete", "admin"},
	} {
		rank := map[string]int{"viewer": 1, "operator": 2, "admin": 3}
		for role, b := range who {
			var a answer
			if c.method == http.MethodGet {
				a = b.get(c.path)
			} else {
				a = b.post(c.path)
			}
			refused := a.status == http.StatusForbidden
			if refused != (rank[role] < rank[c.least]) {
				t.Errorf("%s %s as %s: %d", c.method, c.path, role, a.status)
			}
			if a.status >= 500 && a.status != http.StatusServiceUnavailable {
				t.Errorf("%s %s as %s: %d %s", c.method, c.path, role, a.status, a.text())
			}
		}
	}
	// A viewer sees objects but no payload.
	who["viewer"].get("/sandbox?key=top.json").want(200).says("Contents are shown to operators")
	who["operator"].get("/sandbox?key=top.json").want(200).says("<script>alert(1)</script>").hasNot("main script")
	// What was refused is in the audit log.
	who["admin"].get("/admin/audit?q=access.refused").want(200).says("access.refused", "vera", "otto")
}

func TestNotFoundAndMethod(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	for _, path := range []string{"/nothing", "/instances/none", "/instances/none/topics", "/instances/none/settings", "/instances/none/enable", "/help/connectors/NONE", "/checks/none", "/sandbox?bucket=none", "/sandbox?key=none", "/sandbox/object?bucket=sandbox-bucket&key=no", "/instances/%ff", "/instances/a%00b", "/instances/..%2f..%2fetc"} {
		a := admin.get(path)
		if a.status != http.StatusNotFound {
			t.Errorf("%s: %d", path, a.status)
		}
		if a.doc != nil {
			a.says("Go to connectors")
		}
	}
	a := admin.do(http.MethodPut, "/instances", "")
	if a.status != http.StatusMethodNotAllowed || a.header.Get("Allow") == "" {
		t.Errorf("PUT: %d, Allow %q", a.status, a.header.Get("Allow"))
	}
	s.browser().get("/nothing").want(http.StatusNotFound).hasNot("nav")
	if a := admin.do(http.MethodHead, "/instances", ""); a.status != 200 || a.body != "" {
		t.Errorf("HEAD: %d", a.status)
	}
	a = s.browser().get("/static/x/css/app.css")
	if a.status != http.StatusFound {
		t.Errorf("an asset without a session: %d", a.status)
	}
}
