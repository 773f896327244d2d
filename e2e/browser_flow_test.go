//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/sluice-io/sluice/e2e/harness"
)

// TestBrowserFlow goes the whole way through the console as a person does, from signing in to deleting, and
// a second time with the browser's scripts switched off, on the same node at the same time; somebody else
// meets its refusals meanwhile.
func TestBrowserFlow(t *testing.T) {
	t.Parallel()
	n := startSandbox(t)
	t.Run("scripts", func(t *testing.T) {
		t.Parallel()
		goThrough(openWindow(t, n, harness.BrowserOptions{}), "scripts")
	})
	t.Run("plain", func(t *testing.T) {
		t.Parallel()
		goThrough(openWindow(t, n, harness.BrowserOptions{NoScript: true}), "plain")
	})
	t.Run("refusals", func(t *testing.T) {
		t.Parallel()
		refusals(t, n)
	})
}

func goThrough(w *window, name string) {
	f := &flow{window: w, instance: "second-" + name, topic: "flow-" + name, connector: "flow-" + name}
	f.signIn("/")
	f.addInstance()
	f.enable()
	f.createTopic()
	f.send("k-1", `{"order":1}`)
	f.wizard()
	f.deploy()
	f.delivers("k-2", `{"order":2}`)
	f.suspendAndResume()
	f.modify()
	f.logs()
	f.delete()
}

// flow is one person's way through the console.
type flow struct {
	*window
	instance, topic, connector string
}

func (f *flow) instanceURL() string  { return "/instances/" + f.instance }
func (f *flow) connectorURL() string { return f.instanceURL() + "/connectors/" + f.connector }

// addInstance registers the sandbox's broker under another name, after testing the connection.
func (f *flow) addInstance() {
	f.t.Helper()
	f.to("/instances")
	f.press(link("/instances/new"))
	f.fill("name", f.instance)
	f.fill("bootstrap.servers", printed(f.t, f.n, "sandbox kafka: "))
	f.press(`#instance-form button[name=test]`)
	f.findingsPass()
	f.until("the name is kept", fmt.Sprintf("document.querySelector('main [name=name]').value === %q", f.instance))
	f.press(`#instance-form button.btn-primary`)
	f.at(f.instanceURL() + "/enable")
}

// findingsPass waits until every check has ended, and requires that each passed. Nobody reloads the page.
func (f *flow) findingsPass() {
	f.t.Helper()
	f.until("the checks end", `(all => all.length > 0 && all.every(e => !e.innerText.includes("Checking")))([...document.querySelectorAll("#findings .finding")])`)
	if bad := eval[string](f.window, `[...document.querySelectorAll("#findings .finding")].filter(e => !/Passed|Skipped|Remark/.test(e.textContent)).map(e => e.innerText).join("; ")`); bad != "" {
		f.t.Fatalf("checks did not pass: %s", bad)
	}
}

// enable confirms the Note.
func (f *flow) enable() {
	f.t.Helper()
	f.findingsPass()
	if f.script {
		f.click(`main [data-open-dialog=note]`)
		f.until("the Note is a modal dialog", `document.querySelector("#note:modal")`)
		f.picture("flow-note")
		f.click(`#note [data-close-dialog]`)
		f.until("the Note is closed", `!document.querySelector("#note:modal")`)
		f.click(`main [data-open-dialog=note]`)
	} else {
		f.press(`main [data-open-dialog=note]`)
	}
	f.press(`#note button.btn-primary`)
	f.at(f.instanceURL() + "/connectors/new")
	f.shows("Connectors are enabled on " + f.instance)
}

func (f *flow) createTopic() {
	f.t.Helper()
	f.to(f.instanceURL() + "/topics")
	f.press(link(f.instanceURL() + "/create-topic"))
	f.fill("name", f.topic)
	f.fill("partitions", "2")
	f.press(`#topic-form button.btn-primary`)
	f.at(f.instanceURL() + "/topics/" + f.topic)
	f.shows(f.topic, "2 partitions")
}

