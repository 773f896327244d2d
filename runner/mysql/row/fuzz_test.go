package row_test

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// captured calls for each rows event that was captured from a real server, with the
// TABLE_MAP event before it. testdata has type and body of one event a line.
func captured(tb testing.TB, each func(maria bool, tableMap []byte, event byte, body []byte)) {
	tb.Helper()
	for _, flavor := range []string{row.MariaDB, row.MySQL} {
		text, err := os.ReadFile("testdata/" + flavor + ".events")
		if err != nil {
			tb.Fatal(err)
		}
		var tableMap []byte
		for line := range strings.Lines(string(text)) {
			var event byte
			var digits string
			if _, err := fmt.Sscan(line, &event, &digits); err != nil {
				tb.Fatal(err)
			}
			body, err := hex.DecodeString(digits)
			if err != nil {
				tb.Fatal(err)
			}
			if event == byte(replication.TABLE_MAP_EVENT) {
				tableMap = body
			} else {
				each(flavor == row.MariaDB, tableMap, event, body)
			}
		}
	}
}

func flavorOf(maria bool) string {
	if maria {
		return row.MariaDB
	}
	return row.MySQL
}

// TestCapturedEvents decodes what real servers wrote, without a server.
func TestCapturedEvents(t *testing.T) {
	t.Parallel()
	n := 0
	captured(t, func(maria bool, tableMap []byte, event byte, body []byte) {
		table, err := row.ParseTableMap(tableMap, flavorOf(maria))
		if err != nil {
			t.Fatal(err)
		}
		rows, err := checkRows(t, table, event, body)
		if err != nil || rows == 0 {
			t.Errorf("%s: %d rows, %v", table, rows, err)
		}
		n += rows
	})
	if n < 400 {
		t.Errorf("only %d rows", n)
	}
}

// TestTruncatedEvents cuts events everywhere: each cut is an error or fewer rows, and never other rows.
func TestTruncatedEvents(t *testing.T) {
	t.Parallel()
	captured(t, func(maria bool, tableMap []byte, event byte, body []byte) {
		if len(body) > 120 || len(tableMap) > 200 {
			return
		}
		for n := range tableMap {
			_, _ = row.ParseTableMap(tableMap[:n], flavorOf(maria))
		}
		table, err := row.ParseTableMap(tableMap, flavorOf(maria))
		if err != nil {
			t.Fatal(err)
		}
		whole := rowsOf(table, event, body)
		for n := range body {
			for i, r := range rowsOf(table, event, body[:n]) {
				if i >= len(whole) || r != whole[i] {
					t.Fatalf("%s cut at %d: row %d is %s", table, n, i, r)
				}
			}
		}
	})
}

func rowsOf(table *row.Table, event byte, body []byte) (out []string) {
	var d row.Decoder
	_ = d.Rows(table, replication.EventType(event), body, func(before, after row.Row) error {
		out = append(out, show(table, before)+"|"+show(table, after))
		return nil
	})
	return out
}

// checkRows decodes an event and proves what must hold of every value.
func checkRows(tb testing.TB, table *row.Table, event byte, body []byte) (n int, err error) {
	tb.Helper()
	var d, fields row.Decoder
	var encoders []format.Encoder
	for _, name := range []string{format.DataWorks, format.Debezium} {
		e, err := format.New(name, format.Options{Zone: time.FixedZone("", 8*3600), InvalidText: format.PolicyReplace})
		if err != nil {
			tb.Fatal(err)
		}
		encoders = append(encoders, e)
	}
	// What is decoded cannot be larger than what deflate could hide in the event, four bytes
	// of UTF-8 a byte, and padding.
	limit := int64(len(body)+1024)*1032*4 + 256*int64(len(table.Columns))
	err = d.Rows(table, replication.EventType(event), body, func(before, after row.Row) error {
		n++
		for _, r := range []row.Row{before, after} {
			if r == nil {
				continue
			}
			if r.Size() > limit+40*int64(len(r)) {
				tb.Fatalf("a row of %d bytes from an event of %d", r.Size(), len(body))
			}
			checkRow(tb, &fields, table, r)
		}
		for _, e := range encoders {
			checkMessages(tb, e, table, before, after)
		}
		return nil
	})
	var decode *row.DecodeError
	var image *row.ImageError
	if err != nil && !errors.As(err, &decode) && !errors.As(err, &image) {
		tb.Fatalf("an error of another type: %v", err)
	}
	return n, err
}

