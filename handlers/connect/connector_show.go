package connect

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// taskID names a task of a connector.
type taskID struct {
	Connector string `json:"connector"`
	Task      int    `json:"task"`
}

// info is Connect's ConnectorInfo.
type info struct {
	Name   string           `json:"name"`
	Config connector.Config `json:"config"`
	Tasks  []taskID         `json:"tasks"`
	Type   string           `json:"type"`
}

func infoOf(c control.Connector, tasks int) info {
	out := info{Name: c.Name, Config: configOf(c), Tasks: []taskID{}, Type: c.Kind()}
	for i := range tasks {
		out.Tasks = append(out.Tasks, taskID{c.Name, i})
	}
	return out
}

// configOf is the configuration as it was sent, plus the name; secrets are masked.
func configOf(c control.Connector) connector.Config {
	cfg := c.Config.Clone()
	if cfg == nil {
		cfg = connector.Config{}
	}
	cfg[connector.KeyName] = c.Name
	return cfg
}

// connectorShow answers GET /connectors/{c}.
func connectorShow(s *Server, c *call) error {
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	return c.json(http.StatusOK, infoOf(x.Connector, len(x.Status.Tasks)))
}
