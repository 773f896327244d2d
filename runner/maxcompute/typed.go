package maxcompute

import (
	"encoding/base64"
	"fmt"
	"math"
	"strconv"
	"time"
	"unicode/utf8"
	"unsafe"
)

// typed turns texts and numbers into values of the columns' types: exactly, or not at
// all.
type typed struct {
	zone    *time.Location
	scratch []byte
}

// mapError says why a value does not go into a column.
type mapError struct{ code, text string }

func (e *mapError) Error() string { return e.text }

func wrongType(format string, args ...any) error {
	return &mapError{"type", fmt.Sprintf(format, args...)}
}

func outOfRange(format string, args ...any) error {
	return &mapError{"range", fmt.Sprintf(format, args...)}
}

// shown is a value as messages show it.
func shown(b []byte) string { return strconv.Quote(clip(string(b), 60)) }

// text is b as a string that lives as long as b stays as it is.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

// number writes a number, given as its decimal text, into a column.
func (t *typed) number(e *encoder, n int, c *column, b []byte) error {
	switch c.kind {
	case kindBigint:
		return t.whole(e, n, b, -math.MaxInt64, math.MaxInt64)
	case kindInt:
		return t.whole(e, n, b, math.MinInt32, math.MaxInt32)
	case kindSmallint:
		return t.whole(e, n, b, math.MinInt16, math.MaxInt16)
	case kindTinyint:
		return t.whole(e, n, b, math.MinInt8, math.MaxInt8)
	case kindDouble, kindFloat:
		return t.float(e, n, c, b)
	case kindDecimal:
		return t.decimal(e, n, c, b)
	case kindDatetime:
		v, err := integer(b)
		if err != nil {
			return err
		}
		return writeDatetime(e, n, v, b)
	case kindTimestamp:
		v, err := integer(b)
		if err != nil {
			return err
		}
		return writeTimestamp(e, n, floorDiv(v, 1000), int32(floorMod(v, 1000)*1e6), b)
	}
	return wrongType("the number %s is no %s", clip(string(b), 60), c.text)
}

// text writes a text into a column.
func (t *typed) text(e *encoder, n int, c *column, b []byte) error {
	switch c.kind {
	case kindString:
		return writeBytes(e, n, b)
	case kindVarchar, kindChar:
		if len(b) > c.a && utf8.RuneCount(b) > c.a {
			return outOfRange("%s has %d characters, more than %s takes", shown(b), utf8.RuneCount(b), c.text)
		}
		return writeBytes(e, n, b)
	case kindDecimal:
		return t.decimal(e, n, c, b)
	case kindBinary:
		var err error
		if t.scratch, err = base64.StdEncoding.AppendDecode(t.scratch[:0], b); err != nil {
			return wrongType("%s is not base64, as BINARY is written in JSON", shown(b))
		}
		return writeBytes(e, n, t.scratch)
	case kindDate, kindDatetime, kindTimestamp, kindTimestampNTZ:
		return t.moment(e, n, c, b)
	case kindJSON:
		return wrongType("%s is text", shown(b))
	}
	return wrongType("the text %s is no %s", shown(b), c.text)
}

func writeBytes(e *encoder, n int, b []byte) error {
	if len(b) > maxField {
		return &mapError{"oversize", fmt.Sprintf("it has %d bytes, and a column takes at most %d", len(b), maxField)}
	}
	e.bytes(n, b)
	return nil
}

func (t *typed) whole(e *encoder, n int, b []byte, low, high int64) error {
	v, err := integer(b)
	if err != nil {
		return err
	}
	if v < low || v > high {
		return outOfRange("%s is not from %d to %d", clip(string(b), 60), low, high)
	}
	e.integer(n, v)
	return nil
}

func (t *typed) float(e *encoder, n int, c *column, b []byte) error {
	d, ok := split(b)
	if !ok {
		return wrongType("%s is no number", shown(b))
	}
	bits := 64
	if c.kind == kindFloat {
		bits = 32
	}
	v, err := strconv.ParseFloat(text(b), bits)
	if err != nil || v == 0 && !d.zero() {
		return outOfRange("%s is out of the range of %s", clip(string(b), 60), c.text)
	}
	if bits == 32 {
		e.fixed32(n, math.Float32bits(float32(v)))
	} else {
		e.fixed64(n, math.Float64bits(v))
	}
	return nil
}

// decimal writes every digit; one that the column has no place for refuses the record.
func (t *typed) decimal(e *encoder, n int, c *column, b []byte) error {
	d, ok := split(b)
	if !ok {
		return wrongType("%s is no number", shown(b))
	}
	wholeDigits, fraction := max(0, d.digits()+d.exponent), max(0, -d.exponent)
	if d.zero() {
		wholeDigits, fraction = 0, 0
	}
	if wholeDigits > c.a-c.b {
		return outOfRange("%s has more than %d digits before the point, which %s does not take", clip(string(b), 60), c.a-c.b, c.text)
	}
	if fraction > c.b {
		return outOfRange("%s has more than %d digits behind the point, which %s does not take", clip(string(b), 60), c.b, c.text)
	}
	t.scratch = d.plain(t.scratch[:0])
	e.bytes(n, t.scratch)
	return nil
}

