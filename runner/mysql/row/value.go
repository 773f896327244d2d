package row

// State tells what a Value holds.
type State uint8

// States.
const (
	Null    State = iota // SQL's NULL; the zero Value
	Present              // a value, in N or B as the column's Kind says
	Invalid              // text that is not valid in its character set: B has the bytes as stored
)

// Value is one value of a row. Which of N and B holds it depends on the column's Kind.
//
// B aliases the event it was read from, or the Decoder's own memory: it is good until
// the Decoder is used again or the event is reused, whichever is first. Row.Clone keeps it.
type Value struct {
	B     []byte
	N     uint64
	State State
}

// IsNull is true of SQL's NULL.
func (v Value) IsNull() bool { return v.State == Null }

// Row is a row's values in the order of the table's columns.
type Row []Value

// Clone copies the row and what it refers to into memory of its own.
func (r Row) Clone() Row {
	if r == nil {
		return nil
	}
	n := 0
	for i := range r {
		n += len(r[i].B)
	}
	out, buf := make(Row, len(r)), make([]byte, 0, n)
	for i, v := range r {
		if v.B != nil {
			at := len(buf)
			buf = append(buf, v.B...)
			v.B = buf[at:len(buf):len(buf)]
		}
		out[i] = v
	}
	return out
}

// Size is what the row's values take in memory, in bytes.
func (r Row) Size() int64 {
	n := int64(len(r)) * 40
	for i := range r {
		n += int64(len(r[i].B))
	}
	return n
}
