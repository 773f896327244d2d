package format

import (
	"slices"
	"strconv"

	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// dataWorks is the message format of DataWorks' synchronisation of whole databases to
// Kafka (help.aliyun.com, DataWorks, "Appendix: Message format"): one JSON object a
// message, with the table's columns in each.
type dataWorks struct {
	o           Options
	clock       wallClock
	plans       map[*row.Table]*dataWorksTable
	last        *dataWorksTable
	times       []byte // the part of a message with the times
	event, read int64  // that it was made of
	buf         []byte
	ends        [2]int // where the two messages of a change end in buf
	key         []byte
	message     Message
	snapshot    []record.Header
	other       []otherType // values of the message at work that are of another type than their column
}

// otherType tells that a policy made another type of a value than its column has.
type otherType struct {
	column int
	typ    dataWorksType
}

// dataWorksTable is what messages of a table have in common.
type dataWorksTable struct {
	table *row.Table
	head  []byte   // up to and including "before":
	names [][]byte // "name": of each column
	types []dataWorksType
}

type dataWorksType uint8

const (
	dwLong dataWorksType = iota + 1
	dwBoolean
	dwDouble
	dwDate
	dwString
	dwBytes
)

var dataWorksNames = [...]string{dwLong: "LONG", dwBoolean: "BOOLEAN", dwDouble: "DOUBLE", dwDate: "DATE", dwString: "STRING", dwBytes: "BYTES"}

// maxPlans bounds how many definitions are remembered; each change of a definition makes one more.
const maxPlans = 4096

func newDataWorks(o Options) *dataWorks {
	return &dataWorks{
		o: o, clock: wallClock{zone: o.Zone}, plans: map[*row.Table]*dataWorksTable{},
		snapshot: []record.Header{{Key: SnapshotHeader, Value: []byte("true")}},
	}
}

var _ Encoder = (*dataWorks)(nil)

func (e *dataWorks) typeOf(c *row.Column) dataWorksType {
	switch c.Kind {
	case row.Int:
		if c.TinyInt1 && e.o.TinyInt1Boolean {
			return dwBoolean
		}
		return dwLong
	case row.Bit:
		if c.Length == 1 {
			return dwBoolean
		}
		return dwLong
	case row.Year:
		return dwLong
	case row.Decimal, row.Float, row.Double:
		return dwDouble
	case row.Date:
		return dwDate
	case row.DateTime, row.Timestamp:
		if c.FSP <= 3 {
			return dwDate
		}
		return dwString
	case row.Bytes, row.Geometry, row.Vector:
		return dwBytes
	}
	return dwString
}

// plan gives what messages of a table have in common; the schema part is built once.
func (e *dataWorks) plan(t *row.Table) *dataWorksTable {
	if e.last != nil && e.last.table == t {
		return e.last
	}
	p := e.plans[t]
	if p == nil {
		p = e.newPlan(t)
		if len(e.plans) >= maxPlans {
			clear(e.plans)
		}
		e.plans[t] = p
	}
	e.last = p
	return p
}

func (e *dataWorks) newPlan(t *row.Table) *dataWorksTable {
	p := &dataWorksTable{table: t}
	for i := range t.Columns {
		c := &t.Columns[i]
		p.types, p.names = append(p.types, e.typeOf(c)), append(p.names, append(appendQuotedString(nil, c.Name), ':'))
	}
	p.head = e.appendHead(nil, p, p.types)
	return p
}

// appendHead appends a message up to and including "before":, with columns of these types.
func (e *dataWorks) appendHead(b []byte, p *dataWorksTable, types []dataWorksType) []byte {
	t := p.table
	b = append(b, `{"schema":{"dataColumn":[`...)
	for i, name := range p.names {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(b, `{"name":`...), name[:len(name)-1]...)
		b = append(append(b, `,"type":"`...), dataWorksNames[types[i]]...)
		b = append(b, `"}`...)
	}
	b = append(b, `],"primaryKey":[`...)
	for i, k := range t.Key {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendQuotedString(b, t.Columns[k].Name)
	}
	return append(e.appendSource(append(b, ']'), t.Database, t.Name), `},"payload":{"before":`...)
}

