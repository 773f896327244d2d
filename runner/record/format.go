package record

import (
	"fmt"
	"unicode/utf8"
)

// EncoderVersion names the bytes that this package's encoders make: it stands in
// the header of every commit, and grows when the same records would be encoded to
// other bytes (a format changed, or a compressor's version), so that an intent of
// an older program is not compared with bytes that this one makes.
const EncoderVersion = 1

// Format is how records become the content of an object.
type Format uint8

// The formats of KAFKA2OSS's oss.format.
const (
	FormatJSON Format = iota + 1
	FormatJSONL
	FormatCSV
	FormatRaw
	FormatParquet
	FormatAvro
)

var formatNames = [...]string{FormatJSON: "json", FormatJSONL: "jsonl", FormatCSV: "csv", FormatRaw: "raw", FormatParquet: "parquet", FormatAvro: "avro"}

// ParseFormat reads a format's name, one of json, jsonl, csv, raw, parquet, avro.
func ParseFormat(name string) (Format, error) {
	for f, n := range formatNames {
		if n != "" && n == name {
			return Format(f), nil
		}
	}
	return 0, fmt.Errorf("format %q is unknown: use json, jsonl, csv, raw, parquet or avro", name)
}

// String is the format's name, which is also its file extension.
func (f Format) String() string {
	if int(f) < len(formatNames) && f > 0 {
		return formatNames[f]
	}
	return fmt.Sprintf("format(%d)", uint8(f))
}

// Columnar tells whether the format is encoded at once from an [Arena] by
// [EncodeFile]; the others are [Text], appended record by record.
func (f Format) Columnar() bool { return f == FormatParquet || f == FormatAvro }

// Ext is the extension of an object of the format with the compression, without a
// leading dot: "json.gz". Parquet and Avro compress inside and keep their own.
func (f Format) Ext(c Compression) string {
	if f.Columnar() {
		return f.String()
	}
	return f.String() + c.Suffix()
}

// ContentType is the media type of an object of the format with the compression.
func (f Format) ContentType(c Compression) string {
	switch f {
	case FormatParquet:
		return "application/vnd.apache.parquet"
	case FormatAvro:
		return "application/avro"
	}
	if t := c.ContentType(); t != "" {
		return t
	}
	switch f {
	case FormatJSON:
		return "application/json"
	case FormatJSONL:
		return "application/x-ndjson"
	case FormatCSV:
		return "text/csv; charset=utf-8"
	}
	return "application/octet-stream"
}

// Binary is what textual formats do with a key or value that is not UTF-8.
type Binary uint8

// The policies of oss.binary and fc.binary.
const (
	// BinaryBase64 writes such bytes in base64 (RFC 4648, padded) and says so in a
	// field or column of its own.
	BinaryBase64 Binary = iota
	// BinaryDLQ refuses the record with a [TextError].
	BinaryDLQ
	// BinaryLossy writes U+FFFD for each byte that is not part of valid UTF-8.
	BinaryLossy
)

// ParseBinary reads a policy's name, one of base64, dlq, lossy.
func ParseBinary(name string) (Binary, error) {
	switch name {
	case "base64":
		return BinaryBase64, nil
	case "dlq":
		return BinaryDLQ, nil
	case "lossy":
		return BinaryLossy, nil
	}
	return 0, fmt.Errorf("policy %q for bytes that are not UTF-8 is unknown: use base64, dlq or lossy", name)
}

// String is the policy's name.
func (b Binary) String() string {
	switch b {
	case BinaryBase64:
		return "base64"
	case BinaryDLQ:
		return "dlq"
	case BinaryLossy:
		return "lossy"
	}
	return fmt.Sprintf("binary(%d)", uint8(b))
}

// TextError says that a record cannot be written in a textual format because its
// key or value is not UTF-8.
type TextError struct {
	Field string // "key" or "value"
	At    int    // index of the first byte that is not part of valid UTF-8
	Byte  byte   // that byte
}

// Error names the field, the byte and where it stands.
func (e *TextError) Error() string {
	return fmt.Sprintf("the record's %s is not UTF-8 text (byte 0x%02x at %d)", e.Field, e.Byte, e.At)
}

// Textual is nil when the key and the value of r are UTF-8 or null, else a [*TextError].
func Textual(r *Record) error {
	if !utf8.Valid(r.Key) {
		return textError("key", r.Key)
	}
	if !utf8.Valid(r.Value) {
		return textError("value", r.Value)
	}
	return nil
}

// textError finds the first bad byte of b, which is known to have one.
func textError(field string, b []byte) *TextError {
	for i := 0; i < len(b); {
		r, n := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && n == 1 {
			return &TextError{Field: field, At: i, Byte: b[i]}
		}
		i += n
	}
	return &TextError{Field: field, At: len(b)}
}
