package connector

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"github.com/sluice-io/sluice/runner/record"
)

// Deps is what a connector gets from the program that runs it.
type Deps struct {
	Env    Env
	Logger *slog.Logger
	// Dial opens every connection of the connector; it enforces the network rules on
	// the resolved address and goes through the proxy where one is configured.
	Dial func(ctx context.Context, network, address string) (net.Conn, error)
	// DialMetadata opens connections to the metadata service of the machine and to nothing
	// else, where an administrator allows it; it is for the provider of aliyun.auth =
	// ecs_ram_role alone. Nil where there is none.
	DialMetadata func(ctx context.Context, network, address string) (net.Conn, error)
	// Roots are the certificate authorities to trust; nil means the system's.
	Roots *x509.CertPool
	// Connector is the connector's name, ConnectorID its random identity from creation
	// on, which invocation IDs and the like are derived from.
	Connector   string
	ConnectorID string
	// Task is the number of the task that the sink or source works for.
	Task int
	// Topics lists the instance's topics, for lookups; nil where there is no cluster.
	Topics func(context.Context) ([]TopicInfo, error)
	// TempDir is where data that does not fit into memory goes for the time being; it need
	// not exist yet. "" means the system's.
	TempDir string
	// Cluster is the instance's cluster as a source sees it; nil for sinks.
	Cluster Cluster
}

// TopicInfo is a topic as a picker shows it.
type TopicInfo struct {
	Name       string
	Partitions int
	Internal   bool
}

// Range is the offsets [First, Next) of one partition. It has holes: compaction,
// transaction markers, aborted records.
type Range struct {
	Topic     string `json:"-"`
	Partition int32  `json:"-"`
	First     int64  `json:"first"`
	Next      int64  `json:"next"`
	// TopicID is the topic's UUID in text, "" on brokers that have none. Epoch is the
	// connector's replay epoch, changed by every operator-made position change.
	TopicID string `json:"-"`
	Epoch   string `json:"-"`
}

// Intent is what is about to become visible at a destination: it stands in the
// metadata of the group's commit before the first byte does.
type Intent struct {
	Range
	// Config is the content hash of the configuration whose shape settings hold.
	Config string `json:"config"`
	// Encoder is the Spec's EncoderVersion at the time.
	Encoder int `json:"encoder"`
	// Count and Sum describe the delivered records of the range: how many, and a CRC64
	// over offsets and values. Diverted records do not count.
	Count int64  `json:"count"`
	Sum   uint64 `json:"sum,string"`
	// Payload is the sink's own: JSON, at most MaxPayload bytes.
	Payload []byte `json:"-"`
}

// MaxPayload bounds what Chunk.Prepare may return, in bytes of JSON text. Header and
// intent together must stay under Kafka's 4096 bytes of offset metadata.
const MaxPayload = 3300

// Sink delivers chunks. One sink serves one task; Begin, Resolve and chunks of
// different partitions are used from several goroutines at once, one chunk from one.
type Sink interface {
	// Begin opens a chunk at a range's start: at.First is the position, which may lie
	// below the first record's offset; at.Next is not known yet and zero. With redo it
	// will receive exactly the records of that intent again, must give the same names
	// and bytes, and must not overwrite anything else.
	Begin(ctx context.Context, at Range, redo *Intent) (Chunk, error)
	// Resolve finds out what became of an intent that a stopped process left, and may
	// finish it where that takes no records (the commit of an upload session), asking
	// the guard before. A sink whose destination can refuse records must not call a
	// range Done that had refusals: they are diverted only after Publish has told of
	// them.
	Resolve(ctx context.Context, in Intent, guard Guard) (Outcome, error)
	// Close releases connections. It does not wait for chunks: the caller has
	// discarded or published them.
	Close() error
}

// Prober is a Sink that can be asked, before there is anything to deliver, whether its
// destination takes deliveries with its configuration. The question is optional: a sink
// without it shows what is wrong at its first delivery.
//
// Probe makes nothing visible, leaves nothing behind and is called beside the joining of
// the group, so that it costs no start any time. Its answer is
//
//   - nil: nothing is known to be wrong;
//   - a *WrongError: it is certain that no record can be delivered with this
//     configuration (bucket, key, clock). The task fails at once. What only the asking
//     may be refused for is no such answer: the probe must do without rights that
//     delivery does not need;
//   - any other error: the destination is away; Probe is called again, and the task
//     shows Recovering. It delivers all the same as soon as it can.
type Prober interface {
	Probe(ctx context.Context) error
}

