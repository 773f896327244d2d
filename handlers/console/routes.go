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

func (c *Console) homeRoutes() []route { return nil }

func (c *Console) instanceRoutes() []route { return nil }

func (c *Console) sandboxRoutes() []route { return nil }

func (c *Console) helpRoutes() []route { return nil }

func (c *Console) adminRoutes() []route { return nil }
