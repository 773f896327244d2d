package connect

import (
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// definition is Connect's ConfigKeyInfo.
type definition struct {
	Name          string   `json:"name"`
	Type          string   `json:"type"`
	Required      bool     `json:"required"`
	Default       *string  `json:"default_value"`
	Importance    string   `json:"importance"`
	Documentation string   `json:"documentation"`
	Group         *string  `json:"group"`
	Order         int      `json:"order_in_group"`
	Width         string   `json:"width"`
	DisplayName   string   `json:"display_name"`
	Dependents    []string `json:"dependents"`
}

// pluginConfig answers GET /connector-plugins/{p}/config.
func pluginConfig(s *Server, c *call) error {
	spec, err := s.o.Control.Spec(c.args[0])
	if err != nil {
		return &httpError{http.StatusNotFound, "Unknown plugin " + plain(c.args[0]) + "."}
	}
	if v := c.r.URL.Query().Get("version"); v != "" && v != spec.Version {
		return bad("Plugin %s has no version %s; there is %s.", spec.Class, plain(v), spec.Version)
	}
	return c.json(http.StatusOK, definitions(spec, s.env(c)))
}

// env is what defaults may know of the instance.
func (s *Server) env(c *call) connector.Env {
	return connector.Env{Instance: c.row.Name, Region: c.row.Region, Version: c.row.Version, Brokers: len(c.row.Brokers),
		VPCID: c.row.VPCID, VSwitchID: c.row.VSwitchID, InternetAccess: c.row.InternetAccess}
}

func definitions(spec *connector.Spec, env connector.Env) []definition {
	out := []definition{}
	for _, step := range spec.Steps {
		for i, f := range step.Fields {
			out = append(out, definitionOf(spec, f, step.Title, i+1, env))
		}
	}
	return out
}

func definitionOf(spec *connector.Spec, f connector.Field, group string, order int, env connector.Env) definition {
	d := definition{Name: f.Key, Type: definitionType(f), Importance: "MEDIUM", Documentation: f.Help,
		Group: &group, Order: order, Width: width(f), DisplayName: f.Label, Dependents: []string{}}
	if f.Default != nil {
		if v := f.Default(connector.Config{connector.KeyClass: spec.Class}, env); v != "" {
			d.Default = &v
		}
	}
	d.Required = f.Required && d.Default == nil
	switch {
	case f.Required:
		d.Importance = "HIGH"
	case f.Advanced:
		d.Importance = "LOW"
	}
	for _, other := range spec.Fields() {
		if slices.ContainsFunc(other.When, func(w connector.Cond) bool { return w.Key == f.Key }) {
			d.Dependents = append(d.Dependents, other.Key)
		}
	}
	return d
}

// definitionType is a field's type in Connect's words. A count of bytes may carry a
// unit, so it is a string.
func definitionType(f connector.Field) string {
	switch f.Kind {
	case connector.Secret:
		return "PASSWORD"
	case connector.Int:
		if f.Max > math.MaxInt32 || f.Min < math.MinInt32 {
			return "LONG"
		}
		return "INT"
	case connector.Duration:
		return "LONG"
	case connector.Bool:
		return "BOOLEAN"
	case connector.List:
		return "LIST"
	}
	return "STRING"
}

func width(f connector.Field) string {
	switch f.Kind {
	case connector.Int, connector.Duration, connector.Bytes, connector.Bool:
		return "SHORT"
	case connector.Text, connector.List:
		return "LONG"
	}
	return "MEDIUM"
}

// unreadable tells whether a value of a numeric field is no number.
func unreadable(f connector.Field, value string) bool {
	if f.Kind != connector.Int && f.Kind != connector.Duration {
		return false
	}
	value = strings.TrimSpace(value)
	if value == "" {
		return false
	}
	_, err := strconv.ParseInt(value, 10, 64)
	return err != nil
}
