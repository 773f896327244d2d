//go:build e2e

package e2e

import (
	"os"
	"strings"

	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// mainPages are looked at in light, in dark and on a narrow screen; each has the name of its pictures.
func mainPages() [][2]string {
	const orders = "/instances/sandbox/topics/orders"
	return [][2]string{
		{"home", "/"}, {"instances", "/instances"}, {"instance-new", "/instances/new"}, {"instance", "/instances/sandbox"}, {"instance-settings", "/instances/sandbox/settings"},
		{"topics", "/instances/sandbox/topics"}, {"topic", orders}, {"wizard-type", "/instances/sandbox/connectors/new"},
		{"connector", example}, {"configuration", example + "/configuration"}, {"modify", example + "/modify"}, {"logs", example + "/logs"},
		{"resources", example + "/resources"}, {"position", example + "/position"}, {"delete", example + "/delete"},
		{"sandbox", "/sandbox"}, {"sandbox-requests", "/sandbox/requests"}, {"sandbox-faults", "/sandbox/faults"},
		{"help", "/help"}, {"reference", "/help/connectors/KAFKA2OSS"}, {"admin", "/admin"}, {"sessions", "/admin/sessions"}, {"audit", "/admin/audit"}, {"not-found", "/no-such-page"},
	}
}

// narrowWidth is a telephone's, in CSS pixels.
const narrowWidth = 400

// judgeLight judges every main page in light and on a narrow screen.
func (w *window) judgeLight() {
	w.t.Helper()
	axe := axeSource(w)
	for _, page := range mainPages() {
		w.to(page[1])
		w.until(page[0]+" is at rest", `!document.querySelector(".htmx-request")`)
		w.judgeAccess(page[0]+" in light", axe, `type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]`)
		w.picture(page[0] + "-light")
		w.do(chromedp.EmulateViewport(narrowWidth, 800))
		w.judgeWidth(page[0])
		w.picture(page[0] + "-narrow")
		w.do(chromedp.EmulateViewport(1280, 800))
	}
}

// judgeDark judges every main page for what a colour scheme decides.
func (w *window) judgeDark() {
	w.t.Helper()
	axe := axeSource(w)
	for _, page := range mainPages() {
		w.to(page[1])
		w.until(page[0]+" is at rest", `!document.querySelector(".htmx-request")`)
		w.judgeAccess(page[0]+" in dark", axe, `type: "rule", values: ["color-contrast", "link-in-text-block"]`)
		w.picture(page[0] + "-dark")
	}
}

// judgeWidth requires that the page does not scroll sideways; tables scroll within themselves.
func (w *window) judgeWidth(page string) {
	w.t.Helper()
	wide := eval[string](w, `(() => {
		const limit = document.documentElement.clientWidth;
		if (document.documentElement.scrollWidth <= limit) return "";
		const scrolls = e => { for (let p = e.parentElement; p; p = p.parentElement) if (/auto|scroll|hidden|clip/.test(getComputedStyle(p).overflowX)) return true; return false };
		return document.documentElement.scrollWidth + " px: " + [...document.querySelectorAll("body *")].filter(e => e.getBoundingClientRect().right > limit + 1 && !scrolls(e)).slice(0, 4).map(e => e.outerHTML.slice(0, 100)).join(" | ");
	})()`)
	if lists := eval[int](w, `[...document.querySelectorAll(".table.list")].filter(t => t.parentElement.scrollWidth > t.parentElement.clientWidth).length`); lists > 0 {
		w.t.Errorf("%s: %d lists are wider than a screen of %d px", page, lists, narrowWidth)
	}
	if wide != "" {
		w.t.Errorf("%s scrolls sideways on a screen of %d px: %s", page, narrowWidth, wide)
	}
}

// axeSource reads axe-core, the judge of accessibility.
func axeSource(w *window) string {
	w.t.Helper()
	path, err := harness.Setting("SLUICE_AXE")
	if err != nil {
		w.t.Fatalf("finding axe-core: %v", err)
	}
	source, err := os.ReadFile(path)
	if err != nil {
		w.t.Fatalf("reading axe-core: %v", err)
	}
	return string(source)
}

// judgeAccess requires that axe-core finds nothing serious or critical on the page by the rules given. It is
// run through the debugger, so that the page's content security policy stays as it is.
func (w *window) judgeAccess(page, axe, rules string) {
	w.t.Helper()
	if _, err := chromedp.Run(w.ctx, chromedp.Evaluate[bool](axe+";true")); err != nil {
		w.t.Fatalf("%s: loading axe-core: %v", page, err)
	}
	found, err := chromedp.Run(w.ctx, chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"], runOnly: {`+rules+`}})
		.then(r => r.violations.filter(v => v.impact === "serious" || v.impact === "critical")
			.map(v => v.id + " (" + v.impact + "): " + v.nodes.slice(0, 3).map(n => n.target.join(" ") + " " + n.html.slice(0, 120) + " " + (n.any[0]?.message ?? "")).join(" | ")))`, chromedp.EvalAwaitPromise))
	if err != nil {
		w.t.Fatalf("%s: running axe-core: %v", page, err)
	}
	if len(found) > 0 {
		w.t.Errorf("%s is not accessible:\n\t%s", page, strings.Join(found, "\n\t"))
	}
}
