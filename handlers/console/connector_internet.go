package console

import (
	"context"
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorInternet says what Internet access makes reachable for the connector.
func (c *Console) connectorInternet(q *request) error {
	return c.showInternet(q, http.StatusOK, nil)
}

func (c *Console) showInternet(q *request, status int, general []string) error {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, "internet")
	if err != nil {
		return err
	}
	cfg := row.Effective()
	m := views.ConnectorInternetPage{ConnectorFrame: frame, Enabled: cfg.Bool(connector.KeyInternetAccess), Errors: general, Why: text.T(ctx, "internet.not_needed")}
	if row.Spec != nil {
		for _, f := range row.Spec.Fields() {
			if v := cfg.Get(f.Key); isRegion(f.Key) && v != "" && row.Env.Region != "" && v != row.Env.Region {
				needed := "internet.needed"
				if isSource(row.Connector) {
					needed = "cen.needed"
				}
				m.Why = text.T(ctx, needed, shownValue(ctx, row.Spec, f, cfg, row.Env), row.Env.Region)
			}
		}
		if row.Spec.Reach != nil {
			for _, e := range row.Spec.Reach(cfg, row.Env) {
				label := e.Key
				if f, ok := row.Spec.Field(e.Key); ok {
					label = f.Label
				}
				m.Endpoints = append(m.Endpoints, components.Pair{Key: label, Value: e.Address, Mono: true})
			}
		}
	}
	if q.may(control.Operator) {
		m.URL, m.CheckURL = frame.Href+"/internet", frame.Href+"/internet/check"
	}
	if run := c.checks.of(q, q.Query("check")); run != nil {
		m.Findings = run.shown(ctx)
		if !run.isDone() {
			m.LiveCheck, m.Page.Refresh = "/checks/"+run.id, 1
		}
	}
	return q.render(status, views.ConnectorInternet(m))
}

// connectorInternetSubmit enables it or takes it away.
func (c *Console) connectorInternetSubmit(q *request) error {
	ctx := q.Request.Context()
	var value *string
	title := text.T(ctx, "internet.disabled", q.connector())
	switch q.value("enable") {
	case "true":
		on := "true"
		value, title = &on, text.T(ctx, "internet.enabled", q.connector())
	case "false":
	default:
		return c.showInternet(q, http.StatusUnprocessableEntity, []string{text.T(ctx, "internet.bad_enable")})
	}
	_, err := c.control.Modify(ctx, q.instance(), q.connector(), 0, map[string]*string{connector.KeyInternetAccess: value})
	if fields, general, ok := problems(err); err != nil && ok {
		for key, message := range fields {
			general = append(general, key+": "+message)
		}
		return c.showInternet(q, http.StatusUnprocessableEntity, general)
	}
	return q.acted(err, title, "", q.here()+"/internet")
}

// connectorInternetCheck tries the connection as it would be with Internet access.
func (c *Console) connectorInternetCheck(q *request) error {
	row, err := c.control.Connector(q.Request.Context(), q.instance(), q.connector())
	if err != nil {
		return err
	}
	cfg := row.Config.Clone()
	cfg[connector.KeyInternetAccess] = "true"
	cfg[connector.KeyName], cfg[connector.KeyClass] = row.Name, row.Class
	instance := q.instance()
	run, err := c.checks.start(q, nil, func(ctx context.Context, emit func(connector.Finding)) error {
		return c.control.Check(ctx, instance, control.Trial{Config: cfg}, connector.StepDestination, emit)
	})
	if err != nil {
		return q.refused(err, q.here()+"/internet")
	}
	return q.redirect(q.here() + "/internet?check=" + run.id)
}
