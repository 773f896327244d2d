package row

import (
	"bytes"
	"strconv"
)

// quote appends a string of JSON as the server escapes it (MySQL, sql-common/json_dom.cc,
// double_quote).
func (w *jsonWriter) quote(s []byte) {
	const hexDigits = "0123456789abcdef"
	w.dst = append(w.dst, '"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			w.dst = append(w.dst, '\\', c)
		case c >= 0x20:
			w.dst = append(w.dst, c)
		case c == '\b':
			w.dst = append(w.dst, `\b`...)
		case c == '\t':
			w.dst = append(w.dst, `\t`...)
		case c == '\f':
			w.dst = append(w.dst, `\f`...)
		case c == '\n':
			w.dst = append(w.dst, `\n`...)
		case c == '\r':
			w.dst = append(w.dst, `\r`...)
		default:
			w.dst = append(w.dst, `\u00`...)
			w.dst = append(w.dst, hexDigits[c>>4], hexDigits[c&15])
		}
	}
	w.dst = append(w.dst, '"')
}

// appendJSONDouble appends a double as the server prints it in JSON: as appendDouble, with
// ".0" where nothing else tells it from an integer.
func appendJSONDouble(dst []byte, f float64) []byte {
	at := len(dst)
	dst = appendDouble(dst, f)
	for _, c := range dst[at:] {
		if c == '.' || c == 'e' {
			return dst
		}
	}
	return append(dst, ".0"...)
}

// appendDouble appends a double as the servers print it: the fewest digits that read back
// the same, and an exponent where the decimal point would stand more than 14 places before
// the first digit, or after the last one and beyond the 15th place (MySQL, mysys/dtoa.cc, my_gcvt).
func appendDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	short := strconv.AppendFloat(buf[:0], f, 'e', -1, 64)
	e := bytes.IndexByte(short, 'e')
	exponent, err := strconv.Atoi(string(short[e+1:]))
	if err != nil { // NaN and infinities, which do not come here
		return append(dst, short...)
	}
	digits := 0
	for _, c := range short[:e] {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	point := exponent + 1
	if f == 0 || point >= -14 && (point <= 15 || digits > point) {
		return strconv.AppendFloat(dst, f, 'f', -1, 64)
	}
	dst = append(dst, short[:e+1]...)
	return strconv.AppendInt(dst, int64(exponent), 10)
}
