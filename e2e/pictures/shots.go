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

// front photographs the first page, and that of an instance, while they show what is usual.
func (c *camera) front() {
	c.to("/")
	c.take("home")
	if c.look != "narrow" {
		c.to("/instances/" + instance)
		c.take("instance")
	}
}

// all photographs the main pages.
func (c *camera) all(s *scene) {
	for _, page := range []struct{ name, path string }{
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
		{"fc-connector", of(called, "")},
		{"fc-failed", of(refused, "")},
		{"fc-configuration", of(called, "configuration")},
		{"fc-logs", of(refused, "logs")},
		{"odps-connector", of(tabled, "")},
		{"odps-failed", of(untabled, "")},
		{"odps-choices", of(asking, "")},
		{"odps-configuration", of(tabled, "configuration")},
		{"sandbox-functions", "/sandbox/functions"},
		{"sandbox-tables", "/sandbox/tables"},
	} {
		c.to(page.path)
		c.take(page.name)
	}
	c.topic()
	c.modify()
	c.object()
	c.received()
	c.wizard(s, "KAFKA2OSS", "wizard", ".json")
	c.wizard(s, "KAFKA2FC", "fc-wizard", "functions/echo/invocations")
	c.wizard(s, "KAFKA2ODPS", "odps-wizard", "kafka_messages/pt=")
}

// small are the pages that people open on a telephone.
func (c *camera) small(s *scene) {
	c.to(of(failed, ""))
	c.take("connector-failed")
	c.to(of(running, ""))
	c.take("connector")
	for _, page := range []struct{ name, path string }{
		{"fc-failed", of(refused, "")}, {"fc-configuration", of(called, "configuration")}, {"odps-choices", of(asking, "")}, {"odps-failed", of(untabled, "")},
		{"sandbox-functions", "/sandbox/functions"}, {"sandbox-tables", "/sandbox/tables"},
	} {
		c.to(page.path)
		c.take(page.name)
	}
	c.received()
	c.wizard(s, "KAFKA2FC", "fc-wizard", "functions/echo/invocations")
}

// received opens the newest invocation and the rows of a table.
func (c *camera) received() {
	for _, page := range []struct{ list, link, name string }{
		{"/sandbox/functions", `main a[href*="invocation="]`, "sandbox-invocation"},
		{"/sandbox/tables", `main a[href*="partition="]`, "sandbox-rows"},
	} {
		c.to(page.list)
		href := c.script(fmt.Sprintf(`(document.querySelector(%q) || {getAttribute: () => ''}).getAttribute('href')`, page.link))
		if href == "" {
			c.m.Errorf("%s links nothing that was received: %s", page.list, c.script(`[...document.querySelectorAll('main a')].map(a => a.getAttribute('href')).join(' ')`))
			continue
		}
		c.to(href)
		c.take(page.name)
	}
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

// wizard goes through the four steps of a task type; nothing is created. shows is in every sample. The steps that are
// alike for all types are photographed once.
func (c *camera) wizard(s *scene, class, name, shows string) {
	next := `#wizard-form button[name=_go][value=next]`
	alike := func(page string) {
		if class == "KAFKA2OSS" {
			c.take(name + "-" + page)
		}
	}
	c.to("/instances/" + instance + "/connectors/new")
	c.set("connector.class", class)
	alike("type")
	c.press("#wizard-start button[type=submit]")
	c.set("name", "orders-"+c.look)
	c.set("description", "Orders, as they come")
	alike("basic")
	c.press(next)
	c.set("topics", "orders")
	alike("source")
	c.press(next)
	for key, value := range s.destination(class) {
		c.set(key, value)
	}
	c.set("aliyun.access.key.id", "sandbox")
	c.set("aliyun.access.key.secret", "sandbox")
	c.take(name + "-destination")
	c.press(`#wizard-form button[name=_go][value=test]`)
	c.until("the checks to end", `!!document.querySelector('#checks') && !document.querySelector('#checks [hx-get]')`)
	c.take(name + "-checks")
	c.set("aliyun.access.key.secret", "sandbox")
	c.press(next)
	if !strings.HasSuffix(c.script("location.pathname"), "/preview") {
		c.m.Errorf("the wizard does not reach the preview: %s", c.script("document.querySelector('main').innerText.slice(0, 600)"))
		return
	}
	c.until("the samples to arrive", fmt.Sprintf("document.body.innerText.includes(%q)", shows))
	c.take(name + "-preview")
}
