//go:build e2e

package e2e

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// example is the connector that a newcomer starts with one press.
const example = "/instances/sandbox/connectors/orders-to-oss"

// TestBrowserNewcomer is the first visit: sign in by the keyboard alone, start the example, read its first
// object, break the sandbox and watch the connector recover, and change how the console looks. Then every main
// page is judged: accessible in light and in dark, and usable on a narrow screen.
func TestBrowserNewcomer(t *testing.T) {
	t.Parallel()
	n := startSandbox(t)
	w := openWindow(t, n, harness.BrowserOptions{})
	w.signInByKeyboard()
	w.startExample()
	w.readNewestObject()
	w.breakAndMend()
	w.livePart()
	w.switchTheme()
	t.Run("light", func(t *testing.T) {
		t.Parallel()
		w := openWindow(t, n, harness.BrowserOptions{})
		w.signIn("/")
		w.judgeLight()
	})
	t.Run("dark", func(t *testing.T) {
		t.Parallel()
		w := openWindow(t, n, harness.BrowserOptions{Dark: true})
		w.signIn("/")
		w.judgeDark()
	})
}

// signInByKeyboard never touches the mouse; the first attempt has the wrong password.
func (w *window) signInByKeyboard() {
	w.t.Helper()
	w.to("/")
	w.at("/login")
	focused := func(name string) string { return fmt.Sprintf("document.activeElement?.name === %q", name) }
	w.until("the user's field has the focus", focused("user"))
	w.do(chromedp.KeyEvent("admin\twrong password\r"))
	w.until("the refusal is announced", has("main [role=alert]", "password"))
	w.until("the user's name is kept and the password has the focus", `document.querySelector("[name=user]").value === "admin" && `+focused("password"))
	w.until("the wrong password is not", `document.querySelector("[name=password]").value === ""`)
	w.picture("login-refused")
	w.do(chromedp.KeyEvent(harness.AdminPassword + "\r"))
	w.at("/")
	w.do(chromedp.KeyEvent("\t"))
	w.until("the first stop is the link to the content", `document.activeElement?.matches("a.skip")`)
}

func (w *window) startExample() {
	w.t.Helper()
	w.shows("No connectors yet")
	w.picture("home-empty")
	w.press(`[action="/sandbox/example"] button, [formaction="/sandbox/example"]`)
	w.at(example)
	w.state("Running")
	w.until("orders are delivered", `Number(document.querySelector("#connector .stat .v")?.innerText.replace(/[^0-9].*/, "")) > 0`)
}

func (w *window) readNewestObject() {
	w.t.Helper()
	w.press(`.sidebar a[href="/sandbox"]`)
	w.press(`main a.list-link[href*="orders-to-oss%2F"][href*=".json"], main a.list-link[href*="orders-to-oss/"][href*=".json"]`)
	w.until("the object's content", has("#object", `"topic":"orders"`, `"offset":`))
	w.picture("sandbox-object")
}

// breakAndMend switches a fault on by the sandbox's page; the connector's page says what is away, and that it is back.
func (w *window) breakAndMend() {
	w.t.Helper()
	w.press(`main a[href="/sandbox/faults"]`)
	w.fill("percent", "0")
	w.press(`main form.card button.btn-primary`)
	w.until("the share is refused", `document.querySelector("[name=percent][aria-invalid=true]") && document.querySelector("#errors a[href='#f-percent']")`)
	w.fill("percent", "100")
	w.press(`main form.card button.btn-primary`)
	w.until("the fault is on", `document.querySelector('main button[formaction$="/off"]')`)
	w.picture("faults")
	w.to(example)
	w.state("Recovering")
	w.until("the cause and what happens next", has("#connector-head .notice", "503"))
	w.until("so does the navigation", `document.querySelector("#nav-here").textContent.includes("Recovering") && document.querySelector("#nav-here .dot").offsetWidth > 0`)
	w.picture("recovering")
	w.to("/")
	w.until("the home page says so too", has("main", "orders-to-oss", "Recovering", "503"))
	w.to("/sandbox/faults")
	w.press(`main button[formaction$="/off"]`)
	w.until("the fault is off", `!document.querySelector('main button[formaction$="/off"]')`)
	w.to(example)
	w.state("Running")
}

// switchTheme turns the console dark, sees that this lasts, and goes back to what the system wants.
func (w *window) switchTheme() {
	w.t.Helper()
	w.to("/")
	background := `getComputedStyle(document.body).backgroundColor`
	light := eval[string](w, background)
	w.click(`details.user-menu summary`)
	w.click(`button[name=theme][value=dark]`)
	w.until("the page is dark", fmt.Sprintf(`document.documentElement.dataset.theme === "dark" && %s !== %q`, background, light))
	w.to("/instances")
	w.until("so is the next", `document.documentElement.dataset.theme === "dark"`)
	w.click(`details.user-menu summary`)
	w.click(`button[name=theme][value=auto]`)
	w.until("the page is light again", fmt.Sprintf(`%s === %q`, background, light))
}
