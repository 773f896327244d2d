// Package connector is the contract between Sluice and one kind of connector: how
// it is declared (Spec, Step, Field), configured (Config), checked (Finding) and
// run (Sink, Chunk, Source), and which errors decide what becomes of a record.
//
// It imports the standard library and package record only. A connector is a folder
// that returns a Spec, and one line in package catalog.
package connector

import (
	"context"

	"github.com/sluice-io/sluice/runner/record"
)

// Kind tells the direction of a connector; its value is Kafka Connect's word.
type Kind string

const (
	KindSink   Kind = "sink"
	KindSource Kind = "source"
)

// Spec declares one task type. From it come the wizard, the validation of forms,
// REST and start-up, the task-configuration page, the connector-plugins answers,
// the reference page and the redaction of secrets.
type Spec struct {
	// Class is the task type and the value of connector.class, for example
	// "KAFKA2OSS". Matching ignores case, what is stored is this spelling.
	Class string
	// Title is the dump path in words: "Message Queue for Apache Kafka → Object Storage Service".
	Title   string
	Summary string
	// Version is shown by connector-plugins.
	Version string
	// EncoderVersion names the bytes that the shape settings produce. It is raised by
	// whoever changes them for the same input; an intent of another version is
	// resolved by what exists at the destination.
	EncoderVersion int
	Kind           Kind
	// Steps are the wizard's pages with their fields, in order; the common steps come
	// from SinkSteps.
	Steps []Step

	// Validate checks rules across fields on a configuration with defaults filled in
	// and every single field valid. Nil means no such rules.
	Validate func(Config, Env) []FieldError
	// Check runs the live checks of "Test connection", emitting each finding as it finishes.
	Check func(ctx context.Context, cfg Config, deps Deps, emit func(Finding)) error
	// Preview shows what the records would become, and writes nothing. A source
	// ignores the records and reads its own rows.
	Preview func(ctx context.Context, cfg Config, deps Deps, records []record.Record) ([]Sample, error)
	// Topics lists what a source would write to now, and writes nothing; nil for a sink.
	Topics func(ctx context.Context, cfg Config, deps Deps) ([]SourceTopic, error)
	// Writes tells what a source with this configuration writes to as far as nobody has to be asked: names of
	// topics, with * for any characters and ? for one, and the key that decides on them; nil for a sink.
	Writes func(Config) (key string, topics []string)
	// NewSink makes a task's sink; exactly one of NewSink and NewSource is set.
	NewSink   func(ctx context.Context, cfg Config, deps Deps) (Sink, error)
	NewSource func(ctx context.Context, cfg Config, deps Deps) (Source, error)
	// Positions translates what a source has saved; nil for a sink.
	Positions *Positions
	// Locate finds where a delivered record stands at the destination, by what the
	// configuration makes of it; none when nothing that would hold it is there. Nil
	// means that the destination has no places that could be named.
	Locate func(ctx context.Context, cfg Config, deps Deps, r *record.Record) ([]Place, error)
	// Reach names what the configuration would dial, for the checks of addresses
	// written as IPs and for the Internet access page: "host:port" each.
	Reach func(Config, Env) []Endpoint
}

// SourceTopic is a topic that a source writes to.
type SourceTopic struct {
	Name       string
	From       string   // what becomes its messages: a table
	Key        []string // columns that messages are keyed by; none: they have no key
	Partitions int      // that it has, or is made with
	Exists     bool     // it is taken as it is
	Copied     bool     // what is there already is copied when it is read first
	Followed   bool     // what changes afterwards is read
	// Also are the names of other connectors that write to it, as the use cases fill in.
	Also []string
}

// Place is where a record stands at a destination.
type Place struct {
	Name      string // as people and tools write it: "oss://bucket/object"
	Server    string // host:port
	Container string // bucket, table
	Key       string // the object's name in it
}

// Endpoint is an address that a configuration makes the connector dial.
type Endpoint struct {
	Key     string // the field it comes from
	Address string // host:port
}

// Step is one page of the wizard.
type Step struct {
	ID     StepID
	Title  string
	Fields []Field
}

// StepID names a wizard step; it is part of the URL.
type StepID string

const (
	StepBasic       StepID = "basic"
	StepSource      StepID = "source"
	StepDestination StepID = "destination"
)

// FieldKind decides the control in the form and the type in REST's definitions.
type FieldKind string

const (
	String   FieldKind = "string"
	Text     FieldKind = "text"   // several lines, for example a PEM
	Secret   FieldKind = "secret" // write-only: stored sealed, answered as Masked
	Int      FieldKind = "int"
	Bytes    FieldKind = "bytes"    // a count of bytes; plain digits or a unit: 64MiB
	Duration FieldKind = "duration" // milliseconds, as Kafka's *.ms keys
	Bool     FieldKind = "bool"     // "true" or "false"
	Enum     FieldKind = "enum"     // one of Options
	List     FieldKind = "list"     // comma-separated
)

