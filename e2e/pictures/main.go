// Command pictures takes the pictures of the console that the documentation shows. It starts the sluice
// program with its sandbox on free ports, brings it into a state worth looking at (connectors of every type that
// deliver, one suspended, one with a wrong bucket, one that rides out an outage), and photographs the main
// pages in light and dark and on a narrow screen:
//
//	go run ./e2e/pictures -out docs/pictures
//
// It needs Chromium (`make setup` installs it). SLUICE_BIN names a program to use instead of building one.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/sluice-io/sluice/e2e/harness"
)

// maxPicture is the size in bytes above which a picture is refused: they live in the repository for ever.
const maxPicture = 250 << 10

// What -of knows: connectors from Kafka to services, and from databases to Kafka.
const (
	ofSinks     = "sinks"
	ofDatabases = "databases"
)

func main() {
	out := flag.String("out", "docs/pictures", "folder that gets the pictures")
	only := flag.String("only", "", "take only pictures whose name contains this")
	of := flag.String("of", "", "take only pictures of connectors that are "+ofSinks+" or "+ofDatabases)
	records := flag.Int("records", 400, "how many records the example connector has delivered before pictures are taken, so that charts have something to show")
	flag.Parse()
	m := harness.NewMain("pictures")
	if *of != "" && *of != ofSinks && *of != ofDatabases {
		m.Fatalf("-of is %q; known are %s and %s", *of, ofSinks, ofDatabases)
	}
	suite := harness.NewSuite("pictures")
	if err := os.MkdirAll(*out, 0o755); err != nil {
		m.Fatalf("making the folder: %v", err)
	}
	takeAll(m, suite, *out, *only, *of, *records)
	failed := m.Failed()
	m.Close()
	suite.Close()
	if failed {
		os.Exit(1)
	}
}

// takeAll makes the state and photographs it with one browser after the other.
func takeAll(m *harness.Main, suite *harness.Suite, out, only, of string, records int) {
	mariadb, err := harness.Setting("SLUICE_MARIADBD")
	if err != nil {
		m.Fatalf("finding MariaDB: %v", err)
	}
	n := suite.StartSluice(m, harness.SluiceOptions{Env: map[string]string{
		"SLUICE_MARIADBD": mariadb,
		"SLUICE_SANDBOX":  "on", "SLUICE_SANDBOX_KAFKA_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_OSS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_FC_ADDR": "127.0.0.1:0",
		"SLUICE_SANDBOX_ODPS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_STS_ADDR": "127.0.0.1:0", "SLUICE_SANDBOX_MYSQL_ADDR": "127.0.0.1:0", "SLUICE_EGRESS_ALLOW": "127.0.0.0/8,::1/128",
	}})
	light := open(m, n, out, "light", only, false)
	light.first()
	sc, d := newScene(m, n), newDatabases(m, n)
	dark := open(m, n, out, "dark", only, true)
	dark.signIn()
	narrow := open(m, n, out, "narrow", only, false)
	narrow.size(390, 844)
	narrow.signIn()
	if of != ofDatabases {
		sc.front()
		d.front()
		sc.await(records)
		for _, c := range []*camera{light, dark, narrow} {
			c.front()
		}
		sc.fill()
	} else {
		d.front()
	}
	if of != ofSinks {
		d.fill()
	}
	shoot := func(c *camera, sinks func(*scene)) {
		if of != ofDatabases {
			sinks(sc)
		}
		if of != ofSinks {
			c.database(d)
		}
		c.close()
	}
	shoot(light, light.all)
	shoot(dark, dark.all)
	shoot(narrow, narrow.small)
}

// camera is one browser window and where its pictures go.
type camera struct {
	m         *harness.Main
	n         *harness.Sluice
	ctx       context.Context
	out, look string // folder; what names end in: light, dark, narrow
	only      string
	closing   *harness.Main
}

// window sizes in CSS pixels.
const wide, high = 1440, 900

func open(m *harness.Main, n *harness.Sluice, out, look, only string, dark bool) *camera {
	own := harness.NewMain("pictures " + look) // so that this window can be closed before the program ends
	c := &camera{m: m, n: n, out: out, look: look, only: only, closing: own}
	c.ctx = harness.Browser(own, harness.BrowserOptions{Dark: dark, Width: wide, Height: high, Limit: 25 * time.Minute})
	c.size(wide, high)
	return c
}

