package api

import "net/http"

// claimShow answers GET …/claim: which installation runs the connector.
func claimShow(c *call) error {
	claim, err := c.svc.Claim(c.Request.Context(), c.Param("instance"), c.Param("connector"))
	if err != nil {
		return err
	}
	if claim.Installation == "" {
		return c.ok(http.StatusOK, map[string]any{"installation": ""})
	}
	claim.Since = claim.Since.UTC()
	return c.ok(http.StatusOK, claim)
}

// claimTake answers POST …/take-over {"installation"}: from which it is taken over.
func claimTake(c *call) error {
	body, err := c.object("installation")
	if err != nil {
		return err
	}
	from, err := body.text("installation")
	if err != nil {
		return err
	}
	if err := c.svc.TakeOver(c.Request.Context(), c.Param("instance"), c.Param("connector"), from); err != nil {
		return err
	}
	return c.ok(http.StatusAccepted, struct{}{})
}
