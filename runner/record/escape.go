package record

import (
	"encoding/binary"
	"math/bits"
	"slices"
	"unicode/utf8"
)

// The escaper looks at eight bytes at a time as one little-endian word. A byte is
// special when JSON wants it escaped (below 0x20, quote, backslash) or when it is
// not ASCII and its UTF-8 has to be checked.
const (
	lowBits  = 0x0101010101010101
	highBits = 0x8080808080808080
	controls = 0x20 * lowBits
	quotes   = '"' * lowBits
	slashes  = '\\' * lowBits
)

// escapeSlack is what the output must have room for beyond the bytes still to be
// read: one word written ahead of the check, and the longest escape.
const escapeSlack = 16

// special has the high bit of every special byte of w set. Bits above the lowest
// set one may be wrong, since a subtraction borrows; the lowest is exact.
func special(w uint64) uint64 {
	return (w | (w - controls) | ((w ^ quotes) - lowBits) | ((w ^ slashes) - lowBits)) & highBits
}

// appendEscaped appends s as the inside of a JSON string (RFC 8259 section 7).
// What is valid UTF-8 is copied, U+2028 and U+2029 too; quote, backslash and
// controls are escaped. A byte that is not part of valid UTF-8 (RFC 3629) becomes
// U+FFFD when lossy is true; else ok is false and dst comes back as it was given.
func appendEscaped(dst, s []byte, lossy bool) (out []byte, ok bool) {
	start := len(dst)
	dst = slices.Grow(dst, len(s)+escapeSlack)
	out = dst[:cap(dst)]
	j := start
	i := 0
	for i < len(s) {
		// Whole words: written before they are checked, and counted up to the
		// first special byte.
		for len(s)-i >= 8 {
			w := binary.LittleEndian.Uint64(s[i:])
			binary.LittleEndian.PutUint64(out[j:], w)
			m := special(w)
			if m != 0 {
				n := bits.TrailingZeros64(m) >> 3
				i += n
				j += n
				goto found
			}
			i += 8
			j += 8
		}
		for i < len(s) {
			if c := s[i]; c >= utf8.RuneSelf || escapes[c] != 0 {
				goto found
			}
			out[j] = s[i]
			i++
			j++
		}
		break
	found:
		c := s[i]
		if c < utf8.RuneSelf {
			j = putEscape(out, j, c)
			i++
		} else {
			if n := copyWide(out[j:], s[i:]); n > 0 {
				i += n
				j += n
				continue
			}
			n := runeLen(s[i:])
			switch {
			case n > 0:
				j += copy(out[j:], s[i:i+n])
				i += n
			case lossy:
				j += copy(out[j:], "\uFFFD")
				i++
			default:
				return out[:start], false
			}
		}
		if len(out)-j < len(s)-i+escapeSlack {
			out = slices.Grow(out[:j], (len(s)-i)*5/4+64)
			out = out[:cap(out)]
		}
	}
	return out[:j], true
}

// escapes tells how a byte below 0x80 is escaped: 0 not at all, 'u' as \u00XX,
// anything else as a backslash and that letter.
var escapes = [utf8.RuneSelf]byte{
	0: 'u', 1: 'u', 2: 'u', 3: 'u', 4: 'u', 5: 'u', 6: 'u', 7: 'u',
	'\b': 'b', '\t': 't', '\n': 'n', 11: 'u', '\f': 'f', '\r': 'r', 14: 'u', 15: 'u',
	16: 'u', 17: 'u', 18: 'u', 19: 'u', 20: 'u', 21: 'u', 22: 'u', 23: 'u',
	24: 'u', 25: 'u', 26: 'u', 27: 'u', 28: 'u', 29: 'u', 30: 'u', 31: 'u',
	'"': '"', '\\': '\\',
}

// putEscape writes the escape of c, at most six bytes, at out[j:] and returns the
// index after it.
func putEscape(out []byte, j int, c byte) int {
	const hex = "0123456789abcdef"
	e := escapes[c]
	out[j] = '\\'
	out[j+1] = e
	if e != 'u' {
		return j + 2
	}
	out[j+2], out[j+3] = '0', '0'
	out[j+4], out[j+5] = hex[c>>4], hex[c&15]
	return j + 6
}

// copyWide copies the run of three-byte UTF-8 sequences that s starts with, the
// common case of text that is not Latin (CJK), and returns its length. It leaves
// the last bytes of s to [runeLen]. out has room for s.
func copyWide(out, s []byte) int {
	n := 0
	for len(s)-n >= 4 && len(out)-n >= 4 {
		w := binary.LittleEndian.Uint32(s[n:])
		// 1110xxxx 10xxxxxx 10xxxxxx, without the overlong forms (E0 80–9F) and the
		// surrogates (ED A0–BF).
		if w&0x00c0c0f0 != 0x008080e0 || w&0x200f == 0 || w&0x200f == 0x200d {
			break
		}
		binary.LittleEndian.PutUint32(out[n:], w)
		n += 3
	}
	return n
}

// runeLen is the length in bytes of the UTF-8 sequence that s starts with, whose
// first byte is not ASCII, or 0 where there is none.
func runeLen(s []byte) int {
	// Two bytes: 110xxxxx 10xxxxxx, without C0 and C1, which would be overlong.
	if len(s) >= 2 && s[0]&0xe0 == 0xc0 && s[0] >= 0xc2 && s[1]&0xc0 == 0x80 {
		return 2
	}
	r, n := utf8.DecodeRune(s)
	if r == utf8.RuneError && n <= 1 {
		return 0
	}
	return n
}

// AppendEscaped appends valid UTF-8 as the inside of a JSON string, without quotes; what is
// not valid becomes U+FFFD.
func AppendEscaped(dst, s []byte) []byte {
	dst, _ = appendEscaped(dst, s, true)
	return dst
}
