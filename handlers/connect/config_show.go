package connect

import "net/http"

// configShow answers GET /connectors/{c}/config.
func configShow(s *Server, c *call) error {
	x, err := s.o.Control.Connector(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	return c.json(http.StatusOK, configOf(x))
}
