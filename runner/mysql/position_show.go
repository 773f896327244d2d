package mysql

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// positions are a connector's positions as Kafka Connect's REST API shows them: one of
// the binary log, {"server": <topic.prefix>}, and one of each table, which has "table" beside it.
func positions() *connector.Positions {
	return &connector.Positions{Show: showPositions, Set: setPositions}
}

func showPositions(cfg connector.Config, saved connector.Saved) ([]connector.SourcePosition, error) {
	var out []connector.SourcePosition
	for _, key := range slices.Sorted(maps.Keys(saved)) {
		partition := map[string]any{"server": cfg.Get(keyPrefix)}
		switch {
		case key == savedPosition:
		case strings.HasPrefix(key, savedTable):
			partition["table"] = strings.TrimPrefix(key, savedTable)
		default:
			continue
		}
		if partition["table"] != nil && isForgotten(saved[key]) {
			continue
		}
		offset := map[string]any{}
		d := json.NewDecoder(strings.NewReader(string(saved[key])))
		d.UseNumber() // a sequence has more digits than a float64
		if err := d.Decode(&offset); err != nil {
			return nil, fmt.Errorf("reading what is saved as %s: %w", key, err)
		}
		shown := connector.SourcePosition{Partition: partition, Offset: offset}
		shown.Title, shown.Brief = told(key, saved[key])
		out = append(out, shown)
	}
	return out, nil
}

// told says of what is saved what it is the position of, and where that is.
func told(key string, value []byte) (title, brief string) {
	name, isTable := strings.CutPrefix(key, savedTable)
	if !isTable {
		var p position
		if json.Unmarshal(value, &p) != nil {
			return "Binary log", ""
		}
		var at []string
		if p.GTID != "" {
			at = append(at, "GTID "+clip(p.GTID))
		}
		if p.File != "" {
			at = append(at, fmt.Sprintf("%s at %d", p.File, p.Pos))
		}
		if p.Time > 0 {
			at = append(at, timeText(p.Time))
		}
		return "Binary log", strings.Join(at, ", ")
	}
	var t tableState
	if json.Unmarshal(value, &t) != nil {
		return "Table " + name, ""
	}
	rows := plural64(t.Rows, "row", "rows")
	switch {
	case t.State == stateDone && t.Rows > 0:
		brief = "copied, " + rows
	case t.State == stateDone:
		brief = "followed"
	case t.State == stateCopying:
		brief = "being copied, " + rows + " so far"
	default:
		brief = "waits to be copied"
	}
	if t.Topic != "" {
		brief += " → " + t.Topic
	}
	return "Table " + name, brief
}