// retype puts the types that the values of a message have into its schema: a reader could
// not tell base64 from text otherwise. The message begins at start of b.
func (e *dataWorks) retype(b []byte, start int, p *dataWorksTable) []byte {
	types := slices.Clone(p.types)
	for _, o := range e.other {
		types[o.column] = o.typ
	}
	rest := slices.Clone(b[start+len(p.head):])
	return append(e.appendHead(b[:start], p, types), rest...)
}

func (e *dataWorks) appendSource(b []byte, database, table string) []byte {
	b = append(b, `,"source":{"dbType":"mysql","dbVersion":`...)
	b = appendQuotedString(b, e.o.Version)
	b = append(b, `,"dbName":`...)
	b = appendQuotedString(b, database)
	b = append(b, `,"tableName":`...)
	b = appendQuotedString(b, table)
	return append(b, '}')
}

// Encode implements Encoder. An update is two messages, an update that changes the key a
// DELETE and an INSERT.
func (e *dataWorks) Encode(c *Change, emit func(*Message) error) error {
	p := e.plan(c.Table)
	first, second := "INSERT", ""
	before, after := row.Row(nil), c.After
	switch c.Op {
	case Update:
		before, first, second = c.Before, "UPDATE_BEFOR", "UPDATE_AFTER"
		if !c.Table.SameKey(c.Before, c.After) {
			first, second = "DELETE", "INSERT"
		}
		after = nil
	case Delete:
		before, after, first = c.Before, nil, "DELETE"
	}
	e.buf = kept(e.buf)
	if err := e.value(p, c, before, after, first, 0); err != nil {
		return err
	}
	if second != "" {
		if err := e.value(p, c, nil, c.After, second, 1); err != nil {
			return err
		}
	}
	keyRow := after
	if before != nil {
		keyRow = before
	}
	if err := e.send(p, c, keyRow, e.buf[:e.ends[0]], emit); err != nil || second == "" {
		return err
	}
	return e.send(p, c, c.After, e.buf[e.ends[0]:e.ends[1]], emit)
}

// value appends a message's value to buf.
func (e *dataWorks) value(p *dataWorksTable, c *Change, before, after row.Row, op string, n int) (err error) {
	start := len(e.buf)
	b := append(e.buf, p.head...)
	e.other = e.other[:0]
	if b, err = e.image(b, p, before); err != nil {
		return err
	}
	b = append(b, `,"after":`...)
	if b, err = e.image(b, p, after); err != nil {
		return err
	}
	if len(e.other) > 0 {
		b = e.retype(b, start, p)
	}
	e.buf = e.tail(b, c.Sequence, &c.Origin, op, "")
	e.ends[n] = len(e.buf)
	return nil
}

// tail appends what follows the images; a statement of "" is none.
func (e *dataWorks) tail(b []byte, sequence func() uint64, o *Origin, op, statement string) []byte {
	b = append(b, `,"sequenceId":"`...)
	b = strconv.AppendUint(b, sequence(), 10)
	if len(e.times) == 0 || e.event != o.EventTime || e.read != o.ReadTime {
		e.keepTimes(o)
	}
	b = append(b, e.times...)
	b = append(b, op...)
	b = append(b, `","ddl":`...)
	if statement == "" {
		b = append(b, "null"...)
	} else {
		b = appendQuotedString(b, statement)
	}
	return append(b, `},"version":"0.0.1"}`...)
}

// keepTimes builds the part with the times: most rows share it with the row before.
func (e *dataWorks) keepTimes(o *Origin) {
	e.event, e.read = o.EventTime, o.ReadTime
	b := append(e.times[:0], `","timestamp":{"eventTime":`...)
	b = strconv.AppendInt(b, o.EventTime, 10)
	b = append(b, `,"systemTime":`...)
	b = strconv.AppendInt(b, o.ReadTime, 10)
	b = append(b, `,"checkpointTime":`...)
	b = strconv.AppendInt(b, o.EventTime, 10)
	e.times = append(b, `},"op":"`...)
}

// image appends a row, or null.
func (e *dataWorks) image(b []byte, p *dataWorksTable, r row.Row) ([]byte, error) {
	if r == nil {
		return append(b, "null"...), nil
	}
	b = append(b, `{"dataColumn":{`...)
	for i := range r {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(b, p.names[i]...)
		var err error
		if b, err = e.column(b, p, i, &r[i]); err != nil {
			return nil, err
		}
	}
	return append(b, "}}"...), nil
}

