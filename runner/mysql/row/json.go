package row

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strconv"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Types of values in MySQL's binary JSON (MySQL, sql-common/json_binary.cc, where the whole
// format is described).
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0A
	jsonDouble      = 0x0B
	jsonString      = 0x0C
	jsonOpaque      = 0x0F
)

// maxJSONDepth is how deep the server lets a document nest (JSON_DOCUMENT_MAX_DEPTH).
const maxJSONDepth = 100

var errJSON = errors.New("not a JSON document of the server's")

// appendBinaryJSON appends a document as the server prints it. No bytes are what INSERT
// IGNORE stores for NULL in a column that cannot be NULL; the server reads null.
func appendBinaryJSON(dst, doc []byte) ([]byte, error) {
	if len(doc) == 0 {
		return append(dst, "null"...), nil
	}
	// Values may lie over one another in hostile bytes and so make more text than any
	// document: each byte of a true one is printed as at most six, or in base64.
	w := jsonWriter{dst: dst, limit: len(dst) + 64 + len(doc)*32}
	if err := w.value(doc[0], doc[1:], 0); err != nil {
		return dst, fmt.Errorf("JSON: %w", err)
	}
	return w.dst, nil
}

type jsonWriter struct {
	dst   []byte
	limit int
}

func (w *jsonWriter) value(typ byte, b []byte, depth int) error {
	if depth > maxJSONDepth || len(w.dst) > w.limit {
		return errJSON
	}
	switch typ {
	case jsonSmallObject, jsonLargeObject:
		return w.container(b, typ == jsonLargeObject, true, depth)
	case jsonSmallArray, jsonLargeArray:
		return w.container(b, typ == jsonLargeArray, false, depth)
	case jsonLiteral:
		if len(b) < 1 || b[0] > 2 {
			return errJSON
		}
		w.dst = append(w.dst, [...]string{"null", "true", "false"}[b[0]]...)
		return nil
	case jsonString:
		s, err := w.counted(b)
		if err == nil {
			w.quote(s)
		}
		return err
	case jsonOpaque:
		if len(b) < 1 {
			return errJSON
		}
		s, err := w.counted(b[1:])
		if err != nil {
			return err
		}
		return w.opaque(b[0], s)
	}
	return w.number(typ, b)
}

func (w *jsonWriter) number(typ byte, b []byte) error {
	width := map[byte]int{jsonInt16: 2, jsonUint16: 2, jsonInt32: 4, jsonUint32: 4, jsonInt64: 8, jsonUint64: 8, jsonDouble: 8}[typ]
	if width == 0 || len(b) < width {
		return errJSON
	}
	n := little(b[:width])
	switch typ {
	case jsonInt16:
		w.dst = strconv.AppendInt(w.dst, int64(int16(n)), 10)
	case jsonInt32:
		w.dst = strconv.AppendInt(w.dst, int64(int32(n)), 10)
	case jsonInt64:
		w.dst = strconv.AppendInt(w.dst, int64(n), 10)
	case jsonDouble:
		f := math.Float64frombits(n)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return errJSON
		}
		w.dst = appendJSONDouble(w.dst, f)
	default:
		w.dst = strconv.AppendUint(w.dst, n, 10)
	}
	return nil
}

// counted reads a string that is preceded by its length: seven bits a byte, lowest first, at
// most five bytes.
func (w *jsonWriter) counted(b []byte) ([]byte, error) {
	var n uint64
	for i := range min(5, len(b)) {
		n |= uint64(b[i]&0x7F) << (7 * i)
		if b[i]&0x80 == 0 {
			if rest := b[i+1:]; n <= uint64(len(rest)) {
				return rest[:n], nil
			}
			break
		}
	}
	return nil, errJSON
}

