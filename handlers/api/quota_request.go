package api

import "net/http"

// quotaRequest answers POST /instances/{instance}/quota-requests {"wanted","reason"}.
func quotaRequest(c *call) error {
	body, err := c.object("wanted", "reason")
	if err != nil {
		return err
	}
	wanted, err := body.integer("wanted", 0, 32)
	if err != nil {
		return err
	}
	reason, err := body.text("reason")
	if err != nil {
		return err
	}
	r, err := c.svc.RequestQuota(c.Request.Context(), c.Param("instance"), int(wanted), reason)
	if err != nil {
		return err
	}
	return c.ok(http.StatusCreated, map[string]any{"id": r.ID, "instance": r.Instance, "wanted": r.Wanted, "reason": r.Reason, "state": r.State})
}
