package connect

import (
	"net/http"

	"github.com/sluice-io/sluice/runner/connector"
)

type offsetRow struct {
	Partition struct {
		Partition int32  `json:"kafka_partition"`
		Topic     string `json:"kafka_topic"`
	} `json:"partition"`
	Offset struct {
		Offset int64 `json:"kafka_offset"`
	} `json:"offset"`
}

// offsetsShow answers GET /connectors/{c}/offsets: the committed offsets of a sink.
// A source's are its plugin's own maps.
func offsetsShow(s *Server, c *call) error {
	x, err := s.o.Control.Connector(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	if x.Kind() == string(connector.KindSource) {
		rows, err := s.o.Control.SourcePositions(c.ctx, c.instance, c.name())
		if err != nil {
			return lost(err, "Connector %s not found", plain(c.name()))
		}
		return c.json(http.StatusOK, map[string]any{"offsets": append([]connector.SourcePosition{}, rows...)})
	}
	rows, err := s.o.Control.Positions(c.ctx, c.instance, c.name())
	if err != nil {
		return lost(err, "Connector %s not found", plain(c.name()))
	}
	out := []offsetRow{}
	for _, p := range rows {
		if p.Offset < 0 {
			continue
		}
		var r offsetRow
		r.Partition.Partition, r.Partition.Topic, r.Offset.Offset = p.Partition, p.Topic, p.Offset
		out = append(out, r)
	}
	return c.json(http.StatusOK, map[string]any{"offsets": out})
}
