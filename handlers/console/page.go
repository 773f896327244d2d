package console

import (
	"net/url"
	"strings"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/layout"
)

// How much the navigation shows of many.
const (
	navInstances  = 8
	navConnectors = 6
)

// page fills in the frame of a page. current is the navigation's entry: "connectors",
// "instances", "sandbox", "help", "admin", or an instance's or connector's URL. What
// the navigation cannot be filled with is left out: the page itself matters more.
func (q *request) page(title, current string, crumbs ...layout.Crumb) layout.Page {
	p := layout.Page{Title: title, Breadcrumbs: crumbs, Theme: q.theme(), Language: q.language(), Version: q.c.version, Path: q.own()}
	if !q.signedIn() {
		return p
	}
	p.Breadcrumbs = append(crumbs, layout.Crumb{Label: title})
	p.User = layout.User{Name: q.user.Name, Role: string(q.user.Role)}
	p.Flash = q.shownFlashes()
	if q.fragment() {
		return p // only the part is rendered
	}
	p.Nav = q.nav(current)
	return p
}

// theme is what the cookie says that the script or /account/theme has set.
func (q *request) theme() string {
	if found, err := q.Request.Cookie(themeCookie); err == nil && (found.Value == "light" || found.Value == "dark") {
		return found.Value
	}
	return "auto"
}

func (q *request) nav(current string) layout.Nav {
	ctx := q.Request.Context()
	nav := layout.Nav{Current: current, Sandbox: q.c.sandbox != nil}
	instances, err := q.instances()
	if err != nil {
		q.c.log.Warn("reading the navigation", "err", err)
	}
	list, err := q.connectors()
	if err != nil {
		q.c.log.Warn("reading the navigation", "err", err)
	}
	by := map[string][]models.ConnectorInfo{}
	for _, c := range list.Rows {
		by[c.Instance] = append(by[c.Instance], c)
		if needsSomebody(c) {
			nav.Failing++
		}
	}
	nav.Connectors = len(list.Rows)
	for _, in := range instances {
		here := current == instanceURL(in.Name) || strings.HasPrefix(current, instanceURL(in.Name)+"/")
		if len(nav.Instances) >= navInstances && !here {
			nav.More++
			continue
		}
		nav.Instances = append(nav.Instances, navInstance(in, by[in.Name], current, here))
	}
	if q.may(control.Admin) {
		if open, err := q.c.control.QuotaRequests(ctx, true); err == nil {
			nav.Requests = len(open)
		}
	}
	return nav
}

func navInstance(in control.InstanceInfo, connectors []models.ConnectorInfo, current string, here bool) layout.NavInstance {
	out := layout.NavInstance{Name: in.Name, Href: instanceURL(in.Name), Status: in.Status, Open: here}
	for _, c := range connectors {
		href := connectorURL(c.Instance, c.Name)
		if len(out.Connectors) >= navConnectors && href != current {
			out.More++
			continue
		}
		out.Connectors = append(out.Connectors, layout.NavConnector{Name: c.Name, Href: href, State: string(c.Status.State), Stalled: c.Status.Stalled})
	}
	return out
}

// needsSomebody tells whether a connector does not get well by itself.
func needsSomebody(c models.ConnectorInfo) bool {
	switch c.Status.State {
	case connector.StateFailed, connector.StateGap, connector.StateDegraded:
		return true
	}
	return c.Status.Stalled
}

func instanceURL(name string) string { return "/instances/" + url.PathEscape(name) }

func connectorURL(instance, name string) string {
	return instanceURL(instance) + "/connectors/" + url.PathEscape(name)
}

func topicURL(instance, topic string) string {
	return instanceURL(instance) + "/topics/" + url.PathEscape(topic)
}
