package api

import (
	"net/http"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
)

// versionList answers GET …/versions, newest first.
func versionList(c *call) error {
	type version struct {
		Version int                `json:"version"`
		Hash    string             `json:"hash"`
		Author  string             `json:"author"`
		Time    time.Time          `json:"time"`
		Changes []connector.Change `json:"changes"`
	}
	all, err := c.svc.Versions(c.Request.Context(), c.Param("instance"), c.Param("connector"))
	if err != nil {
		return err
	}
	out := make([]version, len(all))
	for i, v := range all {
		out[i] = version{v.Version, v.Hash, v.Author, v.Time.UTC(), v.Changes}
	}
	return c.ok(http.StatusOK, map[string]any{"versions": out, "next": ""})
}
