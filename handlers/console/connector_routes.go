package console

import "github.com/sluice-io/sluice/runner/control"

// connectorRoutes are those of the wizard, of one connector's pages and of topics.
func (c *Console) connectorRoutes() []route {
	const (
		one = "/instances/:instance/connectors/:connector"
	)
	return []route{

		get(one, control.Viewer, c.connectorShow),
		post(one+"/deploy", control.Operator, c.connectorResume),
		post(one+"/resume", control.Operator, c.connectorResume),
		post(one+"/suspend", control.Operator, c.connectorSuspend),
		post(one+"/stop", control.Operator, c.connectorStop),
		post(one+"/restart", control.Operator, c.connectorRestart),
		post(one+"/tasks/:task/restart", control.Operator, c.connectorTaskRestart),
		post(one+"/choose", control.Operator, c.connectorChoose),
	}
}
