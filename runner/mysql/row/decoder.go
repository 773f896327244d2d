package row

import (
	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// Decoder decodes rows. Its memory is reused from row to row: it is for one goroutine.
// The zero Decoder is ready.
type Decoder struct {
	before, after Row
	arena         []byte
	plain         []byte // a decompressed event
}

// EachRow receives one changed row: before is nil for an insert, after for a delete.
// Both are good until the function returns.
type EachRow func(before, after Row) error

// Rows decodes a rows event of the given type: WRITE, UPDATE or DELETE_ROWS v1 or v2, or
// MariaDB's compressed ones. body is what follows the event's header of 19 bytes, without
// checksum. t is the definition that its TABLE_MAP event gave; body's table id is not looked at.
//
// A row image that is not FULL is a *ImageError; every other fault a *DecodeError. An
// error of each ends the event and is returned as it came.
func (d *Decoder) Rows(t *Table, event replication.EventType, body []byte, each EachRow) error {
	return errNotYet
}

// Fields decodes a row that the SELECT of t.SelectList returned, by the text or the binary
// protocol, into dst, which is made longer when it is too short.
func (d *Decoder) Fields(t *Table, fields []mysql.FieldValue, dst Row) (Row, error) {
	return nil, errNotYet
}

// TableID is the table id that a rows event or a TABLE_MAP event begins with.
func TableID(body []byte) (uint64, error) {
	if len(body) < 6 {
		return 0, errNotYet
	}
	return mysql.FixedLengthInt(body[:6]), nil
}
