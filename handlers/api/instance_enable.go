package api

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
)

// instanceEnable answers POST /instances/{instance}/enable: 409 with the same body
// when a condition fails.
func instanceEnable(c *call) error {
	type body struct {
		Enabled    bool                `json:"enabled"`
		Conditions []control.Condition `json:"conditions"`
	}
	conditions, err := c.svc.EnableInstance(c.Request.Context(), c.Param("instance"))
	if err != nil && (control.AsError(err).Kind != control.Conflict || conditions == nil) {
		return err
	}
	if err != nil {
		return c.ok(http.StatusConflict, body{false, conditions})
	}
	return c.ok(http.StatusOK, body{true, conditions})
}