// checkRow proves that a value's text reads back as the value, where a SELECT gives the text.
func checkRow(tb testing.TB, d *row.Decoder, table *row.Table, r row.Row) {
	tb.Helper()
	for i := range r {
		c, v := &table.Columns[i], r[i]
		text := c.AppendText(nil, v)
		_ = c.AppendLiteral(nil, v)
		if v.State == row.Present && c.Kind == row.Text && !utf8.Valid(v.B) {
			tb.Fatalf("%s: text that is not UTF-8: %x", c.Name, v.B)
		}
		switch c.Kind {
		case row.Date, row.Time, row.DateTime, row.Timestamp, row.Decimal:
		default:
			continue
		}
		one := &row.Table{Columns: table.Columns[i : i+1]}
		field := mysql.NewFieldValue(mysql.FieldValueTypeString, 0, text)
		if v.IsNull() {
			field = mysql.NewFieldValue(mysql.FieldValueTypeNull, 0, nil)
		}
		back, err := d.Fields(one, []mysql.FieldValue{field}, nil)
		if err != nil && c.Kind == row.Timestamp && v.N < 1_000_000 {
			continue // no server has a fraction of second 0
		}
		if err != nil || back[0].N != v.N && c.FSP == 6 || !bytes.Equal(back[0].B, v.B) {
			if zero := bytes.TrimLeft(text, "-0.:"); c.Kind == row.Decimal && err == nil && len(zero) < len(text) {
				continue // digits that no server writes: leading zeros, minus zero
			}
			tb.Fatalf("%s: %q reads back as %v, %v", c.Name, text, back, err)
		}
	}
}

// checkMessages proves that messages are JSON.
func checkMessages(tb testing.TB, e format.Encoder, table *row.Table, before, after row.Row) {
	tb.Helper()
	op := format.Update
	switch {
	case before == nil:
		op = format.Insert
	case after == nil:
		op = format.Delete
	}
	c := &format.Change{Table: table, Op: op, Before: before, After: after, Sequence: func() uint64 { return 1 }}
	err := e.Encode(c, func(m *format.Message) error {
		if m.Value != nil && !json.Valid(m.Value) || m.Key != nil && !json.Valid(m.Key) {
			tb.Fatalf("not JSON: %s %s", m.Key, m.Value)
		}
		return nil
	})
	if err != nil {
		tb.Fatal(err)
	}
}

func FuzzTableMap(f *testing.F) {
	var last []byte
	captured(f, func(maria bool, tableMap []byte, _ byte, _ []byte) {
		if !bytes.Equal(last, tableMap) {
			f.Add(tableMap, maria)
		}
		last = tableMap
	})
	f.Fuzz(func(t *testing.T, body []byte, maria bool) {
		table, err := row.ParseTableMap(body, flavorOf(maria))
		if err != nil {
			var wrong *row.DefinitionError
			var missing *row.MetadataError
			if !errors.As(err, &wrong) && !errors.As(err, &missing) || table != nil {
				t.Fatalf("%v, %v", table, err)
			}
			return
		}
		again, err := row.ParseTableMap(body, flavorOf(maria))
		if err != nil || again.Fingerprint != table.Fingerprint {
			t.Fatalf("the second time: %v", err)
		}
		size := len(table.Database) + len(table.Name)
		for i := range table.Columns {
			c := &table.Columns[i]
			size += len(c.Name)
			for _, m := range c.Members {
				size += len(m) / 4 // UTF-8 has at most four bytes for one
			}
			if c.Kind == 0 || c.Type == "" {
				t.Fatalf("column %d has no type", i)
			}
		}
		if size > len(body) || table.SelectList() == "" {
			t.Fatalf("a definition of %d bytes from %d", size, len(body))
		}
	})
}

func FuzzRows(f *testing.F) {
	captured(f, func(maria bool, tableMap []byte, event byte, body []byte) { f.Add(tableMap, event, body, maria) })
	f.Fuzz(func(t *testing.T, tableMap []byte, event byte, body []byte, maria bool) {
		table, err := row.ParseTableMap(tableMap, flavorOf(maria))
		if err != nil || len(table.Columns) > 64 {
			return
		}
		_, _ = checkRows(t, table, event, body)
	})
}

func FuzzBinaryJSON(f *testing.F) {
	captured(f, func(maria bool, tableMap []byte, event byte, body []byte) {
		if table, err := row.ParseTableMap(tableMap, flavorOf(maria)); err == nil && table.Columns[len(table.Columns)-1].Kind == row.JSON && len(body) > 20 {
			f.Add(body[20:]) // after a header of 15 bytes, and id and length of the first row
			f.Add(body[21:])
		}
	})
	f.Add([]byte{0, 1, 0, 12, 0, 11, 0, 1, 0, 5, 255, 255, 'a'})
	f.Fuzz(func(t *testing.T, doc []byte) {
		text, err := row.AppendBinaryJSON(nil, doc)
		if err != nil {
			return
		}
		if utf8.Valid(text) && !json.Valid(text) {
			t.Fatalf("%x is printed as %q", doc, text)
		}
		if len(text) > 64+34*len(doc)*2 {
			t.Fatalf("%d bytes of text from %d", len(text), len(doc))
		}
	})
}
