package row

import (
	"errors"
	"fmt"
)

// ErrNoTable is Describe's error for a table that does not exist or is not shown to the account.
var ErrNoTable = errors.New("no such table")

// ErrNotTable is in Describe's error for what has the name and is no table: a view, a sequence.
var ErrNotTable = errors.New("not a table")

// MetadataError tells that the binary log does not say enough of a table to read its rows.
type MetadataError struct {
	Table   string // database and name
	Missing string // what is missing: "column names"
}

func (e *MetadataError) Error() string {
	return fmt.Sprintf("the binary log has no %s of table %s: set binlog_row_metadata = FULL on the server (SET GLOBAL, and in its configuration), and reconnect its sessions",
		e.Missing, e.Table)
}

// DefinitionError tells that a table has a definition that cannot be read, or that a
// TABLE_MAP event contradicts itself.
type DefinitionError struct {
	Table  string // database and name; "" when the event does not even tell that
	Column string // "" when it is no column's
	Err    error
}

func (e *DefinitionError) Error() string {
	switch {
	case e.Table == "":
		return fmt.Sprintf("a TABLE_MAP event: %v", e.Err)
	case e.Column == "":
		return fmt.Sprintf("definition of table %s: %v", e.Table, e.Err)
	}
	return fmt.Sprintf("definition of table %s, column %s: %v", e.Table, e.Column, e.Err)
}

func (e *DefinitionError) Unwrap() error { return e.Err }

// ImageError tells that a rows event does not have whole rows.
type ImageError struct {
	Table  string
	Column string // one that is missing; "" when JSON is written in part
}

func (e *ImageError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("the binary log has only parts of JSON values of table %s: set binlog_row_value_options = '' on the server, and reconnect its sessions", e.Table)
	}
	return fmt.Sprintf("the binary log has no value of column %s in a row of table %s: set binlog_row_image = FULL on the server, and reconnect its sessions", e.Column, e.Table)
}

// DecodeError tells that a row's bytes do not add up.
type DecodeError struct {
	Table  string
	Column string // "" when it is no column's
	Err    error
}

func (e *DecodeError) Error() string {
	if e.Column == "" {
		return fmt.Sprintf("reading a row of table %s: %v", e.Table, e.Err)
	}
	return fmt.Sprintf("reading a row of table %s, column %s: %v", e.Table, e.Column, e.Err)
}

func (e *DecodeError) Unwrap() error { return e.Err }

// errShort is of bytes that end too early.
var errShort = errors.New("the bytes end too early")
