// Package format turns row changes of MySQL and MariaDB into the messages that Kafka gets.
package format

import (
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// Op is what happened to a row.
type Op uint8

// Ops.
const (
	Insert Op = iota + 1
	Update
	Delete
)

// Change is one row's change, with what the message formats tell of it. A Change may be
// reused from row to row.
type Change struct {
	Table *row.Table
	Op    Op
	// Before is nil of Insert, After of Delete.
	Before, After row.Row
	// Snapshot marks a row that a SELECT returned (Op Insert). LastOfSnapshot is its table's last one.
	Snapshot, LastOfSnapshot bool
	Origin
	// Sequence gives the next sequenceId; it is called once for each message that has one.
	Sequence func() uint64
}

// Origin is where and when a change or a statement took place.
type Origin struct {
	// EventTime is when the server executed the statement: Unix time in ms. ReadTime is when
	// Sluice read it. For rows of a snapshot both are the time of the SELECT.
	EventTime, ReadTime int64
	EventMicros         int    // 0–999: microseconds after EventTime, where the server logs them
	GTID                string // of the transaction, "" without
	File                string
	Pos                 uint64 // of the event in File; of a compressed transaction that of the one that holds it
	RowIndex            int    // of the row within its event
	ServerID            uint32
	Thread              uint32 // connection id of the session that wrote it; 0 when unknown
}

// Message is one record for Kafka. Its memory is reused: who keeps it copies it.
type Message struct {
	Key, Value []byte // nil is Kafka's null
	Headers    []record.Header
	Timestamp  int64 // Unix time in ms: when Sluice read the change
}

// DDLKind is the op of a DDL message.
type DDLKind string

// DDLKinds.
const (
	DDLCreate   DDLKind = "CREATE"
	DDLAlter    DDLKind = "ALTER"
	DDLErase    DDLKind = "ERASE" // DROP
	DDLQuery    DDLKind = "QUERY" // a statement that could not be told
	DDLTruncate DDLKind = "TRUNCATE"
	DDLRename   DDLKind = "RENAME"
)

// DDL is a statement that changed a table.
type DDL struct {
	Kind            DDLKind
	Database, Table string
	// After is the definition after the statement; nil when it is not known or the table is gone.
	After     *row.Table
	Statement string
	Origin
	Sequence func() uint64
}

// Encoder makes messages. It is for one goroutine.
type Encoder interface {
	// Encode emits the messages of one change, in order. A *RefusedError tells that a policy
	// refuses the row; nothing of it was emitted. emit's error is returned as it came.
	Encode(c *Change, emit func(*Message) error) error
	// DDL emits the message of a statement; formats without such a message emit none.
	DDL(d *DDL, emit func(*Message) error) error
	// Heartbeat emits a heartbeat message; formats without such a message emit none.
	Heartbeat(o *Origin, sequence func() uint64, emit func(*Message) error) error
}

// Policy is what becomes of a value that a format cannot show as it is.
type Policy string

// Policies.
const (
	PolicyNull    Policy = "null"    // zero dates
	PolicyString  Policy = "string"  // zero dates
	PolicyFail    Policy = "fail"    // zero dates, invalid text
	PolicyBase64  Policy = "base64"  // invalid text
	PolicyReplace Policy = "replace" // invalid text
)

// Options of New.
type Options struct {
	Zone            *time.Location // nil is UTC
	ZeroDate        Policy         // "" is PolicyNull
	InvalidText     Policy         // "" is PolicyFail
	TinyInt1Boolean bool
	// Version is the server's, as SELECT VERSION() prints it.
	Version string
	MariaDB bool
	// Name is the connector's topic prefix, Debezium's logical server name.
	Name string

	scratch []byte
}

// Formats of New.
const (
	DataWorks = "dataworks"
	Debezium  = "debezium"
)

// New makes an Encoder of the named format. An unknown format, or a policy that is not one
// of the value it is for, is an error.
func New(format string, o Options) (Encoder, error) {
	if o.Zone == nil {
		o.Zone = time.UTC
	}
	if o.ZeroDate == "" {
		o.ZeroDate = PolicyNull
	}
	if o.InvalidText == "" {
		o.InvalidText = PolicyFail
	}
	switch o.ZeroDate {
	case PolicyNull, PolicyString, PolicyFail:
	default:
		return nil, fmt.Errorf("%q is no policy for zero dates", o.ZeroDate)
	}
	switch o.InvalidText {
	case PolicyFail, PolicyBase64, PolicyReplace:
	default:
		return nil, fmt.Errorf("%q is no policy for invalid text", o.InvalidText)
	}
	switch format {
	case DataWorks:
		return newDataWorks(o), nil
	case Debezium:
		return newDebezium(o), nil
	}
	return nil, fmt.Errorf("%q is no message format", format)
}

// Settings that a RefusedError names.
const (
	SettingZeroDate    = "mysql.zero.date"
	SettingInvalidText = "mysql.invalid.text"
)

// RefusedError tells that a policy refuses a row.
type RefusedError struct {
	Table, Column string
	Value         string // as the server prints it; of invalid text its first bytes in hexadecimal
	setting       string
}

func (e *RefusedError) Error() string { return e.Table + ", " + e.Reason() }

// Reason is the column, its value and the setting, without the table.
func (e *RefusedError) Reason() string {
	if e.setting == SettingZeroDate {
		return fmt.Sprintf("column %s: %s is not a date, and %s is fail", e.Column, e.Value, e.setting)
	}
	return fmt.Sprintf("column %s: text that is not valid in its character set (it begins with bytes %s), and %s is fail", e.Column, e.Value, e.setting)
}

// Setting is the key of the setting that refuses.
func (e *RefusedError) Setting() string { return e.setting }

// CodedHeader names the fields of a message without a schema that mysql.invalid.text =
// base64 made: "after.note", with commas between.
const CodedHeader = "sluice.base64"

// SnapshotHeader marks the rows that a snapshot read; its value is "true".
const SnapshotHeader = "sluice.snapshot"
