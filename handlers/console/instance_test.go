package console_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/sluice-io/sluice/runner/control"
)

func TestInstanceLife(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin := s.as("admin")
	admin.get("/instances/new").want(200).has(`form#instance-form[action="/instances"]`).has(`input[name="name"][hx-post="/instances/new/check"]`).has(`input[name="security.protocol"][hx-post="/instances/new/update"]`)
	form := []string{"name", "second", "region", "self-hosted", "connector.quota", "3", "bootstrap.servers", s.kafka, "security.protocol", "PLAINTEXT", "internet.access", "false"}
	admin.post("/instances", form...).to("/instances/second/enable")
	admin.get("/instances/second/enable").want(200).says("Instance second was added", "The instance is Running", "The broker is 0.10.2 or later").has(`button[formaction="/instances/second/enable"]`).has(`dialog[data-modal="asked"]`)
	admin.get("/instances/second/enable?confirm=1").want(200).has(`dialog[data-modal="now"]`)
	admin.get("/instances/second").says("The connector feature is not enabled")
	admin.get("/").has(`a[href="/instances/sandbox/connectors/new"]`)
	admin.post("/instances/second/enable").to("/instances/second/connectors/new")
	admin.get("/instances/second/enable").says("Connectors are enabled on second")
	admin.get("/connectors/new").want(200).has(`a[href="/instances/second/connectors/new"]`).has(`a[href="/instances/sandbox/connectors/new"]`)
	taken := admin.post("/instances", form...).want(http.StatusUnprocessableEntity)
	taken.has(`input[name="name"][aria-invalid="true"]`).has("#errors")

	admin.get("/instances/second/settings").want(200).has(`input[name="name"][disabled]`).has(`form.confirm[action="/instances/second/delete"]`)
	admin.post("/instances/second/settings", "bootstrap.servers", s.kafka, "connector.quota", "7", "region", "cn-hangzhou", "internet.access", "false", "internet.access", "true").to("/instances/second/settings")
	in, err := s.store.InstanceByName(t.Context(), "second")
	if err != nil || in.Quota != 7 || in.Region != "cn-hangzhou" || !in.InternetAccess {
		t.Fatalf("%+v, %v", in, err)
	}
	admin.get("/instances").says("China (Hangzhou)")
	admin.post("/instances/second/delete", "confirm", "secnd").want(http.StatusUnprocessableEntity).has(`#f-confirm[aria-invalid="true"]`)
	admin.post("/instances/second/delete", "confirm", "second").to("/instances")
	admin.get("/instances/second").want(http.StatusNotFound)

	s.connector("keeps", control.DesiredNotDeployed)
	admin.get("/instances/sandbox/settings").says("cannot be deleted now", "1 connector")
	admin.post("/instances/sandbox/delete", "confirm", "sandbox").to("/instances/sandbox/settings")
	admin.get("/instances/sandbox/settings").says("This cannot be done now")
}

// TestConnectionTest: the checks run beside the form, which loses nothing; a password
// that was typed is used and never shown.
func TestConnectionTest(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	admin, other := s.as("admin"), s.as("admin")
	form := []string{"name", "third", "region", "self-hosted", "bootstrap.servers", "127.0.0.1:1", "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.username", "me", "sasl.password", "hidden-password"}
	page := admin.post("/instances", append(form, "test", "1")...).want(http.StatusSeeOther).header.Get("Location")
	if !strings.HasPrefix(page, "/instances/new?check=") {
		t.Fatalf("to %s", page)
	}
	id := strings.TrimPrefix(page, "/instances/new?check=")
	deadline := time.Now().Add(20 * time.Second)
	var shown answer
	for {
		shown = admin.get(page).want(200).has("#findings .finding")
		if live := shown.doc.Find("#findings").AttrOr("hx-get", ""); live == "" {
			break
		} else if live != "/checks/"+id || shown.doc.Find(`noscript`).Length() == 0 {
			t.Fatalf("while they run: %q", live)
		}
		if time.Now().After(deadline) {
			t.Fatal("the checks did not end")
		}
	}
	shown.has(`input[name="name"][value="third"]`).has(`input[name="sasl.username"][value="me"]`).has(".finding.tone-bad")
	if strings.Contains(shown.body, "hidden-password") {
		t.Error("the password is shown")
	}
	admin.get("/checks/"+id, "HX-Request", "true").want(200).has("body > #findings")
	if a := other.get("/checks/" + id); a.status != 200 { // the same user in another browser
		t.Errorf("the user's own checks: %d", a.status)
	}
	s.as("otto").get("/checks/" + id).want(http.StatusNotFound)

	// The form as it stands now: a blank password is the one that was tested.
	action := shown.doc.Find("#instance-form").AttrOr("action", "")
	form[len(form)-1] = ""
	admin.post(action, form...).to("/instances/third/enable")
	in, err := s.store.InstanceByName(t.Context(), "third")
	if err != nil || in.SASLPassword != "hidden-password" {
		t.Fatalf("%v, password kept: %t", err, in.SASLPassword == "hidden-password")
	}
	admin.get("/instances/third/settings").want(200).says("A value is stored")
	admin.post("/instances/third/settings", "bootstrap.servers", "127.0.0.1:2", "security.protocol", "SASL_PLAINTEXT", "sasl.mechanism", "PLAIN", "sasl.username", "me", "sasl.password", "").to("/instances/third/settings")
	if in, _ = s.store.InstanceByName(t.Context(), "third"); in.SASLPassword != "hidden-password" || in.BootstrapServers != "127.0.0.1:2" {
		t.Error("a blank password did not keep the stored one")
	}
	admin.get("/instances").says("Unreachable")
	admin.get("/instances/third/topics").want(200).says("Topics could not be listed")
	admin.get("/instances/third/enable").want(200).says("Start the cluster")
	admin.post("/instances/third/enable").want(http.StatusConflict).says("cannot be enabled")

	bad := admin.post("/instances", "name", "x", "bootstrap.servers", "nonsense", "test", "1").want(http.StatusUnprocessableEntity)
	bad.has(`[name="bootstrap.servers"][aria-invalid="true"]`)
}

