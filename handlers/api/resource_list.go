package api

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
)

// resourceList answers GET …/resources.
func resourceList(c *call) error {
	all, err := c.svc.Resources(c.Request.Context(), c.Param("instance"), c.Param("connector"))
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, map[string]any{"resources": append([]control.Resource{}, all...), "next": ""})
}
