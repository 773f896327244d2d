//go:build e2e

package e2e

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// patience is how long a page may take to show what a person waits for. It is no pause: a condition that is
// met ends the wait.
const patience = 45 * time.Second

// window is a person's browser window on a node's console.
type window struct {
	t      *testing.T
	n      *harness.Sluice
	ctx    context.Context
	script bool // the pages' scripts run
}

// startSandbox starts a node with its sandbox, every part on a free port.
func startSandbox(t *testing.T) *harness.Sluice {
	t.Helper()
	return suite.StartSluice(t, harness.SluiceOptions{Env: map[string]string{
		"SLUICE_SANDBOX": "on", "SLUICE_SANDBOX_KAFKA_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_OSS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_FC_ADDR": "127.0.0.1:0",
		"SLUICE_SANDBOX_ODPS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_STS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_MYSQL_ADDR": "127.0.0.1:0",
		"SLUICE_EGRESS_ALLOW": "127.0.0.0/8,::1/128",
	}})
}

// printed is what the node printed at start behind a word, such as "sandbox oss: ".
func printed(t *testing.T, n *harness.Sluice, word string) string {
	t.Helper()
	for line := range strings.Lines(n.Log()) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), word); ok {
			return rest
		}
	}
	t.Fatalf("the node did not print %q:\n%s", word, n.Log())
	return ""
}

// openWindow opens a browser of the test's own.
func openWindow(t *testing.T, n *harness.Sluice, opts harness.BrowserOptions) *window {
	t.Helper()
	w := &window{t: t, n: n, script: !opts.NoScript}
	w.ctx = harness.Browser(t, opts)
	t.Cleanup(w.keepFailure)
	return w
}

// keepFailure saves a picture of what a failed test saw last.
func (w *window) keepFailure() {
	if !w.t.Failed() {
		return
	}
	_, _ = chromedp.Run(w.ctx, chromedp.Evaluate[bool]("scrollTo(0, 0), true")) // sticky parts stand where they belong
	picture, err := chromedp.Run(w.ctx, chromedp.FullScreenshot(100))
	if err != nil {
		w.t.Logf("no picture of the failure: %v", err)
		return
	}
	dir := os.Getenv("SLUICE_SCREENSHOTS")
	if dir == "" {
		dir = filepath.Join(os.TempDir(), "sluice-screenshots")
	}
	file := filepath.Join(dir, "failed-"+strings.ReplaceAll(w.t.Name(), "/", "-")+".png")
	if err := errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(file, picture, 0o644)); err != nil {
		w.t.Logf("keeping a picture of the failure: %v", err)
		return
	}
	w.t.Logf("a picture of the failure: %s", file)
}

func (w *window) do(actions ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	if err := chromedp.Do(w.ctx, actions...); err != nil {
		w.t.Fatalf("%v\n%s", err, w.sees())
	}
}

// to opens a page by its address.
func (w *window) to(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(strings.TrimRight(w.n.Base, "/") + path))
}

// eval runs an expression in the page.
func eval[V any](w *window, js string) V {
	w.t.Helper()
	v, err := chromedp.Run(w.ctx, chromedp.Evaluate[V](js))
	if err != nil {
		w.t.Fatalf("running %.100q: %v", js, err)
	}
	return v
}

// sees is what stands on the page, for messages.
func (w *window) sees() string {
	text, err := chromedp.Run(w.ctx, chromedp.Evaluate[string](
		`location.pathname + location.search + ": " + (document.querySelector("main") ?? document.body).innerText.replace(/\s+/g, " ").slice(0, 1500)`))
	if err != nil {
		return err.Error()
	}
	return text
}

// until waits for an expression to become true. A page that changes meanwhile is asked again.
func (w *window) until(what, js string) {
	w.t.Helper()
	w.await(what, js, false)
}

// eventually is until for what pages show only when they are asked again: without scripts the page is
// loaded anew, as a person would.
func (w *window) eventually(what, js string) {
	w.t.Helper()
	w.await(what, js, !w.script)
}

func (w *window) await(what, js string, reload bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	err := harness.Poll(ctx, func() (bool, string) {
		v, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool]("document.readyState === 'complete' && !!("+js+")"))
		if err != nil {
			return false, err.Error()
		}
		if !v && reload {
			_ = chromedp.Do(w.ctx, chromedp.Reload()) // a page that is changing at this moment cannot be; it is asked again
		}
		return v, ""
	})
	if err != nil {
		w.t.Fatalf("%s: not within %s (%v); the page: %s", what, patience, err, w.sees())
	}
}

// has is an expression: the element's text contains all of the words.
func has(selector string, words ...string) string {
	encoded, _ := json.Marshal(words) // strings always encode
	return fmt.Sprintf(`(e => e && %s.every(word => e.innerText.includes(word)))(document.querySelector(%q))`, encoded, selector)
}

// shows waits until the page's main part contains all of the words.
func (w *window) shows(words ...string) {
	w.t.Helper()
	w.until(fmt.Sprintf("the page shows %q", words), has("main", words...))
}

// at waits until the address is the given one.
func (w *window) at(path string) {
	w.t.Helper()
	w.until("the address is "+path, fmt.Sprintf("location.pathname === %q", path))
}

// spot is where on the screen something can be clicked, or why it cannot.
type spot struct {
	X, Y float64
	Why  string
}

