package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// ConnectorFrame is what all pages of one connector share: its name, state, cause, remedy, actions and tabs.
type ConnectorFrame struct {
	Page        layout.Page
	Name        string
	Href        string
	Class       string // KAFKA2OSS
	Path        DumpPath
	Description string
	State       string // its detail.state
	Stalled     bool
	Since       time.Time         // of the state
	Cause       string            // why it is not well, one sentence
	Remedy      string            // what to do, one sentence
	Act         components.Action // the remedy as a button or a link; none when its Label is empty
	Actions     []components.Action
	Menu        []components.MenuItem
	Tabs        []components.Tab
	Lost        []string // labels of secrets that cannot be opened any more and must be given again
	Modify      string   // URL; empty when the user may not
	Live        string   // URL the head asks for itself again; empty when it need not
}

// ConnectorPage is the model of a connector's first page.
type ConnectorPage struct {
	ConnectorFrame
	LiveBody  string // URL the body asks for itself again
	Deploy    DeployProgress
	Deployed  bool
	DeployURL string // posted to, deploys; empty when the user may not, or it is deployed
	Choices   []ChoiceForm
	Stats     []components.Stat
	Charts    []components.Chart
	Tasks     []ConnectorTask
	Source    *SourceReader // of a source, in the place of Tasks
	Worker    string        // node that runs it
}

// DeployProgress is what deploying has done so far.
type DeployProgress struct {
	Steps   []string // done, in sentences
	Running bool     // it goes on
	Failed  string   // why it stopped
}

// ConnectorTask is one task with its partitions.
type ConnectorTask struct {
	ID         int
	Node       string
	State      string
	Stalled    bool
	Cause      string
	Remedy     string
	Restart    string // URL posted to; empty when the user may not
	Partitions []ConnectorPartition
}

// ConnectorPartition is where one partition stands. Negative numbers are not known.
type ConnectorPartition struct {
	Topic, TopicHref string
	Partition        int32
	State            string
	Stalled          bool
	Cause, Remedy    string
	Position, End    int64
	Lag              int64 // records
	Behind           time.Duration
	Delivered        int64
	Diverted         int64
	Last             time.Time
}

// hasCause says that a second row tells what is wrong and what to do.
func (p ConnectorPartition) hasCause() bool { return p.Cause != "" || p.Remedy != "" }

func (p ConnectorPartition) tone() string {
	return ConnectorRow{State: p.State, Stalled: p.Stalled}.tone()
}

// ChoiceForm asks what to do with a partition that waits for a person.
type ChoiceForm struct {
	ID        string // unique in the page
	URL       string // posted to; empty when the user may not choose
	Topic     string // empty for a source's reader
	Partition int32
	Lost      string // what was lost, in words; further lines list what it is about
	Options   []ChoiceOption
	Value     string // chosen before, when it was refused
	Offset    string
	Error     string
	ErrorOf   string // "choice" or "offset"
}

// ChoiceOption is one way on with what it risks. Choice "position" asks for an offset.
type ChoiceOption struct{ Choice, Title, Risk string }

// wantsOffset tells whether one of the options needs an offset.
func (c ChoiceForm) wantsOffset() bool {
	for _, o := range c.Options {
		if o.Choice == "position" {
			return true
		}
	}
	return false
}

// ConnectorConfigPage is the model of …/configuration.
type ConnectorConfigPage struct {
	ConnectorFrame
	Groups   []ConfigGroup
	JSON     string // secrets masked
	Versions []ConfigVersion
}

// ConfigGroup is a step of the wizard with its values.
type ConfigGroup struct {
	Title string
	Pairs []components.Pair
}

// ConfigVersion is one configuration the connector had.
type ConfigVersion struct {
	Version int
	Author  string
	Time    time.Time
	Hash    string
	Current bool
	Changes []components.Change // against the version before; empty for the first
}

