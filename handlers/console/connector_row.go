package console

import (
	"context"
	"strings"
	"time"

	"github.com/sluice-io/sluice/models"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// connectorRows makes the rows of a list.
func (q *request) connectorRows(list []models.ConnectorInfo) []views.ConnectorRow {
	out := make([]views.ConnectorRow, len(list))
	for i, c := range list {
		out[i] = q.connectorRow(c)
	}
	return out
}

func (q *request) connectorRow(c models.ConnectorInfo) views.ConnectorRow {
	st := c.Status
	row := views.ConnectorRow{
		Name: c.Name, Href: connectorURL(c.Instance, c.Name), Instance: c.Instance, InstanceHref: instanceURL(c.Instance),
		Class: c.Class, Path: q.c.dumpPath(c.Class), State: string(st.State), Stalled: st.Stalled, Since: st.Since,
		Delivered: st.Delivered, Rate: st.RecordsRate, Waiting: st.Waiting, Lag: time.Duration(st.LagMillis) * time.Millisecond,
		Diverted: st.Diverted, LastDelivery: st.LastDelivery,
	}
	spec, _ := q.c.control.Spec(c.Class) // of another version: no field of it is known
	if spec != nil && spec.Kind == connector.KindSource {
		row.Waiting = -1 // it does not know how much waits
	}
	switch st.State {
	case connector.StateRunning, connector.StateDegraded:
	case connector.StateRecovering:
		row.Waiting, row.Lag = knownLag(row.Waiting, row.Lag)
	case connector.StateNotDeployed, connector.StateDeploying, connector.StateDeleting:
		row.Rate, row.Waiting, row.Lag = -1, -1, -1
	case connector.StateSuspending, connector.StateSuspended, connector.StateStopped: // nobody follows the topic's end
		row.Rate, row.Waiting, row.Lag = -1, -1, -1
	default:
		row.Rate = -1
		row.Waiting, row.Lag = knownLag(row.Waiting, row.Lag)
	}
	if needsSomebody(c) || st.State == connector.StateRecovering {
		row.Cause, row.Remedy = st.Cause, st.Remedy
	}
	ctx := q.Request.Context()
	if c.Status.State == connector.StateDeleting {
		return row
	}
	row.Menu = connectorMenu(ctx, c, q.may(control.Operator))
	if needsSomebody(c) {
		row.Act = remedyAction(ctx, c, spec, q.may(control.Operator))
	}
	return row
}

// knownLag is what is known of a connector that is not well: that nothing waits is
// not, as long as nobody reads.
func knownLag(waiting int64, lag time.Duration) (int64, time.Duration) {
	if waiting <= 0 {
		return -1, -1
	}
	return waiting, lag
}

// remedyAction is the next step for a connector that needs somebody.
func remedyAction(ctx context.Context, c models.ConnectorInfo, spec *connector.Spec, operator bool) components.Action {
	href := connectorURL(c.Instance, c.Name)
	logs := components.Action{Label: text.T(ctx, "act.logs"), Icon: "scroll-text", Href: href + "/logs", Small: true}
	switch {
	case !operator:
		return logs
	case c.Status.State == connector.StateGap:
		return components.Action{Label: text.T(ctx, "act.choose"), Icon: "split", Href: href, Small: true}
	}
	if act := remedyAct(ctx, control.ConnectorWithStatus{Connector: control.Connector{Connector: c.Connector, Spec: spec}, Status: c.Status}); act.Label != "" {
		act.Small = true
		return act
	}
	return logs
}

// connectorMenu is what can be done with a connector from a list.
func connectorMenu(ctx context.Context, c models.ConnectorInfo, operator bool) []components.MenuItem {
	href := connectorURL(c.Instance, c.Name)
	menu := []components.MenuItem{
		{Label: text.T(ctx, "act.logs"), Icon: "scroll-text", Href: href + "/logs"},
		{Label: text.T(ctx, "act.configuration"), Icon: "settings", Href: href + "/configuration"},
	}
	if !operator {
		return menu
	}
	suspend := components.MenuItem{Label: text.T(ctx, "connector.suspend"), Icon: "pause", Post: href + "/suspend"}
	resume := components.MenuItem{Label: text.T(ctx, "connector.resume"), Icon: "play", Post: href + "/resume"}
	restart := components.MenuItem{Label: text.T(ctx, "connector.restart"), Icon: "rotate-ccw", Post: href + "/restart"}
	menu = append(menu, components.MenuItem{})
	switch c.Desired {
	case control.DesiredNotDeployed:
		menu = append(menu, components.MenuItem{Label: text.T(ctx, "act.deploy"), Icon: "rocket", Post: href + "/deploy"})
	case control.DesiredPaused, control.DesiredStopped:
		menu = append(menu, resume)
	default:
		if needsSomebody(c) {
			menu = append(menu, resume)
		}
		menu = append(menu, suspend, restart)
	}
	return append(menu, components.MenuItem{}, components.MenuItem{Label: text.T(ctx, "act.delete"), Icon: "trash-2", Href: href + "/delete", Danger: true})
}

// dumpPath names the two ends of a task type: in full as its declaration's title does,
// and short as its class does. One that this version does not know is shown as it is.
func (c *Console) dumpPath(class string) views.DumpPath {
	from, to, _ := strings.Cut(class, "2")
	out := views.DumpPath{Source: from, Destination: to, From: shortEnd(from), To: shortEnd(to)}
	if spec, err := c.control.Spec(class); err == nil {
		if source, destination, ok := strings.Cut(spec.Title, "→"); ok {
			out.Source, out.Destination = strings.TrimSpace(source), strings.TrimSpace(destination)
		}
	}
	return out
}

// shortEnd is how a list names one end; what it does not know it shows as the class does.
func shortEnd(end string) string {
	switch end {
	case "KAFKA":
		return "Kafka"
	case "ODPS":
		return "MaxCompute"
	case "MYSQL":
		return "MySQL"
	}
	return end
}
