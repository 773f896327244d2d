package main

import (
	"fmt"
	"strings"

	"github.com/sluice-io/sluice/e2e/harness"
)

// of is the path of a connector's page.
func of(name, page string) string {
	return strings.TrimSuffix("/instances/"+instance+"/connectors/"+name+"/"+page, "/")
}

// first photographs what a newcomer sees, the sign-in and the empty console, and presses the one button
// that is offered there: it starts the example.
func (c *camera) first() {
	c.signIn()
	c.to("/")
	c.take("welcome")
	c.press(`button[formaction="/sandbox/example"]`)
}

func (c *camera) signIn() {
	c.to("/login")
	c.take("sign-in")
	c.set("user", "admin")
	c.set("password", harness.AdminPassword)
	c.press("main form button[type=submit]")
}

// all photographs the main pages.
func (c *camera) all(s *scene) {
	for _, page := range []struct{ name, path string }{
		{"home", "/"},
		{"instance", "/instances/" + instance},
		{"connector", of(running, "")},
		{"connector-failed", of(failed, "")},
		{"connector-recovering", of(recovering, "")},
		{"configuration", of(columnar, "configuration")},
		{"logs", of(recovering, "logs")},
		{"position", of(suspended, "position")},
		{"delete", of(suspended, "delete")},
		{"sandbox-faults", "/sandbox/faults"},
		{"help", "/help/connectors/KAFKA2OSS"},
		{"administration", "/admin/audit"},
	} {
		c.to(page.path)
		c.take(page.name)
	}
	c.topic()
	c.modify()
	c.object()
	c.wizard(s)
}

// small are the pages that people open on a telephone.
func (c *camera) small(*scene) {
	c.to("/")
	c.take("home")
	c.to(of(failed, ""))
	c.take("connector-failed")
	c.to(of(running, ""))
	c.take("connector")
}

func (c *camera) topic() {
	c.to("/instances/" + instance + "/topics/orders")
	c.take("topic")
}

// modify shows the difference that is asked about before it is saved.
func (c *camera) modify() {
	c.to(of(columnar, "modify"))
	c.set("flush.size", "50000")
	c.set("oss.compression", "zstd")
	c.press(`main form button.btn-primary[type=submit]`)
	c.take("modify")
}

// object opens the newest object of the example.
func (c *camera) object() {
	c.to("/sandbox")
	href := c.script(`(document.querySelector('main a.list-link[href*="key=' + encodeURIComponent("` + running + `/") + '"]') || {getAttribute: () => ''}).getAttribute('href')`)
	if href == "" {
		c.m.Errorf("the sandbox's page lists no object of %s", running)
		return
	}
	c.to(href)
	c.take("sandbox")
}

// wizard goes through the four steps; nothing is created.
func (c *camera) wizard(s *scene) {
	next := `#wizard-form button[name=_go][value=next]`
	c.to("/instances/" + instance + "/connectors/new")
	c.take("wizard-type")
	c.press("#wizard-start button[type=submit]")
	c.set("name", "orders-"+c.look)
	c.set("description", "Orders, an object a minute")
	c.take("wizard-basic")
	c.press(next)
	c.set("topics", "orders")
	c.take("wizard-source")
	c.press(next)
	for key, value := range map[string]string{
		"oss.endpoint": s.oss, "oss.bucket": "sandbox-bucket", "aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
	} {
		c.set(key, value)
	}
	c.take("wizard-destination")
	c.press(`#wizard-form button[name=_go][value=test]`)
	c.until("the checks to end", `!!document.querySelector('#checks') && !document.querySelector('#checks [hx-get]')`)
	c.take("wizard-checks")
	c.set("aliyun.access.key.secret", "sandbox")
	c.press(next)
	if !strings.HasSuffix(c.script("location.pathname"), "/preview") {
		c.m.Errorf("the wizard does not reach the preview: %s", c.script("document.querySelector('main').innerText.slice(0, 600)"))
		return
	}
	c.until("the samples to arrive", fmt.Sprintf("document.body.innerText.includes(%q)", ".json"))
	c.take("wizard-preview")
}
