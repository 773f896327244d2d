package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/sluice-io/sluice/e2e/harness"
)

// requestLimit bounds one request.
const requestLimit = 30 * time.Second

// profileFor is long enough for most of the pages.
const profileFor = 20 * time.Second

// target is a page or a call.
type target struct {
	name, path string
	part       bool // as a script asks for it
	rest       bool // with a password instead of a session
	asks       bool // asks a cluster live: told, but held against no goal
	status     int  // wanted; 0 means 200
}

// result is one line of the table.
type result struct {
	target
	bytes    int
	p50, p95 time.Duration
	cpu      time.Duration // of the server, a request
}

// browser asks for pages over one connection.
type browser struct {
	base   string
	client *http.Client
}

// signIn opens the sign-in page and sends its form.
func signIn(base string) (*browser, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	b := &browser{base: strings.TrimRight(base, "/"), client: &http.Client{Jar: jar, Timeout: requestLimit,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
	resp, err := b.client.Get(b.base + "/login")
	if err != nil {
		return nil, fmt.Errorf("opening the sign-in page: %w", err)
	}
	defer resp.Body.Close()
	doc, err := goquery.NewDocumentFromReader(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("reading the sign-in page: %w", err)
	}
	form := url.Values{"user": {"admin"}, "password": {harness.AdminPassword}}
	doc.Find("form input[type=hidden]").Each(func(_ int, s *goquery.Selection) {
		form.Set(s.AttrOr("name", ""), s.AttrOr("value", ""))
	})
	sent, err := b.client.PostForm(b.base+"/login", form)
	if err != nil {
		return nil, fmt.Errorf("signing in: %w", err)
	}
	defer sent.Body.Close()
	if sent.StatusCode != http.StatusSeeOther {
		return nil, fmt.Errorf("signing in: %s", sent.Status)
	}
	return b, nil
}

// get asks once and tells how long it took until the last byte.
func (b *browser) get(t target) (took time.Duration, bytes int, err error) {
	req, err := http.NewRequest(http.MethodGet, b.base+t.path, nil)
	if err != nil {
		return 0, 0, err
	}
	if t.part {
		req.Header.Set("HX-Request", "true")
	}
	if t.rest {
		req.SetBasicAuth("admin", harness.AdminPassword)
	}
	start := time.Now()
	resp, err := b.client.Do(req)
	if err != nil {
		return 0, 0, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	took = time.Since(start)
	if err != nil {
		return 0, 0, err
	}
	if want := max(t.status, http.StatusOK); resp.StatusCode != want && (t.status != 0 || resp.StatusCode != http.StatusOK) {
		return 0, 0, fmt.Errorf("%s: %s: %.300s", t.path, resp.Status, body)
	}
	return took, len(body), nil
}

// measureAll asks for every target often enough. What fails is told and makes the run fail.
func measureAll(m *harness.Main, server *harness.Sluice, o options, all []target) []result {
	b, err := signIn(server.Base)
	if err != nil {
		m.Fatalf("%v", err)
	}
	profiled := profileCPU(o.profile, server.Metrics, profileFor)
	var out []result
	for _, t := range all {
		if !strings.Contains(t.name+" "+t.path, o.only) {
			continue
		}
		r, err := measure(b, server.PID(), t, o.requests)
		if err != nil {
			m.Errorf("%s: %v", t.name, err)
			continue
		}
		out = append(out, r)
	}
	if err := <-profiled; err != nil {
		m.Errorf("profiling: %v", err)
	}
	return out
}

// warmUp is how often a target is asked before it counts: the session's use is noted, files are read.
const warmUp = 2

// slowLimit ends a target early; what asks a silent cluster would take minutes.
const slowLimit = 20 * time.Second

func measure(b *browser, pid int, t target, requests int) (result, error) {
	r := result{target: t}
	for range warmUp {
		if _, _, err := b.get(t); err != nil {
			return r, err
		}
	}
	before, err := harness.CPUSeconds(pid)
	if err != nil {
		return r, err
	}
	var times []time.Duration
	for start := time.Now(); len(times) < requests && time.Since(start) < slowLimit; {
		took, n, err := b.get(t)
		if err != nil {
			return r, err
		}
		times, r.bytes = append(times, took), n
	}
	after, err := harness.CPUSeconds(pid)
	if err != nil {
		return r, err
	}
	slices.Sort(times)
	r.p50, r.p95 = times[len(times)/2], times[min(len(times)*95/100, len(times)-1)]
	r.cpu = time.Duration((after - before) / float64(len(times)) * float64(time.Second))
	return r, nil
}

// table writes the figures and counts what is over the goal.
func table(out io.Writer, results []result) (over int) {
	fmt.Fprintln(out, "| page or call | KiB | p50 ms | p95 ms | server CPU ms | p50 of the goal | |")
	fmt.Fprintln(out, "| --- | ---: | ---: | ---: | ---: | ---: | --- |")
	for _, r := range results {
		note := ""
		switch {
		case r.asks:
			note = "asks the cluster"
		case r.p50 > goal:
			note = "over"
			over++
		}
		fmt.Fprintf(out, "| %s | %d | %s | %s | %s | %.0f %% | %s |\n", r.name, r.bytes>>10, ms(r.p50), ms(r.p95), ms(r.cpu), 100*r.p50.Seconds()/goal.Seconds(), note)
	}
	return over
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f", d.Seconds()*1000) }
