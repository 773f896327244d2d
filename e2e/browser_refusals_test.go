//go:build e2e

package e2e

import (
	"fmt"
	"net/http"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// refusals is what the console says when something is wrong: on an instance with a quota of 3 on a node that
// others use too.
func refusals(t *testing.T, n *harness.Sluice) {
	const instance = "small"
	n.CreateInstance(instance, printed(t, n, "sandbox kafka: "), map[string]any{"connector.quota": 3})
	w := openWindow(t, n, harness.BrowserOptions{})
	w.signIn("/instances/" + instance)
	w.wrongFields("/instances/" + instance + "/connectors/new")
	config := map[string]string{
		"connector.class": "KAFKA2OSS", "topics": "orders", "tasks.max": "1", "oss.endpoint": printed(t, n, "sandbox oss: "), "oss.bucket": "sandbox-bucket",
		"aliyun.access.key.id": "sandbox", "aliyun.access.key.secret": "sandbox",
	}
	for _, name := range []string{"idle-1", "idle-2"} {
		body := map[string]any{"name": name, "config": config, "initial_state": "STOPPED"}
		n.Must(http.StatusCreated, http.MethodPost, "/connect/"+instance+"/connectors", body, nil)
	}
	config["oss.bucket"], config["flush.interval.ms"], config["consumer.override.auto.offset.reset"] = "nobodys-bucket", "500", "earliest"
	n.CreateConnector(instance, "wrong-bucket", config)
	w.wrongBucket("/instances/"+instance+"/connectors/wrong-bucket", "nobodys-bucket")
	w.fullQuota("/instances/" + instance)
}

// wrongFields meets a field's error on leaving the field, without a page load, and the summary of errors on
// going on; a link of the summary leads to the field.
func (w *window) wrongFields(wizard string) {
	w.t.Helper()
	const bad = `document.querySelector("main [name=name]").getAttribute("aria-invalid") === "true"`
	w.to(wizard)
	w.choose("connector.class", "KAFKA2OSS")
	w.press(`#wizard-start button.btn-primary`)
	loaded := eval[float64](w, "performance.timeOrigin")
	w.fill("name", "Not A Name")
	w.fill("description", "left") // leaving the name has it checked
	w.until("the name is refused in place", bad+` && document.querySelector("#f-name-error")`)
	w.fill("name", "")
	w.do(chromedp.EmulateViewport(1280, 1600)) // a form that needs no scrolling moves when an error goes away
	w.pressSlowly(`#wizard-form button[value=next]`)
	w.do(chromedp.EmulateViewport(1280, 800))
	w.until("the summary has the focus", `document.activeElement?.id === "errors" && `+has("#errors", "Connector Name"))
	w.until("the field is marked", bad+` && document.querySelector("main [name=name]").getAttribute("aria-describedby").includes("f-name-error")`)
	w.picture("wizard-refused")
	w.click(`#errors a`)
	w.until("the link leads to the field", `document.activeElement?.name === "name"`)
	if now := eval[float64](w, "performance.timeOrigin"); now == loaded {
		w.t.Error("going on did not ask the server")
	}
	w.do(chromedp.KeyEvent("good-name\t"))
	w.until("the error is gone", "!("+bad+")")
}

// wrongBucket sees a connector that cannot work: Failed, with the reason and the remedy, on its page and on the first one.
func (w *window) wrongBucket(connector, bucket string) {
	w.t.Helper()
	w.to(connector)
	w.state("Failed")
	w.until("the cause and the remedy", has("#connector-head .notice.tone-bad", bucket)+` && document.querySelectorAll("#connector-head .notice p").length > 1`)
	w.picture("failed")
	remedy := eval[string](w, `document.querySelector("#connector-head .notice-title + p").innerText`)
	w.to("/")
	w.until("the first page says so too", has("main .cause-row", bucket, remedy))
	w.until("it stands above what is well", fmt.Sprintf(`document.querySelector("main tbody a.row-link").getAttribute("href") === %q`, connector))
	w.picture("home-failed")
}

// fullQuota is refused a fourth connector, asks for more, and grants it as the administrator.
func (w *window) fullQuota(instance string) {
	w.t.Helper()
	w.to(instance)
	w.until("Create is off and says why", `document.querySelector('main [aria-disabled=true]')?.title.includes("3 of 3")`)
	w.to(instance + "/connectors/new")
	w.shows("3 of 3 connectors")
	w.picture("quota-full")
	w.fill("wanted", "5")
	w.fill("reason", "Two more topics")
	w.press(fmt.Sprintf(`main form[action=%q] button`, instance+"/quota"))
	w.until("the request waits", has("main", "waits for an administrator"))
	w.to("/admin")
	w.shows("Two more topics")
	w.picture("quota-request")
	w.press(`main button[formaction*="/grant"]`)
	w.to(instance)
	w.until("there is room again", fmt.Sprintf(`document.querySelector('main a.btn-primary[href=%q]:not([aria-disabled])')`, instance+"/connectors/new"))
}
