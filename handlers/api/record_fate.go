package api

import (
	"net/http"
	"strconv"
)

// recordFate answers GET …/topics/{topic}/records/{partition}/{offset}/fate?connector=.
func recordFate(c *call) error {
	partition, err := strconv.ParseInt(c.Param("partition"), 10, 32)
	if err != nil || partition < 0 {
		return invalid("partition", "must be a whole number, 0 or more.")
	}
	offset, err := strconv.ParseInt(c.Param("offset"), 10, 64)
	if err != nil || offset < 0 {
		return invalid("offset", "must be a whole number, 0 or more.")
	}
	name := c.Query("connector")
	if name == "" {
		return invalid("connector", "Name the connector whose delivery is asked for: ?connector=<name>.")
	}
	fate, err := c.svc.Fate(c.Request.Context(), c.Param("instance"), c.Param("topic"), int32(partition), offset, name)
	if err != nil {
		return err
	}
	return c.ok(http.StatusOK, fate)
}