// decimalText is a decimal number taken apart: the digits first+second without leading
// and trailing zeros, times ten to the exponent.
type decimalText struct {
	negative      bool
	first, second []byte
	exponent      int
}

// maxExponent bounds what is computed with; every type is far below.
const maxExponent = 1_000_000_000

func (d *decimalText) digits() int { return len(d.first) + len(d.second) }
func (d *decimalText) zero() bool  { return d.digits() == 0 }

func (d *decimalText) digit(i int) byte {
	if i < len(d.first) {
		return d.first[i]
	}
	return d.second[i-len(d.first)]
}

// plain appends the number without an exponent. The caller has seen that it is not long.
func (d *decimalText) plain(dst []byte) []byte {
	if d.zero() {
		return append(dst, '0')
	}
	if d.negative {
		dst = append(dst, '-')
	}
	point := d.digits() + d.exponent // digits before the point
	if point <= 0 {
		dst = append(dst, '0')
	}
	for i := range point {
		if i < d.digits() {
			dst = append(dst, d.digit(i))
		} else {
			dst = append(dst, '0')
		}
	}
	if d.exponent >= 0 {
		return dst
	}
	dst = append(dst, '.')
	for range -point {
		dst = append(dst, '0')
	}
	for i := max(point, 0); i < d.digits(); i++ {
		dst = append(dst, d.digit(i))
	}
	return dst
}

// split takes a number apart: digits with an optional sign, point and exponent.
func split(b []byte) (d decimalText, ok bool) {
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		d.negative = b[0] == '-'
		b = b[1:]
	}
	n := countDigits(b)
	d.first, b = b[:n], b[n:]
	if len(b) > 0 && b[0] == '.' {
		n = countDigits(b[1:])
		d.second, b = b[1:1+n], b[1+n:]
	}
	if d.zero() {
		return d, false
	}
	if len(b) > 0 {
		if d.exponent, ok = exponentOf(b); !ok {
			return d, false
		}
	}
	d.exponent -= len(d.second)
	for len(d.second) > 0 && d.second[len(d.second)-1] == '0' {
		d.second = d.second[:len(d.second)-1]
		d.exponent++
	}
	for len(d.second) == 0 && len(d.first) > 0 && d.first[len(d.first)-1] == '0' {
		d.first = d.first[:len(d.first)-1]
		d.exponent++
	}
	for len(d.first) > 0 && d.first[0] == '0' {
		d.first = d.first[1:]
	}
	for len(d.first) == 0 && len(d.second) > 0 && d.second[0] == '0' {
		d.second = d.second[1:]
	}
	return d, true
}

func countDigits(b []byte) int {
	for i, c := range b {
		if c < '0' || c > '9' {
			return i
		}
	}
	return len(b)
}

func exponentOf(b []byte) (int, bool) {
	if b[0] != 'e' && b[0] != 'E' {
		return 0, false
	}
	b = b[1:]
	negative := false
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		negative = b[0] == '-'
		b = b[1:]
	}
	if len(b) == 0 || countDigits(b) != len(b) {
		return 0, false
	}
	v := 0
	for _, c := range b {
		v = min(v*10+int(c-'0'), maxExponent)
	}
	if negative {
		v = -v
	}
	return v, true
}

// integer reads a whole number of 64 bits, which may be written with a point or an
// exponent.
func integer(b []byte) (int64, error) {
	if v, ok := plainInteger(b); ok {
		return v, nil
	}
	d, ok := split(b)
	switch {
	case !ok:
		return 0, wrongType("%s is no number", shown(b))
	case d.zero():
		return 0, nil
	case d.exponent < 0:
		return 0, wrongType("%s is no whole number", clip(string(b), 60))
	case d.digits()+d.exponent > 19:
		return 0, outOfRange("%s is out of the range of 64 bits", clip(string(b), 60))
	}
	v, err := strconv.ParseInt(string(d.plain(make([]byte, 0, 24))), 10, 64)
	if err != nil {
		return 0, outOfRange("%s is out of the range of 64 bits", clip(string(b), 60))
	}
	return v, nil
}

// plainInteger reads up to 18 digits.
func plainInteger(b []byte) (v int64, ok bool) {
	negative := len(b) > 0 && b[0] == '-'
	if negative {
		b = b[1:]
	}
	if len(b) == 0 || len(b) > 18 {
		return 0, false
	}
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + int64(c-'0')
	}
	if negative {
		v = -v
	}
	return v, true
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

func floorMod(a, b int64) int64 { return a - floorDiv(a, b)*b }
