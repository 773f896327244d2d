package connect

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// configReplace answers PUT /connectors/{c}/config; it creates what does not exist.
func configReplace(s *Server, c *call) error {
	body, err := c.object()
	if err != nil {
		return err
	}
	cfg, err := whole(body)
	if err != nil {
		return err
	}
	if err := sameName(cfg, c.name()); err != nil {
		return err
	}
	if err := s.checkClass(cfg); err != nil {
		return err
	}
	cfg[connector.KeyName] = c.name()
	x, created, err := s.o.Control.ReplaceConfig(c.ctx, c.instance, c.name(), cfg)
	if err != nil {
		return s.refused(err, cfg)
	}
	if created {
		c.location(c.name())
		return c.json(http.StatusCreated, infoOf(x, 0))
	}
	return s.answerInfo(c, x)
}

// answerInfo answers the changed connector with the tasks it has.
func (s *Server) answerInfo(c *call, x control.Connector) error {
	tasks := 0
	if st, err := s.o.Control.Status(c.ctx, c.instance, c.name()); err == nil {
		tasks = len(st.Status.Tasks)
	}
	return c.json(http.StatusOK, infoOf(x, tasks))
}
