package row

import (
	"encoding/hex"
	"math"
	"strconv"
	"time"
)

// AppendText appends a value as the server prints it, a Timestamp in UTC; NULL is nothing. Floats have the
// fewest digits that read back the same. Invalid text is appended as it is.
func (c *Column) AppendText(dst []byte, v Value) []byte {
	if v.State == Null {
		return dst
	}
	switch c.Kind {
	case Int:
		if c.Unsigned {
			return strconv.AppendUint(dst, v.N, 10)
		}
		return strconv.AppendInt(dst, int64(v.N), 10)
	case Bit:
		return strconv.AppendUint(dst, v.N, 10)
	case Year:
		return appendDigits(dst, uint32(v.N), 4)
	case Float:
		return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(v.N))), 'g', -1, 32)
	case Double:
		return appendDouble(dst, math.Float64frombits(v.N))
	case Date:
		return appendDate(dst, v.N)
	case Time:
		return appendTime(dst, v.N, c.FSP)
	case DateTime:
		return appendDateTime(dst, v.N, c.FSP)
	case Timestamp:
		return AppendTimestamp(dst, v.N, c.FSP, time.UTC)
	case Enum:
		return append(dst, c.Member(v.N)...)
	case Set:
		return c.AppendSet(dst, v.N)
	}
	return append(dst, v.B...)
}

// Member is the text of an ENUM's index; "" of index 0 and of what does not exist.
func (c *Column) Member(index uint64) string {
	if index == 0 || index > uint64(len(c.Members)) {
		return ""
	}
	return c.Members[index-1]
}

// AppendSet appends a SET's members, with commas.
func (c *Column) AppendSet(dst []byte, bits uint64) []byte {
	first := true
	for i, m := range c.Members {
		if bits&(1<<i) == 0 {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, m...)
	}
	return dst
}

// AppendReplaced appends Invalid text in UTF-8, with U+FFFD for what is not valid.
func (c *Column) AppendReplaced(dst []byte, v Value) []byte {
	if c.decode == nil {
		return append(dst, v.B...)
	}
	dst, _ = c.decode.decode(dst, v.B, true)
	return dst
}

// appendDate, AppendTimestamp and the like append what the server prints.
func appendDate(dst []byte, n uint64) []byte {
	year, month, day := UnpackDate(n)
	dst = appendDigits(dst, uint32(year), 4)
	dst = append(dst, '-', byte('0'+month/10), byte('0'+month%10), '-')
	return append(dst, byte('0'+day/10), byte('0'+day%10))
}

func appendClock(dst []byte, hour, minute, second, micro, fsp int) []byte {
	if hour > 99 {
		dst = append(dst, byte('0'+hour/100))
		hour %= 100
	}
	dst = append(dst, byte('0'+hour/10), byte('0'+hour%10), ':', byte('0'+minute/10), byte('0'+minute%10), ':',
		byte('0'+second/10), byte('0'+second%10))
	if fsp <= 0 {
		return dst
	}
	dst = append(dst, '.')
	return appendDigits(dst, uint32(micro)/pow10[6-fsp], fsp)
}

// AppendDateTime appends a DateTime's N with fsp digits after the second.
func AppendDateTime(dst []byte, n uint64, fsp int) []byte { return appendDateTime(dst, n, fsp) }

func appendDateTime(dst []byte, n uint64, fsp int) []byte {
	date, hour, minute, second, micro := UnpackDateTime(n)
	dst = append(appendDate(dst, date), ' ')
	return appendClock(dst, hour, minute, second, micro, fsp)
}

// AppendDate appends a Date's N.
func AppendDate(dst []byte, n uint64) []byte { return appendDate(dst, n) }

// AppendTime appends a Time's N with fsp digits after the second.
func AppendTime(dst []byte, n uint64, fsp int) []byte { return appendTime(dst, n, fsp) }

func appendTime(dst []byte, n uint64, fsp int) []byte {
	micro := int64(n)
	if micro < 0 {
		dst = append(dst, '-')
		micro = -micro
	}
	second := micro / 1_000_000
	return appendClock(dst, int(second/3600), int(second/60%60), int(second%60), int(micro%1_000_000), fsp)
}

// AppendTimestamp appends a Timestamp's N as it reads in the zone, with fsp digits after the
// second.
func AppendTimestamp(dst []byte, n uint64, fsp int, zone *time.Location) []byte {
	if n == 0 {
		return appendDateTime(dst, 0, fsp)
	}
	t := time.Unix(int64(n/1_000_000), 0).In(zone)
	year, month, day := t.Date()
	dst = append(appendDate(dst, PackDate(year, int(month), day)), ' ')
	hour, minute, second := t.Clock()
	return appendClock(dst, hour, minute, second, int(n%1_000_000), fsp)
}

// AppendLiteral appends the SQL expression of a value, to be compared with the column in
// a session of SnapshotSession. Text stands as its bytes, so that no connection's
// character set matters; it takes the column's collation in a comparison.
func (c *Column) AppendLiteral(dst []byte, v Value) []byte {
	if v.State == Null {
		return append(dst, "NULL"...)
	}
	switch c.Kind {
	case Int, Bit, Year, Decimal, Enum, Set:
		if c.Kind == Enum || c.Kind == Set {
			return strconv.AppendUint(dst, v.N, 10)
		}
		return c.AppendText(dst, v)
	case Float: // as DOUBLE, which is what the server compares a FLOAT as
		return strconv.AppendFloat(dst, float64(math.Float32frombits(uint32(v.N))), 'e', -1, 64)
	case Double:
		return strconv.AppendFloat(dst, math.Float64frombits(v.N), 'e', -1, 64)
	case Date, DateTime, Timestamp:
		dst = append(dst, '\'')
		return append(c.AppendText(dst, v), '\'')
	case Time: // as text, longer hours and negative ones would come in the order of letters
		return append(c.AppendText(append(dst, "TIME'"...), v), '\'')
	case UUID, INET4, INET6:
		dst = append(c.AppendText(append(dst, "CAST('"...), v), "' AS "...)
		return append(append(dst, c.Type...), ')')
	case Text:
		charset := "_utf8mb4"
		if v.State == Invalid {
			charset = "_" + c.Charset
		}
		dst = append(dst, charset...)
		dst = append(dst, " X'"...)
	default:
		dst = append(dst, "X'"...)
	}
	return append(hex.AppendEncode(dst, v.B), '\'')
}