// ConnectorModifyPage is the model of …/modify: the form, and after its review what would change.
type ConnectorModifyPage struct {
	ConnectorFrame
	URL     string
	Version int
	Groups  []components.Group
	Errors  []string
	Cancel  string
	// Of the review:
	Review  bool
	Changes []components.Change
	Hidden  []Hidden // what the form held, to be posted again
	Effects *SourceEffects
}

// SourceEffects is what a change does to the parts that a source reads.
type SourceEffects struct {
	Parts []components.Going // those to which something happens
	Same  int                // how many others are read as before
	None  bool               // nothing is read at all
	Later bool               // not before the connector runs
	Why   string             // why nobody knows; empty otherwise
}

// Hidden is a field that a form carries along. It never holds a secret in the clear.
type Hidden struct{ Name, Value string }

// ConnectorLogPage is the model of …/logs.
type ConnectorLogPage struct {
	ConnectorFrame
	Filter   LogFilter
	Lines    []components.LogLine // oldest first
	Follow   string               // URL of the event stream; empty when the page shows the past
	Wrap     bool
	Download string
	Older    string // URL of the page before in time; empty at the beginning
	Newer    string // URL of the page after in time; empty at the end
	Newest   string // URL of the newest page
	WrapURL  string // this page with wrapping the other way
}

// LogFilter is what the log is narrowed to; its names are those of the URL's query.
type LogFilter struct {
	Level  string // level
	Task   string // task
	Text   string // q
	From   string // from, RFC 3339 in UTC or as a datetime-local input writes it
	To     string // to
	Levels []components.Option
	Tasks  []components.Option
	Errors []string // of times and numbers that cannot be read
}

// Active says whether anything is filtered away.
func (f LogFilter) Active() bool {
	return f.Level != "" || f.Task != "" || f.Text != "" || f.From != "" || f.To != ""
}

// ConnectorResourcesPage is the model of …/resources.
type ConnectorResourcesPage struct {
	ConnectorFrame
	Rows    []ConnectorResource
	NotMade bool   // the connector was not deployed yet
	Error   string // why they could not be listed
}

// ConnectorResource is one of the topics and groups a connector owns.
type ConnectorResource struct {
	Kind       string // topic, group
	Role       string
	Name       string
	Href       string // of a topic that exists
	Exists     bool
	Partitions int
	Cleanup    string
	Detail     string // what is wrong with it, or who else uses it
}

// ConnectorPositionPage is the model of …/position.
type ConnectorPositionPage struct {
	ConnectorFrame
	Rows    []PositionRow
	Source  []SourcePositionRow // of a source, in the place of Rows
	Error   string              // why they could not be read
	Errors  []string            // of the form
	URL     string              // posted to, changes positions; empty while that is not possible
	Reset   string              // posted to, removes all positions
	Why     string              // why positions cannot be changed now
	StopURL string              // posted to, stops the connector; empty when the user may not or it is stopped
	Pending []string            // deliveries that are not settled; a change must be forced
	Forced  bool
}

// PositionRow is where a connector stands in one partition.
type PositionRow struct {
	Topic     string
	Partition int32
	Offset    int64 // next offset to deliver; -1 for none
	Start     int64 // first offset of the partition; -1 when not known
	End       int64 // next offset of the partition; -1 when not known
	Pending   bool
	Field     components.Field // of the form
}

// ConnectorDeletePage is the model of …/delete.
type ConnectorDeletePage struct {
	ConnectorFrame
	Confirm components.Confirm
	Keep    bool     // keep the resources
	Pending []string // deliveries that are not settled
	Error   string   // why the resources could not be listed
	Force   bool     // offer to go on all the same
}

// ConnectorInternetPage is the model of …/internet.
type ConnectorInternetPage struct {
	ConnectorFrame
	Enabled   bool
	Endpoints []components.Pair // what the connector would reach: field and address
	Why       string            // why it is needed here, or that it is not
	URL       string            // posted to, with enable=true or false; empty when the user may not
	CheckURL  string            // posted to, runs the live check
	Findings  []components.Finding
	LiveCheck string
	Errors    []string
}
