package record

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"
)

// EncodeFile writes the records of a to w as a file of a columnar format: Parquet or
// Avro, with the columns topic (string), partition (int), offset (long), timestamp
// (timestamp-millis), key and value (optional bytes), headers (list of key, a string,
// and value, optional bytes). The same records give the same bytes with the same
// [EncoderVersion]. The arena is only read; encoders live for the call only.
//
// A timestamp of -1 (a record without one) is written as -1. Bytes of a header's key
// that are not UTF-8 become U+FFFD, because the column is a string.
func EncodeFile(w io.Writer, f Format, c Compression, a *Arena) error {
	if a.Len() == 0 {
		return errors.New("encoding a file without records")
	}
	var err error
	switch f {
	case FormatParquet:
		err = encodeParquet(w, a, c)
	case FormatAvro:
		err = encodeAvro(w, a, c)
	default:
		return fmt.Errorf("format %s is not columnar", f)
	}
	if err != nil {
		return fmt.Errorf("encoding %s: %w", f, err)
	}
	return nil
}

// headerKey is a header's key as a column of strings can hold it.
func headerKey(key string) string {
	if utf8.ValidString(key) {
		return key
	}
	return strings.ToValidUTF8(key, "\uFFFD")
}
