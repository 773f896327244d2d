package console

import (
	"net/url"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// Tabs of a connector's pages.
const (
	tabOverview  = "overview"
	tabConfig    = "configuration"
	tabLogs      = "logs"
	tabResources = "resources"
	tabPosition  = "position"
)

// connector is the connector that the path names.
func (q *request) connector() string { return q.Param("connector") }

// here is the URL of the connector that the path names.
func (q *request) here() string { return connectorURL(q.instance(), q.connector()) }

// from is the page that a button stood on, as far as it is one of this program's that
// can be looked at; or else otherwise.
func (q *request) from(otherwise string) string {
	u, err := url.Parse(q.GetHeader("Referer"))
	if err != nil || u.Host != q.Request.Host || u.Path == "" || u.Path == q.Request.URL.Path {
		return otherwise
	}
	if path := localPath(u.RequestURI()); path != "/" || u.Path == "/" {
		return path
	}
	return otherwise
}

// frame reads the connector of the path and fills in what all its pages share.
func (c *Console) frame(q *request, tab string) (views.ConnectorFrame, control.ConnectorWithStatus, error) {
	row, err := c.control.Status(q.Request.Context(), q.instance(), q.connector())
	if err != nil {
		return views.ConnectorFrame{}, row, err
	}
	return c.frameOf(q, row, tab), row, nil
}

func (c *Console) frameOf(q *request, row control.ConnectorWithStatus, tab string) views.ConnectorFrame {
	ctx := q.Request.Context()
	href := q.here()
	st := row.Status
	m := views.ConnectorFrame{
		Name: row.Name, Href: href, Class: row.Class, Path: c.dumpPath(row.Class), Description: row.Config.Get(connector.KeyDescription),
		State: string(st.State), Stalled: st.Stalled, Since: st.Since, Cause: st.Cause, Remedy: st.Remedy,
		Live: href + "?part=head&tab=" + tab,
	}
	crumbs := []layout.Crumb{{Label: text.T(ctx, "instances.title"), Href: "/instances"}, {Label: q.instance(), Href: instanceURL(q.instance())}}
	if tab == tabOverview {
		m.Page = q.page(row.Name, href, crumbs...)
	} else {
		m.Page = q.page(tabTitle(q, tab), href, append(crumbs, layout.Crumb{Label: row.Name, Href: href})...)
		m.Page.Title = tabTitle(q, tab) + " · " + row.Name
	}
	for _, t := range []string{tabOverview, tabConfig, tabLogs, tabResources, tabPosition} {
		at := href
		if t != tabOverview {
			at += "/" + t
		}
		m.Tabs = append(m.Tabs, components.Tab{Label: tabTitle(q, t), Href: at, Current: t == tab})
	}
	if q.may(control.Operator) {
		m.Modify = href + "/modify"
		if tab != "modify" && tab != "delete" && tab != "take-over" { // there the page itself is the act
			m.Actions, m.Menu = connectorActions(q, row)
		}
		if tab != "take-over" {
			m.Act = remedyAct(ctx, row)
		}
	}
	for _, key := range row.LostSecrets {
		label := key
		if row.Spec != nil {
			if f, ok := row.Spec.Field(key); ok {
				label = f.Label
			}
		}
		m.Lost = append(m.Lost, label)
	}
	return m
}

func tabTitle(q *request, tab string) string {
	ctx := q.Request.Context()
	switch tab {
	case tabOverview:
		return text.T(ctx, "connector.overview")
	case tabConfig:
		return text.T(ctx, "connector.configuration")
	case tabLogs:
		return text.T(ctx, "connector.logs")
	case tabResources:
		return text.T(ctx, "connector.resources")
	case tabPosition:
		return text.T(ctx, "connector.position")
	case "modify":
		return text.T(ctx, "connector.modify")
	case "take-over":
		return text.T(ctx, "takeover.act")
	case "internet":
		return text.T(ctx, "connector.internet")
	case "snapshot":
		return text.T(ctx, "snapshot.title")
	}
	return text.T(ctx, "delete.act")
}

// connectorActions are the acts that make sense in the connector's present state.
func connectorActions(q *request, row control.ConnectorWithStatus) ([]components.Action, []components.MenuItem) {
	ctx := q.Request.Context()
	href := q.here()
	var out []components.Action
	var menu []components.MenuItem
	var test []components.Action
	if !isSource(row.Connector) { // what a source reads is not sent from here
		test = append(test, components.Action{Label: text.T(ctx, "connector.test"), Icon: "send", Href: testURL(row.Connector)})
	}
	modify := components.Action{Label: text.T(ctx, "connector.modify"), Icon: "pencil", Href: href + "/modify"}
	switch row.Desired {
	case control.DesiredNotDeployed:
		out = append(out, modify, components.Action{Label: text.T(ctx, "connector.deploy"), Icon: "rocket", Kind: "primary", Post: href + "/deploy"})
	case control.DesiredPaused, control.DesiredStopped:
		out = append(test, modify, components.Action{Label: text.T(ctx, "connector.resume"), Icon: "play", Kind: "primary", Post: href + "/resume"})
	default:
		out = append(test, modify, components.Action{Label: text.T(ctx, "connector.restart"), Icon: "rotate-ccw", Post: href + "/restart"},
			components.Action{Label: text.T(ctx, "connector.suspend"), Icon: "pause", Post: href + "/suspend"})
	}
	if row.Desired == control.DesiredRunning || row.Desired == control.DesiredPaused {
		menu = append(menu, components.MenuItem{Label: text.T(ctx, "connector.stop"), Icon: "circle-stop", Post: href + "/stop"})
	}
	if isSource(row.Connector) && row.Desired == control.DesiredRunning {
		menu = append(menu, components.MenuItem{Label: text.T(ctx, "snapshot.act"), Icon: "rotate-ccw", Href: href + "/snapshot"})
	}
	menu = append(menu, components.MenuItem{Label: text.T(ctx, "connector.internet"), Icon: "globe", Href: href + "/internet"},
		components.MenuItem{}, components.MenuItem{Label: text.T(ctx, "connector.delete"), Icon: "trash-2", Href: href + "/delete", Danger: true})
	return out, menu
}

// testURL is the Send Message panel of the connector's first source topic; of a
// connector without one, its own page.
func testURL(c control.Connector) string {
	if topics := c.Effective().List(connector.KeyTopics); len(topics) > 0 && c.Kind() != string(connector.KindSource) {
		return topicURL(c.Instance, topics[0]) + "?connector=" + url.QueryEscape(c.Name) + "#send"
	}
	return connectorURL(c.Instance, c.Name)
}

// lagOf is a lag in milliseconds as pages show it.
func lagOf(millis int64) time.Duration { return time.Duration(millis) * time.Millisecond }

func int32Of(s string) (int32, bool) {
	n, err := strconv.ParseInt(s, 10, 32)
	return int32(n), err == nil && n >= 0
}
