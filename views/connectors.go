package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// ConnectorsPage is the model of the home page: all connectors of all instances, those that need somebody first.
type ConnectorsPage struct {
	Page     layout.Page
	Counts   []components.StripItem // one a state, in the order of components.States; Href filters by it
	Filter   ConnectorFilter
	Rows     []ConnectorRow
	Shown    string // "1–100 of 900", empty when all fit
	Previous string // URL of the page before, or empty
	Next     string // URL of the page after, or empty
	Total    int    // of connectors without the filter
	Operator bool   // the user may suspend, resume, restart and create
	Admin    bool   // the user may add and enable instances
	New      string // URL that starts a connector; empty when no instance is enabled
	Example  string // URL posted to, that makes and starts the sandbox's example connector; empty without a sandbox
	Enable   string // URL of the instance to enable, when there is one and none is enabled
	Live     string // URL the list asks for itself again
}

// ConnectorFilter is what the list is narrowed to; its names are those of the URL's query.
type ConnectorFilter struct {
	Text      string // q
	State     string // state
	Type      string // type
	Instance  string // instance
	Types     []components.Option
	Instances []components.Option
	States    []components.Option
}

// Active says whether anything is filtered away.
func (f ConnectorFilter) Active() bool {
	return f.Text != "" || f.State != "" || f.Type != "" || f.Instance != ""
}

// ConnectorRow is one connector in a list.
type ConnectorRow struct {
	Name         string
	Href         string
	Instance     string
	InstanceHref string
	Class        string // KAFKA2OSS
	Path         DumpPath
	State        string // its detail.state
	Stalled      bool
	Since        time.Time         // of the state
	Cause        string            // why it is not well, one sentence
	Remedy       string            // what to do, one sentence
	Act          components.Action // the remedy as a button or link; none when its Label is empty
	Delivered    int64             // records, ever
	Rate         float64           // records a second; negative when not running
	Waiting      int64             // records; negative when not known
	Lag          time.Duration     // negative when not known
	Diverted     int64             // records, ever
	LastDelivery time.Time
	Menu         []components.MenuItem
}

// DumpPath names the two ends of a connector, in full and as short as a list needs it.
type DumpPath struct {
	Source, Destination string // "Message Queue for Apache Kafka", "Object Storage Service"
	From, To            string // "Kafka", "OSS"
}

// tone colours the row of a connector that needs somebody.
func (r ConnectorRow) tone() string {
	switch {
	case r.State == "FAILED" || r.State == "GAP":
		return "tone-bad"
	case r.Stalled || r.State == "DEGRADED":
		return "tone-warn"
	case r.State == "RECOVERING":
		return "tone-busy" // it passes by itself: nothing to be alarmed about
	}
	return ""
}

// columns is how many columns the table of connectors has.
func columns(choose, instances bool) int {
	n := 9
	if choose {
		n++
	}
	if instances {
		n++
	}
	return n
}

// value is what the row's box posts.
func (r ConnectorRow) value() string { return r.Instance + "/" + r.Name }

// hasCause says that a second row tells what is wrong and what to do.
func (r ConnectorRow) hasCause() bool { return r.Cause != "" || r.Remedy != "" }
