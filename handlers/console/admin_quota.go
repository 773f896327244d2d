package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

// adminQuota lists what was asked for, what waits first.
func (c *Console) adminQuota(q *request) error {
	ctx := q.Request.Context()
	all, err := c.control.QuotaRequests(ctx, false)
	if err != nil {
		return err
	}
	instances, err := q.instances()
	if err != nil {
		return err
	}
	by := map[string]control.InstanceInfo{}
	for _, in := range instances {
		by[in.Name] = in
	}
	var waiting, decided []views.QuotaRequest
	for _, r := range all {
		in := by[r.Instance]
		row := views.QuotaRequest{Instance: r.Instance, InstanceHref: instanceURL(r.Instance), User: r.By, Reason: r.Reason, Time: r.CreatedAt,
			Quota: in.Quota, Used: in.Connectors, Wanted: r.Wanted, DecidedBy: r.DecidedBy}
		at := tabQuota + "/requests/" + strconv.FormatInt(r.ID, 10)
		switch r.State {
		case "open":
			row.Grant, row.Decline = at+"/grant?quota="+strconv.Itoa(r.Wanted), at+"/refuse"
			waiting = append(waiting, row)
			continue
		case "granted":
			row.Decided = "granted"
		default:
			row.Decided = "declined"
		}
		decided = append(decided, row)
	}
	m := views.AdminRequestsPage{AdminPage: q.adminPage(tabQuota, len(waiting)), Rows: append(waiting, decided...)}
	return q.render(http.StatusOK, views.AdminRequests(m))
}

// adminQuotaGrant raises the quota to what was asked for, or to the field quota.
func (c *Console) adminQuotaGrant(q *request) error {
	ctx := q.Request.Context()
	wanted := q.value("quota")
	if wanted == "" {
		wanted = q.Query("quota")
	}
	quota, err := strconv.Atoi(strings.TrimSpace(wanted))
	if err != nil {
		quota = 0 // refused with the range
	}
	return c.decide(q, true, quota, text.T(ctx, "admin_page.granted", quota))
}

func (c *Console) adminQuotaRefuse(q *request) error {
	return c.decide(q, false, 0, text.T(q.Request.Context(), "admin_page.refused"))
}

func (c *Console) decide(q *request, grant bool, quota int, title string) error {
	id, err := strconv.ParseInt(q.Param("request"), 10, 64)
	if err != nil || id < 1 {
		return q.notFound()
	}
	err = c.control.DecideQuota(q.Request.Context(), id, grant, quota, q.value("note"))
	return q.acted(err, title, "", tabQuota)
}