// send sends a message by the topic's page, which leads to what becomes of it.
func (f *flow) send(key, value string) {
	f.t.Helper()
	f.fill("key", key)
	f.fill("value", value)
	f.pick("partition", "1")
	f.press(`#send button.btn-primary`)
	f.until("the fate of the message", fmt.Sprintf("location.pathname.startsWith(%q)", f.instanceURL()+"/topics/"+f.topic+"/records/1/"))
}

// wizard goes through the steps up to the preview.
func (f *flow) wizard() {
	f.t.Helper()
	const next = `#wizard-form button[value=next]`
	f.to(f.instanceURL())
	f.press(link(f.instanceURL() + "/connectors/new"))
	f.choose("connector.class", "KAFKA2OSS")
	f.press(`#wizard-start button.btn-primary`)

	f.fill("name", f.connector)
	f.fill("description", "Made by a browser")
	f.press(next)

	f.choose("topics", f.topic)
	f.pickOrChoose("consumer.override.auto.offset.reset", "earliest")
	f.picture("flow-source")
	f.press(next)

	f.fill("oss.endpoint", printed(f.t, f.n, "sandbox oss: "))
	f.fill("oss.bucket", "sandbox-bucket")
	f.fill("aliyun.access.key.id", "sandbox")
	f.fill("aliyun.access.key.secret", "sandbox")
	f.unfold("flush.interval.ms")
	f.staysUnfolded("flush.interval.ms")
	f.fill("flush.interval.ms", "1000")
	f.press(`#wizard-form button[value=test]`)
	f.findingsPass()
	f.picture("flow-checks")
	f.press(next)

	f.until("the preview", `location.pathname.endsWith("/preview")`)
	f.shows(f.topic+"-1-00000000000000000000-00000000000000000000.json", `\"order\":1`, "connect-error-"+f.connector)
	f.picture("flow-preview")
}

// unfold opens the advanced settings that hold a field.
func (f *flow) unfold(name string) {
	f.t.Helper()
	fold := fmt.Sprintf("main details.fold:has([name=%q])", name)
	f.until(name+" is folded away", fmt.Sprintf("document.querySelector(%q)?.open === false", fold))
	f.click(fold + " > summary")
	f.until(name+" is shown", fmt.Sprintf("document.querySelector(%q).open", fold))
}

// staysUnfolded changes a setting on which others depend, and back: the form that is the answer leaves the advanced
// settings as they were.
func (f *flow) staysUnfolded(name string) {
	f.t.Helper()
	if !f.script {
		return
	}
	for _, format := range []string{"jsonl", "json"} {
		f.watch()
		f.pickOrChoose("oss.format", format)
		f.kept("wizard-form", 1)
		if !eval[bool](f.window, fmt.Sprintf("document.querySelector(%q).open", fmt.Sprintf("main details.fold:has([name=%q])", name))) {
			f.t.Fatalf("choosing %s folds the advanced settings", format)
		}
	}
}

// pickOrChoose answers a field that may be a list or a group of buttons.
func (f *flow) pickOrChoose(name, value string) {
	f.t.Helper()
	f.until("a field "+name, fmt.Sprintf("document.querySelector(%q)", named(name)))
	if eval[bool](f.window, fmt.Sprintf("document.querySelector(%q).matches('select')", named(name))) {
		f.pick(name, value)
		return
	}
	f.choose(name, value)
}

func (f *flow) deploy() {
	f.t.Helper()
	f.press(`#wizard-form button[value=deploy]`)
	f.at(f.connectorURL())
	f.until("the deployment's steps", `document.querySelectorAll("#connector .finding").length > 0`)
	f.state("Running")
	f.eventually("what was sent before is delivered", `document.querySelector("#connector .stat .v")?.innerText.trim().split(/\s/)[0] === "1"`)
}

