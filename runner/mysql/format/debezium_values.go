package format

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/big"
	"slices"
	"strconv"
	"time"
	"unicode/utf16"
	"unicode/utf8"

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
		if c.Kind == row.Float {
			return appendJava(b, float64(math.Float32frombits(uint32(v.N))), 32), nil
		}
		return appendJava(b, math.Float64frombits(v.N), 64), nil
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

// appendJava appends a number as Java prints it (Double.toString): 1.0, and 1.0E7 for what is
// below 0.001 or from ten millions on. Of a key the text matters: readers compare its bytes.
func appendJava(b []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) { // which no server stores
		return append(b, "null"...)
	}
	at := len(b)
	if a := math.Abs(f); a == 0 || a >= 1e-3 && a < 1e7 {
		b = strconv.AppendFloat(b, f, 'f', -1, bits)
		if bytes.IndexByte(b[at:], '.') < 0 {
			b = append(b, ".0"...)
		}
		return b
	}
	b = strconv.AppendFloat(b, f, 'e', -1, bits)
	e := at + bytes.IndexByte(b[at:], 'e')
	exponent, _ := strconv.Atoi(string(b[e+1:])) // as strconv wrote it
	b = b[:e]
	if bytes.IndexByte(b[at:], '.') < 0 {
		b = append(b, ".0"...)
	}
	return strconv.AppendInt(append(b, 'E'), int64(exponent), 10)
}

// asJackson makes of the JSON from at on what Java's JSON library writes: the same text, but bytes of a
// key decide where it goes and which record of a compacted topic it replaces. That library escapes
// characters beyond U+FFFF as surrogates, and has capital letters in escapes.
func asJackson(b []byte, at int) []byte {
	if !slices.ContainsFunc(b[at:], func(c byte) bool { return c == '\\' || c >= 0xF0 }) {
		return b
	}
	const hexDigits = "0123456789ABCDEF"
	text := string(b[at:])
	b = b[:at]
	for i, r := range text {
		switch {
		case r > 0xFFFF:
			for _, half := range utf16.AppendRune(nil, r) {
				b = append(b, '\\', 'u', hexDigits[half>>12], hexDigits[half>>8&15], hexDigits[half>>4&15], hexDigits[half&15])
			}
		case r >= 'a' && r <= 'f' && i >= 5 && isControlEscape(text[:i+1]):
			b = append(b, byte(r)-'a'+'A')
		default:
			b = utf8.AppendRune(b, r)
		}
	}
	return b
}

// isControlEscape tells whether a text ends with \u001f, in any of its 32 forms: the escape's last digit is the only
// one that may be a letter.
func isControlEscape(s string) bool {
	n := len(s) - len(`\u001f`)
	if s[n:n+4] != `\u00` {
		return false
	}
	slashes := 0 // an even number before means that the u follows an escaped backslash
	for n--; n >= 0 && s[n] == '\\'; n-- {
		slashes++
	}
	return slashes%2 == 0
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
			b = append(appendJava(b, math.Float64frombits(order.Uint64(wkb[5+8*i:])), 64), ',')
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
		b = appendJava(b, float64(math.Float32frombits(binary.LittleEndian.Uint32(raw[i:]))), 32)
	}
	return append(b, ']')
}
