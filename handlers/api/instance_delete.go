package api

import "net/http"

// instanceDelete answers DELETE /instances/{instance}.
func instanceDelete(c *call) error {
	if err := c.svc.DeleteInstance(c.Request.Context(), c.Param("instance")); err != nil {
		return err
	}
	c.Status(http.StatusNoContent)
	c.Writer.WriteHeaderNow()
	return nil
}
