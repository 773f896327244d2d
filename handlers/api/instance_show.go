package api

import "net/http"

// instanceShow answers GET /instances/{instance}.
func instanceShow(c *call) error {
	in, err := c.svc.Instance(c.Request.Context(), c.Param("instance"))
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, instanceOf(in))
}
