package maxcompute

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

const (
	// previewBody bounds a sample's text, previewValue a value's, in bytes.
	previewBody  = 16 << 10
	previewValue = 2 << 10
)

// preview shows the rows that the records would become, read back from the very bytes
// that would be uploaded, and every record that would be diverted.
func preview(ctx context.Context, cfg connector.Config, deps connector.Deps, records []record.Record) ([]connector.Sample, error) {
	s, err := newSink(cfg, deps, &paces{})
	if err != nil {
		return nil, err
	}
	defer s.Close()
	t, err := s.tableNow(ctx, true)
	if err != nil {
		// The columns of records are known without the table.
		expected := s.shape.expected()
		if expected == nil {
			return nil, err
		}
		t = &table{columns: expected}
	}
	return s.samples(t, records)
}

func (s *sink) samples(t *table, records []record.Record) ([]connector.Sample, error) {
	m, paths, e := s.shape.newMapper(t), s.shape.path.NewCache(), newEncoder(s.pool)
	var out, refused []connector.Sample
	for i := range records {
		r := &records[i]
		source := connector.SampleSource{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
		e.reset()
		err := m.row(e, r)
		var re *connector.RecordError
		if errors.As(err, &re) {
			title := "abnormal data topic"
			if re.DeadLetter {
				title = "dead-letter queue topic"
			}
			refused = append(refused, connector.Sample{Source: source, Title: title, MediaType: "text/plain", Refused: re.Error()})
			continue
		}
		if err != nil {
			return nil, err
		}
		if e.body != nil { // a row so large that it is compressed already
			out = append(out, connector.Sample{Source: source, Title: s.title(paths.Of(r)), MediaType: "text/plain", Body: fmt.Sprintf("One row of a record of %d bytes.", r.Size())})
			continue
		}
		body, err := rowJSON(t, e.raw)
		if err != nil {
			return nil, err
		}
		out = append(out, connector.Sample{Source: source, Title: s.title(paths.Of(r)), MediaType: "application/json", Body: body})
	}
	return append(out, refused...), nil
}

// title names the table partition that a row goes into.
func (s *sink) title(pt string) string {
	return s.place.sql() + "/" + partitionColumn + "=" + pt
}

// rowJSON reads an encoded row back: one JSON object with the columns in their order.
func rowJSON(t *table, row []byte) (string, error) {
	values := make([]string, len(t.columns))
	for len(row) > 0 {
		tag, n := binary.Uvarint(row)
		if n <= 0 {
			return "", errors.New("the row that was made cannot be read back")
		}
		row = row[n:]
		if tag>>3 == fieldEndRow {
			break
		}
		column := int(tag>>3) - 1
		if column < 0 || column >= len(t.columns) {
			return "", fmt.Errorf("the row that was made has a column %d", column+1)
		}
		if values[column], n = t.columns[column].shown(row); n < 0 {
			return "", errors.New("the row that was made ends too early")
		}
		row = row[n:]
	}
	var b strings.Builder
	b.WriteString("{\n")
	for i := range t.columns {
		if values[i] == "" {
			values[i] = "null"
		}
		name, err := json.Marshal(t.columns[i].name)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "  %s: %s", name, values[i])
		if i < len(t.columns)-1 {
			b.WriteByte(',')
		}
		b.WriteByte('\n')
	}
	b.WriteString("}")
	return clip(b.String(), previewBody), nil
}

// shown is a value as JSON, and how many bytes it has; negative when they are not there.
func (c *column) shown(b []byte) (string, int) {
	switch c.kind {
	case kindDouble:
		if len(b) < 8 {
			return "", -1
		}
		return strconv.FormatFloat(math.Float64frombits(binary.LittleEndian.Uint64(b)), 'g', -1, 64), 8
	case kindFloat:
		if len(b) < 4 {
			return "", -1
		}
		return strconv.FormatFloat(float64(math.Float32frombits(binary.LittleEndian.Uint32(b))), 'g', -1, 32), 4
	case kindBoolean:
		if len(b) < 1 {
			return "", -1
		}
		return strconv.FormatBool(b[0] != 0), 1
	case kindBigint, kindInt, kindSmallint, kindTinyint, kindDate, kindDatetime:
		v, n := binary.Varint(b)
		if n <= 0 {
			return "", -1
		}
		return c.shownInteger(v), n
	case kindTimestamp, kindTimestampNTZ:
		seconds, n := binary.Varint(b)
		nanos, m := binary.Varint(b[max(n, 0):])
		if n <= 0 || m <= 0 {
			return "", -1
		}
		return strconv.Quote(time.Unix(seconds, nanos).UTC().Format("2006-01-02 15:04:05.999999999") + c.utcMark()), n + m
	}
	length, n := binary.Uvarint(b)
	if n <= 0 || uint64(len(b)-n) < length {
		return "", -1
	}
	return c.shownBytes(b[n : n+int(length)]), n + int(length)
}

func (c *column) shownInteger(v int64) string {
	switch c.kind {
	case kindDate:
		return strconv.Quote(time.Unix(v*secondsOfDay, 0).UTC().Format("2006-01-02"))
	case kindDatetime:
		return strconv.Quote(time.UnixMilli(v).UTC().Format("2006-01-02 15:04:05.999") + c.utcMark())
	}
	return strconv.FormatInt(v, 10)
}

func (c *column) utcMark() string {
	if c.kind == kindTimestampNTZ {
		return ""
	}
	return " UTC"
}

func (c *column) shownBytes(b []byte) string {
	switch {
	case c.kind == kindDecimal:
		return string(b)
	case c.kind == kindJSON && len(b) <= previewValue:
		return string(b)
	case c.kind == kindBinary || !utf8.Valid(b):
		text, _ := json.Marshal("base64: " + clip(base64.StdEncoding.EncodeToString(b), previewValue)) // a string always marshals
		return string(text)
	}
	text, _ := json.Marshal(clip(string(b), previewValue)) // a string always marshals
	return string(text)
}
