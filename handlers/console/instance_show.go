package console

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/text"
)

// instanceShow is the tab Connectors.
func (c *Console) instanceShow(q *request) error {
	m, list, err := q.instancePage(tabConnectors)
	if err != nil {
		return err
	}
	page := views.InstanceConnectorsPage{InstancePage: m, Rows: q.connectorRows(list)}
	page.Live = m.Instance.Href
	if m.Operator {
		page.RequestURL = m.Instance.Href + "/quota"
	}
	if q.may(control.Operator) && m.Instance.Connectors >= m.Instance.Quota {
		waiting, _, err := c.control.WaitingQuotaRequest(q.Request.Context(), m.Instance.Name)
		if err != nil {
			return err
		}
		page.RequestedAt = waiting.CreatedAt
	}
	return q.renderPart(http.StatusOK, views.InstanceConnectors(page), views.InstanceConnectorsBody(page))
}

// instanceQuota asks the administrators for a higher quota.
func (c *Console) instanceQuota(q *request) error {
	ctx := q.Request.Context()
	wanted, err := strconv.Atoi(strings.TrimSpace(q.value("wanted")))
	if err != nil {
		wanted = 0 // refused with the range
	}
	_, err = c.control.RequestQuota(ctx, q.instance(), wanted, q.value("reason"))
	return q.acted(err, text.T(ctx, "instance_page.requested"), text.T(ctx, "instance_page.requested_body"), instanceURL(q.instance()))
}
