package maxcompute

import (
	"fmt"
	"time"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// shape is what the shape settings say: rows and partitions.
type shape struct {
	json   bool
	mode   string
	format string
	utf8   bool // bytes that are not UTF-8 are refused
	path   *record.Path
	zone   *time.Location
}

// patterns are the values of pt, written as object paths are.
var patterns = map[string]string{partitionDay: "{MM}-{dd}-{yyyy}", partitionHour: "{MM}-{dd}-{yyyy} {HH}", partitionMinute: "{MM}-{dd}-{yyyy} {HH}:{mm}"}

func newShape(cfg connector.Config) (*shape, error) {
	s := &shape{json: cfg.Get(keyMapping) == mappingJSON, mode: cfg.Get(keyMode), format: cfg.Get(keyFormat), utf8: cfg.Get(keyBinary) == binaryDLQ}
	var err error
	if s.zone, err = record.ParseZone(cfg.Get(keyTimezone)); err != nil {
		return nil, wrongField(keyTimezone, err)
	}
	pattern, ok := patterns[cfg.Get(keyPartition)]
	if !ok {
		return nil, wrongField(keyPartition, fmt.Errorf("%q is not one of DAY, HOUR, MINUTE", cfg.Get(keyPartition)))
	}
	if s.path, err = record.ParsePath(pattern, s.zone); err != nil {
		return nil, wrongField(keyPartition, err)
	}
	return s, nil
}

// countable tells whether the rows of a range can be found in the table again.
func (s *shape) countable() bool { return s.expected() != nil }

// mapper turns records into rows of one table. It is for one goroutine and one source
// partition; a refused record leaves nothing in the encoder.
type mapper interface {
	row(e *encoder, r *record.Record) error
}

// newMapper makes the mapper for a table that fits.
func (s *shape) newMapper(t *table) mapper {
	switch {
	case s.json:
		return newJSONMapper(s, t)
	case s.format == formatCSV:
		return newCSVMapper(s, t)
	}
	return newRecordMapper(s, t)
}

// refused is a record that the mapping refuses: abnormal data.
func refused(stage connector.Stage, code, format string, args ...any) *connector.RecordError {
	return &connector.RecordError{Stage: stage, Code: code, Err: fmt.Errorf(format, args...)}
}

// unreadable is a record that cannot be read at all, or is over a limit: a dead letter.
func unreadable(stage connector.Stage, code, format string, args ...any) *connector.RecordError {
	e := refused(stage, code, format, args...)
	e.DeadLetter = true
	return e
}

// recordMapper writes topic, partition, offset, key and value.
type recordMapper struct {
	utf8                                 bool
	topic, partition, offset, key, value int // column numbers from 1; 0: not written
	keyNotNull, valueNotNull             bool
	forTopic                             string
	forPartition                         int32
	lead                                 prefix // topic and partition, which come before the others
	leads                                bool
	order                                []int // the columns that are written, by number
}

func newRecordMapper(s *shape, t *table) *recordMapper {
	m := &recordMapper{utf8: s.utf8 && s.format != formatBinary}
	written := map[int]bool{}
	number := func(name string, into *int) {
		if i := t.find(name); i >= 0 {
			*into = i + 1
			written[i+1] = true
		}
	}
	number(columnTopic, &m.topic)
	number(columnPartition, &m.partition)
	number(columnOffset, &m.offset)
	if s.mode != modeValue {
		number(columnKey, &m.key)
		m.keyNotNull = m.key > 0 && t.columns[m.key-1].notNull
	}
	if s.mode != modeKey {
		number(columnValue, &m.value)
		m.valueNotNull = m.value > 0 && t.columns[m.value-1].notNull
	}
	for i := range t.columns {
		if written[i+1] {
			m.order = append(m.order, i+1)
		}
	}
	m.leads = len(m.order) > 2 && (m.order[0] == m.topic && m.order[1] == m.partition || m.order[0] == m.partition && m.order[1] == m.topic)
	return m
}

func (m *recordMapper) row(e *encoder, r *record.Record) error {
	if m.key > 0 {
		if err := m.check(connector.StageKeyConverter, "key", r.Key, m.keyNotNull); err != nil {
			return err
		}
	}
	if m.value > 0 {
		if err := m.check(connector.StageValueConverter, "value", r.Value, m.valueNotNull); err != nil {
			return err
		}
	}
	order := m.order
	at := e.mark()
	if m.leads {
		if m.lead.raw == nil || m.forPartition != r.Partition || m.forTopic != r.Topic {
			m.fields(e, r, order[:2])
			m.lead, m.forTopic, m.forPartition = e.prefixOf(at), r.Topic, r.Partition
			e.mark()
		}
		e.begin(m.lead)
		order = order[2:]
	}
	m.fields(e, r, order)
	e.endRow()
	return nil
}

// fields writes columns in their order.
func (m *recordMapper) fields(e *encoder, r *record.Record, order []int) {
	for _, n := range order {
		switch n {
		case m.topic:
			e.bytes(n, []byte(r.Topic))
		case m.partition:
			e.integer(n, int64(r.Partition))
		case m.offset:
			e.integer(n, r.Offset)
		case m.key:
			if r.Key != nil {
				e.bytes(n, r.Key)
			}
		case m.value:
			if r.Value != nil {
				e.bytes(n, r.Value)
			}
		}
	}
}

func (m *recordMapper) check(stage connector.Stage, what string, b []byte, notNull bool) error {
	switch {
	case b == nil && notNull:
		return refused(stage, "null", "the %s is null and the column %s is NOT NULL", what, what)
	case len(b) > maxField:
		return unreadable(stage, "oversize", "the %s has %d bytes, and a column takes at most %d", what, len(b), maxField)
	case m.utf8 && !utf8.Valid(b):
		return unreadable(stage, "binary", "the %s is not UTF-8 (%s=%s)", what, keyBinary, binaryDLQ)
	}
	return nil
}
