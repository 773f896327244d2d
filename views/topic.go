package views

import (
	"time"

	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/layout"
)

// TopicPage is the model of /instances/{i}/topics/{t}.
type TopicPage struct {
	Page       layout.Page
	Name       string
	Instance   string
	Facts      []components.Pair
	Partitions []TopicPartition
	UsedBy     []Link
	Settings   []components.Pair
	Send       *SendForm // nil when the user may not
	Live       string    // URL the partitions ask for themselves again
	Connector  string    // the connector this was opened from, whose "Test" it is
}

// TopicPartition is one partition with its bounds.
type TopicPartition struct {
	Partition  int32
	Start, End int64
}

// Records is how many offsets the partition holds.
func (p TopicPartition) Records() int64 { return max(0, p.End-p.Start) }

// SendForm is the Send Message panel.
type SendForm struct {
	URL    string
	Fields []components.Field // partition, key, key.encoding, value, value.encoding, headers, connector
	Errors []string
}

// TopicCreatePage is the model of the form for a new topic.
type TopicCreatePage struct {
	Page   layout.Page
	URL    string
	Group  components.Group
	Errors []string
	Cancel string
}

// RecordPage is the model of the page that says what became of a message.
type RecordPage struct {
	Page      layout.Page
	Topic     string
	TopicHref string
	Partition int32
	Offset    int64
	Fates     []RecordFate
	Live      string // URL the fates ask for themselves again; empty once all are known
	Again     string // URL of the Send Message panel
	None      bool   // no connector reads the topic
	Refresh   time.Duration
}

// RecordFate is what became of a message for one connector.
type RecordFate struct {
	Connector string
	Href      string
	State     string // delivered, diverted, waiting, or "" when it cannot be told
	Where     string
	Places    []Link // what Where names, where that is known closely
	Reason    string
	Status    string // the connector's own state
	Stalled   bool
}
