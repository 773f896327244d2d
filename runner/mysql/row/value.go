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

// The moment of a Date or DateTime is packed so that later ones are larger numbers. Every
// part may be zero, as the servers allow: 2020-00-00 is a value of its own.
const (
	microBits  = 20
	secondBits = 6
	hourBits   = 5
	dayBits    = 5
	monthBits  = 4
)

// PackDate makes the N of a Date: year, month and day, each from 0.
func PackDate(year, month, day int) uint64 {
	return (uint64(year)<<monthBits|uint64(month))<<dayBits | uint64(day)
}

// UnpackDate is PackDate's inverse.
func UnpackDate(n uint64) (year, month, day int) {
	return int(n >> (monthBits + dayBits)), int(n >> dayBits & (1<<monthBits - 1)), int(n & (1<<dayBits - 1))
}

// PackDateTime makes the N of a DateTime.
func PackDateTime(date uint64, hour, minute, second, micro int) uint64 {
	clock := (uint64(hour)<<secondBits|uint64(minute))<<secondBits | uint64(second)
	return (date<<(hourBits+2*secondBits)|clock)<<microBits | uint64(micro)
}

// UnpackDateTime is PackDateTime's inverse; date is as PackDate makes it.
func UnpackDateTime(n uint64) (date uint64, hour, minute, second, micro int) {
	clock := n >> microBits
	return clock >> (hourBits + 2*secondBits),
		int(clock >> (2 * secondBits) & (1<<hourBits - 1)),
		int(clock >> secondBits & (1<<secondBits - 1)),
		int(clock & (1<<secondBits - 1)),
		int(n & (1<<microBits - 1))
}

// validDate tells whether every part is one that a date of either server can have, zeros
// included; the servers accept 2020-02-31 under ALLOW_INVALID_DATES.
func validDate(year, month, day int) bool { return year <= 9999 && month <= 12 && day <= 31 }

func validClock(hour, minute, second, micro int) bool {
	return hour <= 23 && minute <= 59 && second <= 59 && micro <= 999999
}
