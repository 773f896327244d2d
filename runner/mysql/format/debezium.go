package format

import (
	"strconv"
	"strings"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// debezium is the envelope of Debezium's MySQL connector (debezium.io, "Debezium connector for
// MySQL", change events) as its JSON converter writes it without schemas, with that
// connector's default settings: decimals precise, times adaptive_time_microseconds, binary
// as bytes, tombstones on delete. TestRealDebezium compares with what the real one wrote, and says
// where this differs and why.
type debezium struct {
	o        Options
	wall     wallClock // DATETIME is wall time without a zone: as if in UTC
	plans    map[*row.Table]*debeziumTable
	last     *debeziumTable
	buf      []byte
	key, old []byte
	scratch  []byte
	// Parts of a message that most share with the one before, and what they were made of.
	head, thread, times []byte
	of                  sourceOf
	read                int64
	message             Message
	headers             []record.Header
	connector           string   // of the source block
	side                string   // "before." or "after." while such an image is made
	coded               []string // fields of the message at work that are base64 in place of text
}

// debeziumTable is what messages of a table have in common.
type debeziumTable struct {
	table      *row.Table
	names      [][]byte // "name": of each column
	db, schema []byte   // of the source block: around what differs from row to row
}

func newDebezium(o Options) *debezium {
	e := &debezium{o: o, wall: wallClock{zone: time.UTC}, plans: map[*row.Table]*debeziumTable{}, connector: "mysql"}
	if o.MariaDB { // for which there is a connector of its own
		e.connector = "mariadb"
	}
	return e
}

var _ Encoder = (*debezium)(nil)

// Headers of the two messages of a change of the key.
const (
	headerNewKey = "__debezium.newkey"
	headerOldKey = "__debezium.oldkey"
)

func (e *debezium) plan(t *row.Table) *debeziumTable {
	if e.last != nil && e.last.table == t {
		return e.last
	}
	p := e.plans[t]
	if p == nil {
		p = &debeziumTable{table: t}
		for i := range t.Columns {
			p.names = append(p.names, append(appendQuotedString(nil, t.Columns[i].Name), ':'))
		}
		p.db = append(appendQuotedString([]byte(`","db":`), t.Database), `,"sequence":null,"ts_us":`...)
		p.schema = append(appendQuotedString([]byte(`,"table":`), t.Name), `,"server_id":`...)
		if len(e.plans) >= maxPlans {
			clear(e.plans)
		}
		e.plans[t] = p
	}
	e.last = p
	return p
}

// Encode implements Encoder.
func (e *debezium) Encode(c *Change, emit func(*Message) error) error {
	p := e.plan(c.Table)
	e.headers = e.headers[:0]
	if c.Snapshot {
		e.headers = append(e.headers, record.Header{Key: SnapshotHeader, Value: []byte("true")})
	}
	switch {
	case c.Op == Insert:
		return e.row(p, c, nil, c.After, emit)
	case c.Op == Delete:
		return e.row(p, c, c.Before, nil, emit)
	case c.Table.SameKey(c.Before, c.After):
		return e.row(p, c, c.Before, c.After, emit)
	}
	return e.move(p, c, emit)
}

// row emits one event, and after a deletion its tombstone.
func (e *debezium) row(p *debeziumTable, c *Change, before, after row.Row, emit func(*Message) error) (err error) {
	if e.buf, err = e.value(kept(e.buf), p, c, before, after); err != nil {
		return err
	}
	e.tellCoded()
	keyRow := after
	if after == nil {
		keyRow = before
	}
	if e.key, err = e.appendKey(kept(e.key), p, keyRow); err != nil {
		return err
	}
	return e.send(c, e.key, e.buf, after == nil, emit)
}

// move emits a change of the key: the deletion of the old one with its tombstone, and the
// creation of the new one.
func (e *debezium) move(p *debeziumTable, c *Change, emit func(*Message) error) (err error) {
	if e.buf, err = e.value(kept(e.buf), p, c, c.Before, nil); err != nil {
		return err
	}
	first := len(e.buf)
	common := len(e.headers)
	e.tellCoded()
	ofFirst := len(e.headers)
	if e.buf, err = e.value(e.buf, p, c, nil, c.After); err != nil {
		return err
	}
	if e.old, err = e.appendKey(kept(e.old), p, c.Before); err != nil {
		return err
	}
	if e.key, err = e.appendKey(kept(e.key), p, c.After); err != nil {
		return err
	}
	e.headers = append(e.headers[:ofFirst], record.Header{Key: headerNewKey, Value: e.key})
	if err := e.send(c, e.old, e.buf[:first], true, emit); err != nil {
		return err
	}
	e.headers = e.headers[:common]
	e.tellCoded()
	e.headers = append(e.headers, record.Header{Key: headerOldKey, Value: e.old})
	return e.send(c, e.key, e.buf[first:], false, emit)
}

// tellCoded adds the header that names what is base64 in the value that was made last.
func (e *debezium) tellCoded() {
	if len(e.coded) > 0 {
		e.headers = append(e.headers, record.Header{Key: CodedHeader, Value: []byte(strings.Join(e.coded, ","))})
	}
}

// send emits a message, and its tombstone, which those of tables without a key have too.
func (e *debezium) send(c *Change, key, value []byte, tombstone bool, emit func(*Message) error) error {
	e.message = Message{Key: key, Value: value, Headers: e.headers, Timestamp: c.ReadTime}
	if len(key) == 0 {
		e.message.Key = nil
	}
	if err := emit(&e.message); err != nil || !tombstone {
		return err
	}
	e.message.Value = nil
	return emit(&e.message)
}

func (e *debezium) appendKey(b []byte, p *debeziumTable, r row.Row) (_ []byte, err error) {
	if len(p.table.Key) == 0 {
		return b, nil
	}
	at := len(b)
	b = append(b, '{')
	for n, k := range p.table.Key {
		if n > 0 {
			b = append(b, ',')
		}
		b = append(b, p.names[k]...)
		var ok bool
		if b, ok = e.o.keyText(b, &p.table.Columns[k], &r[k]); ok {
			continue
		}
		if b, err = e.column(b, p, k, &r[k]); err != nil {
			return b, err
		}
	}
	return asJackson(append(b, '}'), at), nil
}

// value appends the envelope. Its op follows from which images there are.
func (e *debezium) value(b []byte, p *debeziumTable, c *Change, before, after row.Row) (_ []byte, err error) {
	op := byte('u')
	switch {
	case after == nil:
		op = 'd'
	case before == nil && c.Snapshot:
		op = 'r'
	case before == nil:
		op = 'c'
	}
	e.coded, e.side = e.coded[:0], "before."
	b = append(b, `{"before":`...)
	if b, err = e.image(b, p, before); err != nil {
		return b, err
	}
	e.side = "after."
	b = append(b, `,"after":`...)
	if b, err = e.image(b, p, after); err != nil {
		return b, err
	}
	e.side = ""
	b = e.source(b, p, c)
	b = append(append(b, `,"transaction":null,"op":"`...), op)
	if len(e.times) == 0 || e.read != c.ReadTime {
		e.read = c.ReadTime
		e.times = strconv.AppendInt(append(e.times[:0], `","ts_ms":`...), c.ReadTime, 10)
		e.times = strconv.AppendInt(append(e.times, `,"ts_us":`...), c.ReadTime*1000, 10)
		e.times = strconv.AppendInt(append(e.times, `,"ts_ns":`...), c.ReadTime*1_000_000, 10)
		e.times = append(e.times, '}')
	}
	return append(b, e.times...), nil
}

func (e *debezium) image(b []byte, p *debeziumTable, r row.Row) (_ []byte, err error) {
	if r == nil {
		return append(b, "null"...), nil
	}
	b = append(b, '{')
	for i := range r {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, p.names[i]...)
		if b, err = e.column(b, p, i, &r[i]); err != nil {
			return b, err
		}
	}
	return append(b, '}'), nil
}

