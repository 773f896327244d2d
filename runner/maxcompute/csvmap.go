package maxcompute

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// csvMapper fills the columns in their order from the fields of one CSV row (RFC 4180).
// A field that is nothing is null, one that is "" an empty string.
type csvMapper struct {
	typed
	columns []column
	key     bool // the row is the record's key
	utf8    bool
	fields  []csvField
	joined  []byte // fields that had doubled quotation marks
}

// csvField is a field of a row.
type csvField struct {
	text []byte
	null bool
}

func newCSVMapper(s *shape, t *table) *csvMapper {
	return &csvMapper{typed: typed{zone: s.zone}, columns: t.columns, key: s.mode == modeKey, utf8: s.utf8}
}

func (m *csvMapper) row(e *encoder, r *record.Record) error {
	stage, what, b := connector.StageValueConverter, "value", r.Value
	if m.key {
		stage, what, b = connector.StageKeyConverter, "key", r.Key
	}
	switch {
	case b == nil:
		return refused(stage, "null", "the %s is null, and the table's %d columns need a CSV row", what, len(m.columns))
	case m.utf8 && !utf8.Valid(b):
		return unreadable(stage, "binary", "the %s is not UTF-8 (%s=%s)", what, keyBinary, binaryDLQ)
	}
	if problem := m.split(b); problem != "" {
		return refused(stage, "csv", "the %s is no CSV row: %s", what, problem)
	}
	if len(m.fields) != len(m.columns) {
		return refused(stage, "csv_width", "the row has %d fields and the table %d columns", len(m.fields), len(m.columns))
	}
	at := e.mark()
	for i := range m.fields {
		if err := m.fill(e, i+1, &m.columns[i], m.fields[i]); err != nil {
			e.undo(at)
			return columnError(stage, &m.columns[i], err)
		}
	}
	e.endRow()
	return nil
}

// split takes one row apart; what is wrong with it comes back in words.
func (m *csvMapper) split(b []byte) (problem string) {
	m.fields, m.joined = m.fields[:0], m.joined[:0]
	b = bytes.TrimSuffix(b, []byte("\n"))
	b = bytes.TrimSuffix(b, []byte("\r"))
	for {
		var more bool
		if len(b) > 0 && b[0] == '"' {
			b, more, problem = m.quoted(b[1:])
		} else {
			b, more, problem = m.bare(b)
		}
		if problem != "" || !more {
			return problem
		}
	}
}

func (m *csvMapper) bare(b []byte) (rest []byte, more bool, problem string) {
	end := bytes.IndexByte(b, ',')
	field := b
	if end >= 0 {
		field, rest, more = b[:end], b[end+1:], true
	}
	if i := bytes.IndexAny(field, "\"\r\n"); i >= 0 {
		if field[i] == '"' {
			return nil, false, "a quotation mark stands in a field that is not quoted"
		}
		return nil, false, "it has more than one line"
	}
	m.fields = append(m.fields, csvField{field, len(field) == 0})
	return rest, more, ""
}

func (m *csvMapper) quoted(b []byte) (rest []byte, more bool, problem string) {
	from, joined := b, len(m.joined)
	plain := true
	for n := 0; ; {
		i := bytes.IndexByte(b[n:], '"')
		if i < 0 {
			return nil, false, "a quoted field does not end"
		}
		n += i
		if n+1 < len(b) && b[n+1] == '"' {
			m.joined = append(m.joined, b[:n+1]...)
			b, n, plain = b[n+2:], 0, false
			continue
		}
		field := from[:n]
		if !plain {
			m.joined = append(m.joined, b[:n]...)
			field = m.joined[joined:]
		}
		m.fields = append(m.fields, csvField{text: field})
		b = b[n+1:]
		if len(b) > 0 && b[0] != ',' {
			return nil, false, "something stands behind the closing quotation mark of a field"
		}
		if len(b) == 0 {
			return nil, false, ""
		}
		return b[1:], true, ""
	}
}

func (m *csvMapper) fill(e *encoder, n int, c *column, f csvField) error {
	if f.null {
		if c.notNull {
			return &mapError{"null", "it is NOT NULL, and the field is empty"}
		}
		return nil
	}
	switch c.kind {
	case kindBigint, kindInt, kindSmallint, kindTinyint, kindDouble, kindFloat:
		return m.number(e, n, c, f.text)
	case kindBoolean:
		switch {
		case strings.EqualFold(text(f.text), "true"):
			e.boolean(n, true)
		case strings.EqualFold(text(f.text), "false"):
			e.boolean(n, false)
		default:
			return wrongType("%s is neither true nor false", shown(f.text))
		}
		return nil
	case kindBinary:
		return writeBytes(e, n, f.text)
	case kindJSON:
		s := scanner{b: f.text}
		if _, err := s.value(0); err != nil || s.next() != 0 || s.i != len(f.text) || !utf8.Valid(f.text) {
			return wrongType("%s is no JSON", shown(f.text))
		}
		return writeBytes(e, n, f.text)
	}
	return m.text(e, n, c, f.text)
}
