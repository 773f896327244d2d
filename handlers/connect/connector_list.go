package connect

import (
	"bytes"
	"encoding/json"
	"net/http"
)

// connectorList answers GET /connectors: names, or with expand an object a connector.
func connectorList(s *Server, c *call) error {
	query := c.r.URL.Query()
	if _, expands := query["expand"]; !expands {
		all, err := s.o.Control.Connectors(c.ctx, c.instance)
		if err != nil {
			return err
		}
		names := make([]string, len(all))
		for i, x := range all {
			names[i] = x.Name
		}
		return c.json(http.StatusOK, names)
	}
	all, err := s.o.Control.ConnectorsWithStatus(c.ctx, c.instance)
	if err != nil {
		return err
	}
	out := orderedMap{}
	for _, x := range all {
		entry := orderedMap{}
		for _, what := range query["expand"] {
			switch what {
			case "status":
				entry.set("status", statusOf(x))
			case "info":
				entry.set("info", infoOf(x.Connector, len(x.Status.Tasks)))
			}
		}
		out.set(x.Name, &entry)
	}
	return c.json(http.StatusOK, &out)
}

// orderedMap is a JSON object whose members keep the order they were set in.
type orderedMap struct {
	keys   []string
	values map[string]any
}

func (m *orderedMap) set(key string, value any) {
	if m.values == nil {
		m.values = map[string]any{}
	}
	if _, known := m.values[key]; !known {
		m.keys = append(m.keys, key)
	}
	m.values[key] = value
}

// MarshalJSON writes the members in order.
func (m *orderedMap) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	b.WriteByte('{')
	for i, k := range m.keys {
		if i > 0 {
			b.WriteByte(',')
		}
		if err := e.Encode(k); err != nil {
			return nil, err
		}
		b.WriteByte(':')
		if err := e.Encode(m.values[k]); err != nil {
			return nil, err
		}
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
