package row

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// SnapshotSession are the statements that a connection must have executed before it
// reads rows by SelectList or compares columns with AppendLiteral: times in UTC, text in
// the bytes in which it is stored, CHAR without its trailing spaces, dates of every sort.
var SnapshotSession = []string{
	"SET SESSION time_zone = '+00:00'",
	"SET SESSION character_set_results = NULL",
	"SET SESSION sql_mode = 'ALLOW_INVALID_DATES'",
}

// SelectList is the expressions for a snapshot's SELECT, one a column, in order, so that
// Decoder.Fields gives the same Values as the binary log, by the text protocol and by the
// binary one. Column names are quoted.
func (t *Table) SelectList() string {
	var b strings.Builder
	for i := range t.Columns {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(t.Columns[i].expression())
	}
	return b.String()
}

// expression reads the column in full. The text of FLOAT has six digits only, and that of
// DOUBLE(M,D) is rounded: a product is printed with all. ENUM and SET are read by number, as
// their text does not tell the invalid value from a member ”, nor members that differ in nothing but bytes.
func (c *Column) expression() string {
	name := QuoteName(c.Name)
	switch c.Kind {
	case Float, Double:
		return name + " * 1e0"
	case Enum, Set:
		if c.doubt {
			return "CONCAT(CAST(" + name + " AS UNSIGNED), ' ', HEX(CONVERT(" + name + " USING utf8mb4)))"
		}
		return "CAST(" + name + " AS UNSIGNED)"
	}
	return name
}

// QuoteName quotes a name for SQL.
func QuoteName(name string) string { return "`" + strings.ReplaceAll(name, "`", "``") + "`" }

// Fields decodes a row that the SELECT of t.SelectList returned, by the text or the binary
// protocol, into dst, which is made longer when it is too short. The Values are good until
// fields' memory is reused or the Decoder is used again. The error is a *DecodeError.
func (d *Decoder) Fields(t *Table, fields []mysql.FieldValue, dst Row) (Row, error) {
	if len(fields) != len(t.Columns) {
		return dst, t.fault("", fmt.Errorf("%d fields for %d columns", len(fields), len(t.Columns)))
	}
	dst = resize(dst, len(fields))
	d.arena = kept(d.arena)
	for i := range fields {
		c := &t.Columns[i]
		if fields[i].Type == mysql.FieldValueTypeNull {
			dst[i] = Value{}
			continue
		}
		dst[i] = Value{State: Present}
		if err := d.field(c, &fields[i], &dst[i]); err != nil {
			return dst, t.fault(c.Name, err)
		}
	}
	return dst, nil
}

var errField = errors.New("a field of another type than expected")

func (d *Decoder) field(c *Column, f *mysql.FieldValue, v *Value) error {
	s := f.AsString()
	switch c.Kind {
	case Int, Year:
		if f.Type != mysql.FieldValueTypeSigned && f.Type != mysql.FieldValueTypeUnsigned {
			return errField
		}
		v.N = f.AsUint64()
		return nil
	case Float, Double:
		if f.Type != mysql.FieldValueTypeFloat {
			return errField
		}
		v.N = math.Float64bits(f.AsFloat64())
		if c.Kind == Float {
			v.N = uint64(math.Float32bits(float32(f.AsFloat64())))
		}
		return nil
	case Enum, Set:
		v.N = f.AsUint64()
		if f.Type == mysql.FieldValueTypeString {
			return c.doubtful(s, v)
		}
		return c.checkIndex(v.N)
	}
	if f.Type != mysql.FieldValueTypeString {
		return errField
	}
	return d.fieldText(c, s, v)
}

// doubtful reads number and text of an ENUM or SET whose members are not certain.
func (c *Column) doubtful(s []byte, v *Value) error {
	number, text, ok := strings.Cut(string(s), " ")
	n, err := strconv.ParseUint(number, 10, 64)
	if err != nil || !ok {
		return errField
	}
	v.N = n
	if err := c.checkIndex(n); err != nil {
		return err
	}
	stored, err := hex.DecodeString(text)
	if err != nil {
		return errField
	}
	if known := c.AppendText(nil, *v); !bytes.Equal(known, stored) {
		return fmt.Errorf("the value is %q, but the server's catalogue, which is in utf8mb3, has %q: give the member a name of characters up to U+FFFF", stored, known)
	}
	return nil
}

// fieldText decodes what comes as a string by either protocol.
func (d *Decoder) fieldText(c *Column, s []byte, v *Value) (err error) {
	ok := true
	switch c.Kind {
	case Bit:
		if v.N = big(s); len(s) > 8 || len(s) == 0 {
			return errField
		}
	case Decimal:
		v.B, err = canonicalDecimal(s)
	case Date:
		v.N, s, ok = cutDate(s)
		ok = ok && len(s) == 0
	case Time:
		v.N, ok = parseTime(s)
	case DateTime:
		v.N, ok = parseDateTime(s)
	case Timestamp:
		if v.N, ok = parseDateTime(s); ok {
			v.N, ok = stampOfUTC(v.N)
		}
	case Text:
		d.text(c, s, v)
	case JSON:
		if v.B = s; len(s) == 0 {
			v.B = []byte("null")
		}
	case UUID, INET4, INET6:
		v.B = bytes.ToLower(s)
	default:
		if v.B = s; len(s) < c.wire.pad {
			return fmt.Errorf("%d bytes of %d", len(s), c.wire.pad)
		}
	}
	if !ok {
		return fmt.Errorf("%q is not a %s", s, c.Type)
	}
	return err
}