// container is an object or array: the number of its elements, its size in bytes, then for
// an object an entry for each key (offset, length in two bytes), an entry for each value
// (type, offset or the value itself), keys and values.
func (w *jsonWriter) container(b []byte, large, object bool, depth int) error {
	width := 2
	if large {
		width = 4
	}
	if len(b) < 2*width {
		return errJSON
	}
	count, size := little(b[:width]), little(b[width:2*width])
	if size > uint64(len(b)) {
		return errJSON
	}
	b = b[:size]
	entry := uint64(1 + width)
	keys := uint64(0)
	if object {
		keys = count * uint64(width+2)
	}
	if uint64(2*width)+keys+count*entry > size {
		return errJSON
	}
	open, end := byte('['), byte(']')
	if object {
		open, end = '{', '}'
	}
	w.dst = append(w.dst, open)
	for i := range count {
		if i > 0 {
			w.dst = append(w.dst, ", "...)
		}
		if object {
			at := 2*width + int(i)*(width+2)
			offset, length := little(b[at:at+width]), uint64(binary.LittleEndian.Uint16(b[at+width:]))
			if offset+length > size {
				return errJSON
			}
			w.quote(b[offset : offset+length])
			w.dst = append(w.dst, ": "...)
		}
		at := uint64(2*width) + keys + i*entry
		if err := w.element(b, b[at:at+entry], large, depth); err != nil {
			return err
		}
	}
	w.dst = append(w.dst, end)
	return nil
}

// element is one value of a container: small ones stand in the entry itself.
func (w *jsonWriter) element(b, entry []byte, large bool, depth int) error {
	typ := entry[0]
	switch typ {
	case jsonLiteral, jsonInt16, jsonUint16:
		return w.value(typ, entry[1:], depth+1)
	case jsonInt32, jsonUint32:
		if large {
			return w.value(typ, entry[1:], depth+1)
		}
	}
	offset := little(entry[1:])
	if offset >= uint64(len(b)) {
		return errJSON
	}
	return w.value(typ, b[offset:], depth+1)
}

// opaque is a value of a type that JSON does not have.
func (w *jsonWriter) opaque(typ byte, b []byte) error {
	switch typ {
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		if len(b) < 2 || b[0] < 1 || b[0] > 81 || b[1] > b[0] || len(b)-2 < decimalSize(int(b[0]), int(b[1])) {
			return errJSON
		}
		var err error
		w.dst, err = appendPackedDecimal(w.dst, b[2:], int(b[0]), int(b[1]))
		return err
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_TIME, mysql.MYSQL_TYPE_DATETIME, mysql.MYSQL_TYPE_TIMESTAMP:
		if len(b) < 8 {
			return errJSON
		}
		w.dst = append(w.dst, '"')
		if !w.moment(typ, int64(little(b[:8]))) {
			return errJSON
		}
		w.dst = append(w.dst, '"')
		return nil
	}
	w.dst = append(w.dst, `"base64:type`...)
	w.dst = strconv.AppendUint(w.dst, uint64(typ), 10)
	w.dst = append(w.dst, ':')
	w.dst = base64.StdEncoding.AppendEncode(w.dst, b)
	w.dst = append(w.dst, '"')
	return nil
}

// moment is a date or time in the server's packed form: 24 bits of microseconds, above them
// the bits that a DATETIME or TIME column has.
func (w *jsonWriter) moment(typ byte, packed int64) bool {
	negative := packed < 0
	if negative {
		packed = -packed
	}
	micro, whole := int(packed&(1<<24-1)), packed>>24
	second, minute := int(whole&63), int(whole>>6&63)
	if typ == mysql.MYSQL_TYPE_TIME {
		hour := int(whole >> 12 & 1023)
		w.dst = appendTime(w.dst, timeOf(negative, hour, minute, second, micro), 6)
		return hour <= 838 && minute <= 59 && second <= 59 && micro <= 999999
	}
	ym := int(whole >> 22)
	year, month, day, hour := ym/13, ym%13, int(whole>>17&31), int(whole>>12&31)
	if negative || !validDate(year, month, day) || !validClock(hour, minute, second, micro) {
		return false
	}
	date := PackDate(year, month, day)
	if typ == mysql.MYSQL_TYPE_DATE {
		w.dst = appendDate(w.dst, date)
		return true
	}
	w.dst = appendDateTime(w.dst, PackDateTime(date, hour, minute, second, micro), 6)
	return true
}
