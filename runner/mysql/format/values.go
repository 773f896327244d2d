package format

import (
	"encoding/base64"
	"encoding/hex"
	"math"
	"strconv"

	"github.com/sluice-io/sluice/runner/mysql/row"
	"github.com/sluice-io/sluice/runner/record"
)

// maxKept is the largest buffer that is kept for the next message, in bytes.
const maxKept = 4 << 20

func kept(b []byte) []byte {
	if cap(b) > maxKept {
		return nil
	}
	return b[:0]
}

func appendQuoted(dst, s []byte) []byte {
	dst = append(dst, '"')
	dst = record.AppendEscaped(dst, s)
	return append(dst, '"')
}

func appendQuotedString(dst []byte, s string) []byte { return appendQuoted(dst, []byte(s)) }

func appendBase64(dst, b []byte) []byte {
	dst = append(dst, '"')
	dst = base64.StdEncoding.AppendEncode(dst, b)
	return append(dst, '"')
}

func appendInt(dst []byte, c *row.Column, v *row.Value) []byte {
	if c.Unsigned {
		return strconv.AppendUint(dst, v.N, 10)
	}
	return strconv.AppendInt(dst, int64(v.N), 10)
}

func appendBool(dst []byte, v *row.Value) []byte { return strconv.AppendBool(dst, v.N != 0) }

// appendFloat appends the shortest number that reads back the same.
func appendFloat(dst []byte, c *row.Column, v *row.Value) []byte {
	f, bits := math.Float64frombits(v.N), 64
	if c.Kind == row.Float {
		f, bits = float64(math.Float32frombits(uint32(v.N))), 32
	}
	return appendShortest(dst, f, bits)
}

// appendShortest appends a JSON number; what is not a number, which no server stores, is null.
func appendShortest(dst []byte, f float64, bits int) []byte {
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return append(dst, "null"...)
	}
	if a := math.Abs(f); a == 0 || a >= 1e-6 && a < 1e21 {
		return strconv.AppendFloat(dst, f, 'f', -1, bits)
	}
	return strconv.AppendFloat(dst, f, 'e', -1, bits)
}

// text appends what is text to both formats. ok is false where the policy refuses.
func (o *Options) text(dst []byte, c *row.Column, v *row.Value) (out []byte, ok bool) {
	if v.State != row.Invalid {
		switch c.Kind {
		case row.Enum:
			o.scratch = append(o.scratch[:0], c.Member(v.N)...)
			return appendQuoted(dst, o.scratch), true
		case row.Set:
			o.scratch = c.AppendSet(o.scratch[:0], v.N)
			return appendQuoted(dst, o.scratch), true
		}
		return appendQuoted(dst, v.B), true
	}
	switch o.InvalidText {
	case PolicyBase64:
		return appendBase64(dst, v.B), true
	case PolicyReplace:
		return appendQuoted(dst, c.AppendReplaced(nil, *v)), true
	}
	return dst, false
}

// coded tells whether text shows a value as base64, which looks like text.
func (o *Options) coded(c *row.Column, v *row.Value) bool {
	return v.State == row.Invalid && o.InvalidText == PolicyBase64
}

// zeroDate appends what stands for a date that is none. ok is false where the policy refuses.
func (o *Options) zeroDate(dst []byte, c *row.Column, v *row.Value) (out []byte, ok bool) {
	switch o.ZeroDate {
	case PolicyNull:
		return append(dst, "null"...), true
	case PolicyString:
		return append(c.AppendText(append(dst, '"'), *v), '"'), true
	}
	return dst, false
}

// keyText appends what stands in a key for a value that a policy makes the same as others:
// null for every zero date, U+FFFD for any bytes, true for every number. Keys of different rows stay different. ok is
// false of any other value.
func (o *Options) keyText(dst []byte, c *row.Column, v *row.Value) (out []byte, ok bool) {
	switch {
	case v.State == row.Null:
	case c.TinyInt1 && o.TinyInt1Boolean && c.Kind == row.Int && v.N > 1:
		return appendInt(dst, c, v), true
	case v.State == row.Invalid && o.InvalidText == PolicyReplace:
		return appendBase64(dst, v.B), true
	case o.ZeroDate == PolicyNull && (c.Kind == row.Date || c.Kind == row.DateTime || c.Kind == row.Timestamp) && !isDate(c, v):
		return append(c.AppendText(append(dst, '"'), *v), '"'), true
	}
	return dst, false
}

// refuse is the error of a value that a policy refuses.
func refuse(t *row.Table, c *row.Column, v *row.Value) error {
	e := &RefusedError{Table: t.String(), Column: c.Name}
	if v.State == row.Invalid {
		e.setting, e.Value = SettingInvalidText, hex.EncodeToString(v.B[:min(len(v.B), 16)])
	} else {
		e.setting, e.Value = SettingZeroDate, string(c.AppendText(nil, *v))
	}
	return e
}

// isDate tells whether a value of a date's kind is one.
func isDate(c *row.Column, v *row.Value) bool {
	n := v.N
	switch c.Kind {
	case row.Timestamp:
		return n != 0
	case row.DateTime:
		n, _, _, _, _ = row.UnpackDateTime(n)
	}
	return realDate(row.UnpackDate(n))
}
