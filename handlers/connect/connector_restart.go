package connect

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/control"
)

// connectorRestart answers POST /connectors/{c}/restart?includeTasks=&onlyFailed=.
func connectorRestart(s *Server, c *call) error {
	query := c.r.URL.Query()
	onlyFailed, includeTasks := flag(query.Get("onlyFailed")), flag(query.Get("includeTasks"))
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Unknown connector: %s", plain(c.name()))
	}
	if err := s.o.Control.Restart(c.ctx, c.instance, c.name(), onlyFailed, includeTasks); err != nil {
		return lost(err, "Unknown connector: %s", plain(c.name()))
	}
	if !onlyFailed && !includeTasks {
		return c.empty(http.StatusNoContent)
	}
	body := statusOf(x)
	if x.Desired == control.DesiredRunning {
		markRestarting(&body, onlyFailed, includeTasks)
	}
	return c.json(http.StatusAccepted, body)
}

// markRestarting shows what will be restarted; its version and trace stay.
func markRestarting(b *statusBody, onlyFailed, includeTasks bool) {
	mark := func(st *connectorState) {
		if !onlyFailed || st.State == "FAILED" {
			st.State = "RESTARTING"
		}
	}
	mark(&b.Connector)
	if !includeTasks {
		return
	}
	for i := range b.Tasks {
		mark(&b.Tasks[i].connectorState)
	}
}
