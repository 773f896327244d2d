package console_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/sluice-io/sluice/runner/control"
)

const (
	sandbox    = "/instances/sandbox"
	wizardPath = sandbox + "/connectors/new"
	secret     = "s3cr3t-never-shown"
)

// fill posts the form that a selector finds, as a browser without a script would: what
// stands in it, changed by names and values. "-name" takes a field out; a name that is
// given several times is posted so.
func (b *browser) fill(a answer, selector string, pairs ...string) answer {
	b.t.Helper()
	form := a.has(selector).doc.Find(selector).First()
	values := url.Values{}
	form.Find("input, select, textarea").Each(func(_ int, f *goquery.Selection) {
		name, kind := f.AttrOr("name", ""), f.AttrOr("type", "text")
		_, off := f.Attr("disabled")
		_, checked := f.Attr("checked")
		if name == "" || off || (kind == "checkbox" || kind == "radio") && !checked {
			return
		}
		switch {
		case f.Is("select"):
			chosen := f.Find("option[selected]")
			if chosen.Length() == 0 {
				chosen = f.Find("option").First()
			}
			values.Add(name, chosen.AttrOr("value", ""))
		case f.Is("textarea"):
			values.Add(name, f.Text())
		default:
			values.Add(name, f.AttrOr("value", ""))
		}
	})
	seen := map[string]bool{}
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, out := strings.CutPrefix(pairs[i], "-"); out {
			values.Del(name)
			continue
		}
		if !seen[pairs[i]] {
			values.Del(pairs[i])
			seen[pairs[i]] = true
		}
		values.Add(pairs[i], pairs[i+1])
	}
	return b.do(http.MethodPost, form.AttrOr("action", ""), values.Encode(), "Content-Type", "application/x-www-form-urlencoded")
}

// follow goes where a redirect leads.
func (b *browser) follow(a answer) answer {
	b.t.Helper()
	path, _, _ := strings.Cut(a.want(http.StatusSeeOther).header.Get("Location"), "#")
	return b.get(path).want(http.StatusOK)
}

// followTo is follow until the page has nothing at a selector: what is asked for in the background comes with a later answer
// where the machine is busy.
func (b *browser) followTo(a answer, pending string) answer {
	b.t.Helper()
	page := b.follow(a)
	for deadline := time.Now().Add(20 * time.Second); page.doc.Find(pending).Length() > 0; page = b.follow(a) {
		if time.Now().After(deadline) {
			b.t.Fatalf("%s does not end: %s", pending, page.doc.Find(pending).Text())
		}
		<-time.After(20 * time.Millisecond) // polls, with a deadline
	}
	return page
}

// hidesSecrets fails when a page holds the secret that a test typed.
func (a answer) hidesSecrets() answer {
	a.t.Helper()
	if strings.Contains(a.body, secret) {
		a.t.Fatal("the page holds a secret")
	}
	return a
}

// wizardAt brings a new draft to a step and answers its page.
func (b *browser) wizardAt(name, step string) answer {
	b.t.Helper()
	a := b.follow(b.fill(b.get(wizardPath).want(http.StatusOK), "#wizard-start", "connector.class", "KAFKA2OSS"))
	if step == "basic" {
		return a
	}
	a = b.follow(b.fill(a, "#wizard-form", "name", name, "description", "Orders <b>daily</b>", "_go", "next"))
	if step == "source" {
		return a
	}
	a = b.follow(b.fill(a, "#wizard-form", "topics", "orders", "_go", "next"))
	if step == "destination" {
		return a
	}
	return b.follow(b.fill(a, "#wizard-form", "oss.endpoint", "http://127.0.0.1:1", "oss.bucket", "data-lake", "aliyun.access.key.id", "LTAI", "aliyun.access.key.secret", secret, "_go", "next"))
}

