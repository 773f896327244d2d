package api

import "net/http"

// instancePatch answers PATCH /instances/{instance}, a JSON merge patch.
func instancePatch(c *call) error {
	members, err := c.members()
	if err != nil {
		return err
	}
	in, err := c.svc.PatchInstance(c.Request.Context(), c.Param("instance"), members)
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, instanceOf(in))
}
