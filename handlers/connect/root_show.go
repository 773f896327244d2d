package connect

import "net/http"

// rootShow answers GET /.
func rootShow(s *Server, c *call) error {
	return c.json(http.StatusOK, struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
		Cluster string `json:"kafka_cluster_id"`
	}{APIVersion, s.o.Commit, c.row.ClusterID})
}

// healthShow answers GET /health.
func healthShow(s *Server, c *call) error {
	type health struct {
		Status  string `json:"status"`
		Message string `json:"message"`
	}
	if err := s.o.Healthy(c.ctx); err != nil {
		return c.json(http.StatusInternalServerError, health{"unhealthy", "Worker was unable to handle this request and may be unable to handle other requests. The worker is currently " + err.Error() + "."})
	}
	return c.json(http.StatusOK, health{"healthy", "Worker has completed startup and is ready to handle requests."})
}

// internalOnly answers what workers say to each other only.
func internalOnly(*Server, *call) error { return bad("Internal request missing required signature") }
