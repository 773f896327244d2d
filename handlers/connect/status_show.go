package connect

import (
	"net/http"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// statusBody is Connect's ConnectorStateInfo; detail is Sluice's own member.
type statusBody struct {
	Name      string         `json:"name"`
	Connector connectorState `json:"connector"`
	Tasks     []taskState    `json:"tasks"`
	Type      string         `json:"type"`
}

type connectorState struct {
	State   string           `json:"state"`
	Worker  string           `json:"worker_id"`
	Version *string          `json:"version"`
	Detail  connector.Status `json:"detail"`
	Trace   string           `json:"trace,omitempty"`
}

type taskState struct {
	ID int `json:"id"`
	connectorState
}

func statusOf(x control.ConnectorWithStatus) statusBody {
	var version *string
	if x.Spec != nil {
		version = &x.Spec.Version
	}
	out := statusBody{Name: x.Name, Connector: stateOf(x.Status.Status, x.Status.Worker, version), Tasks: []taskState{}, Type: x.Kind()}
	for _, t := range x.Status.Tasks {
		out.Tasks = append(out.Tasks, taskState{t.Task, stateOf(t.Status, x.Status.Worker, version)})
	}
	return out
}

func stateOf(st connector.Status, worker string, version *string) connectorState {
	out := connectorState{State: st.State.ConnectWord(), Worker: worker, Version: version, Detail: st}
	if out.State == "FAILED" {
		out.Trace = strings.TrimSpace(st.Cause + "\n" + st.Remedy)
	}
	if out.State == "UNASSIGNED" {
		out.Version = nil
	}
	return out
}

// statusShow answers GET /connectors/{c}/status.
func statusShow(s *Server, c *call) error {
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "No status found for connector %s", plain(c.name()))
	}
	return c.json(http.StatusOK, statusOf(x))
}
