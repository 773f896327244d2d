package connect

import (
	"maps"
	"net/http"
	"strconv"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// taskInfo is Connect's TaskInfo.
type taskInfo struct {
	ID     taskID           `json:"id"`
	Config connector.Config `json:"config"`
}

// taskList answers GET /connectors/{c}/tasks.
func taskList(s *Server, c *call) error {
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	out := []taskInfo{}
	for _, t := range x.Status.Tasks {
		cfg := connector.Config{}
		maps.Copy(cfg, configOf(x.Connector))
		cfg["task.class"] = x.Class
		out = append(out, taskInfo{taskID{x.Name, t.Task}, cfg})
	}
	return c.json(http.StatusOK, out)
}

// taskStatusShow answers GET /connectors/{c}/tasks/{n}/status.
func taskStatusShow(s *Server, c *call) error {
	n, _ := strconv.Atoi(c.args[1]) // the route takes numbers only
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "No status found for task %s-%d", plain(c.name()), n)
	}
	for _, t := range statusOf(x).Tasks {
		if t.ID == n {
			return c.json(http.StatusOK, t)
		}
	}
	return &httpError{http.StatusNotFound, "No status found for task " + plain(c.name()) + "-" + strconv.Itoa(n)}
}

// taskRestart answers POST /connectors/{c}/tasks/{n}/restart.
func taskRestart(s *Server, c *call) error {
	n, _ := strconv.Atoi(c.args[1]) // the route takes numbers only
	x, err := s.o.Control.Status(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Unknown connector: %s", plain(c.name()))
	}
	if x.Desired == control.DesiredStopped || x.Desired == control.DesiredNotDeployed {
		return &httpError{http.StatusConflict, "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."}
	}
	known := false
	for _, t := range x.Status.Tasks {
		known = known || t.Task == n
	}
	if !known {
		return &httpError{http.StatusNotFound, "Unknown task: " + plain(c.name()) + "-" + strconv.Itoa(n)}
	}
	if x.Desired == control.DesiredRunning {
		if err := s.o.Control.RestartTask(c.ctx, c.instance, c.name(), n); err != nil {
			return lost(err, "Unknown task: %s-%d", plain(c.name()), n)
		}
	}
	return c.empty(http.StatusNoContent)
}
