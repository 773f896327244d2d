package api

import "net/http"

// previewShow answers POST /instances/{instance}/preview {"config":{…}}.
func previewShow(c *call) error {
	trial, _, err := c.trial()
	if err != nil {
		return err
	}
	samples, err := c.svc.Preview(c.Request.Context(), c.Param("instance"), trial)
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, map[string]any{"samples": samples})
}
