package sandbox

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// odpsKind is a data type without its parameters.
type odpsKind uint8

// The types of columns that the stand-in knows. Not there: intervals, arrays, maps, structs, geography.
const (
	odpsBigint odpsKind = iota + 1
	odpsInt
	odpsSmallint
	odpsTinyint
	odpsDouble
	odpsFloat
	odpsDecimal
	odpsBoolean
	odpsString
	odpsVarchar
	odpsChar
	odpsBinary
	odpsDatetime
	odpsTimestamp
	odpsTimestampNTZ
	odpsDate
	odpsJSON
)

// Wire types of protobuf.
const (
	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// Bounds of values as the service documents them ("Data type editions").
const (
	odpsMaxField    = 8 << 20 // bytes of a string, binary or JSON value
	odpsMaxVarchar  = 65535
	odpsMaxChar     = 255
	odpsMaxDecimal  = 38
	odpsMinDay      = -719528 // 0000-01-01
	odpsMaxDay      = 2932896 // 9999-12-31
	odpsMinMilli    = odpsMinDay * 86_400_000
	odpsMaxMilli    = (odpsMaxDay+1)*86_400_000 - 1
	odpsMinSecond   = odpsMinDay * 86_400
	odpsMaxSecond   = (odpsMaxDay+1)*86_400 - 1
	odpsDateText    = "2006-01-02"
	odpsTimeText    = "2006-01-02 15:04:05"
	odpsDefaultZone = 8 * 3600 // the service's projects are in Asia/Shanghai unless told otherwise
)

// odpsType is a data type: its kind, and length or precision and scale where it has them.
type odpsType struct {
	kind odpsKind
	a, b int // varchar and char: length in characters; decimal: precision, scale
}

func odpsKindNames() map[string]odpsKind {
	return map[string]odpsKind{
		"BIGINT": odpsBigint, "INT": odpsInt, "SMALLINT": odpsSmallint, "TINYINT": odpsTinyint, "DOUBLE": odpsDouble, "FLOAT": odpsFloat,
		"DECIMAL": odpsDecimal, "BOOLEAN": odpsBoolean, "STRING": odpsString, "VARCHAR": odpsVarchar, "CHAR": odpsChar, "BINARY": odpsBinary,
		"DATETIME": odpsDatetime, "TIMESTAMP": odpsTimestamp, "TIMESTAMP_NTZ": odpsTimestampNTZ, "DATE": odpsDate, "JSON": odpsJSON,
	}
}

// newODPSType makes a type of its name and parameters, as they stand in DDL.
func newODPSType(name string, params []int) (odpsType, error) {
	kind, known := odpsKindNames()[strings.ToUpper(name)]
	if !known {
		return odpsType{}, fmt.Errorf("type %s is unknown", name)
	}
	t := odpsType{kind: kind}
	switch kind {
	case odpsVarchar, odpsChar:
		limit := odpsMaxVarchar
		if kind == odpsChar {
			limit = odpsMaxChar
		}
		if len(params) != 1 || params[0] < 1 || params[0] > limit {
			return t, fmt.Errorf("type %s needs a length of 1 to %d", name, limit)
		}
		t.a = params[0]
	case odpsDecimal:
		t.a, t.b = odpsMaxDecimal, 18
		if len(params) > 0 {
			t.a, t.b = params[0], 0
		}
		if len(params) > 1 {
			t.b = params[1]
		}
		if len(params) > 2 || t.a < 1 || t.a > odpsMaxDecimal || t.b < 0 || t.b > min(18, t.a) {
			return t, fmt.Errorf("decimal needs a precision of 1 to 38 and a scale of 0 to 18, not above the precision")
		}
	default:
		if len(params) > 0 {
			return t, fmt.Errorf("type %s has no parameters", name)
		}
	}
	return t, nil
}

func (t odpsType) String() string {
	for name, kind := range odpsKindNames() {
		if kind != t.kind {
			continue
		}
		switch name = strings.ToLower(name); kind {
		case odpsVarchar, odpsChar:
			return fmt.Sprintf("%s(%d)", name, t.a)
		case odpsDecimal:
			return fmt.Sprintf("%s(%d,%d)", name, t.a, t.b)
		}
		return name
	}
	return "unknown"
}

// wire is how a value of the type is coded in protobuf.
func (t odpsType) wire() uint64 {
	switch t.kind {
	case odpsDouble:
		return wireFixed64
	case odpsFloat:
		return wireFixed32
	case odpsDecimal, odpsString, odpsVarchar, odpsChar, odpsBinary, odpsTimestamp, odpsTimestampNTZ, odpsJSON:
		return wireBytes
	}
	return wireVarint
}

// odpsColumn is a column of a table.
type odpsColumn struct {
	Name    string `json:"name"`
	Type    string `json:"type"`
	NotNull bool   `json:"not_null,omitempty"`
	Comment string `json:"comment,omitempty"`

	t odpsType
}

// resolve fills in the parsed type of a column that was read from disk.
func (c *odpsColumn) resolve() error {
	name, rest, has := strings.Cut(strings.TrimSuffix(c.Type, ")"), "(")
	var params []int
	if has {
		for part := range strings.SplitSeq(rest, ",") {
			n, err := strconv.Atoi(strings.TrimSpace(part))
			if err != nil {
				return fmt.Errorf("column %s: type %q: %w", c.Name, c.Type, err)
			}
			params = append(params, n)
		}
	}
	var err error
	if c.t, err = newODPSType(name, params); err != nil {
		return fmt.Errorf("column %s: %w", c.Name, err)
	}
	c.Type = c.t.String()
	return nil
}

// odpsCell is a value as it stands in a record: a number, or bytes.
type odpsCell struct {
	num   int64  // varints; of doubles and floats the bits; of timestamps the seconds
	nanos int32  // of timestamps
	text  []byte // of all that are coded as bytes but timestamps
	set   bool   // false: null
}

// check tells what is wrong with a value for the type, or an empty text.
func (t odpsType) check(v *odpsCell) string {
	switch t.kind {
	case odpsBigint:
		if v.num == math.MinInt64 {
			return "is below -9223372036854775807"
		}
	case odpsInt:
		return outside(v.num, math.MinInt32, math.MaxInt32)
	case odpsSmallint:
		return outside(v.num, math.MinInt16, math.MaxInt16)
	case odpsTinyint:
		return outside(v.num, math.MinInt8, math.MaxInt8)
	case odpsBoolean:
		return outside(v.num, 0, 1)
	case odpsDate:
		return outside(v.num, odpsMinDay, odpsMaxDay)
	case odpsDatetime:
		return outside(v.num, odpsMinMilli, odpsMaxMilli)
	case odpsTimestamp, odpsTimestampNTZ:
		if v.nanos < 0 || v.nanos > 999_999_999 {
			return "has nanoseconds out of range"
		}
		return outside(v.num, odpsMinSecond, odpsMaxSecond)
	case odpsVarchar, odpsChar:
		if len(v.text) > t.a && utf8.RuneCount(v.text) > t.a {
			return fmt.Sprintf("is longer than %d characters", t.a)
		}
	case odpsDecimal:
		return t.checkDecimal(v.text)
	case odpsJSON:
		if !json.Valid(v.text) {
			return "is not JSON"
		}
	}
	return ""
}

func outside(n, low, high int64) string {
	if n < low || n > high {
		return fmt.Sprintf("is outside %d to %d", low, high)
	}
	return ""
}

func (t odpsType) checkDecimal(text []byte) string {
	digits := strings.TrimLeft(string(text), "+-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if len(text)-len(digits) > 1 || whole+fraction == "" || strings.Trim(whole+fraction, "0123456789") != "" {
		return "is not a decimal number"
	}
	whole, fraction = strings.TrimLeft(whole, "0"), strings.TrimRight(fraction, "0")
	if len(whole) > t.a-t.b || len(fraction) > t.b {
		return fmt.Sprintf("does not fit decimal(%d,%d)", t.a, t.b)
	}
	return ""
}

// text is the value as the service prints it; zone is that of DATETIME and TIMESTAMP.
func (t odpsType) text(v *odpsCell, zone *time.Location) string {
	switch t.kind {
	case odpsBigint, odpsInt, odpsSmallint, odpsTinyint:
		return strconv.FormatInt(v.num, 10)
	case odpsDouble:
		return strconv.FormatFloat(math.Float64frombits(uint64(v.num)), 'g', -1, 64)
	case odpsFloat:
		return strconv.FormatFloat(float64(math.Float32frombits(uint32(v.num))), 'g', -1, 32)
	case odpsBoolean:
		return strconv.FormatBool(v.num != 0)
	case odpsDate:
		return time.Unix(v.num*86_400, 0).UTC().Format(odpsDateText)
	case odpsDatetime:
		return time.UnixMilli(v.num).In(zone).Format(odpsTimeText + ".999")
	case odpsTimestamp:
		return time.Unix(v.num, int64(v.nanos)).In(zone).Format(odpsTimeText + ".999999999")
	case odpsTimestampNTZ:
		return time.Unix(v.num, int64(v.nanos)).UTC().Format(odpsTimeText + ".999999999")
	}
	return string(v.text)
}
