package record

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"strconv"
	"unicode/utf8"
)

// csvText is CSV by RFC 4180: a header line, rows that end with CRLF, fields quoted
// where they hold a comma, a quote, CR or LF. Null is nothing, an empty string is "".
// With base64 two columns more say in every row how key and value are written:
// "base64", or nothing for plain text.
type csvText struct{ binary Binary }

func (c csvText) Begin(dst []byte) []byte {
	dst = append(dst, "topic,partition,offset,timestamp,key,value"...)
	if c.binary == BinaryBase64 {
		dst = append(dst, ",keyEncoding,valueEncoding"...)
	}
	return append(dst, "\r\n"...)
}

func (c csvText) Append(dst []byte, r *Record, _ bool) ([]byte, error) {
	start := len(dst)
	dst = append(dst, r.Topic...)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, int64(r.Partition), 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, r.Offset, 10)
	dst = append(dst, ',')
	dst = strconv.AppendInt(dst, r.Timestamp, 10)
	dst = append(dst, ',')
	dst, keyCoded, ok := c.appendField(dst, r.Key)
	if !ok {
		return dst[:start], textError("key", r.Key)
	}
	dst = append(dst, ',')
	dst, valueCoded, ok := c.appendField(dst, r.Value)
	if !ok {
		return dst[:start], textError("value", r.Value)
	}
	if c.binary == BinaryBase64 {
		dst = appendCoded(dst, keyCoded)
		dst = appendCoded(dst, valueCoded)
	}
	return append(dst, "\r\n"...), nil
}

func (csvText) End(dst []byte) []byte { return dst }

// appendField appends one key or value. coded tells that it is in base64; ok is
// false when it is not UTF-8 and the policy refuses it.
func (c csvText) appendField(dst, b []byte) (out []byte, coded, ok bool) {
	if len(b) == 0 {
		if b != nil {
			dst = append(dst, `""`...)
		}
		return dst, false, true
	}
	if !utf8.Valid(b) {
		switch c.binary {
		case BinaryBase64:
			return base64.StdEncoding.AppendEncode(dst, b), true, true
		case BinaryDLQ:
			return dst, false, false
		}
		// The rare case: a copy in which each bad byte is U+FFFD.
		b = []byte(string([]rune(string(b))))
	}
	if !csvSpecial(b) {
		return append(dst, b...), false, true
	}
	dst = append(dst, '"')
	for {
		i := bytes.IndexByte(b, '"')
		if i < 0 {
			break
		}
		dst = append(dst, b[:i+1]...)
		dst = append(dst, '"')
		b = b[i+1:]
	}
	dst = append(dst, b...)
	return append(dst, '"'), false, true
}

func appendCoded(dst []byte, coded bool) []byte {
	if coded {
		return append(dst, ",base64"...)
	}
	return append(dst, ',')
}

// csvSpecial tells whether b holds a comma, a quote, CR or LF. Eight bytes are
// looked at at once, as in the JSON escaper.
func csvSpecial(b []byte) bool {
	const commas, returns, feeds = ',' * lowBits, '\r' * lowBits, '\n' * lowBits
	for len(b) >= 8 {
		w := binary.LittleEndian.Uint64(b)
		m := zeroBytes(w^commas) | zeroBytes(w^quotes) | zeroBytes(w^returns) | zeroBytes(w^feeds)
		if m != 0 {
			return true
		}
		b = b[8:]
	}
	for _, c := range b {
		if c == ',' || c == '"' || c == '\r' || c == '\n' {
			return true
		}
	}
	return false
}

// zeroBytes is not 0 exactly when some byte of w is 0.
func zeroBytes(w uint64) uint64 { return (w - lowBits) &^ w & highBits }
