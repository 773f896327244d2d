package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// WizardStartPage is the model of /instances/{i}/connectors/new: which task type, or which draft to go on with.
type WizardStartPage struct {
	Page   layout.Page
	URL    string
	Type   components.Field // KindCards
	Errors []string
	Drafts []WizardDraft
	Quota  *QuotaNotice // nil while there is room
	Cancel string
}

// WizardDraft is an unfinished wizard of the user's own.
type WizardDraft struct {
	Name    string // "unnamed" in words when it has none
	Title   string // dump path
	Step    string
	Href    string
	Delete  string // URL posted to
	Updated time.Time
}

// QuotaNotice says that an instance has as many connectors as it may, and how to ask for more.
type QuotaNotice struct {
	Used, Quota int
	RequestURL  string // posted to: wanted, reason, return
	Return      string
	RequestedAt time.Time // of a request that waits; zero for none
}

// WizardFrame is what all steps of the wizard share.
type WizardFrame struct {
	Page    layout.Page
	Sub     string // the instance
	Steps   []components.Step
	Summary []components.SummaryPart
	URL     string // of this step; its form posts there
	Back    string // URL of the step before; empty in the first
	Close   string // URL that leaves the wizard; the draft stays
	Discard string // URL posted to that deletes the draft
}

// WizardPage is the model of a step with a form.
type WizardPage struct {
	WizardFrame
	Groups   []components.Group
	Errors   []string // that belong to no field
	Test     bool     // offer Test connection
	Findings []components.Finding
	Live     string // URL of the findings while they run
}

// WizardPreviewPage is the model of the last step.
type WizardPreviewPage struct {
	WizardFrame
	Problems  []WizardProblem
	Samples   []Sample
	Source    bool               // rows become messages, instead of records something else
	Topics    []components.Going // of a source: where its messages go
	Reading   bool               // the samples are still being made
	Why       string             // why there are no samples
	Live      string             // URL the samples ask for themselves again
	Again     string             // URL that takes new samples
	Resources []components.Going
	Manual    bool // resources are named by hand
	Stands    string
	JSON      string // secrets masked
	Curl      string
	Secrets   bool // JSON and Curl hold masked secrets
	Quota     *QuotaNotice
	Errors    []string
	Blocked   string // why it cannot be created now; empty when it can
}

// WizardProblem is something wrong in a step, linked to its field.
type WizardProblem struct{ Label, Message, Href string }

// Sample is what one record would become.
type Sample struct {
	ID      string // unique in the page
	Source  string // "orders-3 at offset 1204"
	Title   string // object name, request line
	Media   string
	Key     string // of a source's message
	Body    string
	Refused string // why the record would be diverted
}
