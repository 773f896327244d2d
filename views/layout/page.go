// Package layout holds the frame of every page: navigation, breadcrumbs, title row, flash messages, footer.
package layout

import (
	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views/components"
)

// Page is what the frame needs to know; every page's view model holds one. Handlers fill it in one place.
type Page struct {
	Title       string              // of the browser's tab; "· Sluice" is added
	Breadcrumbs []Crumb             // from the outermost; the last is the page itself and has no Href
	Nav         Nav                 // left navigation
	User        User                // who is signed in
	Flash       []Flash             // what the last act led to; shown once
	Theme       string              // "light", "dark" or "auto" (also when empty)
	Language    string              // "en"
	Version     string              // of the program, for the footer
	Path        string              // path and query of this page: where the theme switch returns to
	Refresh     int                 // seconds after which a page without a script reloads itself; 0 never
	Languages   []components.Option // offered in the user's menu; nothing is offered when fewer than two
}

// Crumb is one breadcrumb.
type Crumb struct{ Label, Href string }

// Nav is the left navigation.
type Nav struct {
	Current    string        // which entry is the page's: "connectors", "instances", "sandbox", "help", "admin", or an instance's or connector's URL
	Connectors int           // how many there are
	Failing    int           // how many of them need somebody
	Instances  []NavInstance // the first few; the rest is behind More
	More       int           // instances not shown
	Sandbox    bool          // the sandbox is on
	Requests   int           // quota requests that wait for an administrator
}

// NavInstance is an instance in the navigation, with its first connectors.
type NavInstance struct {
	Name       string
	Href       string
	Status     string // RUNNING, UNREACHABLE, UNKNOWN
	Open       bool   // unfolded: the page belongs to it
	Connectors []NavConnector
	More       int // connectors not shown
}

// NavConnector is a connector in the navigation.
type NavConnector struct {
	Name    string
	Href    string
	State   string // its detail.state
	Stalled bool
}

// User is who is signed in.
type User struct {
	Name string
	Role string // "viewer", "operator", "admin"
}

// Admin says whether the user may see administration.
func (u User) Admin() bool { return u.Role == "admin" }

// Operator says whether the user may change connectors.
func (u User) Operator() bool { return u.Role == "admin" || u.Role == "operator" }

// Flash is a message about what an act led to.
type Flash struct {
	Tone   components.Tone   // ToneOK, ToneInfo, ToneWarn, ToneBad
	Title  string            // one sentence
	Body   string            // what now; may be empty
	Action components.Action // a link to go on with; none when its Label is empty
}

// Head is the title row of a page.
type Head struct {
	Title   string          // the page's heading
	Badge   templ.Component // beside the heading: a state
	Sub     templ.Component // the line below: a dump path, an address
	Actions templ.Component // on the right, the main action last
	Tabs    []components.Tab
	TabsOf  string // what the tabs are of, for screen readers
}

// Sub makes a plain line for Head.Sub.
func Sub(line string) templ.Component { return subLine(line) }

func theme(p Page) string {
	switch p.Theme {
	case "light", "dark":
		return p.Theme
	}
	return "auto"
}

func initial(name string) string {
	for _, r := range name {
		return string(r)
	}
	return "?"
}

// htmxConfig is htmx's configuration: no style element, nothing swapped in for an error of the server's or of the
// session, so that what was on the page stays; requests time out after 30 s.
const htmxConfig = `{"includeIndicatorCSS":false,"noSwap":[204,304,401,403,404,409,413,429,"5xx"],"defaultTimeout":30000,"history":false,"defaultSwap":"outerMorph","mode":"same-origin","prefix":""}`
