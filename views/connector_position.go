package views

import (
	"context"

	"github.com/a-h/templ"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// waiting is how many records stand between position and end; -1 when that is not known.
func (r PositionRow) waiting() int64 {
	if r.Offset < 0 || r.End < 0 {
		return -1
	}
	return max(0, r.End-r.Offset)
}

func positionErrors(m ConnectorPositionPage) []components.Field {
	var out []components.Field
	for _, r := range m.Rows {
		if r.Field.Error != "" {
			out = append(out, r.Field)
		}
	}
	return out
}

func sourcePositionErrors(m ConnectorPositionPage) []components.Field {
	var out []components.Field
	for _, r := range m.Source {
		if r.Field.Error != "" {
			out = append(out, r.Field)
		}
	}
	return out
}

func positionAttrs(r PositionRow) templ.Attributes {
	if r.Field.Error == "" {
		return nil
	}
	return templ.Attributes{"aria-invalid": "true", "aria-describedby": r.Field.ID() + "-error"}
}

func positionStop(ctx context.Context, m ConnectorPositionPage) []components.Action {
	if m.StopURL == "" {
		return nil
	}
	return []components.Action{{Label: text.T(ctx, "position.stop"), Icon: "circle-stop", Post: m.StopURL, Small: true}}
}

func wrapLabel(ctx context.Context, wrapped bool) string {
	if wrapped {
		return text.T(ctx, "logs.unwrap")
	}
	return text.T(ctx, "logs.wrap")
}