// close ends the browser; what its console complained about counts.
func (c *camera) close() {
	c.closing.Close()
	if c.closing.Failed() {
		c.m.Errorf("the pages of %s complained, see above", c.look)
	}
}

func (c *camera) size(width, height int64) {
	c.do("setting the size", chromedp.EmulateViewport(width, height))
}

// do carries out one act in the window; a page that does not react fails it.
func (c *camera) do(what string, act chromedp.Action[chromedp.Void]) {
	ctx, cancel := context.WithTimeout(c.ctx, 30*time.Second)
	defer cancel()
	if err := chromedp.Do(ctx, act); err != nil {
		c.m.Fatalf("%s: %s: %v", c.look, what, err)
	}
}

// to opens a page of the console.
func (c *camera) to(path string) { c.do("opening "+path, chromedp.Navigate(c.n.Base+path)) }

// script runs JavaScript in the page and gives its text.
func (c *camera) script(js string) string {
	v, err := chromedp.Run(c.ctx, chromedp.Evaluate[string](js))
	if err != nil {
		c.m.Fatalf("%s: running %.60q: %v", c.look, js, err)
	}
	return v
}

// until waits for an expression to become true.
func (c *camera) until(what, js string) {
	harness.Eventually(c.m, 30*time.Second, what, func() (bool, string) {
		v, err := chromedp.Run(c.ctx, chromedp.Evaluate[bool](js))
		if err != nil {
			return false, err.Error()
		}
		return v, c.script("document.title + ' ' + location.pathname")
	})
}

// set fills a field by its name, as typing and leaving it does.
func (c *camera) set(name, value string) {
	c.script(fmt.Sprintf(`(() => {
		const all = [...document.querySelectorAll('main [name=%[1]q]')];
		if (!all.length) throw new Error('no field %[1]s');
		const choice = all.find(e => (e.type === 'radio' || e.type === 'checkbox') && e.value === %[2]q);
		if (choice) { choice.checked = true; choice.dispatchEvent(new Event('change', {bubbles: true})); return ''; }
		const e = all.find(e => e.type !== 'radio' && e.type !== 'checkbox') || all[0];
		e.value = %[2]q;
		e.dispatchEvent(new Event('input', {bubbles: true}));
		return '';
	})()`, name, value))
}

// fill fills a field as typing and leaving it does, and waits for what the page makes of it.
func (c *camera) fill(name, value string) {
	c.script(fmt.Sprintf(`(() => {
		const e = document.querySelector('main [name=%[1]q]');
		if (!e) throw new Error('no field %[1]s');
		e.value = %[2]q;
		e.dispatchEvent(new Event('input', {bubbles: true}));
		e.dispatchEvent(new Event('change', {bubbles: true}));
		return '';
	})()`, name, value))
	c.until("the page after "+name, `!document.querySelector('.htmx-request')`)
}

// press submits by a button and waits for the page that follows.
func (c *camera) press(selector string) {
	c.script(`(window.beforePress = true, '')`)
	c.do("pressing "+selector, chromedp.Click(chromedp.CSS(selector)))
	c.until("the page after "+selector, `!window.beforePress && document.readyState === 'complete'`)
}

func (c *camera) file(name string) string { return name + "-" + c.look + ".png" }

// wants tells whether a picture was asked for.
func (c *camera) wants(name string) bool { return strings.Contains(c.file(name), c.only) }

// take photographs what the window shows.
func (c *camera) take(name string) {
	if !c.wants(name) {
		return
	}
	file := c.file(name)
	c.until("page "+name+" at rest", `document.readyState === 'complete' && document.fonts.status === 'loaded' && !document.querySelector('.htmx-request')`)
	shot, err := chromedp.Run(c.ctx, chromedp.CaptureScreenshot())
	if err != nil {
		c.m.Fatalf("taking %s: %v", file, err)
	}
	small, err := shrink(shot)
	if err != nil {
		c.m.Fatalf("taking %s: %v", file, err)
	}
	if len(small) > maxPicture {
		c.m.Errorf("%s has %d KiB, more than %d", file, len(small)>>10, maxPicture>>10)
	}
	if err := os.WriteFile(filepath.Join(c.out, file), small, 0o644); err != nil {
		c.m.Fatalf("saving: %v", err)
	}
	c.m.Logf("%s: %d KiB, %s", file, len(small)>>10, c.script("location.pathname"))
}
