package api

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
)

// snapshotStart answers POST …/snapshot {"tables"?:[…]}: the parts of a source that are
// copied anew while it goes on; without any, all.
func snapshotStart(c *call) error {
	body, err := c.object("tables")
	if err != nil {
		return err
	}
	var tables []string
	if body["tables"] != nil {
		list, ok := body["tables"].([]any)
		if !ok {
			return invalid("tables", "Give an array of names, or leave it out for all.")
		}
		for _, item := range list {
			name, ok := item.(string)
			if !ok || name == "" {
				return invalid("tables", "A table is named by a text.")
			}
			tables = append(tables, name)
		}
		if len(tables) == 0 {
			return invalid("tables", "Name at least one table, or leave the member out for all.")
		}
	}
	if err := c.svc.Snapshot(c.Request.Context(), c.Param("instance"), c.Param("connector"), tables); err != nil {
		return err
	}
	return c.ok(http.StatusAccepted, struct{}{})
}

// part is how far a source has come with one part of its work.
type part struct {
	connector.Progress
	LeftMillis int64 `json:"left_ms"` // 0 when unknown
}

// progressShow answers GET …/progress: the parts that a source works through.
func progressShow(c *call) error {
	x, err := c.svc.Status(c.Request.Context(), c.Param("instance"), c.Param("connector"))
	if err != nil {
		return err
	}
	out := []part{}
	for _, t := range x.Status.Tasks {
		for _, p := range t.Progress {
			left := p.Left.Milliseconds()
			p.Left = 0
			out = append(out, part{p, left})
		}
	}
	return c.ok(http.StatusOK, map[string]any{"progress": out})
}
