package console

import (
	"context"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// remedyAct is the first act for a connector that is not well: taking it over where
// another installation runs it, the form at the setting that is wrong, else trying
// again. Its Label is empty when there is none.
func remedyAct(ctx context.Context, row control.ConnectorWithStatus) components.Action {
	href, st := connectorURL(row.Instance, row.Name), row.Status
	if st.State != connector.StateFailed && st.State != connector.StateDegraded {
		return components.Action{}
	}
	if st.Claimant != "" {
		return components.Action{Label: text.T(ctx, "takeover.open"), Icon: "arrow-right", Href: href + "/take-over"}
	}
	if row.Spec != nil && st.Field != connector.KeyClass {
		f, known := row.Spec.Field(st.Field)
		if known && f.Fixed != connector.FixedAlways && (f.Fixed == connector.FixedNever || !row.Delivered) {
			return components.Action{Label: text.T(ctx, "connector.modify"), Icon: "pencil", Href: href + "/modify#" + components.Field{Key: f.Key}.ID()}
		}
	}
	return components.Action{Label: text.T(ctx, "connector.resume"), Icon: "play", Post: href + "/resume"}
}
