// Package formattest is for tests of the message formats: files in which another program's messages stand beside the
// changes that they tell.
package formattest

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"strconv"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// Line is a line of such a file: one of its members is set.
type Line struct {
	Head    *Head      `json:"head,omitempty"`    // the first line
	Table   *row.Table `json:"table,omitempty"`   // the next definition, counted from 0
	Change  *Change    `json:"change,omitempty"`  // in the order in which they were read
	Message *Message   `json:"message,omitempty"` // likewise
}

// Head says what made the file.
type Head struct {
	Debezium string            `json:"debezium"` // its version
	Server   string            `json:"server"`
	Made     string            `json:"made"` // the command
	Settings map[string]string `json:"settings"`
}

// Message is a record that the other program wrote. A nil Key, Value or header is Kafka's null.
type Message struct {
	Topic   string             `json:"topic"`
	Key     *string            `json:"key"`
	Value   json.RawMessage    `json:"value"`
	Headers map[string]*string `json:"headers"`
}

// Change is a format.Change whose Table is a number.
type Change struct {
	Table    int           `json:"table"`
	Op       format.Op     `json:"op"`
	Snapshot bool          `json:"snapshot,omitempty"`
	Before   []*string     `json:"before,omitempty"` // see appendValue
	After    []*string     `json:"after,omitempty"`
	Origin   format.Origin `json:"origin"`
}

// ChangeOf keeps a change, of the table with that number.
func ChangeOf(table int, c *format.Change) *Change {
	return &Change{Table: table, Op: c.Op, Snapshot: c.Snapshot, Before: texts(c.Before), After: texts(c.After), Origin: c.Origin}
}

// Format is the change as it was.
func (c *Change) Format(t *row.Table) (*format.Change, error) {
	before, err := values(c.Before)
	if err != nil {
		return nil, err
	}
	after, err := values(c.After)
	if err != nil {
		return nil, err
	}
	return &format.Change{Table: t, Op: c.Op, Snapshot: c.Snapshot, Before: before, After: after, Origin: c.Origin, Sequence: func() uint64 { return 0 }}, nil
}

// texts writes values: nil is NULL, and a letter says what follows: n a number, t text, b bytes and i text that is not
// valid in base64.
func texts(r row.Row) (out []*string) {
	for _, v := range r {
		var s string
		switch {
		case v.IsNull():
			out = append(out, nil)
			continue
		case v.State == row.Invalid:
			s = "i" + base64.StdEncoding.EncodeToString(v.B)
		case len(v.B) == 0:
			s = "n" + strconv.FormatUint(v.N, 10)
		case utf8.Valid(v.B):
			s = "t" + string(v.B)
		default:
			s = "b" + base64.StdEncoding.EncodeToString(v.B)
		}
		out = append(out, &s)
	}
	return out
}

// values reads what texts wrote.
func values(texts []*string) (r row.Row, err error) {
	for _, s := range texts {
		v := row.Value{State: row.Present}
		switch {
		case s == nil:
			v.State = row.Null
		case *s == "":
			return nil, fmt.Errorf("a value without a letter")
		default:
			text := (*s)[1:]
			switch (*s)[0] {
			case 'n':
				v.N, err = strconv.ParseUint(text, 10, 64)
			case 't':
				v.B = []byte(text)
			case 'i':
				v.State = row.Invalid
				fallthrough
			case 'b':
				v.B, err = base64.StdEncoding.DecodeString(text)
			default:
				err = fmt.Errorf("a value that begins with %q", (*s)[0])
			}
			if err != nil {
				return nil, err
			}
		}
		r = append(r, v)
	}
	return r, nil
}

// Read reads a file.
func Read(name string) (lines []Line, err error) {
	text, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	scan := bufio.NewScanner(bytes.NewReader(text))
	scan.Buffer(nil, 16<<20)
	for scan.Scan() {
		var l Line
		if err := json.Unmarshal(scan.Bytes(), &l); err != nil {
			return nil, fmt.Errorf("%s, line %d: %w", name, len(lines)+1, err)
		}
		lines = append(lines, l)
	}
	return lines, scan.Err()
}
