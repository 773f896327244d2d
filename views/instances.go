package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// InstancesPage is the model of /instances.
type InstancesPage struct {
	Page  layout.Page
	Rows  []Instance
	Admin bool // the user may add instances
}

// Instance is a Kafka cluster as the list and the detail page show it.
type Instance struct {
	Name           string
	Href           string
	Region         string // shown name: "China (Hangzhou)"
	Status         string // RUNNING, UNREACHABLE, UNKNOWN
	Since          time.Time
	Detail         string // why it is not reached, one sentence with its remedy
	Version        string // "4.1", empty when never seen
	Guarantees     string // what that version allows: "idempotent and transactional writes"
	Bootstrap      string
	Security       string // "SASL_SSL, SCRAM-SHA-512"
	Brokers        []Broker
	Enabled        bool
	Connectors     int // that count for the quota
	Quota          int
	Failing        int
	ClusterID      string
	InternetAccess bool
	VPC, VSwitch   string
}

// Broker is one broker of an instance.
type Broker struct {
	ID         int32
	Address    string
	Controller bool
}

// InstancePage is the model of the pages /instances/{i} with their tabs.
type InstancePage struct {
	Page     layout.Page
	Instance Instance
	Tabs     []components.Tab // Connectors, Topics, Groups, Settings
	Admin    bool             // may change settings
	Operator bool             // may create connectors
	New      string           // URL that starts a connector on this instance
	Live     string           // URL the page's body asks for itself again; may be empty
}

// quotaFull says that no further connector can be made.
func (p InstancePage) quotaFull() bool { return p.Instance.Connectors >= p.Instance.Quota }

// InstanceConnectorsPage is the model of the tab Connectors.
type InstanceConnectorsPage struct {
	InstancePage
	Rows        []ConnectorRow
	RequestURL  string    // where a request for a higher quota is posted: fields wanted and reason
	RequestedAt time.Time // of a request that waits for an administrator
}

// InstanceTopicsPage is the model of the tab Topics.
type InstanceTopicsPage struct {
	InstancePage
	Query    string // q: part of the name
	Internal bool   // internal=true: also topics whose name starts with "__" or "connect-"
	Rows     []Topic
	Error    string // why they could not be listed
	Create   string // URL of the form for a new topic; empty when the user may not
	Shown    string
	Previous string
	Next     string
}

// Topic is one topic in a list.
type Topic struct {
	Name       string
	Href       string
	Partitions int
	Replicas   int
	Records    int64  // last offsets less first offsets; negative when not known
	Bytes      int64  // negative when not known
	Cleanup    string // "delete", "compact"
	Retention  string // "7 d", "unlimited"
	UsedBy     []Link // connectors that read or own it
	Send       string // URL of its Send Message panel; empty when the user may not
}

// Link is a word that leads somewhere.
type Link struct{ Label, Href string }

// InstanceGroupsPage is the model of the tab Groups.
type InstanceGroupsPage struct {
	InstancePage
	Rows  []ConsumerGroup
	Error string
}

// ConsumerGroup is one consumer group in a list.
type ConsumerGroup struct {
	Name    string
	State   string // as Kafka says it: "Stable", "Empty"
	Members int
	Lag     int64 // records; negative when not known
	Topics  []string
	UsedBy  []Link
}

// InstanceSettingsPage is the model of the tab Settings.
type InstanceSettingsPage struct {
	InstancePage
	Form   InstanceForm
	Delete components.Confirm // URL empty when the user may not
	Why    string             // why it cannot be deleted now: it still has connectors
}

// InstanceFormPage is the model of /instances/new.
type InstanceFormPage struct {
	Page layout.Page
	Form InstanceForm
}

// InstanceForm is the form of an instance, new or changed. It posts to URL; its second submit button posts name
// "test" with value "1" and shows Findings above the buttons; "update" re-renders the fields that depend on others.
type InstanceForm struct {
	URL      string
	Groups   []components.Group // Basic, Connection, Security, Network
	Errors   []string           // that belong to no field
	Findings []components.Finding
	Live     string // URL of the findings while they run
	Cancel   string
	New      bool
}

// EnablePage is the model of /instances/{i}/enable.
type EnablePage struct {
	Page       layout.Page
	Instance   Instance
	Conditions []components.Finding
	Live       string // URL of the conditions while they are checked
	Ready      bool   // all conditions hold
	Asked      bool   // show the Note at once: the button was pressed without a script (?confirm=1)
	Done       bool   // it is enabled
	New        string // URL that starts a connector
	Admin      bool   // may enable
}
