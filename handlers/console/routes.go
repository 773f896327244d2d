package console

import (
	"net/http"
	"slices"

	"github.com/sluice-io/sluice/runner/control"
)

// route is one line of the list of all routes.
type route struct {
	method string
	path   string
	// role is the least role that may ask; open routes need no session at all.
	role control.Role
	open bool
	to   func(*request) error
}

func get(path string, role control.Role, to func(*request) error) route {
	return route{method: http.MethodGet, path: path, role: role, to: to}
}

func post(path string, role control.Role, to func(*request) error) route {
	return route{method: http.MethodPost, path: path, role: role, to: to}
}

// routes is the one list: who may ask for what. Use cases check the role again.
func (c *Console) routes() []route {
	return slices.Concat(c.accountRoutes(), c.homeRoutes(), c.instanceRoutes(), c.connectorRoutes(), c.sandboxRoutes(), c.helpRoutes(), c.adminRoutes())
}

func (c *Console) accountRoutes() []route {
	return []route{
		{method: http.MethodGet, path: "/login", open: true, to: c.loginShow},
		{method: http.MethodPost, path: "/login", open: true, to: c.loginSubmit},
		post("/logout", control.Viewer, c.logout),
		post("/account/theme", control.Viewer, c.accountTheme),
		post("/account/language", control.Viewer, c.accountLanguage),
	}
}

func (c *Console) homeRoutes() []route {
	return []route{
		get("/", control.Viewer, c.connectorsList),
		get("/connectors/new", control.Operator, c.connectorsNew),
		post("/connectors/bulk", control.Operator, c.connectorsBulk),
		get("/checks/:check", control.Operator, c.checkShow),
	}
}

func (c *Console) instanceRoutes() []route {
	return []route{
		get("/instances", control.Viewer, c.instancesList),
		post("/instances", control.Admin, c.instanceCreate),
		get("/instances/new", control.Admin, c.instanceNew),
		post("/instances/new/check", control.Admin, c.instanceNewCheck),
		post("/instances/new/update", control.Admin, c.instanceNewUpdate),
		get("/instances/:instance", control.Viewer, c.instanceShow),
		post("/instances/:instance/quota", control.Operator, c.instanceQuota),
		get("/instances/:instance/topics", control.Viewer, c.instanceTopics),
		get("/instances/:instance/settings", control.Admin, c.instanceSettings),
		post("/instances/:instance/settings", control.Admin, c.instanceUpdate),
		post("/instances/:instance/settings/check", control.Admin, c.instanceSettingsCheck),
		post("/instances/:instance/settings/update", control.Admin, c.instanceSettingsUpdate),
		post("/instances/:instance/delete", control.Admin, c.instanceDelete),
		get("/instances/:instance/enable", control.Viewer, c.instanceEnable),
		post("/instances/:instance/enable", control.Admin, c.instanceEnableSubmit),
	}
}

// sandboxRoutes exist while the sandbox is on.
func (c *Console) sandboxRoutes() []route {
	if c.sandbox == nil {
		return nil
	}
	return []route{
		get("/sandbox", control.Viewer, c.sandboxObjects),
		get("/sandbox/object", control.Operator, c.sandboxObject),
		get("/sandbox/functions", control.Viewer, c.sandboxFunctions),
		get("/sandbox/body", control.Operator, c.sandboxBody),
		get("/sandbox/tables", control.Viewer, c.sandboxTables),
		get("/sandbox/requests", control.Operator, c.sandboxRequests),
		get("/sandbox/faults", control.Operator, c.sandboxFaults),
		post("/sandbox/faults", control.Operator, c.sandboxFaultAdd),
		post("/sandbox/faults/update", control.Operator, c.sandboxFaultUpdate),
		post("/sandbox/faults/:fault/off", control.Operator, c.sandboxFaultOff),
		post("/sandbox/example", control.Operator, c.sandboxExample),
	}
}

func (c *Console) helpRoutes() []route {
	return []route{
		get("/help", control.Viewer, c.helpShow),
		get("/help/connectors/:class", control.Viewer, c.helpReference),
	}
}

func (c *Console) adminRoutes() []route {
	return []route{
		get("/admin", control.Admin, c.adminQuota),
		post("/admin/requests/:request/grant", control.Admin, c.adminQuotaGrant),
		post("/admin/requests/:request/refuse", control.Admin, c.adminQuotaRefuse),
		get("/admin/quotas", control.Admin, c.adminQuotas),
		post("/admin/quotas/:instance", control.Admin, c.adminQuotaSet),
		get("/admin/regions", control.Admin, c.adminRegions),
		post("/admin/regions", control.Admin, c.adminRegionAdd),
		post("/admin/regions/:region/delete", control.Admin, c.adminRegionDelete),
		get("/admin/egress", control.Admin, c.adminEgress),
		post("/admin/egress", control.Admin, c.adminEgressAdd),
		post("/admin/egress/:rule/delete", control.Admin, c.adminEgressDelete),
		get("/admin/sessions", control.Admin, c.adminSessions),
		post("/admin/sessions/:session/end", control.Admin, c.adminSessionEnd),
		get("/admin/audit", control.Admin, c.adminAudit),
	}
}
