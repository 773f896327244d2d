package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorTakeOver says which installation runs the connector and what taking it over means.
func (c *Console) connectorTakeOver(q *request) error {
	m, err := c.takeOverPage(q)
	if err != nil {
		return err
	}
	return q.render(http.StatusOK, views.ConnectorTakeOver(m))
}

func (c *Console) takeOverPage(q *request) (views.ConnectorTakeOverPage, error) {
	ctx := q.Request.Context()
	frame, row, err := c.frame(q, "take-over")
	if err != nil {
		return views.ConnectorTakeOverPage{}, err
	}
	frame.Tabs, frame.Live = nil, ""
	m := views.ConnectorTakeOverPage{ConnectorFrame: frame}
	claim, err := c.control.Claim(ctx, q.instance(), q.connector())
	switch {
	case err != nil:
		m.Error = control.AsError(err).Message
	case claim.Installation == "" || claim.Ours:
		m.Error = text.T(ctx, "takeover.none")
	default:
		m.Installation, m.Members = claim.Installation, claim.Members
		m.Facts = []components.Pair{
			{Key: text.T(ctx, "takeover.installation"), Value: claim.Installation, Mono: true},
			{Key: text.T(ctx, "takeover.connector"), Value: text.T(ctx, "takeover.version", claim.Name, claim.Version)},
			{Key: text.T(ctx, "takeover.since"), Value: claim.Since.UTC().Format("2006-01-02 15:04:05 UTC")},
			{Key: text.T(ctx, "takeover.members"), Value: text.N(ctx, "takeover.member", int64(claim.Members))},
		}
		m.Confirm = components.Confirm{Icon: "triangle-alert", Title: text.T(ctx, "takeover.title", row.Name), Body: text.T(ctx, "takeover.body"), Name: row.Name, URL: frame.Href + "/take-over", Act: text.T(ctx, "takeover.act"), Cancel: frame.Href}
	}
	return m, nil
}

// connectorTakeOverSubmit takes over from the installation that the page named; the
// connector's name must have been typed.
func (c *Console) connectorTakeOverSubmit(q *request) error {
	ctx := q.Request.Context()
	refuse := func(status int, name, general string) error {
		m, err := c.takeOverPage(q)
		if err != nil {
			return err
		}
		m.Confirm.Error = name
		if general != "" {
			m.Error = general
		}
		return q.render(status, views.ConnectorTakeOver(m))
	}
	if q.value("confirm") != q.connector() {
		return refuse(http.StatusUnprocessableEntity, text.T(ctx, "delete.wrong_name", q.connector()), "")
	}
	err := c.control.TakeOver(ctx, q.instance(), q.connector(), q.value("installation"))
	if err == nil {
		q.done(text.T(ctx, "takeover.done", q.connector()), text.T(ctx, "takeover.done_body"))
		return q.redirect(q.here())
	}
	e := control.AsError(err)
	if e.Kind != control.Conflict && e.Kind != control.Unavailable && e.Kind != control.Invalid {
		return err
	}
	return refuse(statusOf(e.Kind), "", e.Error())
}
