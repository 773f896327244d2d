package console

import (
	"strings"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// The tabs of /admin.
const (
	tabQuota    = "/admin"
	tabQuotas   = "/admin/quotas"
	tabRegions  = "/admin/regions"
	tabEgress   = "/admin/egress"
	tabSessions = "/admin/sessions"
	tabAudit    = "/admin/audit"
)

func (q *request) adminPage(tab string, waiting int) views.AdminPage {
	ctx := q.Request.Context()
	m := views.AdminPage{Page: q.page(text.T(ctx, "admin.title"), "admin")}
	m.Tabs = []components.Tab{
		{Label: text.T(ctx, "admin_page.requests"), Href: tabQuota, Current: tab == tabQuota, Count: waiting},
		{Label: text.T(ctx, "admin_page.quotas"), Href: tabQuotas, Current: tab == tabQuotas},
		{Label: text.T(ctx, "admin_page.regions"), Href: tabRegions, Current: tab == tabRegions},
		{Label: text.T(ctx, "admin_page.egress"), Href: tabEgress, Current: tab == tabEgress},
		{Label: text.T(ctx, "admin_page.sessions"), Href: tabSessions, Current: tab == tabSessions},
		{Label: text.T(ctx, "admin_page.audit"), Href: tabAudit, Current: tab == tabAudit},
	}
	return m
}

// browser names a browser and its system in words; what it does not know it shows as sent.
func browser(agent string) string {
	name := ""
	for _, b := range [][2]string{{"Edg/", "Edge"}, {"OPR/", "Opera"}, {"Firefox/", "Firefox"}, {"Chrome/", "Chrome"}, {"Safari/", "Safari"}, {"curl/", "curl"}, {"python-", "Python"}, {"Go-http-client", "Go"}} {
		if strings.Contains(agent, b[0]) {
			name = b[1]
			break
		}
	}
	if name == "" {
		return clip(agent, 60)
	}
	for _, s := range [][2]string{{"Windows", "Windows"}, {"iPhone", "iPhone"}, {"iPad", "iPad"}, {"Android", "Android"}, {"Mac OS X", "macOS"}, {"Linux", "Linux"}} {
		if strings.Contains(agent, s[0]) {
			return name + " on " + s[1]
		}
	}
	return name
}
