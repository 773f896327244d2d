//go:build e2e

package e2e

import (
	"fmt"
	"net/http"

	"github.com/chromedp/chromedp"
)

// Parts of a page that are replaced while somebody looks at them: what is unfolded, opened, selected or reached by the
// keyboard meanwhile stays so.

// swaps is an expression: how often something arrived for the element of that ID since watch.
func swaps(id string) string { return fmt.Sprintf("(window.swaps?.[%q] ?? 0)", id) }

// watch begins to count what arrives.
func (w *window) watch() {
	w.t.Helper()
	eval[bool](w, `(() => { if (!window.swaps) document.addEventListener("htmx:after:swap", e => { const id = e.detail.ctx.target?.id; window.swaps[id] = (window.swaps[id] ?? 0) + 1 }); window.swaps = {}; return true })()`)
}

// kept waits until a part was replaced n times since watch.
func (w *window) kept(id string, n int) {
	w.t.Helper()
	w.until(fmt.Sprintf("%s was kept fresh %d times", id, n), fmt.Sprintf("%s >= %d", swaps(id), n))
}

// livePart works on a connector's page while it keeps itself fresh.
func (w *window) livePart() {
	w.t.Helper()
	w.to(example)
	w.state("Running")
	w.watch()
	const first, second = `#connector .charts figure:nth-child(1) details`, `#connector .charts figure:nth-child(2) details`
	w.click(first + " summary")
	w.click(second + " summary")
	w.click(second + " summary")
	selected := eval[string](w, `(getSelection().selectAllChildren(document.querySelector("#connector-head h1")), getSelection().toString())`)
	w.watch()
	w.kept("connector", 2)
	w.kept("connector-head", 1)
	if !eval[bool](w, fmt.Sprintf("document.querySelector(%q).open && !document.querySelector(%q).open", first, second)) {
		w.t.Error("the figures of a chart fold up or unfold by themselves")
	}
	if now := eval[string](w, "getSelection().toString()"); now != selected || now == "" {
		w.t.Errorf("what was selected, %q, became %q", selected, now)
	}
	w.menuOpensMeanwhile()
	w.typesMeanwhile()
	w.keyboardStays()
	w.readsMeanwhile()
}

// menuOpensMeanwhile opens a menu while an answer is on its way that would replace it.
func (w *window) menuOpensMeanwhile() {
	w.t.Helper()
	eval[bool](w, `(ask => { window.held = 0; window.fetch = async (url, ...rest) => { const answer = await ask(url, ...rest);
		if (String(url).includes("part=head") && !window.go) { window.held++; await new Promise(done => { window.letGo = done }); window.swapped = 1 } return answer }; window.restore = () => { window.fetch = ask }; return true })(window.fetch)`)
	w.until("an answer is held back", "window.held > 0")
	w.click("#connector-head details.menu summary")
	w.until("the menu is open", `document.querySelector("#connector-head details.menu").open`)
	w.watch()
	eval[bool](w, `(window.go = true, window.restore(), window.letGo(), true)`)
	w.kept("connector", 2)
	if !eval[bool](w, `document.querySelector("#connector-head details.menu").open`) {
		w.t.Error("a menu closes by itself")
	}
	w.do(chromedp.KeyEvent("\x1b"))
	w.until("the menu is closed", `!document.querySelector("#connector-head details.menu").open`)
}

// typesMeanwhile types in a form in which something keeps itself fresh, as checks do, whose end may show the form anew: that
// waits until the field is left.
func (w *window) typesMeanwhile() {
	w.t.Helper()
	eval[bool](w, `(() => { document.querySelector("main").insertAdjacentHTML("beforeend", '<form id="trial"><input id="typed" aria-label="typed"><div id="asks" hx-get="/help?trial" hx-trigger="every 100ms" hx-target="#asks" hx-swap="none"></div></form>');
		const ask = window.fetch; window.asked = 0; window.fetch = (url, ...rest) => { if (String(url).includes("trial")) window.asked++; return ask(url, ...rest) };
		htmx.process(document.querySelector("#trial")); document.querySelector("#typed").focus(); return true })()`)
	w.until("it asks while nothing is typed", "window.asked > 1")
	w.do(chromedp.KeyEvent("half a wo"))
	w.watch()
	w.kept("connector", 1) // what was asked before is answered
	before := eval[int](w, "window.asked")
	w.watch()
	w.kept("connector", 1)
	if now := eval[int](w, "window.asked"); now != before {
		w.t.Errorf("a form may go away while somebody types in it: it asked %d times", now-before)
	}
	eval[bool](w, `(document.activeElement.blur(), true)`)
	w.until("it asks when the field was left", fmt.Sprintf("window.asked > %d", before))
	eval[bool](w, `(document.querySelector("#trial").remove(), true)`)
}

// readsMeanwhile selects a line of the log while others arrive: it stays where it is.
func (w *window) readsMeanwhile() {
	w.t.Helper()
	w.to(example + "/logs")
	const lines = `document.querySelectorAll(".log > .log-line").length`
	w.until("there are lines", lines+" > 5")
	before := eval[[]float64](w, `(() => { const log = document.querySelector(".log"); log.style.maxHeight = "80px"; log.scrollTop = log.scrollHeight; getSelection().selectAllChildren(log.lastElementChild.querySelector(".msg")); return [`+lines+`, log.scrollTop] })()`)
	w.n.Must(http.StatusAccepted, http.MethodPut, "/connect/sandbox/connectors/orders-to-oss/pause", nil, nil)
	w.until("more lines", fmt.Sprintf("%s > %f", lines, before[0]))
	if now := eval[float64](w, `document.querySelector(".log").scrollTop`); before[1] == 0 || now != before[1] {
		w.t.Errorf("the log stood at %f and scrolled to %f while a line was selected", before[1], now)
	}
	w.n.Must(http.StatusAccepted, http.MethodPut, "/connect/sandbox/connectors/orders-to-oss/resume", nil, nil)
	w.to(example)
	w.state("Running")
}

// keyboardStays has the keyboard at a button that goes away: it is at none that took its place.
func (w *window) keyboardStays() {
	w.t.Helper()
	eval[bool](w, `(document.querySelector('#connector-head button[formaction$="/restart"]').focus(), true)`)
	w.n.Must(http.StatusAccepted, http.MethodPut, "/connect/sandbox/connectors/orders-to-oss/pause", nil, nil)
	w.state("Suspended")
	if at := eval[string](w, `document.activeElement.getAttribute("formaction") ?? ""`); at != "" {
		w.t.Errorf("the keyboard was at Restart and is at %s", at)
	}
	eval[bool](w, `(document.querySelector('#connector-head a[href$="/modify"]').focus(), true)`)
	w.n.Must(http.StatusAccepted, http.MethodPut, "/connect/sandbox/connectors/orders-to-oss/resume", nil, nil)
	w.state("Running")
	if at := eval[string](w, `document.activeElement.getAttribute("href") ?? ""`); at != example+"/modify" {
		w.t.Errorf("the keyboard was at Modify and is at %q", at)
	}
}
