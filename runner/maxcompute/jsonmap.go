package maxcompute

import (
	"errors"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// jsonMapper fills the columns from the fields of a JSON object, by name.
type jsonMapper struct {
	typed
	columns []column
	byName  map[string]int // names in lower case
	cells   []token        // of the record being mapped, by column
	name    []byte         // a field's name, made readable
	value   []byte         // a string without its escapes
}

func newJSONMapper(s *shape, t *table) *jsonMapper {
	m := &jsonMapper{typed: typed{zone: s.zone}, columns: t.columns, byName: map[string]int{}, cells: make([]token, len(t.columns))}
	for i := range t.columns {
		m.byName[string(lower(nil, []byte(t.columns[i].name)))] = i
	}
	return m
}

// lower appends b with ASCII letters in lower case, as names of columns are compared.
func lower(dst, b []byte) []byte {
	for _, c := range b {
		if c >= 'A' && c <= 'Z' {
			c += 'a' - 'A'
		}
		dst = append(dst, c)
	}
	return dst
}

const stageValue = connector.StageValueConverter

func (m *jsonMapper) row(e *encoder, r *record.Record) error {
	if r.Value == nil {
		return refused(stageValue, "null", "the value is null, and %s=json needs a JSON object", keyMapping)
	}
	if err := m.read(r.Value); err != nil {
		return err
	}
	at := e.mark()
	for i := range m.cells {
		if err := m.fill(e, i+1, &m.columns[i], m.cells[i], r.Value); err != nil {
			e.undo(at)
			return columnError(stageValue, &m.columns[i], err)
		}
	}
	e.endRow()
	return nil
}

// columnError says which column refuses, and why.
func columnError(stage connector.Stage, c *column, err error) error {
	code := "type"
	var me *mapError
	if errors.As(err, &me) {
		code = me.code
	}
	if code == "oversize" {
		return unreadable(stage, code, "column %s %s: %w", c.name, c.text, err)
	}
	return refused(stage, code, "column %s %s: %w", c.name, c.text, err)
}

// read finds the fields that columns take.
func (m *jsonMapper) read(b []byte) error {
	for i := range m.cells {
		m.cells[i] = token{}
	}
	if !utf8.Valid(b) {
		return unreadable(stageValue, "binary", "the value is not UTF-8, and so no JSON")
	}
	s := scanner{b: b}
	if s.next() != '{' {
		if _, err := s.value(0); err != nil || s.next() != 0 || s.i != len(b) {
			return m.broken(&s, errJSON)
		}
		return refused(stageValue, "json", "the value is JSON, but no object: %s", shown(b))
	}
	s.i++
	if s.next() == '}' {
		s.i++
		return m.ended(&s)
	}
	for {
		if err := m.field(&s); err != nil {
			return err
		}
		c := s.next()
		s.i++
		switch c {
		case '}':
			return m.ended(&s)
		case ',':
		default:
			return m.broken(&s, errJSON)
		}
	}
}

func (m *jsonMapper) field(s *scanner) error {
	name, err := s.name()
	if err != nil {
		return m.broken(s, err)
	}
	value, err := s.value(1)
	if err != nil {
		return m.broken(s, err)
	}
	raw := s.b[name.from:name.to]
	if name.escaped {
		var ok bool
		if m.value, ok = unescape(m.value[:0], raw); !ok {
			return nil // no column is named so
		}
		raw = m.value
	}
	i, known := m.byName[string(raw)]
	if !known {
		m.name = lower(m.name[:0], raw)
		if i, known = m.byName[string(m.name)]; !known {
			return nil
		}
	}
	if m.cells[i].kind != tokenNone {
		return refused(stageValue, "json", "the field %s is there twice", m.columns[i].name)
	}
	m.cells[i] = value
	return nil
}

func (m *jsonMapper) ended(s *scanner) error {
	if s.blanks(); s.i != len(s.b) {
		return m.broken(s, errJSON)
	}
	return nil
}

func (m *jsonMapper) broken(s *scanner, err error) error {
	return unreadable(stageValue, "json", "the value cannot be read at byte %d: %w", min(s.i, len(s.b)), err)
}

// fill writes one cell.
func (m *jsonMapper) fill(e *encoder, n int, c *column, t token, b []byte) error {
	whole := b
	b = b[t.from:t.to]
	switch t.kind {
	case tokenNone, tokenNull:
		if c.notNull {
			return &mapError{"null", "it is NOT NULL, and there is no value"}
		}
		return nil
	}
	if c.kind == kindJSON {
		if t.kind == tokenString {
			b = whole[t.from-1 : t.to+1] // with the quotation marks
		}
		return writeBytes(e, n, b)
	}
	switch t.kind {
	case tokenNumber:
		return m.number(e, n, c, b)
	case tokenTrue, tokenFalse:
		if c.kind != kindBoolean {
			return wrongType("%s is no %s", b, c.text)
		}
		e.boolean(n, t.kind == tokenTrue)
		return nil
	case tokenNested:
		return wrongType("%s is no %s", shown(b), c.text)
	}
	if t.escaped {
		var ok bool
		if m.value, ok = unescape(m.value[:0], b); !ok {
			return wrongType("%s has half of a surrogate pair, which is no character", shown(b))
		}
		b = m.value
	}
	return m.text(e, n, c, b)
}
