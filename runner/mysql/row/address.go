package row

import (
	"encoding/hex"
	"strconv"
)

// appendAddress appends MariaDB's UUID, INET4 or INET6 as the server prints it; raw has the
// 16 or 4 bytes of the type.
func appendAddress(dst []byte, kind Kind, raw []byte) []byte {
	switch kind {
	case UUID:
		for i, n := range [...]int{4, 2, 2, 2, 6} {
			if i > 0 {
				dst = append(dst, '-')
			}
			dst, raw = hex.AppendEncode(dst, raw[:n]), raw[n:]
		}
		return dst
	case INET4:
		return appendIPv4(dst, raw)
	}
	return appendIPv6(dst, raw)
}

func appendIPv4(dst, raw []byte) []byte {
	for i, b := range raw[:4] {
		if i > 0 {
			dst = append(dst, '.')
		}
		dst = strconv.AppendUint(dst, uint64(b), 10)
	}
	return dst
}

// appendIPv6 shortens the first longest run of zero words, also a run of one, and prints
// IPv4-mapped and IPv4-compatible addresses with dots (MariaDB, plugin/type_inet, Inet6::to_string).
func appendIPv6(dst, raw []byte) []byte {
	word := func(i int) uint64 { return uint64(raw[2*i])<<8 | uint64(raw[2*i+1]) }
	gap, length := -1, 0
	for i := 0; i < 8; i++ {
		n := 0
		for i+n < 8 && word(i+n) == 0 {
			n++
		}
		if n > length {
			gap, length = i, n
		}
		if n > 0 {
			i += n - 1
		}
	}
	for i := 0; i < 8; i++ {
		switch {
		case i == gap:
			if i == 0 {
				dst = append(dst, ':')
			}
			dst = append(dst, ':')
			i += length - 1
		case i == 6 && gap == 0 && (length == 6 || length == 5 && word(5) == 0xFFFF):
			return appendIPv4(dst, raw[12:])
		default:
			if dst = strconv.AppendUint(dst, word(i), 16); i < 7 {
				dst = append(dst, ':')
			}
		}
	}
	return dst
}