// TestWizard goes the whole way by forms: every step, its errors, back, a reload, the
// preview of real records, and the connector that comes of it.
func TestWizard(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders", "payments")
	b := s.as("otto")
	sent := b.post(sandbox+"/topics/orders/records", "key", "k-1", "value", `{"total":"<script>"}`, "encoding", "text", "partition", "1")
	sent.to(sandbox + "/topics/orders/records/1/0")

	start := b.get(wizardPath).want(http.StatusOK).says("Object Storage Service")
	b.fill(start, "#wizard-start", "connector.class", "KAFKA2MARS").want(http.StatusUnprocessableEntity).has(`#wizard-start [aria-invalid=true]`)
	basic := b.follow(b.fill(start, "#wizard-start", "connector.class", "KAFKA2OSS")).says("Basic Information", "Connector Name").has(`[aria-current=step]`)
	bad := b.fill(basic, "#wizard-form", "name", "Not A Name", "_go", "next").want(http.StatusUnprocessableEntity)
	bad.has(`#f-name[aria-invalid=true][value="Not A Name"]`).has(`#errors a[href="#f-name"]`)
	source := b.follow(b.fill(bad, "#wizard-form", "name", "orders-to-oss", "_go", "next")).says("Configure Source", "orders-to-oss")
	source.has(`input[type=checkbox][name=topics][value=orders]`).has(`input[type=checkbox][name=topics][value=payments]`)
	b.fill(source, "#wizard-form", "-topics", "", "_go", "next").want(http.StatusUnprocessableEntity).says("Data Source Topic is required")
	b.fill(source, "#wizard-form", "topics", "nowhere", "_go", "next").want(http.StatusUnprocessableEntity).says("There is no topic nowhere")
	source = b.get(strings.TrimPrefix(source.doc.Find("#wizard-form").AttrOr("action", ""), "")).has(`input[name=topics][type=text][value=nowhere]`) // a reload loses nothing
	checks := b.follow(b.fill(source, "#wizard-form", "topics", "orders", "_go", "test")).says("topic orders")
	destination := b.follow(b.fill(checks, "#wizard-form", "_go", "next")).says("Configure Destination", "Data format")
	if got := destination.doc.Find(`input[name="oss.prefix"]`).AttrOr("value", ""); got != "orders-to-oss/" {
		t.Errorf("the prefix's default is %q", got)
	}
	missing := b.fill(destination, "#wizard-form", "aliyun.access.key.secret", secret, "_go", "next").want(http.StatusUnprocessableEntity).hidesSecrets()
	missing.has(`#f-oss-bucket[aria-invalid=true]`).has(`#f-oss-endpoint[aria-invalid=true]`).says("A value is stored")
	back := b.follow(b.fill(missing, "#wizard-form", "oss.bucket", "data-lake", "_go", "back")).says("Configure Source")
	basic = b.follow(b.fill(back, "#wizard-form", "_go", "back"))
	source = b.follow(b.fill(basic, "#wizard-form", "name", "orders-archive", "_go", "next"))
	destination = b.follow(b.fill(source, "#wizard-form", "_go", "next")).has(`input[name="oss.bucket"][value="data-lake"]`)
	if got := destination.doc.Find(`input[name="oss.prefix"]`).AttrOr("value", ""); got != "orders-archive/" {
		t.Errorf("after another name the prefix's default is %q", got)
	}
	preview := b.followTo(b.fill(destination, "#wizard-form", "oss.endpoint", "http://127.0.0.1:1", "aliyun.access.key.id", "LTAI", "flush.size", "500", "_go", "next"), "#samples[hx-get]").hidesSecrets()
	preview.says("orders-1 at offset 0", `{\"total\":\"<script>\"}`, "connect-offset-orders-archive", "curl -u 'otto'", `"aliyun.access.key.secret": "******"`, "Put the real ones in their place")
	preview.hasNot("main script").hasNot("main b")
	made := b.fill(preview, "#wizard-form", "_go", "create")
	made.to(sandbox + "/connectors/orders-archive")
	page := b.follow(made).says("orders-archive is created", "Not deployed yet").hidesSecrets()
	page.has(`button[formaction="/instances/sandbox/connectors/orders-archive/deploy"]`)
	b.get(preview.doc.Find("#wizard-form").AttrOr("action", "")).want(http.StatusNotFound) // the draft has become a connector
	config := b.get(sandbox + "/connectors/orders-archive/configuration").want(http.StatusOK).hidesSecrets()
	config.says("stored, not shown", "500 records", "default: 10000 records", "Version 1", "otto")
	if strings.Contains(config.body, `"oss.prefix"`) {
		t.Error("a default that nobody changed is stored as if it were given")
	}
}

