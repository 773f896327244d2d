package row

import (
	"bytes"
	"cmp"
	"encoding/binary"
	"math"
)

// Ordered is true when Compare orders values of the column as the server does: numbers,
// dates and times, and bytes. Text is ordered by its collation, and only the server knows it.
func (c *Column) Ordered() bool {
	switch c.Kind {
	case Int, Bit, Year, Float, Double, Date, Time, DateTime, Timestamp, Enum, Set, INET4:
		return true
	case Bytes:
		// BINARY is padded when it is stored, VARBINARY is not.
		return c.wire.form == wireString
	}
	return false
}

// Compare orders two values of the column: -1, 0 or 1. NULL comes first. It is the server's
// order where Ordered is true; else an order of its own, in which equal values are equal in every byte.
func (c *Column) Compare(a, b Value) int {
	if a.State == Null || b.State == Null {
		return cmp.Compare(a.State, b.State)
	}
	switch c.Kind {
	case Int:
		if !c.Unsigned {
			return cmp.Compare(int64(a.N), int64(b.N))
		}
	case Time:
		return cmp.Compare(int64(a.N), int64(b.N))
	case Float:
		return cmp.Compare(math.Float32frombits(uint32(a.N)), math.Float32frombits(uint32(b.N)))
	case Double:
		return cmp.Compare(math.Float64frombits(a.N), math.Float64frombits(b.N))
	case INET4:
		return compareINET4(a.B, b.B)
	}
	if n := cmp.Compare(a.N, b.N); n != 0 {
		return n
	}
	return bytes.Compare(a.B, b.B)
}

// compareINET4 compares addresses by their numbers: a shorter part is a smaller one.
func compareINET4(a, b []byte) int {
	next := func(s []byte) (n int, rest []byte) {
		for i, c := range s {
			if c == '.' {
				return n, s[i+1:]
			}
			n = n*10 + int(c-'0')
		}
		return n, nil
	}
	for len(a) > 0 || len(b) > 0 {
		var m, n int
		m, a = next(a)
		n, b = next(b)
		if m != n {
			return cmp.Compare(m, n)
		}
	}
	return 0
}

// Equal tells whether two rows of the table have the same values.
func (r Row) Equal(o Row) bool {
	if len(r) != len(o) {
		return false
	}
	for i := range r {
		if r[i].State != o[i].State || r[i].N != o[i].N || !bytes.Equal(r[i].B, o[i].B) {
			return false
		}
	}
	return true
}

// AppendKey appends the row's primary key in a form that is equal for keys that are equal in every
// byte, and for no others; for maps. Keys that a collation takes for equal may differ in it.
func (t *Table) AppendKey(dst []byte, r Row) []byte {
	for _, k := range t.Key {
		v := &r[k]
		dst = append(dst, byte(v.State))
		dst = binary.BigEndian.AppendUint64(dst, v.N)
		dst = binary.AppendUvarint(dst, uint64(len(v.B)))
		dst = append(dst, v.B...)
	}
	return dst
}

// SameKey tells whether two rows of the table have the same primary key, byte for byte.
func (t *Table) SameKey(a, b Row) bool {
	for _, k := range t.Key {
		if a[k].State != b[k].State || a[k].N != b[k].N || !bytes.Equal(a[k].B, b[k].B) {
			return false
		}
	}
	return true
}
