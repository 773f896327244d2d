package console

import (
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

// adminQuotas lists how many connectors each instance has and may have.
func (c *Console) adminQuotas(q *request) error { return c.showQuotas(q, "", nil) }

// showQuotas shows the list; refused is why the quota posted for an instance was not set.
func (c *Console) showQuotas(q *request, instance string, refused error) error {
	fields, general, ok := problems(refused)
	if !ok {
		return refused
	}
	all, err := q.instances()
	if err != nil {
		return err
	}
	m := views.AdminQuotasPage{AdminPage: q.adminPage(tabQuotas, 0)}
	for _, in := range all {
		row := views.Quota{Instance: q.instanceView(in, 0), Settings: instanceURL(in.Name) + "/settings", URL: tabQuotas + "/" + url.PathEscape(in.Name),
			Value: strconv.Itoa(in.Quota)}
		if in.Name == instance && refused != nil {
			row.Value, row.Error = clip(q.value(control.InstanceQuota), 30), strings.Join(append(general, fields[control.InstanceQuota]), " ")
		}
		m.Rows = append(m.Rows, row)
	}
	return q.render(formStatus(refused), views.AdminQuotas(m))
}

// adminQuotaSet sets the quota of one instance.
func (c *Console) adminQuotaSet(q *request) error {
	ctx := q.Request.Context()
	in, err := c.control.SetQuota(ctx, q.instance(), q.value(control.InstanceQuota))
	if err != nil {
		return c.showQuotas(q, q.instance(), err)
	}
	q.done(text.T(ctx, "admin_quota.done", in.Name, in.Quota), text.T(ctx, "quota.used", in.Connectors, in.Quota))
	return q.redirect(tabQuotas)
}
