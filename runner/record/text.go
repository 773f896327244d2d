package record

import "fmt"

// Text is a format that is written by appending one record after the other. A Text
// has no state: one serves every open object of every task at once.
type Text interface {
	// Begin appends what stands before the first record.
	Begin(dst []byte) []byte
	// Append appends one record; first tells that it is the object's first. On an
	// error, a [*TextError], dst comes back with the length it had.
	Append(dst []byte, r *Record, first bool) ([]byte, error)
	// End appends what stands after the last record.
	End(dst []byte) []byte
}

var (
	_ Text = jsonArray{}
	_ Text = jsonLines{}
	_ Text = csvText{}
	_ Text = rawText{}
)

// NewText is the encoder of a textual format. Raw writes bytes as they are and does
// not heed binary.
func NewText(f Format, binary Binary) (Text, error) {
	switch f {
	case FormatJSON:
		return jsonArray{binary}, nil
	case FormatJSONL:
		return jsonLines{binary}, nil
	case FormatCSV:
		return csvText{binary}, nil
	case FormatRaw:
		return rawText{}, nil
	}
	return nil, fmt.Errorf("format %s is not textual", f)
}

// jsonArray is one JSON array of records, without white space.
type jsonArray struct{ binary Binary }

func (jsonArray) Begin(dst []byte) []byte { return append(dst, '[') }

func (j jsonArray) Append(dst []byte, r *Record, first bool) ([]byte, error) {
	if first {
		return AppendJSON(dst, r, j.binary)
	}
	out, err := AppendJSON(append(dst, ','), r, j.binary)
	if err != nil {
		return out[:len(dst)], err
	}
	return out, nil
}

func (jsonArray) End(dst []byte) []byte { return append(dst, ']') }

// jsonLines is a JSON record a line, each ended by a line feed.
type jsonLines struct{ binary Binary }

func (jsonLines) Begin(dst []byte) []byte { return dst }

func (j jsonLines) Append(dst []byte, r *Record, _ bool) ([]byte, error) {
	dst, err := AppendJSON(dst, r, j.binary)
	if err != nil {
		return dst, err
	}
	return append(dst, '\n'), nil
}

func (jsonLines) End(dst []byte) []byte { return dst }

// rawText is the values' bytes, each followed by a line feed; a null value is an
// empty line.
type rawText struct{}

func (rawText) Begin(dst []byte) []byte { return dst }

func (rawText) Append(dst []byte, r *Record, _ bool) ([]byte, error) {
	return append(append(dst, r.Value...), '\n'), nil
}

func (rawText) End(dst []byte) []byte { return dst }
