package console

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

// instancesList shows every instance, unreachable ones first.
func (c *Console) instancesList(q *request) error {
	ctx := q.Request.Context()
	all, err := q.instances()
	if err != nil {
		return err
	}
	list, err := q.connectors()
	if err != nil {
		return err
	}
	failing := map[string]int{}
	for _, row := range list.Rows {
		if needsSomebody(row) {
			failing[row.Instance]++
		}
	}
	m := views.InstancesPage{Page: q.page(text.T(ctx, "instances.title"), "instances"), Admin: q.may(control.Admin)}
	var well []views.Instance
	for _, in := range all {
		row := q.instanceView(in, failing[in.Name])
		if row.Status == "UNREACHABLE" {
			m.Rows = append(m.Rows, row)
		} else {
			well = append(well, row)
		}
	}
	m.Rows = append(m.Rows, well...)
	return q.render(http.StatusOK, views.Instances(m))
}
