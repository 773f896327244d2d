package record

import (
	"encoding/base64"
	"strconv"
)

// AppendJSON appends the JSON record
//
//	{"key","offset","overflowFlag","partition","timestamp","topic","value","valueSize"}
//
// with the fields in that order, timestamp in milliseconds, valueSize the value's
// length in bytes (0 when null). A null key or value leaves its field out. A key or
// value that is not UTF-8 is written as binary says; with [BinaryDLQ] the error is
// a [*TextError] and dst comes back with the length it had.
func AppendJSON(dst []byte, r *Record, binary Binary) ([]byte, error) {
	start := len(dst)
	dst, err := appendKeyPart(dst, r, binary)
	if err != nil {
		return dst[:start], err
	}
	dst = appendMiddle(dst, r, false)
	if r.Value != nil {
		dst, err = appendBytesField(dst, `,"value":"`, `","valueEncoding":"base64"`, "value", r.Value, binary)
		if err != nil {
			return dst[:start], err
		}
	}
	return appendSize(dst, r), nil
}

// AppendOverflowJSON appends the JSON record of a record whose value is too large
// for its request: without value, with valueSize and with overflowFlag true. It
// fails as [AppendJSON] does, but only for the key.
func AppendOverflowJSON(dst []byte, r *Record, binary Binary) ([]byte, error) {
	start := len(dst)
	dst, err := appendKeyPart(dst, r, binary)
	if err != nil {
		return dst[:start], err
	}
	return appendSize(appendMiddle(dst, r, true), r), nil
}

// appendKeyPart appends the opening brace, the key where there is one, and the
// name of the next field.
func appendKeyPart(dst []byte, r *Record, binary Binary) ([]byte, error) {
	if r.Key == nil {
		return append(dst, `{"offset":`...), nil
	}
	dst, err := appendBytesField(dst, `{"key":"`, `","keyEncoding":"base64"`, "key", r.Key, binary)
	return append(dst, `,"offset":`...), err
}

// appendMiddle appends the fields from offset to topic; the name "offset" stands already.
func appendMiddle(dst []byte, r *Record, overflow bool) []byte {
	dst = strconv.AppendInt(dst, r.Offset, 10)
	if overflow {
		dst = append(dst, `,"overflowFlag":true,"partition":`...)
	} else {
		dst = append(dst, `,"overflowFlag":false,"partition":`...)
	}
	dst = strconv.AppendInt(dst, int64(r.Partition), 10)
	dst = append(dst, `,"timestamp":`...)
	dst = strconv.AppendInt(dst, r.Timestamp, 10)
	dst = append(dst, `,"topic":"`...)
	// Kafka's rule for topic names ([a-zA-Z0-9._-]) leaves nothing to escape.
	dst = append(dst, r.Topic...)
	return append(dst, '"')
}

// appendSize appends valueSize and the closing brace.
func appendSize(dst []byte, r *Record) []byte {
	dst = append(dst, `,"valueSize":`...)
	dst = strconv.AppendInt(dst, int64(len(r.Value)), 10)
	return append(dst, '}')
}

// appendBytesField appends open, b as a string, and the closing quote; or, where b
// is not UTF-8 and the policy is base64, b in base64 and encoded, which begins with
// the closing quote.
func appendBytesField(dst []byte, open, encoded, field string, b []byte, binary Binary) ([]byte, error) {
	dst = append(dst, open...)
	dst, ok := appendEscaped(dst, b, binary == BinaryLossy)
	if ok {
		return append(dst, '"'), nil
	}
	if binary == BinaryDLQ {
		return dst, textError(field, b)
	}
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, encoded...), nil
}
