package row

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"unicode/utf8"
)

// value decodes one value that is not NULL from the front of b, and tells how many bytes it took.
func (d *Decoder) value(c *Column, b []byte, v *Value) (int, error) {
	*v = Value{State: Present}
	size := c.wire.size
	if len(b) < size {
		return 0, errShort
	}
	switch c.wire.form {
	case wireInt:
		v.N = integerAt(b, size, c.Unsigned)
	case wireString, wireJSON, wireCompressed:
		length := little(b[:size])
		if length > uint64(len(b)-size) {
			return 0, fmt.Errorf("a value of %d bytes: %w", length, errShort)
		}
		n := size + int(length)
		return n, d.bytes(c, b[size:n:n], v)
	case wireFloat:
		return size, d.float(c, b, v)
	case wireDecimal:
		at := len(d.arena)
		var err error
		d.arena, err = appendPackedDecimal(d.arena, b[:size], c.Precision, c.Scale)
		v.B = d.arena[at:len(d.arena):len(d.arena)]
		return size, err
	case wireYear:
		if v.N = uint64(b[0]); b[0] != 0 {
			v.N += 1900
		}
	case wireBit:
		v.N = big(b[:size])
		if c.Length < 64 && v.N>>c.Length != 0 {
			return 0, fmt.Errorf("%d in a BIT(%d)", v.N, c.Length)
		}
	case wireIndex:
		v.N = little(b[:size])
		c.checkMembers(v)
		return size, c.checkIndex(v.N)
	default:
		var ok bool
		if v.N, ok = temporal(c, b); !ok {
			return 0, errors.New("not a date or time")
		}
	}
	return size, nil
}

func integerAt(b []byte, size int, unsigned bool) uint64 {
	switch size {
	case 1:
		if unsigned {
			return uint64(b[0])
		}
		return uint64(int64(int8(b[0])))
	case 2:
		n := binary.LittleEndian.Uint16(b)
		if unsigned {
			return uint64(n)
		}
		return uint64(int64(int16(n)))
	case 4:
		n := binary.LittleEndian.Uint32(b)
		if unsigned {
			return uint64(n)
		}
		return uint64(int64(int32(n)))
	case 8:
		return binary.LittleEndian.Uint64(b)
	}
	n := little(b[:size]) // 3 bytes
	if !unsigned && n&(1<<23) != 0 {
		n |= ^uint64(1<<24 - 1)
	}
	return n
}

func little(b []byte) uint64 {
	var n uint64
	for i := len(b) - 1; i >= 0; i-- {
		n = n<<8 | uint64(b[i])
	}
	return n
}

func big(b []byte) uint64 {
	var n uint64
	for _, c := range b {
		n = n<<8 | uint64(c)
	}
	return n
}

func (d *Decoder) float(c *Column, b []byte, v *Value) error {
	var f float64
	if c.Kind == Float {
		v.N = uint64(binary.LittleEndian.Uint32(b))
		f = float64(math.Float32frombits(uint32(v.N)))
	} else {
		v.N = binary.LittleEndian.Uint64(b)
		f = math.Float64frombits(v.N)
	}
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return fmt.Errorf("%v is not a number of the server's", f)
	}
	return nil
}

// checkMembers makes a value Invalid that has a member which is not valid in its character set.
func (c *Column) checkMembers(v *Value) {
	if c.stored == nil {
		return
	}
	var raw []byte
	bad, first := false, true
	for i, m := range c.stored {
		if c.Kind == Enum && v.N != uint64(i+1) || c.Kind == Set && v.N&(1<<i) == 0 {
			continue
		}
		if !first {
			raw = append(raw, ',')
		}
		first = false
		raw = append(raw, m...)
		if _, ok := c.decode.decode(nil, []byte(m), false); !ok {
			bad = true
		}
	}
	if bad {
		v.State, v.B = Invalid, raw
	}
}

// checkIndex refuses an index of ENUM or members of SET that do not exist.
func (c *Column) checkIndex(n uint64) error {
	members := uint64(len(c.Members))
	if c.Kind == Enum && n > members || c.Kind == Set && members < 64 && n>>members != 0 {
		return fmt.Errorf("%s value %d, with %d members", c.Type, n, members)
	}
	return nil
}

// bytes decodes what has a length of its own.
func (d *Decoder) bytes(c *Column, raw []byte, v *Value) error {
	switch c.wire.form {
	case wireJSON:
		at := len(d.arena)
		var err error
		if d.arena, err = appendBinaryJSON(d.arena, raw); err != nil {
			return err
		}
		v.B = d.arena[at:len(d.arena):len(d.arena)]
		return nil
	case wireCompressed:
		at := len(d.arena)
		var err error
		if d.arena, err = d.inflate.column(d.arena, raw); err != nil {
			return fmt.Errorf("decompressing the value: %w", err)
		}
		raw = d.arena[at:len(d.arena):len(d.arena)]
	}
	if c.Kind == Text {
		d.text(c, raw, v)
		return nil
	}
	if len(raw) < c.wire.pad {
		at := len(d.arena)
		d.arena = append(d.arena, raw...)
		for range c.wire.pad - len(raw) {
			d.arena = append(d.arena, 0)
		}
		raw = d.arena[at:len(d.arena):len(d.arena)]
	}
	switch c.Kind {
	case UUID, INET4, INET6:
		at := len(d.arena)
		d.arena = appendAddress(d.arena, c.Kind, raw)
		raw = d.arena[at:len(d.arena):len(d.arena)]
	}
	v.B = raw
	return nil
}

// text gives raw in UTF-8, or as it is where it is not valid.
func (d *Decoder) text(c *Column, raw []byte, v *Value) {
	v.B, v.State = raw, Present
	if c.wire.same {
		if !utf8.Valid(raw) {
			v.State = Invalid
		}
		return
	}
	at := len(d.arena)
	out, ok := c.decode.decode(d.arena, raw, false)
	if !ok {
		v.State = Invalid
		return
	}
	d.arena = out
	v.B = out[at:len(out):len(out)]
}
