package connect

import (
	"net/http"
	"net/url"
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
	var err error
	if o.Force, err = force(query); err != nil {
		return err
	}
	if err := s.o.Control.DeleteConnector(c.ctx, c.instance, c.name(), o); err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	return c.empty(http.StatusNoContent)
}

// force reads a parameter of Sluice's own, whose risk nobody should run by a typing error
// or believe to have taken.
func force(query url.Values) (bool, error) {
	switch v := strings.ToLower(query.Get("force")); v {
	case "", "false":
		return false, nil
	case "true":
		return true, nil
	default:
		return false, bad("force must be true or false, not %q.", plain(v))
	}
}

// flag reads a boolean as Java does: anything but true, in any case, is false.
func flag(v string) bool { return strings.EqualFold(v, "true") }
