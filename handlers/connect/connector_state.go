package connect

import "net/http"

// connectorPause answers PUT /connectors/{c}/pause.
func connectorPause(s *Server, c *call) error {
	if err := s.o.Control.Pause(c.ctx, c.instance, c.name()); err != nil {
		return lost(err, "Unknown connector %s", plain(c.name()))
	}
	return c.empty(http.StatusAccepted)
}

// connectorResume answers PUT /connectors/{c}/resume.
func connectorResume(s *Server, c *call) error {
	if err := s.o.Control.Resume(c.ctx, c.instance, c.name()); err != nil {
		return lost(err, "Unknown connector %s", plain(c.name()))
	}
	return c.empty(http.StatusAccepted)
}

// connectorStop answers PUT /connectors/{c}/stop.
func connectorStop(s *Server, c *call) error {
	if err := s.o.Control.Stop(c.ctx, c.instance, c.name()); err != nil {
		return lost(err, "Unknown connector %s", plain(c.name()))
	}
	return c.empty(http.StatusNoContent)
}