// TestInstanceFormParts: what scripts ask for while somebody types.
func TestInstanceFormParts(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	part := admin.post("/instances/new/check", "_field", "bootstrap.servers", "bootstrap.servers", "nope").want(200)
	part.has("body > #field-f-bootstrap-servers").has(`[aria-invalid="true"]`)
	admin.post("/instances/new/check", "_field", "bootstrap.servers", "bootstrap.servers", "10.0.0.1:9092").want(200).hasNot(`[aria-invalid="true"]`)
	admin.post("/instances/new/check", "_field", "nothing").want(http.StatusNotFound)
	admin.post("/instances/sandbox/settings/check", "_field", "connector.quota", "connector.quota", "-1").want(200).has(`[aria-invalid="true"]`)
	b := admin
	form := b.do(http.MethodPost, "/instances/new/update", "_csrf="+b.token+"&name=n&security.protocol=SASL_SSL", "Content-Type", "application/x-www-form-urlencoded", "HX-Request", "true").want(200)
	form.has("body > form#instance-form").has(`input[name="sasl.username"]`).has(`textarea[name="ssl.ca.pem"]`).has(`input[name="name"][value="n"]`)
	admin.post("/instances", "name", "n", "security.protocol", "SSL", "update", "1").want(200).has(`textarea[name="ssl.ca.pem"]`).has("nav.nav").hasNot(`input[name="sasl.username"]`)
}

