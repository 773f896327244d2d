package row

import "encoding/binary"

// cursor reads bytes from the front. A read beyond the end gives zero values and sets short.
type cursor struct {
	b     []byte
	short bool
}

// take gives the next n bytes; nil when there are fewer.
func (c *cursor) take(n uint64) []byte {
	if n > uint64(len(c.b)) {
		c.b, c.short = nil, true
		return nil
	}
	out := c.b[:n:n]
	c.b = c.b[n:]
	return out
}

func (c *cursor) byte() byte {
	if b := c.take(1); b != nil {
		return b[0]
	}
	return 0
}

// packed reads a length-encoded integer (protocol, "int<lenenc>"). What stands for NULL
// there, and 0xFF, count as too short.
func (c *cursor) packed() uint64 {
	switch n := c.byte(); n {
	case 0xFC:
		return c.little(2)
	case 0xFD:
		return c.little(3)
	case 0xFE:
		return c.little(8)
	case 0xFB, 0xFF:
		c.b, c.short = nil, true
		return 0
	default:
		return uint64(n)
	}
}

// little reads an unsigned little-endian integer of n bytes, 1–8.
func (c *cursor) little(n int) uint64 {
	var buf [8]byte
	copy(buf[:], c.take(uint64(n)))
	return binary.LittleEndian.Uint64(buf[:])
}

// text reads a length-encoded string.
func (c *cursor) text() []byte { return c.take(c.packed()) }
