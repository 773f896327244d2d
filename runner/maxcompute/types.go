package maxcompute

import (
	"fmt"
	"strconv"
	"strings"
)

// kind is a data type without its parameters.
type kind uint8

const (
	kindOther kind = iota // one that nothing here can fill: ARRAY, MAP, STRUCT, intervals
	kindBigint
	kindInt
	kindSmallint
	kindTinyint
	kindDouble
	kindFloat
	kindDecimal
	kindBoolean
	kindString
	kindVarchar
	kindChar
	kindBinary
	kindDatetime
	kindTimestamp
	kindTimestampNTZ
	kindDate
	kindJSON
)

var kinds = map[string]kind{
	"BIGINT": kindBigint, "INT": kindInt, "SMALLINT": kindSmallint, "TINYINT": kindTinyint, "DOUBLE": kindDouble, "FLOAT": kindFloat,
	"DECIMAL": kindDecimal, "BOOLEAN": kindBoolean, "STRING": kindString, "VARCHAR": kindVarchar, "CHAR": kindChar, "BINARY": kindBinary,
	"DATETIME": kindDatetime, "TIMESTAMP": kindTimestamp, "TIMESTAMP_NTZ": kindTimestampNTZ, "DATE": kindDate, "JSON": kindJSON,
}

// column is one column of the table. The type's parameters: VARCHAR's and CHAR's length
// in characters in a; DECIMAL's precision in a and scale in b.
type column struct {
	name    string
	text    string // the type as the service writes it, in upper case without blanks
	kind    kind
	a, b    int
	notNull bool
}

// Bounds of values as the service documents them ("Data type editions").
const (
	maxField      = 8 << 20 // bytes of a STRING, BINARY or JSON value
	maxPrecision  = 38
	decimalScale  = 18 // of DECIMAL without parameters
	secondsOfDay  = 86_400
	minDay        = -719528 // 0000-01-01
	maxDay        = 2932896 // 9999-12-31
	minSecond     = minDay * secondsOfDay
	maxSecond     = (maxDay+1)*secondsOfDay - 1
	minMilli      = minSecond * 1000
	maxMilli      = maxSecond*1000 + 999
	maxVarcharLen = 65_535
)

// parseType reads a type as the service writes it: "decimal(10,2)", "STRING".
func parseType(text string) (t column) {
	t.text = strings.ToUpper(strings.ReplaceAll(text, " ", ""))
	name, rest, has := strings.Cut(strings.TrimSuffix(t.text, ")"), "(")
	k, known := kinds[name]
	if !known {
		return t
	}
	var params []int
	if has {
		for part := range strings.SplitSeq(rest, ",") {
			n, err := strconv.Atoi(part)
			if err != nil || n < 0 {
				return t
			}
			params = append(params, n)
		}
	}
	switch k {
	case kindDecimal:
		t.a, t.b = maxPrecision, decimalScale
		if len(params) > 0 {
			t.a, t.b = params[0], 0
		}
		if len(params) > 1 {
			t.b = params[1]
		}
		if t.b > t.a || len(params) > 2 {
			return t
		}
	case kindVarchar, kindChar:
		if len(params) != 1 || params[0] > maxVarcharLen {
			return t
		}
		t.a = params[0]
	default:
		if len(params) > 0 {
			return t
		}
	}
	t.kind = k
	return t
}

// same tells whether two columns take the same bytes.
func (t *column) same(o *column) bool {
	return strings.EqualFold(t.name, o.name) && t.text == o.text
}

func (t *column) String() string {
	if t.notNull {
		return fmt.Sprintf("%s %s NOT NULL", quoteName(t.name), t.text)
	}
	return quoteName(t.name) + " " + t.text
}

// quoteName is a column's name in DDL; words that SQL reserves are quoted.
func quoteName(name string) string {
	switch strings.ToLower(name) {
	case "partition", "offset", "date", "timestamp", "order", "group", "table", "select", "from", "to", "user", "desc", "index", "interval":
		return "`" + name + "`"
	}
	return name
}