// TestWizardParts asks as a script does: for one field, and for the form.
func TestWizardParts(t *testing.T) {
	t.Parallel()
	b := newSite(t, "orders").as("otto")
	a := b.wizardAt("parts", "destination")
	at := a.doc.Find("#wizard-form").AttrOr("action", "")
	ask := func(pairs ...string) answer {
		form := url.Values{}
		for i := 0; i+1 < len(pairs); i += 2 {
			form.Set(pairs[i], pairs[i+1])
		}
		return b.do(http.MethodPost, at, form.Encode(), "Content-Type", "application/x-www-form-urlencoded", "HX-Request", "true", "X-CSRF-Token", b.token)
	}
	field := ask("oss.bucket", "No Bucket", "_field", "oss.bucket").want(http.StatusUnprocessableEntity)
	field.has(`#field-f-oss-bucket #f-oss-bucket[aria-invalid=true]`).hasNot("form").hasNot("html nav")
	field.has(`#wizard-aside[hx-swap-oob]`)
	ask("oss.bucket", "data-lake", "_field", "oss.bucket").want(http.StatusOK).has(`#f-oss-bucket[value="data-lake"]`).says("data-lake")
	ask("_field", "no.such.field").want(http.StatusNotFound)
	form := ask("oss.region", "cn-shanghai").want(http.StatusOK).has("form#wizard-form").has(`#f-internet-access`).says("so Internet access is needed")
	form.has(`#f-oss-endpoint[value="oss-cn-shanghai-internal.aliyuncs.com"]`).hasNot("#errors")
	ask("oss.region", "cn-shanghai", "internet.access", "true").has(`#f-oss-endpoint[value="oss-cn-shanghai.aliyuncs.com"]`)
	unknown := ask("oss.region", "cn-hangzou", "internet.access", "true", "_field", "oss.region").want(http.StatusUnprocessableEntity)
	unknown.has(`#f-oss-region[aria-invalid=true]`).says(`There is no region "cn-hangzou"`, "Did you mean cn-hangzhou?", "Known are cn-hangzhou, cn-shanghai")
	ask("oss.region", "cn-shanghai", "internet.access", "true")
	ask("oss.format", "parquet").hasNot(`[name="oss.binary"]`)
	ask("oss.format", "csv").has(`[name="oss.binary"]`)
	b.get(at).has(`#f-oss-bucket[value="data-lake"]`) // what was checked is kept
	ask("oss.bucket", "No Bucket").has(`#f-oss-bucket[aria-invalid=true]`).hasNot("#errors").hasNot("[autofocus]")
	at = strings.TrimSuffix(at, "destination") + "basic"
	ask("name", "Not A Name").has(`#f-name[aria-invalid=true]`).hasNot("#errors").hasNot("[autofocus]") // whoever types elsewhere keeps the focus
	ask("name", "").has(`#f-name:not([aria-invalid])`).hasNot("[autofocus]")
}

// TestWizardRefused: who may not, what does not exist, and a quota that is used up.
func TestWizardRefused(t *testing.T) {
	t.Parallel()
	s := newSite(t, "orders")
	otto, vera, admin := s.as("otto"), s.as("vera"), s.as("admin")
	a := otto.wizardAt("mine", "preview")
	at := a.doc.Find("#wizard-form").AttrOr("action", "")
	vera.get(wizardPath).want(http.StatusForbidden)
	vera.post(at, "_go", "create").want(http.StatusForbidden)
	admin.get(at).want(http.StatusNotFound) // somebody else's draft
	admin.post(at, "_go", "create").want(http.StatusNotFound)
	otto.get(wizardPath + "/nothing/basic").want(http.StatusNotFound)
	otto.get(strings.Replace(at, "/preview", "/other", 1)).want(http.StatusNotFound)
	fresh := otto.wizardAt("", "basic")
	later := strings.Replace(fresh.doc.Find("#wizard-form").AttrOr("action", ""), "/basic", "/preview", 1)
	otto.get(later).to(strings.Replace(later, "/preview", "/basic", 1)) // the steps before come first
	otto.post(later, "_go", "create").want(http.StatusNotFound)

	ctx := control.WithActor(t.Context(), control.System())
	if _, err := s.svc.PatchInstance(ctx, "sandbox", map[string]*string{"connector.quota": ptr("0")}); err != nil {
		t.Fatal(err)
	}
	refused := otto.fill(a, "#wizard-form", "_go", "create").want(http.StatusForbidden).says("The quota is used up", "Send request")
	refused.has(`form[action="/instances/sandbox/quota"] input[name=wanted]`)
	otto.get(wizardPath).says("The quota is used up", "mine").has(`a[href="` + strings.TrimSuffix(at, "/preview") + `"]`)
	otto.follow(otto.fill(refused, `form[action="/instances/sandbox/quota"]`, "wanted", "3", "reason", "archive"))
	otto.post(strings.Replace(at, "/preview", "/discard", 1)).to(sandbox)
	otto.get(at).want(http.StatusNotFound)
}

