package row

import (
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/replication"
)

// Decoder decodes rows. Its memory is reused from row to row: it is for one goroutine.
// The zero Decoder is ready.
type Decoder struct {
	before, after Row
	arena         []byte // what values refer to that the event does not have as they are
	plain         []byte // a decompressed event
	inflate       inflater
}

// EachRow receives one changed row: before is nil for an insert, after for a delete.
// Both are good until the function returns.
type EachRow func(before, after Row) error

// MariaDB's events of compressed rows (sql/log_event.h): for each of the two versions
// three types, for inserts, updates and deletes.
const (
	mariaCompressedFirst = replication.MARIADB_WRITE_ROWS_COMPRESSED_EVENT_V1
	mariaCompressedLast  = mariaCompressedFirst + 5
)

// rowsForm is how an event of rows is built.
type rowsForm struct {
	before, after, extra, compressed bool
}

func formOf(event replication.EventType) (rowsForm, bool) {
	switch event {
	case replication.WRITE_ROWS_EVENTv1:
		return rowsForm{after: true}, true
	case replication.UPDATE_ROWS_EVENTv1:
		return rowsForm{before: true, after: true}, true
	case replication.DELETE_ROWS_EVENTv1:
		return rowsForm{before: true}, true
	case replication.WRITE_ROWS_EVENTv2:
		return rowsForm{after: true, extra: true}, true
	case replication.UPDATE_ROWS_EVENTv2:
		return rowsForm{before: true, after: true, extra: true}, true
	case replication.DELETE_ROWS_EVENTv2:
		return rowsForm{before: true, extra: true}, true
	}
	if event < mariaCompressedFirst || event > mariaCompressedLast {
		return rowsForm{}, false
	}
	n := event - mariaCompressedFirst
	return rowsForm{before: n%3 != 0, after: n%3 != 2, extra: n >= 3, compressed: true}, true
}

// IsRows tells whether events of this type are rows, which Decoder.Rows reads or refuses.
func IsRows(event replication.EventType) bool {
	_, ok := formOf(event)
	return ok || event == replication.PARTIAL_UPDATE_ROWS_EVENT ||
		event >= replication.WRITE_ROWS_EVENTv0 && event <= replication.DELETE_ROWS_EVENTv0
}

// TableID is the table id that a rows event or a TABLE_MAP event begins with; body is what
// follows the event's header.
func TableID(body []byte) (uint64, error) {
	c := cursor{b: body}
	id := c.little(6)
	if c.short {
		return 0, fmt.Errorf("table id: %w", errShort)
	}
	return id, nil
}

// Rows decodes a rows event of the given type: WRITE, UPDATE or DELETE_ROWS v1 or v2, or
// MariaDB's compressed ones. body is what follows the event's header of 19 bytes, without
// checksum (see Body). t is the definition that its TABLE_MAP event gave; body's table id is not looked at.
//
// A row image that is not FULL is a *ImageError; every other fault a *DecodeError. An
// error of each ends the event and is returned as it came.
func (d *Decoder) Rows(t *Table, event replication.EventType, body []byte, each EachRow) error {
	if event == replication.PARTIAL_UPDATE_ROWS_EVENT {
		return &ImageError{Table: t.String()}
	}
	form, ok := formOf(event)
	if !ok {
		return t.fault("", fmt.Errorf("events of type %d (%v) are not read", byte(event), event))
	}
	rows, err := d.header(t, form, body)
	if err != nil {
		return err
	}
	if form.compressed {
		if rows, err = d.inflate.event(d.plain[:0], rows); err != nil {
			return t.fault("", fmt.Errorf("decompressing the event: %w", err))
		}
		d.plain = kept(rows)
	}
	for len(rows) > 0 {
		d.arena = kept(d.arena)
		var before, after Row
		if form.before {
			d.before = resize(d.before, len(t.Columns))
			if rows, err = d.image(t, rows, d.before); err != nil {
				return err
			}
			before = d.before
		}
		if form.after {
			d.after = resize(d.after, len(t.Columns))
			if rows, err = d.image(t, rows, d.after); err != nil {
				return err
			}
			after = d.after
		}
		if err := each(before, after); err != nil {
			return err
		}
	}
	return nil
}

// header reads what precedes the rows and gives what follows.
func (d *Decoder) header(t *Table, form rowsForm, body []byte) ([]byte, error) {
	in := cursor{b: body}
	in.take(8) // table id, flags
	if form.extra {
		n := in.little(2) // counts itself
		if n < 2 {
			return nil, t.fault("", errors.New("extra row information of a negative length"))
		}
		in.take(n - 2)
	}
	columns := in.packed()
	if in.short {
		return nil, t.fault("", errShort)
	}
	if columns != uint64(len(t.Columns)) {
		return nil, t.fault("", fmt.Errorf("a row of %d columns, the table has %d", columns, len(t.Columns)))
	}
	bitmaps := 1
	if form.before && form.after {
		bitmaps = 2
	}
	for range bitmaps {
		bitmap := in.take((columns + 7) / 8)
		if in.short {
			return nil, t.fault("", errShort)
		}
		for i := range t.Columns {
			if !bitAt(bitmap, i) {
				return nil, &ImageError{Table: t.String(), Column: t.Columns[i].Name}
			}
		}
	}
	return in.b, nil
}

// image decodes one row and gives what follows it.
func (d *Decoder) image(t *Table, b []byte, row Row) ([]byte, error) {
	nulls := (len(t.Columns) + 7) / 8
	if len(b) < nulls {
		return nil, t.fault("", errShort)
	}
	bitmap := b[:nulls]
	b = b[nulls:]
	for i := range t.Columns {
		if bitmap[i>>3]&(1<<(i&7)) != 0 {
			row[i] = Value{}
			continue
		}
		c := &t.Columns[i]
		n, err := d.value(c, b, &row[i])
		if err != nil {
			return nil, t.fault(c.Name, err)
		}
		b = b[n:]
	}
	return b, nil
}

func (t *Table) fault(column string, err error) error {
	return &DecodeError{Table: t.String(), Column: column, Err: err}
}

// maxKept is the largest memory that is kept for the next row, in bytes: one very large row
// shall not stay with the connector.
const maxKept = 4 << 20

func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

func resize(r Row, n int) Row {
	if cap(r) < n {
		return make(Row, n)
	}
	return r[:n]
}
