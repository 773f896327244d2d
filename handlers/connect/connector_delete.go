package connect

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
)

// connectorDelete answers DELETE /connectors/{c}. ?resources=keep leaves topics and
// groups, ?force=true goes on although deliveries are not settled.
func connectorDelete(s *Server, c *call) error {
	query := c.r.URL.Query()
	var o control.RemoveOptions
	switch v := query.Get("resources"); v {
	case "", "delete":
	case "keep":
		o.KeepResources = true
	default:
		return bad("resources must be keep or delete, not %q.", plain(v))
	}
	o.Force = flag(query.Get("force"))
	if err := s.o.Control.DeleteConnector(c.ctx, c.instance, c.name(), o); err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	return c.empty(http.StatusNoContent)
}

// flag reads a boolean as Java does: anything but true, in any case, is false.
func flag(v string) bool { return strings.EqualFold(v, "true") }
