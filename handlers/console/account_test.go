package console_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/models"
)

func TestLogin(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	page := b.get("/login?return=/instances").want(200)
	headers(t, page)
	page.has(`input[name="user"]`).has(`input[name="password"][type="password"]`)
	wrong := b.post("/login", "user", "admin", "password", "no", "return", "/instances").want(http.StatusUnprocessableEntity)
	wrong.says("User or password is wrong.")
	if v := wrong.doc.Find(`input[name="user"]`).AttrOr("value", ""); v != "admin" {
		t.Errorf("the user's name is lost: %q", v)
	}
	if v := wrong.doc.Find(`input[name="password"]`).AttrOr("value", ""); v != "" {
		t.Errorf("the password came back: %q", v)
	}
	unknown := b.post("/login", "user", "nobody", "password", "no").want(http.StatusUnprocessableEntity)
	if !strings.Contains(unknown.text(), "User or password is wrong.") {
		t.Error("an unknown user is told apart")
	}
	in := b.post("/login", "user", "admin", "password", password, "return", "/instances").to("/instances")
	for _, c := range in.header["Set-Cookie"] {
		if strings.HasPrefix(c, "sluice_session=") && (!strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Lax") || !strings.Contains(c, "Path=/")) {
			t.Errorf("session cookie: %s", c)
		}
	}
	b.get("/instances").want(200).says("sandbox")
	b.get("/login?return=/help").to("/help")
	b.post("/logout").to("/login")
	b.get("/instances").to("/login?return=%2Finstances")
	audit := s.as("admin").get("/admin/audit").want(200)
	audit.says("user.login", "user.login.failed", "user.logout", "unknown user")
	if strings.Contains(audit.body, "nobody") {
		t.Error("a name that is no user's is written down: it may be a password")
	}
}

// TestLoginForm refuses a sign-in that the browser's own form did not make.
func TestLoginForm(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.post("/login", "user", "admin", "password", password).want(http.StatusForbidden).says("too old")
	b.get("/login")
	other := s.browser()
	other.get("/login")
	b.token = other.token
	b.post("/login", "user", "admin", "password", password).want(http.StatusForbidden)
	b.post("/login", "user", "admin", "password", password).to("/") // the refusal's page holds a good token
}

func TestReturnStaysHere(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	for _, bad := range []string{"https://evil.example", "//evil.example", "/\\evil.example", "\\\\evil.example", "http:/evil.example", "javascript:alert(1)", "///evil.example", "/%2f/evil.example\r\nX: y", "evil.example",
		"/\t/evil.example", "/login", "/logout", " //evil.example", "/x\x00", "%2f%2fevil.example", "/" + strings.Repeat("a", 4000), "/%5cevil.example"} {
		b := s.browser()
		b.get("/login")
		a := b.post("/login", "user", "admin", "password", password, "return", bad)
		if strings.Contains(bad, "\x00") {
			a.want(http.StatusBadRequest)
			continue
		}
		a.to("/")
	}
	b := s.as("admin")
	b.post("/account/theme", "theme", "dark", "return", "//evil.example").to("/")
	b.post("/account/theme", "theme", "dark", "return", "/instances?x=1&y=%2F").to("/instances?x=1&y=%2F")
}

func TestLoginThrottling(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.browser()
	b.get("/login")
	for range 30 {
		a := b.post("/login", "user", "admin", "password", "wrong")
		if a.status == http.StatusTooManyRequests {
			if a.header.Get("Retry-After") == "" {
				t.Error("no Retry-After")
			}
			a.says("Too many wrong attempts")
			b.post("/login", "user", "admin", "password", password).to("/") // right ones are never limited
			return
		}
		a.want(http.StatusUnprocessableEntity)
	}
	t.Fatal("30 wrong attempts were not throttled")
}

func TestThemeAndFlash(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	b := s.as("admin")
	b.get("/help").has(`html[data-theme="auto"]`)
	b.post("/account/theme", "theme", "dark", "return", "/help").to("/help")
	b.get("/help").has(`html[data-theme="dark"]`)
	b.post("/account/theme", "theme", "\"><script>", "return", "/help").to("/help")
	b.get("/help").has(`html[data-theme="auto"]`)
	b.post("/account/language", "language", "en", "return", "/").to("/")
	b.post("/account/language", "language", "xx", "return", "/").want(http.StatusUnprocessableEntity)
	b.post("/connectors/bulk", "act", "suspend").to("/")
	b.get("/").says("No connector was selected")
	if a := b.get("/"); strings.Contains(a.text(), "No connector was selected") {
		t.Error("the message is shown twice")
	}
	for _, forged := range []string{"W3sidCI6IkV2aWwifV0.x", "x", ".", "W3sidCI6IkV2aWwifV0."} {
		a := b.get("/help", "Cookie", "sluice_flash="+forged)
		if strings.Contains(a.text(), "Evil") {
			t.Errorf("a forged message is shown: %s", forged)
		}
	}
}

// TestSessionEnds: a session that an administrator ends is over at once, and one of a
// changed role has that role.
func TestSessionEnds(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin, otto := s.as("admin"), s.as("otto")
	page := admin.get("/admin/sessions").want(200).says("otto", "this session")
	end := ""
	for _, row := range page.doc.Find("tbody tr").EachIter() {
		if strings.Contains(row.Text(), "otto") {
			end = row.Find("button").AttrOr("formaction", "")
		}
	}
	admin.post(end).to("/admin/sessions")
	admin.get("/admin/sessions").says("The session was ended")
	otto.get("/instances").to("/login?return=%2Finstances")
	admin.post(end).to("/admin/sessions")
	admin.get("/admin/sessions").says("ended already")
	vera := s.as("vera")
	user, err := s.store.UserByName(t.Context(), "vera")
	if err != nil {
		t.Fatal(err)
	}
	vera.get("/admin").want(http.StatusForbidden)
	if err := s.store.SetRole(t.Context(), user.ID, models.RoleAdmin); err != nil {
		t.Fatal(err)
	}
	vera.get("/admin").want(200)
}
