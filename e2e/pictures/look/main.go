// Command look photographs pages whole, in every look, to be judged by eye, and says what a machine can tell: what
// is wider than the window, and what axe-core finds. The pages are addresses, or the files of a folder that
// views/gallery wrote, which it serves:
//
//	SLUICE_GALLERY=/tmp/gallery go test ./views/gallery -run 'TestPages|TestAssets' -count=1
//	go run ./e2e/pictures/look -gallery /tmp/gallery -out /tmp/seen
//	go run ./e2e/pictures/look -base http://127.0.0.1:8080 -password ... -out /tmp/seen / /instances
package main

import (
	"context"
	"flag"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// look is one way of seeing a page.
type look struct {
	name     string
	width    int64
	dark     bool
	noScript bool
}

var looks = []look{{name: "light", width: 1440}, {name: "dark", width: 1440, dark: true}, {name: "narrow", width: 390}, {name: "plain", width: 1440, noScript: true}, {name: "plain-narrow", width: 390, noScript: true}}

func main() {
	gallery := flag.String("gallery", "", "folder of pages that views/gallery wrote")
	base := flag.String("base", "", "address of a program that runs")
	password := flag.String("password", "", "password of admin there")
	out := flag.String("out", "", "folder that gets the pictures")
	want := flag.String("looks", "light,dark,narrow", "of light, dark, narrow, plain, plain-narrow (plain: without scripts)")
	match := flag.String("match", "", "expression that names of gallery pages match")
	axe := flag.Bool("axe", false, "let axe-core judge")
	ask := flag.String("ask", "", "JavaScript whose text is printed for each page")
	flag.Parse()
	m := harness.NewMain("look")
	if err := os.MkdirAll(*out, 0o755); err != nil {
		m.Fatalf("making the folder: %v", err)
	}
	paths := flag.Args()
	if *gallery != "" {
		*base, paths = serve(m, *gallery, regexp.MustCompile(*match))
	}
	rules := ""
	if *axe {
		rules = axeSource(m)
	}
	for _, l := range looks {
		if strings.Contains(","+*want+",", ","+l.name+",") {
			eye := &eye{m: m, look: l, base: *base, out: *out, axe: rules, ask: *ask}
			eye.all(*password, paths)
		}
	}
	failed := m.Failed()
	m.Close()
	if failed {
		os.Exit(1)
	}
}

// serve gives the address and the paths of a gallery's pages.
func serve(m *harness.Main, folder string, match *regexp.Regexp) (base string, paths []string) {
	files, err := filepath.Glob(filepath.Join(folder, "*.html"))
	if err != nil || len(files) == 0 {
		m.Fatalf("no pages in %s: %v", folder, err)
	}
	for _, f := range files {
		if name := filepath.Base(f); match.MatchString(name) {
			paths = append(paths, "/"+name)
		}
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		m.Fatalf("listening: %v", err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(folder)), ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }() // ends with the program
	m.Cleanup(func() { _ = server.Close() })
	return "http://" + l.Addr().String(), paths
}

func axeSource(m *harness.Main) string {
	path, err := harness.Setting("SLUICE_AXE")
	if err != nil {
		m.Fatalf("finding axe-core: %v", err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		m.Fatalf("reading axe-core: %v", err)
	}
	return string(b)
}

// eye is one browser window.
type eye struct {
	m              *harness.Main
	look           look
	base, out, axe string
	ask            string
	ctx            context.Context
}

const high = 900

// all photographs the pages one after the other and closes the window.
func (e *eye) all(password string, paths []string) {
	own := harness.NewMain("look " + e.look.name)
	e.ctx = harness.Browser(own, harness.BrowserOptions{Dark: e.look.dark, NoScript: e.look.noScript, Width: int(e.look.width), Height: high, Limit: 10 * time.Minute})
	do(e, "setting the size", chromedp.EmulateViewport(e.look.width, high))
	if password != "" {
		do(e, "opening the sign-in", chromedp.Navigate(e.base+"/login"))
		do(e, "signing in", chromedp.Evaluate[bool](fmt.Sprintf(`(() => { const f = document.querySelector('main form'); f.user.value = 'admin'; f.password.value = %q; f.submit(); return true; })()`, password)))
		harness.Eventually(e.m, 30*time.Second, "the console", func() (bool, string) {
			at := do(e, "asking where", chromedp.Evaluate[string](`location.pathname + (document.readyState === 'complete' ? '' : '…')`))
			return at == "/", at
		})
	}
	for _, path := range paths {
		e.page(path)
	}
	own.Close()
	if own.Failed() {
		e.m.Errorf("pages complained in %s, see above", e.look.name)
	}
}

// wider lists what reaches beyond the window although nothing around it scrolls.
const wider = `(() => {
	const out = [];
	const limit = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > limit) out.push('the page is ' + document.documentElement.scrollWidth + ' wide');
	for (const e of document.querySelectorAll('body *')) {
		const r = e.getBoundingClientRect();
		if (!r.width || r.right <= limit + 1 || getComputedStyle(e).visibility === 'hidden') continue;
		let scrolls = false;
		for (let p = e.parentElement; p; p = p.parentElement) if (getComputedStyle(p).overflowX !== 'visible') { scrolls = true; break; }
		if (!scrolls) out.push(e.tagName.toLowerCase() + '.' + e.className + ' "' + e.textContent.trim().slice(0, 30) + '"');
	}
	return out.slice(0, 6).join('; ');
})()`

func (e *eye) page(path string) {
	do(e, "opening "+path, chromedp.Navigate(e.base+path))
	name := strings.Trim(regexp.MustCompile(`[^a-zA-Z0-9]+`).ReplaceAllString(strings.TrimSuffix(path, ".html"), "-"), "-")
	if name == "" {
		name = "home"
	}
	file := filepath.Join(e.out, name+"-"+e.look.name+".png")
	if err := os.WriteFile(file, do(e, "photographing "+path, chromedp.FullScreenshot(100)), 0o644); err != nil {
		e.m.Fatalf("saving: %v", err)
	}
	if e.look.noScript {
		return
	}
	if s := do(e, "measuring "+path, chromedp.Evaluate[string](wider)); s != "" {
		fmt.Printf("%s %s: wider than the window: %s\n", path, e.look.name, s)
	}
	if e.ask != "" {
		fmt.Printf("%s %s: %s\n", path, e.look.name, do(e, "asking "+path, chromedp.Evaluate[string](e.ask)))
	}
	if e.axe == "" {
		return
	}
	do(e, "loading axe-core", chromedp.Evaluate[bool](e.axe+";true"))
	found := do(e, "asking axe-core", chromedp.Evaluate[[]string](`axe.run(document, {resultTypes: ["violations"]}).then(r => r.violations.map(v => v.id + ': ' + v.nodes.slice(0, 3).map(n => n.target.join(' ')).join(', ')))`, chromedp.EvalAwaitPromise))
	for _, f := range found {
		fmt.Printf("%s %s: axe: %s\n", path, e.look.name, f)
	}
}

func do[T any](e *eye, what string, act chromedp.Action[T]) T {
	ctx, cancel := context.WithTimeout(e.ctx, 60*time.Second)
	defer cancel()
	v, err := chromedp.Run(ctx, act)
	if err != nil {
		e.m.Fatalf("%s: %s: %v", e.look.name, what, err)
	}
	return v
}
