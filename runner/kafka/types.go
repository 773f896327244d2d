// Package kafka is everything Sluice says to a Kafka cluster, on top of sarama:
// client options, the group consumer whose commits are fenced and answered, reads
// of positions and ranges, transactional writing, and administration.
package kafka

import (
	"context"
	"crypto/x509"
	"log/slog"
	"net"
	"time"

	"github.com/sluice-io/sluice/runner/record"
)

// Cluster tells how to reach a Kafka cluster. Every client made from it dials
// through Dial, also the brokers as they advertise themselves.
type Cluster struct {
	Bootstrap []string // host:port
	// Protocol is PLAINTEXT, SSL, SASL_PLAINTEXT or SASL_SSL.
	Protocol string
	// Mechanism is PLAIN, SCRAM-SHA-256 or SCRAM-SHA-512; "" without SASL.
	Mechanism string
	Username  string
	Password  string
	CAPEM     string         // further authorities for TLS, PEM; "" = Roots or the system's
	Roots     *x509.CertPool // nil: the system's
	Dial      func(ctx context.Context, network, address string) (net.Conn, error)
	// Version is the detected broker version ("4.3", "2.8.0"); "" makes clients probe first.
	Version  string
	ClientID string
	Logger   *slog.Logger
	// FetchBytes bounds what one consumer client buffers for one broker, in bytes; 0 = 4 MiB.
	FetchBytes int32
}

// Info is what a probe found.
type Info struct {
	ClusterID string
	Version   string // lowest that explains the API versions the brokers answer, "4.0", "2.8", …
	Brokers   []Broker
	// What the version allows.
	Idempotent, Transactions, RequireStable, StaticMembership, TopicIDs bool
}

// Broker is one node as it advertises itself.
type Broker struct {
	ID      int32  `json:"id"`
	Address string `json:"address"`
}

// TP is a partition of a topic.
type TP struct {
	Topic     string
	Partition int32
}

// Topic is a topic's live description.
type Topic struct {
	Name       string
	ID         string // UUID in text, "" where the cluster has none
	Partitions []int32
	Replicas   int
	Internal   bool
}

// TopicSpec says how a topic is to be made.
type TopicSpec struct {
	Name       string
	Partitions int32
	// Replicas 0 means min(3, brokers); min.insync.replicas is set to 2 where that is 3.
	Replicas int16
	Config   map[string]string
}

// Committed is a group's position in one partition with its metadata. Offset -1
// means that there is none.
type Committed struct {
	Offset   int64
	Metadata string
}

// Member identifies a member of a group to the coordinator, in commits and
// heartbeats. The zero Member commits like a tool outside the group, which works
// only while the group is empty.
type Member struct {
	Group      string
	ID         string
	Generation int32
	InstanceID string // "" for dynamic members
}

// Watermarks are the bounds of a partition's log.
type Watermarks struct {
	Start int64 // first offset that exists
	LSO   int64 // last stable offset: what a read_committed reader can reach
	End   int64 // high-water mark
}

// Page is what one fetch returned.
type Page struct {
	// Records are the visible (committed, not control) records from the asked offset on, in order.
	Records []record.Record
	// Next is the offset after everything this page covers, control batches and
	// aborted records included; equal to the asked offset when nothing was there.
	Next int64
	Watermarks
}

// Session is one generation of group membership of one task.
type Session interface {
	// Context ends when the session does, with a cause (ErrRebalance, ErrFenced, …).
	Context() context.Context
	Member() Member
	Claims() map[string][]int32
	// Pause stops fetching of partitions without returning from their claims. A fetch
	// that is out still delivers; what is buffered stays. Before a claim's Consume was
	// called it has no effect.
	Pause(partitions map[string][]int32)
	Resume(partitions map[string][]int32)
}

// Claim is one partition in a session. One goroutine uses it. Records that it
// delivers stay valid as long as they are referenced.
type Claim interface {
	TP() TP
	// InitialOffset is where sarama begins: the committed offset, or -1/-2 after a reset.
	InitialOffset() int64
	// Next fills r with the next record. It returns ErrIdle when nothing is buffered
	// and wake or the deadline came first, ErrClaimClosed when the channel closed while
	// the session lives (retention passed the claim), and the context's cause at the
	// session's end. It drains buffered records without a select for each.
	Next(ctx context.Context, r *record.Record, wake <-chan struct{}, deadline <-chan time.Time) error
	// Buffered is how many records Next can return at once.
	Buffered() int
	// HighWaterMark as of the last fetch.
	HighWaterMark() int64
}

// Handler is what a task does with its session.
type Handler interface {
	// Setup runs before any record is delivered; an error ends the session.
	Setup(Session) error
	// Consume works on one partition until the session's context ends. It must not
	// return before (sarama would end the whole session): it parks instead.
	Consume(Session, Claim) error
	// Cleanup runs after all Consume calls have returned.
	Cleanup(Session) error
}

// ConsumerOptions configures Consumer.
type ConsumerOptions struct {
	Group          string
	InstanceID     string // static membership; "" = dynamic
	Topics         []string
	SessionTimeout time.Duration // 10 s by default; heartbeats every 3 s
	FetchBytes     int32         // per broker and client
}

// Waiting time of administrative calls.
const DefaultAdminTimeout = 30 * time.Second
