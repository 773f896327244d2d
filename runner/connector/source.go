package connector

import (
	"context"
	"log/slog"
	"time"

	"github.com/sluice-io/sluice/runner/record"
)

// Source reads an outside system into Kafka. Records, and what says where to go on, become visible together, in one Kafka transaction of the runner's. One source
// serves one connector, on the one node that leads it.
type Source interface {
	// Run reads on from where start says until ctx ends, then it returns nil. It is
	// called again, on a new Source, after every error: at once or after a pause, with
	// what is Saved as the offset topic has it then. Its errors decide by their cause:
	//
	//   - *WrongError, and a *RecordError that the source does not divert: the connector is
	//     Failed until it is resumed or restarted;
	//   - *GapError: what is lost, with choices; the connector shows Gap. The choice comes
	//     with the Start of the next Run;
	//   - *AwayError and whatever nobody classified: Recovering, and another Run after a pause.
	//
	// An error of out is returned as it came.
	Run(ctx context.Context, start Start, out Outlet) error
	// Close releases connections, after Run has returned.
	Close() error
}

// Saved is what a source has written about itself, by key, as of the last transaction
// that took place. Values are JSON texts.
type Saved map[string][]byte

// Entry replaces one value of what is Saved; a nil Value removes it. Keys that begin
// with a dot are the runner's own; a Value is a JSON text.
type Entry struct {
	Key   string
	Value []byte
}

// Start says from where a source reads.
type Start struct {
	// Saved is empty at the first start and after an operator's reset.
	Saved Saved
	// Choice answers the GapError that the last Run ended with; "" when none was made.
	// It comes with every Start until the first entry after it is visible. With nothing
	// Saved it says that the position was lost (the runner offers the choices then):
	// ChoiceSnapshot copies everything anew, ChoiceNow goes on with what changes from now.
	Choice string
}

// Choices that a source offers when it stands at a gap.
const (
	ChoiceSnapshot = "snapshot" // copy everything anew, then go on
	ChoiceNow      = "now"      // go on with what changes from now on
	ChoiceStay     = "stay"     // nothing happens; the runner adds and answers it
)

// Outgoing is a record that a source writes.
type Outgoing struct {
	Topic string
	// Partition -1 means: by the hash of the key as Kafka's own client does (murmur2),
	// of as many partitions as the topic had when it was written to first; a nil key
	// goes to partition 0, so that order is kept.
	Partition  int32
	Key, Value []byte // nil is Kafka's null
	Headers    []record.Header
	// Timestamp is in milliseconds since the Unix epoch; 0 means now.
	Timestamp int64
}

// Outlet is where a source puts what it reads, and what it has to say. Write, Divert,
// Tag, Drop, Mark and Flush are for one goroutine, the others for any.
type Outlet interface {
	// Write adds a record to the fact that is open. It copies what the record refers to
	// before it returns, except Headers' keys. It does not wait, but for the shape of a
	// topic that it sees for the first time. A *RecordError with
	// Code "oversize" means that the topic does not take a record of this size; nothing
	// was added. A topic that does not exist is a *WrongError.
	Write(r *Outgoing) error
	// Divert adds a record to the abnormal data topic, or with why.DeadLetter to the
	// dead-letter topic, with the headers that say why, as part of the open fact.
	Divert(r *Outgoing, why *RecordError) error
	// Tag adds headers to every record that was written since the last Mark.
	Tag(headers ...record.Header)
	// Drop takes back what was written since the last Mark.
	Drop()
	// Unmarked is the bytes that were written since the last Mark.
	Unmarked() int64
	// Mark ends a fact: what was written since the last Mark and the entries become
	// visible in one transaction, together with other facts or alone, never in part. Entries without
	// records are allowed. It blocks while too much waits, and returns an
	// error when nothing more can be written: Run then returns it.
	Mark(ctx context.Context, entries ...Entry) error
	// Flush returns when everything that was marked is visible.
	Flush(ctx context.Context) error

	// Away tells that a system does not answer and is being tried again (an error of
	// any kind, a *AwayError names the system), or with nil that it answers. It is shown
	// as Recovering.
	Away(err error)
	// Progress replaces what is shown of the parts that the source works through.
	Progress(parts []Progress)
	// Behind tells how old the newest change was when it was read; 0 when caught up.
	Behind(d time.Duration)
	// Log writes to the connector's log.
	Log(level slog.Level, message string, fields map[string]string)
}

// Progress is how far a source has come with one part of its work: with the first copy
// of a table, for example.
type Progress struct {
	Name   string        `json:"name"`   // of the part: "shop.orders"
	Target string        `json:"target"` // where it goes: a topic
	Phase  string        `json:"phase"`  // in words of the source: "waiting", "snapshot", "streaming"
	Done   int64         `json:"done"`
	Total  int64         `json:"total"`          // 0 when unknown; an estimate that Done may pass
	Unit   string        `json:"unit"`           // "rows"
	Rate   float64       `json:"rate"`           // Unit a second, lately
	Left   time.Duration `json:"left,omitempty"` // estimated, in nanoseconds; 0 when unknown
	Detail string        `json:"detail,omitempty"`
}

// Snapshotter is a Source that can copy parts of what it reads anew while it runs.
type Snapshotter interface {
	// Snapshot asks for it and returns when the request will survive a crash. No parts
	// means all. An unknown part is a FieldError of field "tables".
	Snapshot(ctx context.Context, parts []string) error
}

// SourcePosition is one position of a source as Kafka Connect's REST API shows it.
type SourcePosition struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"` // nil: to be removed

	// Title and Brief are for people: what it is the position of, and where that is. Set by Show; empty: they see
	// Partition and Offset.
	Title string `json:"-"`
	Brief string `json:"-"`
}

// OffsetTopic is the member of a SourcePosition's Offset that names the topic to which
// that part goes, where one does.
const OffsetTopic = "topic"

// Positions translates between what a source has saved and what people see and set.
type Positions struct {
	// Show lists the positions of what is saved.
	Show func(Config, Saved) ([]SourcePosition, error)
	// Set makes the entries that move a stopped connector to the given positions. What
	// cannot be set is a FieldError of field "offsets[<n>]".
	Set func(Config, Saved, []SourcePosition) ([]Entry, error)
}

// Cluster is what a source may ask of, and do to, the cluster that it writes to.
type Cluster interface {
	// Topic tells a topic's shape; exists is false when there is none.
	Topic(ctx context.Context, name string) (t TopicShape, exists bool, err error)
	// CreateTopic makes a topic with the replication of the connector's own topics; one
	// that exists is left as it is.
	CreateTopic(ctx context.Context, name string, partitions int, config map[string]string) error
	// Room tells how many more partitions the cluster takes; -1 when it does not say.
	Room(ctx context.Context) (partitions int, err error)
}

// TopicShape is what a source needs to know of a topic.
type TopicShape struct {
	Name            string
	Partitions      int
	MaxMessageBytes int // of a record batch
	// Compacted: cleanup.policy names compact. Such a topic refuses messages without a key, and of those of
	// one key it keeps the last only.
	Compacted bool
	// ArrivalTime: messages get the time of their arrival in the place of their own (message.timestamp.type=LogAppendTime).
	ArrivalTime bool
}