// Fixed says when a field may no longer change.
type Fixed string

const (
	// FixedNever: the field may always be modified.
	FixedNever Fixed = ""
	// FixedAfterDelivery: the field is fixed once the connector has delivered something.
	FixedAfterDelivery Fixed = "after_delivery"
	// FixedAlways: the field is fixed from creation on (name, connector.class).
	FixedAlways Fixed = "always"
)

// Option is one value of an Enum, or one suggestion of a lookup.
type Option struct {
	Value string
	Label string // empty: Value is shown
	Help  string
}

// Field declares one configuration key.
type Field struct {
	Key     string
	Label   string
	Help    string // one line, under the control
	Unit    string // shown inside the control: "records", "ms"
	Example string
	Kind    FieldKind
	Options []Option
	// Open lets an Enum or Int take values beyond Options; Options are then what is offered.
	Open bool
	// Min and Max bound Int, Bytes and Duration (inclusive) and the length in
	// characters of String and Text; both zero means unbounded.
	Min, Max int64
	// Required: an empty value, after defaults, is an error (when the field is shown).
	Required bool
	// Advanced fields are folded away in the form.
	Advanced bool
	// Informational fields are kept and shown, nothing reads them.
	Informational bool
	// Region: the value is the ID of a region that is known (built in, or added by an
	// administrator), or the instance's own.
	Region bool
	// Shapes marks a setting that decides names, bytes, cuts or diverting. An intent
	// pins these; every other setting is an access setting and always current.
	Shapes bool
	Fixed  Fixed
	// Instead is what to do in the place of changing the field when it is fixed, in sentences; "" is to create
	// another connector.
	Instead string
	// Default gives the value of an absent key; nil means "".
	Default func(Config, Env) string
	// When lists conditions that must all hold for the field to be shown and read.
	When []Cond
	// Lookup lists values that the live system offers; typing stays possible.
	Lookup func(context.Context, Config, Deps) ([]Option, error)
	// Validate checks one non-empty value beyond Kind, Options, Min and Max. Its error
	// is a sentence that says what is wrong and what would be right.
	Validate func(string) error
}

// Cond is one condition for a field to be shown, as data so that the form, REST and
// the docs can all evaluate and print it.
type Cond struct {
	Key string
	// In: the value of Key is one of these.
	In []string
	// DiffersFrom names what the value of Key must differ from: "instance.region".
	DiffersFrom string
	// Reason is shown beside the field when the condition makes it appear.
	Reason string
}

// Env is what validation may know of the instance.
type Env struct {
	Instance string
	// Installation is random and this database's of Sluice, "" where it does not matter.
	Installation   string
	Region         string
	Version        string // detected broker version, "" when unknown
	Brokers        int    // number of brokers, 0 when unknown
	VPCID          string
	VSwitchID      string
	InternetAccess bool     // the instance's own
	Regions        []Region // the known regions
	// AllowECSRAMRole tells whether this node may ask the metadata service.
	AllowECSRAMRole bool
}

// Region is a place an instance or a destination stands in.
type Region struct{ ID, Name string }

// Sample is what one record, or one row, would become at the destination.
type Sample struct {
	Source    SampleSource `json:"source"`
	Title     string       `json:"title"`         // object name, request line, table partition, topic
	MediaType string       `json:"media_type"`    // of Body
	Key       string       `json:"key,omitempty"` // of a source's message
	Body      string       `json:"body"`          // textual rendering; binary bodies are described
	Refused   string       `json:"refused"`       // why the record would be diverted; "" when it would not
	// Warning is what else there is to know: that another connector writes to the topic.
	Warning string `json:"warning,omitempty"`
}

// SampleSource names the record a sample was made of.
type SampleSource struct {
	Topic     string `json:"topic"`
	Partition int32  `json:"partition"`
	Offset    int64  `json:"offset"`
}

// FindingStatus is the outcome of one live check.
type FindingStatus string

const (
	FindingOK      FindingStatus = "ok"
	FindingFailed  FindingStatus = "failed"
	FindingSkipped FindingStatus = "skipped"
)

// Finding is one named result of a live check.
type Finding struct {
	Name   string        `json:"name"`
	Status FindingStatus `json:"status"`
	Detail string        `json:"detail"`
	Remedy string        `json:"remedy"`
	Millis int64         `json:"millis"`
	// Suggest are values, by field key, that fit what was found. The wizard takes them
	// for fields that nobody has filled in.
	Suggest map[string]string `json:"suggest,omitempty"`
}
