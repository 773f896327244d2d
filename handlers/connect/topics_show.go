package connect

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// topicsShow answers GET /connectors/{c}/topics: the topics that the connector has
// used. A connector that does not exist has used none, and is no error.
func topicsShow(s *Server, c *call) error {
	topics := []string{}
	x, err := s.o.Control.Connector(c.ctx, c.instance, c.name())
	switch {
	case err == nil && x.Kind() == string(connector.KindSource):
		if topics, err = s.o.Control.WrittenTopics(c.ctx, c.instance, c.name()); err != nil && control.AsError(err).Kind != control.NotFound {
			return err
		}
	case err == nil && x.Deployed:
		topics = append(topics, x.Effective().List(connector.KeyTopics)...)
	case err != nil && control.AsError(err).Kind != control.NotFound:
		return err
	}
	return c.json(http.StatusOK, map[string]any{c.name(): map[string]any{"topics": topics}})
}

// topicsReset answers PUT /connectors/{c}/topics/reset: the topics of a connector
// follow from its configuration here, so there is nothing to forget.
func topicsReset(_ *Server, c *call) error { return c.empty(http.StatusAccepted) }
