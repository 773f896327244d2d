package views

import "github.com/sluice-io/sluice/views/components"

// ConnectorTakeOverPage is the model of …/take-over.
type ConnectorTakeOverPage struct {
	ConnectorFrame
	Confirm      components.Confirm
	Installation string            // that runs the connector; "" when there is nothing to take over
	Facts        []components.Pair // about it
	Members      int               // it has in the connector's group now: it still runs
	Error        string
}