func ptr(s string) *string { return &s }

// TestWizardTakesSuggestions: what a check finds out fills a field that nobody has touched, and says so at the check
// and at the field; what somebody chose stays.
func TestWizardTakesSuggestions(t *testing.T) {
	t.Parallel()
	function := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/async-invoke-config") { // there are none: stateful invocation is off
			w.WriteHeader(http.StatusNotFound)
		}
		fmt.Fprint(w, `{"functionName":"echo","runtime":"custom"}`)
	}))
	t.Cleanup(function.Close)
	b := newSite(t, "orders").as("otto")
	for _, c := range []struct{ given, want, note string }{
		{"", "false", "“Deduplicate async requests” was set to “Disabled”"},
		{"true", "false", "was set to “Disabled”"}, // what only repeats the default is no choice
		{"false", "false", ""},
	} {
		a := b.follow(b.fill(b.get(wizardPath).want(http.StatusOK), "#wizard-start", "connector.class", "KAFKA2FC"))
		a = b.follow(b.fill(a, "#wizard-form", "name", "to-echo", "_go", "next"))
		a = b.follow(b.fill(a, "#wizard-form", "topics", "orders", "_go", "next"))
		form := []string{"fc.endpoint", function.URL, "fc.service", "", "fc.function", "echo", "aliyun.access.key.id", "LTAI", "aliyun.access.key.secret", secret}
		switch c.given {
		case "false":
			form = append(form, "fc.async.id", "false")
		case "true":
			form = append(form, "fc.async.id", "false", "fc.async.id", "true")
		}
		sent := b.fill(a, "#wizard-form", append(form, "_go", "test")...)
		page := b.followTo(sent, "#findings[hx-get]")
		if !strings.Contains(page.doc.Find("#findings").Text(), "Deduplication") {
			t.Fatalf("no check of it: %s", page.doc.Find("#findings").Text())
		}
		if got := page.doc.Find(`input[type=checkbox][name="fc.async.id"][checked]`).Length() == 1; got != (c.want == "true") {
			t.Errorf("given %q: the box is checked: %v", c.given, got)
		}
		if c.note != "" && (!strings.Contains(page.doc.Find("#findings").Text(), c.note) || !strings.Contains(page.doc.Find("#field-f-fc-async-id").Text(), c.note)) {
			t.Errorf("given %q: nothing says that it was set: %s | %s", c.given, page.doc.Find("#findings").Text(), page.doc.Find("#field-f-fc-async-id").Text())
		}
		if c.note == "" && strings.Contains(page.doc.Find("#findings").Text(), "was set to") {
			t.Errorf("given %q: it says that something was set", c.given)
		}
	}
}

// TestPreviewWithProblems: what cannot be created has no button that would.
func TestPreviewWithProblems(t *testing.T) {
	t.Parallel()
	b := newSite(t, "orders").as("otto")
	a := b.wizardAt("fine", "preview")
	a.has(`button[name=_go][value=deploy]:not([disabled])`)
	at := a.doc.Find("#wizard-form").AttrOr("action", "")
	b.fill(b.get(strings.Replace(at, "/preview", "/destination", 1)), "#wizard-form", "oss.bucket", "No Bucket", "_go", "next").want(http.StatusUnprocessableEntity)
	wrong := b.get(at).want(http.StatusOK).says("Correct")
	wrong.has(`button[name=_go][value=deploy][disabled]`).has(`button[name=_go][value=create][disabled]`)
	b.post(at, "_go", "deploy").want(http.StatusUnprocessableEntity)
}