// column appends one value.
func (e *dataWorks) column(b []byte, p *dataWorksTable, i int, v *row.Value) ([]byte, error) {
	if v.State == row.Null {
		return append(b, "null"...), nil
	}
	c := &p.table.Columns[i]
	ok := true
	switch p.types[i] {
	case dwLong:
		if c.Kind == row.Int {
			return appendInt(b, c, v), nil
		}
		return strconv.AppendUint(b, v.N, 10), nil
	case dwBoolean:
		return appendBool(b, v), nil
	case dwDouble:
		if c.Kind == row.Decimal {
			return append(b, v.B...), nil
		}
		return appendFloat(b, c, v), nil
	case dwBytes:
		return appendBase64(b, v.B), nil
	case dwDate:
		var ms int64
		if ms, ok = e.millis(c, v); ok {
			return strconv.AppendInt(b, ms, 10), nil
		}
		if b, ok = e.o.zeroDate(b, c, v); e.o.ZeroDate == PolicyString {
			e.other = append(e.other, otherType{i, dwString})
		}
	default:
		if b, ok = e.text(b, c, v); e.o.coded(c, v) {
			e.other = append(e.other, otherType{i, dwBytes})
		}
	}
	if !ok {
		return nil, refuse(p.table, c, v)
	}
	return b, nil
}

func (e *dataWorks) millis(c *row.Column, v *row.Value) (int64, bool) {
	switch c.Kind {
	case row.Timestamp:
		return int64(v.N / 1000), v.N != 0
	case row.Date:
		return e.clock.millis(row.PackDateTime(v.N, 0, 0, 0, 0))
	}
	return e.clock.millis(v.N)
}

func (e *dataWorks) text(b []byte, c *row.Column, v *row.Value) ([]byte, bool) {
	switch c.Kind {
	case row.Time:
		return append(row.AppendTime(append(b, '"'), v.N, c.FSP), '"'), true
	case row.DateTime, row.Timestamp:
		if !isDate(c, v) {
			return e.o.zeroDate(b, c, v)
		}
		b = append(b, '"')
		if c.Kind == row.DateTime {
			b = row.AppendDateTime(b, v.N, c.FSP)
		} else {
			b = row.AppendTimestamp(b, v.N, c.FSP, e.o.Zone)
		}
		return append(b, '"'), true
	}
	return e.o.text(b, c, v)
}

// send emits one message with the key of a row.
func (e *dataWorks) send(p *dataWorksTable, c *Change, keyRow row.Row, value []byte, emit func(*Message) error) error {
	e.message = Message{Value: value, Timestamp: c.ReadTime}
	if c.Snapshot {
		e.message.Headers = e.snapshot
	}
	if len(p.table.Key) > 0 {
		b := append(kept(e.key), '{')
		for n, k := range p.table.Key {
			if n > 0 {
				b = append(b, ',')
			}
			b = append(b, p.names[k]...)
			var (
				err error
				ok  bool
			)
			if b, ok = e.o.keyText(b, &p.table.Columns[k], &keyRow[k]); ok {
				continue
			}
			if b, err = e.column(b, p, k, &keyRow[k]); err != nil {
				return err
			}
		}
		e.key = append(b, '}')
		e.message.Key = e.key
	}
	return emit(&e.message)
}

// DDL implements Encoder.
func (e *dataWorks) DDL(d *DDL, emit func(*Message) error) error {
	if d.After != nil {
		e.buf = append(e.buf[:0], e.plan(d.After).head...)
	} else {
		b := append(e.buf[:0], `{"schema":{"dataColumn":[],"primaryKey":[]`...)
		e.buf = append(e.appendSource(b, d.Database, d.Table), `},"payload":{"before":`...)
	}
	e.buf = append(e.buf, `null,"after":null`...)
	e.buf = e.tail(e.buf, d.Sequence, &d.Origin, string(d.Kind), d.Statement)
	e.message = Message{Value: e.buf, Timestamp: d.ReadTime}
	return emit(&e.message)
}

// Heartbeat implements Encoder.
func (e *dataWorks) Heartbeat(o *Origin, sequence func() uint64, emit func(*Message) error) error {
	e.buf = append(e.buf[:0], `{"schema":{"dataColumn":null,"primaryKey":null,"source":null},"payload":{"before":null,"after":null`...)
	e.buf = e.tail(e.buf, sequence, o, "MHEARTBEAT", "")
	e.message = Message{Value: e.buf, Timestamp: o.ReadTime}
	return emit(&e.message)
}
