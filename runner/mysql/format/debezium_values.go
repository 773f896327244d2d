package format

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"strconv"
	"time"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

// column appends one value as Debezium's converters do, by its "Data type mappings".
func (e *debezium) column(b []byte, p *debeziumTable, i int, v *row.Value) ([]byte, error) {
	if v.State == row.Null {
		return append(b, "null"...), nil
	}
	c := &p.table.Columns[i]
	ok := true
	switch c.Kind {
	case row.Int:
		if c.TinyInt1 && e.o.TinyInt1Boolean {
			return appendBool(b, v), nil
		}
		return appendInt(b, c, v), nil
	case row.Bit:
		return e.bits(b, c, v), nil
	case row.Year:
		return strconv.AppendUint(b, v.N, 10), nil
	case row.Decimal:
		return e.decimal(b, v), nil
	case row.Float, row.Double:
		return withPoint(appendFloat(b, c, v), len(b)), nil
	case row.Time:
		return strconv.AppendInt(b, int64(v.N), 10), nil
	case row.Date, row.DateTime, row.Timestamp:
		b, ok = e.moment(b, c, v)
	case row.Bytes:
		return appendBase64(b, v.B), nil
	case row.Geometry:
		return appendGeometry(b, c, v.B), nil
	case row.Vector:
		return appendVector(b, v.B), nil
	default:
		if b, ok = e.o.text(b, c, v); e.side != "" && e.o.coded(c, v) {
			e.coded = append(e.coded, e.side+c.Name)
		}
	}
	if !ok {
		return b, refuse(p.table, c, v)
	}
	return b, nil
}

// bits appends BIT(1) as a boolean, others as io.debezium.data.Bits: as many bytes as it
// takes, the lowest first.
func (e *debezium) bits(b []byte, c *row.Column, v *row.Value) []byte {
	if c.Length == 1 {
		return appendBool(b, v)
	}
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], v.N)
	return appendBase64(b, raw[:(c.Length+7)/8])
}

// decimal appends org.apache.kafka.connect.data.Decimal: the digits as one integer, in two's
// complement, the highest byte first, in as few bytes as it takes. The scale is the column's.
func (e *debezium) decimal(b []byte, v *row.Value) []byte {
	e.scratch = e.scratch[:0]
	for _, c := range v.B {
		if c != '.' {
			e.scratch = append(e.scratch, c)
		}
	}
	if n, err := strconv.ParseInt(string(e.scratch), 10, 64); err == nil {
		var raw [8]byte
		binary.BigEndian.PutUint64(raw[:], uint64(n))
		return appendBase64(b, shortest(raw[:]))
	}
	n, ok := new(big.Int).SetString(string(e.scratch), 10)
	if !ok {
		return append(b, "null"...) // a Value that no Decoder made
	}
	negative := n.Sign() < 0
	if negative { // -n-1 has the inverted bytes
		n.Not(n)
	}
	raw := append([]byte{0}, n.Bytes()...)
	if negative {
		for i := range raw {
			raw[i] = ^raw[i]
		}
	}
	return appendBase64(b, shortest(raw))
}

// shortest takes away leading bytes that only repeat the sign.
func shortest(raw []byte) []byte {
	for len(raw) > 1 && (raw[0] == 0 && raw[1] < 0x80 || raw[0] == 0xFF && raw[1] >= 0x80) {
		raw = raw[1:]
	}
	return raw
}

// withPoint makes a number that is written from at a floating-point one: Java has 1.0.
func withPoint(b []byte, at int) []byte {
	if bytes.ContainsAny(b[at:], ".e") {
		return b
	}
	return append(b, ".0"...)
}

// moment appends io.debezium.time's Date (days), Timestamp (ms) and MicroTimestamp (µs) of
// wall time as if in UTC, and ZonedTimestamp (ISO 8601 in UTC).
func (e *debezium) moment(b []byte, c *row.Column, v *row.Value) ([]byte, bool) {
	if !isDate(c, v) {
		return e.o.zeroDate(b, c, v)
	}
	switch c.Kind {
	case row.Date:
		year, month, day := row.UnpackDate(v.N)
		return strconv.AppendInt(b, daysOf(year, month, day), 10), true
	case row.Timestamp:
		at := len(b) + 1
		b = row.AppendTimestamp(append(b, '"'), v.N, c.FSP, time.UTC)
		b[at+len("2006-01-02")] = 'T'
		return append(b, `Z"`...), true
	}
	ms, _ := e.wall.millis(v.N)
	if c.FSP <= 3 {
		return strconv.AppendInt(b, ms, 10), true
	}
	_, _, _, _, micro := row.UnpackDateTime(v.N)
	return strconv.AppendInt(b, ms*1000+int64(micro%1000), 10), true
}

// appendGeometry appends io.debezium.data.geometry's Point and Geometry. The server stores
// the SRID before the WKB; 0 is none.
func appendGeometry(b []byte, c *row.Column, raw []byte) []byte {
	if len(raw) < 4 {
		return append(b, "null"...)
	}
	srid, wkb := binary.LittleEndian.Uint32(raw), raw[4:]
	b = append(b, '{')
	if c.Type == "POINT" && len(wkb) == 21 {
		var order binary.ByteOrder = binary.BigEndian
		if wkb[0] == 1 {
			order = binary.LittleEndian
		}
		for i, name := range [...]string{`"x":`, `"y":`} {
			b = append(b, name...)
			b = append(appendDouble(b, math.Float64frombits(order.Uint64(wkb[5+8*i:]))), ',')
		}
	}
	b = appendBase64(append(b, `"wkb":`...), wkb)
	b = append(b, `,"srid":`...)
	if srid == 0 {
		return append(b, "null}"...)
	}
	return append(strconv.AppendUint(b, uint64(srid), 10), '}')
}

// appendVector appends io.debezium.data.FloatVector.
func appendVector(b, raw []byte) []byte {
	b = append(b, '[')
	for i := 0; i+4 <= len(raw); i += 4 {
		if i > 0 {
			b = append(b, ',')
		}
		at := len(b)
		b = withPoint(appendShortest(b, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))), 32), at)
	}
	return append(b, ']')
}

func appendDouble(b []byte, f float64) []byte { return withPoint(appendShortest(b, f, 64), len(b)) }