// TestBadInstanceForms: each is refused at its field, with the page still whole.
func TestBadInstanceForms(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	long := strings.Repeat("x", 70_000)
	good := map[string]string{"name": "fine", "region": "self-hosted", "bootstrap.servers": "10.0.0.1:9092", "security.protocol": "PLAINTEXT", "connector.quota": "3"}
	for _, c := range []struct{ field, value string }{
		{"name", ""}, {"name", "new"}, {"name", "-a"}, {"name", "Upper"}, {"name", "a b"}, {"name", "a/b"}, {"name", "../../etc/passwd"}, {"name", "<script>alert(1)</script>"}, {"name", `"><img src=x>`}, {"name", "ünïcode"},
		{"name", strings.Repeat("a", 49)}, {"name", long}, {"name", "a\nb"}, {"name", "a.b"}, {"name", "{{7*7}}"}, {"name", "' OR 1=1 --"}, {"name", "%2e%2e"}, {"name", "😀"}, {"name", "\u202egnp"}, {"name", "a\tb"},
		{"region", "mars"}, {"region", "<b>"}, {"region", "cn-hangzhou "}, {"region", "../x"},
		{"bootstrap.servers", ""}, {"bootstrap.servers", "host"}, {"bootstrap.servers", "host:0"}, {"bootstrap.servers", "host:65536"}, {"bootstrap.servers", "host:port"}, {"bootstrap.servers", ":9092"}, {"bootstrap.servers", "http://host:9092"},
		{"bootstrap.servers", "10.0.0.1:9092,10.0.0.1:9092"}, {"bootstrap.servers", "169.254.169.254:80"}, {"bootstrap.servers", "100.100.100.200:80"}, {"bootstrap.servers", "[fe80::1]:9092"}, {"bootstrap.servers", "8.8.8.8:9092"}, {"bootstrap.servers", "a b:9092"},
		{"bootstrap.servers", "<script>:9092"}, {"bootstrap.servers", "host:9092\r\nX: y"}, {"bootstrap.servers", long}, {"bootstrap.servers", "0.0.0.0:9092"}, {"bootstrap.servers", "[::ffff:169.254.169.254]:80"},
		{"security.protocol", "NONE"}, {"security.protocol", "<script>"}, {"security.protocol", "SASL_SSL"}, {"connector.quota", "-1"}, {"connector.quota", "1e3"}, {"connector.quota", "many"}, {"connector.quota", "99999999999999999999"}, {"connector.quota", "10001"},
		{"vpc.id", strings.Repeat("v", 129)}, {"internet.access", "maybe"},
	} {
		pairs := []string{}
		for k, v := range good {
			if k != c.field {
				pairs = append(pairs, k, v)
			}
		}
		pairs = append(pairs, c.field, c.value)
		a := admin.post("/instances", pairs...)
		if a.status == http.StatusSeeOther && c.value == "cn-hangzhou " { // spaces around a value mean nothing
			continue
		}
		name := c.field + "=" + c.value[:min(40, len(c.value))]
		if a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: %d to %q", name, a.status, a.header.Get("Location"))
			continue
		}
		field := c.field
		if c.value == "SASL_SSL" {
			field = "sasl.username"
		}
		if a.doc.Find(`[name="`+field+`"][aria-invalid="true"], fieldset[aria-invalid="true"] [name="`+field+`"]`).Length() == 0 && a.doc.Find("#errors a, #errors span").Length() == 0 {
			t.Errorf("%s: nothing says which field: %.600s", name, a.text())
		}
		if a.doc.Find("main script, main img[src=x]").Length() > 0 {
			t.Errorf("%s: markup of a value became the page's", name)
		}
	}
	if in, err := s.store.Instances(t.Context()); err != nil || len(in) > 2 {
		t.Errorf("%d instances, %v", len(in), err)
	}
}

// TestBadBodies: forms that are no forms.
func TestBadBodies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	admin := s.as("admin")
	form := "application/x-www-form-urlencoded"
	token := "_csrf=" + admin.token
	for _, c := range []struct {
		name, kind, body string
		status           int
	}{
		{"JSON", "application/json", `{"name":"a"}`, http.StatusUnsupportedMediaType},
		{"multipart", "multipart/form-data; boundary=x", "--x\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\na\r\n--x--\r\n", http.StatusUnsupportedMediaType},
		{"no type", "", "name=a", http.StatusUnsupportedMediaType},
		{"a broken type", "x/;;", "name=a", http.StatusUnsupportedMediaType},
		{"another charset", form + "; charset=utf-16", token, http.StatusUnsupportedMediaType},
		{"a broken escape", form, token + "&name=%zz", http.StatusBadRequest},
		{"a semicolon", form, token + "&a=1;b=2", http.StatusBadRequest},
		{"bytes that are not UTF-8", form, token + "&name=%ff%fe", http.StatusBadRequest},
		{"a key that is not UTF-8", form, token + "&%ff=1", http.StatusBadRequest},
		{"a zero byte", form, token + "&name=a%00b", http.StatusBadRequest},
		{"over 1 MiB", form, token + "&name=" + strings.Repeat("a", 1<<20), http.StatusRequestEntityTooLarge},
		{"many fields", form, token + strings.Repeat("&a=1", 200_000), http.StatusBadRequest},
		{"nothing", form, "", http.StatusForbidden},
	} {
		kind := []string{}
		if c.kind != "" {
			kind = []string{"Content-Type", c.kind}
		}
		a := admin.do(http.MethodPost, "/instances", c.body, kind...)
		if a.status != c.status {
			t.Errorf("%s: %d, want %d", c.name, a.status, c.status)
		}
		if a.doc == nil || a.doc.Find("h1").Length() != 1 {
			t.Errorf("%s: no page", c.name)
		}
		headers(t, a)
	}
	for _, cookie := range []string{"sluice_session=x", "sluice_session=" + strings.Repeat("a", 5000), "sluice_session=%00", "sluice_session=\"", "sluice_theme=<script>; sluice_language=../../x"} {
		s.browser().get("/", "Cookie", cookie).to("/login")
		s.browser().get("/login", "Cookie", cookie).want(200).hasNot("main script")
	}
}