// find scrolls to an element and says where it can be clicked: it must be visible, enabled and not covered.
const find = `((selector) => {
	const shown = [...document.querySelectorAll(selector)].filter(e => e.checkVisibility({checkVisibilityCSS: true}));
	if (!shown.length) return {why: "nothing visible matches " + selector};
	const e = shown[0];
	if (e.disabled || e.getAttribute("aria-disabled") === "true") return {why: selector + " is disabled"};
	e.scrollIntoView({block: "center", inline: "center", behavior: "instant"});
	const box = e.getClientRects()[0];
	const x = box.x + box.width / 2, y = box.y + box.height / 2;
	const top = document.elementFromPoint(x, y);
	if (!top || !(e.contains(top) || top.contains(e) && top.matches("label"))) return {why: selector + " is covered by " + (top ? top.outerHTML.slice(0, 120) : "nothing: it is outside")};
	return {x, y, why: ""};
})`

// spot waits until an element can be clicked and returns where.
func (w *window) spot(selector string) spot {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	var at spot
	err := harness.Poll(ctx, func() (bool, string) {
		v, err := chromedp.Run(w.ctx, chromedp.Evaluate[spot](fmt.Sprintf("document.readyState === 'complete' ? %s(%q) : {why: 'loading'}", find, selector)))
		if err != nil {
			return false, err.Error()
		}
		at = v
		return v.Why == "", v.Why
	})
	if err != nil {
		w.t.Fatalf("clicking %s: %v; the page: %s", selector, err, w.sees())
	}
	return at
}

// click presses the mouse button on the first visible element that a CSS selector matches.
func (w *window) click(selector string) {
	w.t.Helper()
	at := w.spot(selector)
	w.do(chromedp.MouseClickXY(at.X, at.Y))
}

// pressSlowly is press by a hand that holds the button down until the server has answered what leaving a field asks, and
// the page has had 20 ms to show it. What was asked before is answered first: it would wait for the hand, and what leaving
// the field asks would wait for it.
func (w *window) pressSlowly(selector string) {
	w.t.Helper()
	w.until("nothing is under way", `!document.querySelector(".htmx-request")`)
	before := eval[float64](w, "performance.timeOrigin")
	eval[bool](w, `(ask => { window.answers = 0; window.fetch = async (...request) => { const answer = await ask(...request); setTimeout(() => window.answers++, 20); return answer }; return true })(window.fetch)`)
	at := w.spot(selector)
	w.do(chromedp.MouseEvent(chromedp.MousePressed, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	w.until("an answer", "window.answers > 0")
	w.do(chromedp.MouseEvent(chromedp.MouseReleased, at.X, at.Y, chromedp.ButtonLeft, chromedp.ClickCount(1)))
	w.until("another page after "+selector, fmt.Sprintf("performance.timeOrigin !== %f", before))
}

// press clicks and waits for the page that follows.
func (w *window) press(selector string) {
	w.t.Helper()
	before := eval[float64](w, "performance.timeOrigin")
	w.click(selector)
	w.until("another page after "+selector, fmt.Sprintf("performance.timeOrigin !== %f", before))
}

// link is a selector of a link in the page's main part by its address.
func link(href string) string { return fmt.Sprintf("main a[href=%q]", href) }

// named is a selector of a field in the page's main part.
func named(name string) string { return fmt.Sprintf("main [name=%q]:not([type=hidden])", name) }

// fill types into a field in place of what it holds.
func (w *window) fill(name, value string) {
	w.t.Helper()
	w.until("a field "+name, fmt.Sprintf(`(e => { if (!e || !e.checkVisibility()) return false; e.focus(); e.select(); return document.activeElement === e })(document.querySelector(%q))`, named(name)))
	if value == "" {
		w.do(chromedp.KeyEvent("\b"))
	} else if _, err := chromedp.Call(w.ctx, input.InsertText, input.InsertTextParams{Text: value}); err != nil {
		w.t.Fatalf("typing into %s: %v", name, err)
	}
	w.until(name+" holds what was typed", fmt.Sprintf(`document.querySelector(%q).value === %q`, named(name), value))
}

// choose clicks one of several radio buttons or boxes.
func (w *window) choose(name, value string) {
	w.t.Helper()
	box := fmt.Sprintf("main [name=%q][value=%q]:not([type=hidden])", name, value)
	w.click(fmt.Sprintf("main label:has([name=%q][value=%q]:not([type=hidden]))", name, value))
	w.until(name+" is "+value, fmt.Sprintf("document.querySelector(%q).checked", box))
}

// pick takes an option of a drop-down list.
func (w *window) pick(name, value string) {
	w.t.Helper()
	w.until("a list "+name, fmt.Sprintf(`(e => { if (!e) return false; e.focus(); e.value = %[2]q; e.dispatchEvent(new Event("input", {bubbles: true})); e.dispatchEvent(new Event("change", {bubbles: true})); return e.value === %[2]q })(document.querySelector(%[1]q))`, named(name), value))
}

// picture photographs the page when SLUICE_SCREENSHOTS asks for it.
func (w *window) picture(name string) {
	w.t.Helper()
	if os.Getenv("SLUICE_SCREENSHOTS") == "" {
		return
	}
	eval[bool](w, "scrollTo(0, 0), true") // sticky parts stand where they belong
	harness.Screenshot(w.t, w.ctx, name)
}

// signIn opens a page, which leads to the sign-in, and comes back to it.
func (w *window) signIn(path string) {
	w.t.Helper()
	w.to(path)
	w.at("/login")
	w.fill("user", "admin")
	w.fill("password", harness.AdminPassword)
	w.press("main form button[type=submit]")
	w.at(path)
}

// state waits until a connector's page shows a state.
func (w *window) state(word string) {
	w.t.Helper()
	w.eventually("the state is "+word, fmt.Sprintf(`document.querySelector("#connector-head .title-line .badge")?.innerText.trim() === %q`, word))
}