// sourceOf is what a source block was made of.
type sourceOf struct {
	plan           *debeziumTable
	snapshot, last bool
	origin         Origin // but RowIndex and ReadTime
}

// source appends where the change comes from. All but the row's number is the same for
// the rows of an event.
func (e *debezium) source(b []byte, p *debeziumTable, c *Change) []byte {
	of := sourceOf{plan: p, snapshot: c.Snapshot, last: c.LastOfSnapshot, origin: c.Origin}
	of.origin.RowIndex, of.origin.ReadTime = 0, 0
	if of != e.of || len(e.head) == 0 {
		e.of = of
		e.keepSource(p, c)
	}
	b = strconv.AppendInt(append(b, e.head...), int64(c.RowIndex), 10)
	return append(b, e.thread...)
}

// keepSource builds the source block around the row's number.
func (e *debezium) keepSource(p *debeziumTable, c *Change) {
	b := append(e.head[:0], `,"source":{"version":"sluice","connector":"`...)
	b = append(append(b, e.connector...), `","name":`...)
	b = appendQuotedString(b, e.o.Name)
	b = strconv.AppendInt(append(b, `,"ts_ms":`...), c.EventTime, 10)
	b = append(b, `,"snapshot":"`...)
	switch {
	case c.LastOfSnapshot:
		b = append(b, "last_in_data_collection"...)
	case c.Snapshot:
		b = append(b, "true"...)
	default:
		b = append(b, "false"...)
	}
	micros, server := c.EventTime*1000+int64(c.EventMicros), uint64(c.ServerID)
	if c.Snapshot {
		server = 0
	}
	b = strconv.AppendInt(append(b, p.db...), micros, 10)
	b = strconv.AppendInt(append(b, `,"ts_ns":`...), micros*1000, 10)
	b = strconv.AppendUint(append(b, p.schema...), server, 10)
	b = append(b, `,"gtid":`...)
	if c.GTID == "" {
		b = append(b, "null"...)
	} else {
		b = appendQuotedString(b, c.GTID)
	}
	b = appendQuotedString(append(b, `,"file":`...), c.File)
	b = strconv.AppendUint(append(b, `,"pos":`...), c.Pos, 10)
	e.head = append(b, `,"row":`...)
	b = append(e.thread[:0], `,"thread":`...)
	if c.Thread == 0 {
		b = append(b, "null"...)
	} else {
		b = strconv.AppendUint(b, uint64(c.Thread), 10)
	}
	e.thread = append(b, `,"query":null}`...)
}

// DDL implements Encoder: schema changes have no message in the topics of tables.
func (e *debezium) DDL(*DDL, func(*Message) error) error { return nil }

// Heartbeat implements Encoder: there is none in the topics of tables.
func (e *debezium) Heartbeat(*Origin, func() uint64, func(*Message) error) error { return nil }
