package connect

import "net/http"

// pluginList answers GET /connector-plugins. There are no transformations or
// converters to list, whatever connectorsOnly says.
func pluginList(s *Server, c *call) error {
	type plugin struct {
		Class   string `json:"class"`
		Type    string `json:"type"`
		Version string `json:"version"`
	}
	out := []plugin{}
	for _, spec := range s.o.Control.Specs() {
		out = append(out, plugin{spec.Class, string(spec.Kind), spec.Version})
	}
	return c.json(http.StatusOK, out)
}