// delivers sends a message, follows it to its object and reads that.
func (f *flow) delivers(key, value string) {
	f.t.Helper()
	f.press(`#connector-head a[href*="#send"]`)
	f.at(f.instanceURL() + "/topics/" + f.topic)
	f.send(key, value)
	f.until("the message is delivered", `[...document.querySelectorAll("#fates .badge")].some(e => e.innerText.trim() === "Delivered")`)
	f.picture("flow-fate")
	f.press(`.sidebar a[href="/sandbox"]`)
	object := fmt.Sprintf("%[1]s-1-%020[2]d-%020[2]d.json", f.topic, 1)
	f.press(fmt.Sprintf(`main a.list-link[href*=%q]`, object))
	f.shows(f.connector+"/"+f.topic+"/dt=", object)
	f.until("the object's content", has("#object", `"key":"`+key+`"`, `order\":2`))
	f.picture("flow-object")
}

func (f *flow) suspendAndResume() {
	f.t.Helper()
	f.to(f.connectorURL())
	f.press(`#connector-head button[formaction$="/suspend"]`)
	f.shows(f.connector + " is suspended")
	f.state("Suspended")
	f.press(`#connector-head button[formaction$="/resume"]`)
	f.state("Running")
}

// modify changes a setting, sees the difference, saves it and finds it in the history.
func (f *flow) modify() {
	f.t.Helper()
	f.press(fmt.Sprintf(`#connector-head a[href=%q]`, f.connectorURL()+"/modify"))
	f.fill("description", "Changed by a browser")
	f.press(`#modify-form button.btn-primary`)
	f.until("the difference", has("#modify-review", "Made by a browser", "Changed by a browser"))
	f.picture("flow-diff")
	f.press(`#modify-review button[name=_confirm]`)
	f.shows("The configuration of " + f.connector + " was changed")
	f.to(f.connectorURL() + "/configuration")
	f.shows("Version 2", "Version 1", "Changed by a browser", "admin")
	f.picture("flow-configuration")
}

// logs filters the log and sees a line that comes while it is looked at.
func (f *flow) logs() {
	f.t.Helper()
	f.to(f.connectorURL() + "/logs")
	f.eventually("lines", `document.querySelectorAll(".log-line").length > 0`)
	f.picture("flow-logs")
	f.fill("q", "no line holds this")
	f.press(`main form.filters button[type=submit]`)
	f.until("the filter is in the address", `location.search.includes("q=no+line")`)
	f.until("no line matches", `document.querySelectorAll(".log-line").length === 0`)
	f.to(f.connectorURL() + "/logs")
	f.eventually("lines", `document.querySelectorAll(".log-line").length > 0`)
	before := eval[int](f.window, `document.querySelectorAll(".log-line").length`)
	c := f.n.Connector(f.instance, f.connector)
	c.Pause()
	c.AwaitState(patience, "SUSPENDED")
	c.Resume()
	f.eventually("a new line", fmt.Sprintf(`document.querySelectorAll(".log-line").length > %d`, before))
}

// delete removes the connector by typing its name.
func (f *flow) delete() {
	f.t.Helper()
	f.to(f.connectorURL())
	f.click(`#connector-head details.menu summary`)
	f.press(fmt.Sprintf(`#connector-head a[href=%q]`, f.connectorURL()+"/delete"))
	f.shows("connect-error-" + f.connector)
	f.picture("flow-delete")
	if f.script {
		f.until("the button waits for the name", `document.querySelector("[data-confirm-button]").disabled`)
	} else {
		f.fill("confirm", "wrong")
		f.press(`[data-confirm-button]`)
		f.until("the wrong name is refused", `document.querySelector("#f-confirm[aria-invalid=true]")`)
	}
	f.fill("confirm", f.connector)
	f.press(`[data-confirm-button]`)
	f.shows(f.connector + " is deleted")
	f.to(f.instanceURL())
	f.eventually("the connector is gone", fmt.Sprintf(`!document.querySelector('main a[href=%q]')`, f.connectorURL()))
}
