package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/layout"
	"github.com/sluice-io/sluice/views/text"
)

// connectorsNew asks on which instance a connector shall be, when there are several.
func (c *Console) connectorsNew(q *request) error {
	ctx := q.Request.Context()
	instances, err := q.instances()
	if err != nil {
		return err
	}
	m := views.ChooseInstancePage{}
	for _, in := range instances {
		if in.Enabled {
			row := views.InstanceChoice{Instance: q.instanceView(in, 0), Href: newConnectorURL(in.Name)}
			m.Rows = append(m.Rows, row)
		}
	}
	if len(m.Rows) == 1 {
		return q.redirect(m.Rows[0].Href)
	}
	m.Admin = q.may(control.Admin)
	m.Page = q.page(text.T(ctx, "connectors.create"), "connectors", layout.Crumb{Label: text.T(ctx, "connectors.title"), Href: "/"})
	return q.render(http.StatusOK, views.ChooseInstance(m))
}
