package row

import (
	"errors"
	"strconv"
)

// digitBytes is how many bytes hold 0–9 decimal digits (MySQL, strings/decimal.cc, dig2bytes).
var digitBytes = [10]int{0, 1, 1, 2, 2, 3, 3, 4, 4, 4}

var errDigits = errors.New("not a decimal number")

// decimalSize is the packed size of DECIMAL(precision,scale) in bytes.
func decimalSize(precision, scale int) int {
	whole := precision - scale
	if whole < 0 {
		return 0
	}
	return whole/9*4 + digitBytes[whole%9] + scale/9*4 + digitBytes[scale%9]
}

// appendPackedDecimal appends the digits of a packed decimal as the server prints them. b has
// decimalSize bytes, at least one. The packed form: groups of nine digits in four bytes,
// big-endian, the odd digits outermost; the highest bit set; all inverted when negative.
func appendPackedDecimal(dst, b []byte, precision, scale int) ([]byte, error) {
	var mask uint32
	start := len(dst)
	if b[0]&0x80 == 0 {
		mask = 1<<32 - 1
		dst = append(dst, '-')
	}
	first := len(dst)
	flip := byte(0x80)
	group := func(digits int) (uint32, bool) {
		n := digitBytes[digits]
		var v uint32
		for i := range n {
			v = v<<8 | uint32(b[i]^flip^byte(mask))
			flip = 0
		}
		b = b[n:]
		return v, v < pow10[digits]
	}
	whole := precision - scale
	for digits := whole % 9; whole > 0; digits = 9 {
		if digits == 0 {
			continue
		}
		whole -= digits
		v, ok := group(digits)
		if !ok {
			return dst[:start], errDigits
		}
		if len(dst) == first {
			if v != 0 {
				dst = strconv.AppendUint(dst, uint64(v), 10)
			}
			continue
		}
		dst = appendDigits(dst, v, digits)
	}
	if len(dst) == first {
		dst = append(dst, '0')
	}
	if scale > 0 {
		dst = append(dst, '.')
	}
	for scale > 0 {
		digits := min(9, scale)
		scale -= digits
		v, ok := group(digits)
		if !ok {
			return dst[:start], errDigits
		}
		dst = appendDigits(dst, v, digits)
	}
	return dst, nil
}

var pow10 = [10]uint32{1, 10, 100, 1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000, 1_000_000_000}

// appendDigits appends exactly so many digits.
func appendDigits(dst []byte, v uint32, digits int) []byte {
	at := len(dst)
	dst = append(dst, "000000000"[:digits]...)
	for i := at + digits - 1; i >= at && v > 0; i-- {
		dst[i] = byte('0' + v%10)
		v /= 10
	}
	return dst
}

// canonicalDecimal checks the text of a decimal number as a SELECT gives it and takes away
// what ZEROFILL puts in front.
func canonicalDecimal(s []byte) ([]byte, error) {
	digits, dot := 0, false
	for i, c := range s {
		switch {
		case c >= '0' && c <= '9':
			digits++
		case c == '-' && i == 0:
		case c == '.' && !dot:
			dot = true
		default:
			return nil, errDigits
		}
	}
	if digits == 0 {
		return nil, errDigits
	}
	for len(s) > 1 && s[0] == '0' && s[1] != '.' {
		s = s[1:]
	}
	return s, nil
}