// Patient is a Sink of which a single act may take long for good reasons (a function
// that runs for minutes): as long, nothing that moves is no sign of trouble.
type Patient interface {
	// Patience is how long an act may take. It may change while the sink is used, and is
	// asked from any goroutine.
	Patience() time.Duration
}

// Chooser is a Sink whose intents are made of parts, of which some may be in doubt while
// others are not. What a person answers is kept in the intent, so that it concerns the
// parts in doubt and no others.
type Chooser interface {
	// Choose gives the payload with which an unknown intent is resolved once more: the
	// answer of a person to one of the choices that Resolve offered, for the parts that
	// it names ("done" and "redo" are for all in doubt). ok is false for a choice that
	// says nothing of them. It asks nobody and changes nothing at the destination. An
	// answer holds only where the destination still does not tell.
	Choose(in Intent, choice string) (payload []byte, ok bool, err error)
}

// Guard is asked directly before every visible act (PUT, session commit,
// invocation). An error means that this process may no longer own the partition:
// the act must not start.
type Guard func() error

// Chunk is a range of one partition that becomes visible by one act.
type Chunk interface {
	// Add takes the next record. It may keep the record's bytes, not the struct. A
	// *RecordError means that this record cannot be delivered and has left no trace:
	// the caller diverts it and goes on. Any other error means that the record was not
	// taken; after one that passes, the same record is added again.
	Add(ctx context.Context, r *record.Record) error
	// Full tells that the chunk must close now for reasons of the sink's own (an
	// intent that would grow too long, a limit of the service). Records, bytes and age
	// are the caller's business.
	Full() bool
	// Held is the memory the chunk holds, in bytes. It is cheap: asked per record.
	Held() int64
	// Prepare makes everything ready that can be made without becoming visible and
	// returns what the intent must name. After it no record is added; after an error it
	// may be called again.
	Prepare(ctx context.Context) (payload []byte, err error)
	// Publish makes the chunk visible. It is called again after an AwayError, and, after
	// a pause, as long as it returns a refusal whose Err.Retry is set; the sink counts
	// errors.retry.limit. It goes on from where it stopped; what is already there is not
	// written twice. Refusals name records that the destination
	// refused, all others are visible. After a *RepeatError the chunk is discarded and
	// its intent settled.
	Publish(ctx context.Context, guard Guard) ([]Refusal, error)
	// Discard forgets the chunk; nothing of it becomes visible any more. Safe at any
	// time, twice, and after Publish, of which it takes nothing back.
	Discard()
}

// Readier is what a Chunk may be in addition: one that is made of units (the batches
// of an invocation), which should not wait for each other.
type Readier interface {
	// Ready tells that whole units are waiting. The chunk is closed as soon as the feed
	// pauses while nothing of its partition is being delivered.
	Ready() bool
}

// Packer is what a Chunk may be in addition: one whose last unit has a limit in bytes,
// up to which records fill it.
type Packer interface {
	// Fits tells whether a record still goes into the chunk, which holds some already.
	// Where it does not, the caller closes the chunk and adds the record to the next.
	Fits(r *record.Record) bool
}

// Refusal is a record that the destination refused for good.
type Refusal struct {
	Offset int64
	Err    *RecordError
}

// OutcomeKind is what Resolve found.
type OutcomeKind string

const (
	// Done: everything is visible, the position may advance.
	Done OutcomeKind = "done"
	// Redo: the range is delivered again, exactly.
	Redo OutcomeKind = "redo"
	// Unknown: it cannot be known; a person chooses.
	Unknown OutcomeKind = "unknown"
)

// Outcome answers Resolve.
type Outcome struct {
	Kind OutcomeKind
	// Detail says what was found, for the log and the page; of several lines the first
	// says it in short, and the others list what it is about.
	Detail string
	// Choices are offered when Kind is Unknown.
	Choices []Choice
}

// Choice is one way on, with what it risks.
type Choice struct {
	Choice string `json:"choice"`
	Title  string `json:"title"`
	Risk   string `json:"risk"`
}
