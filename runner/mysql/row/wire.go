package row

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Column types that MariaDB adds to the binary log's (sql/sql_type.h, enum_field_types).
const (
	typeBlobCompressed    = 140
	typeVarcharCompressed = 141
	typeVector            = mysql.MYSQL_TYPE_VECTOR
)

// wireForm is how a column's value stands in a rows event.
type wireForm uint8

const (
	wireInt         wireForm = iota + 1 // size bytes, little-endian
	wireYear                            // 1 byte, years since 1900
	wireBit                             // size bytes, big-endian
	wireFloat                           // 4 or 8 bytes
	wireDecimal                         // packed digits
	wireDate                            // 3 bytes
	wireTimeOld                         // 3 bytes, decimal hhmmss
	wireDateTimeOld                     // 8 bytes, decimal
	wireStampOld                        // 4 bytes, little-endian
	wireTime                            // 3 bytes and the fraction
	wireDateTime                        // 5 bytes and the fraction
	wireStamp                           // 4 bytes, big-endian, and the fraction
	wireIndex                           // ENUM and SET: size bytes, little-endian
	wireString                          // a length of size bytes, then as many bytes
	wireJSON                            // the same, MySQL's binary JSON
	wireCompressed                      // the same, MariaDB's compressed column
)

// wire is form and width of a column in the binary log.
type wire struct {
	form wireForm
	size int  // see wireForm; of wireBit, wireInt, wireFloat and wireIndex the value's own width
	pad  int  // of BINARY(n): n, trailing zero bytes are not in the log
	same bool // text that needs no conversion: utf8mb4, utf8mb3
}

// setWire fills in a column's kind and widths by type and metadata of the binary log
// (MySQL: sql/log_event.cc, Table_map_log_event; libs/mysql/binlog/event/rows_event.h).
func (c *Column) setWire(typ byte, meta uint16) error {
	switch typ {
	case mysql.MYSQL_TYPE_TINY:
		c.integer("TINYINT", 1)
	case mysql.MYSQL_TYPE_SHORT:
		c.integer("SMALLINT", 2)
	case mysql.MYSQL_TYPE_INT24:
		c.integer("MEDIUMINT", 3)
	case mysql.MYSQL_TYPE_LONG:
		c.integer("INT", 4)
	case mysql.MYSQL_TYPE_LONGLONG:
		c.integer("BIGINT", 8)
	case mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_DOUBLE:
		return c.floating(typ, int(meta))
	case mysql.MYSQL_TYPE_NEWDECIMAL:
		c.Kind, c.Type, c.Precision, c.Scale = Decimal, "DECIMAL", int(meta>>8), int(meta&0xFF)
		c.wire = wire{form: wireDecimal, size: decimalSize(c.Precision, c.Scale)}
		if c.Precision < 1 || c.Precision > 65 || c.Scale > 30 || c.Scale > c.Precision {
			return fmt.Errorf("DECIMAL(%d,%d) does not exist", c.Precision, c.Scale)
		}
	case mysql.MYSQL_TYPE_BIT:
		bits := int(meta>>8)*8 + int(meta&0xFF)
		c.Kind, c.Type, c.Length, c.wire = Bit, "BIT", bits, wire{form: wireBit, size: (bits + 7) / 8}
		if bits < 1 || bits > 64 {
			return fmt.Errorf("BIT(%d) does not exist", bits)
		}
	case mysql.MYSQL_TYPE_STRING:
		return c.fixedString(meta)
	case mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_VAR_STRING:
		c.variable("VARCHAR", int(meta))
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_GEOMETRY, mysql.MYSQL_TYPE_JSON, typeVector, typeBlobCompressed, typeVarcharCompressed:
		return c.long(typ, int(meta))
	case mysql.MYSQL_TYPE_ENUM, mysql.MYSQL_TYPE_SET:
		return c.index(typ, int(meta&0xFF))
	default:
		return c.temporal(typ, int(meta))
	}
	return nil
}

func (c *Column) integer(name string, width int) {
	c.Kind, c.Type, c.Length, c.wire = Int, name, width, wire{form: wireInt, size: width}
}

func (c *Column) floating(typ byte, width int) error {
	c.Kind, c.Type, c.Length = Double, "DOUBLE", 8
	if typ == mysql.MYSQL_TYPE_FLOAT {
		c.Kind, c.Type, c.Length = Float, "FLOAT", 4
	}
	c.wire = wire{form: wireFloat, size: c.Length}
	if width != c.Length {
		return fmt.Errorf("a %s of %d bytes does not exist", c.Type, width)
	}
	return nil
}

// temporal is the date and time types; those of before MySQL 5.6.4 have no fraction.
func (c *Column) temporal(typ byte, fsp int) error {
	switch typ {
	case mysql.MYSQL_TYPE_YEAR:
		c.Kind, c.Type, c.wire = Year, "YEAR", wire{form: wireYear, size: 1}
	case mysql.MYSQL_TYPE_DATE, mysql.MYSQL_TYPE_NEWDATE:
		c.Kind, c.Type, c.wire = Date, "DATE", wire{form: wireDate, size: 3}
	case mysql.MYSQL_TYPE_TIME:
		c.Kind, c.Type, c.wire = Time, "TIME", wire{form: wireTimeOld, size: 3}
	case mysql.MYSQL_TYPE_DATETIME:
		c.Kind, c.Type, c.wire = DateTime, "DATETIME", wire{form: wireDateTimeOld, size: 8}
	case mysql.MYSQL_TYPE_TIMESTAMP:
		c.Kind, c.Type, c.wire = Timestamp, "TIMESTAMP", wire{form: wireStampOld, size: 4}
	case mysql.MYSQL_TYPE_TIME2:
		c.Kind, c.Type, c.wire = Time, "TIME", wire{form: wireTime, size: 3 + (fsp+1)/2}
		c.FSP = fsp
	case mysql.MYSQL_TYPE_DATETIME2:
		c.Kind, c.Type, c.wire = DateTime, "DATETIME", wire{form: wireDateTime, size: 5 + (fsp+1)/2}
		c.FSP = fsp
	case mysql.MYSQL_TYPE_TIMESTAMP2:
		c.Kind, c.Type, c.wire = Timestamp, "TIMESTAMP", wire{form: wireStamp, size: 4 + (fsp+1)/2}
		c.FSP = fsp
	default:
		return fmt.Errorf("type %d of the binary log is not known", typ)
	}
	if c.FSP > 6 {
		return fmt.Errorf("%s(%d) does not exist", c.Type, c.FSP)
	}
	return nil
}

// fixedString is CHAR, BINARY, ENUM and SET: the metadata's first byte is the real type,
// into which the length's bits above 255 are folded (sql/field.cc, Field_string).
func (c *Column) fixedString(meta uint16) error {
	real, length := byte(meta>>8), int(meta&0xFF)
	if real == mysql.MYSQL_TYPE_ENUM || real == mysql.MYSQL_TYPE_SET {
		return c.index(real, length)
	}
	if real&0x30 != 0x30 {
		length |= int(real&0x30^0x30) << 4
		real |= 0x30
	}
	if real != mysql.MYSQL_TYPE_STRING && real != mysql.MYSQL_TYPE_VAR_STRING {
		return fmt.Errorf("real type %d of a string is not known", real)
	}
	c.variable("CHAR", length)
	c.Fixed = true
	return nil
}

func (c *Column) index(typ byte, width int) error {
	c.Kind, c.Type, c.Length, c.wire = Enum, "ENUM", width, wire{form: wireIndex, size: width}
	bad := width != 1 && width != 2
	if typ == mysql.MYSQL_TYPE_SET {
		c.Kind, c.Type, bad = Set, "SET", width < 1 || width > 8
	}
	if bad {
		return fmt.Errorf("an %s of %d bytes does not exist", c.Type, width)
	}
	return nil
}

func (c *Column) variable(name string, length int) {
	c.Kind, c.Type, c.Length, c.wire = Text, name, length, wire{form: wireString, size: 1}
	if length > 255 {
		c.wire.size = 2
	}
}

// long is what has its own length before it: BLOB, TEXT, JSON, geometry, VECTOR and MariaDB's
// compressed columns.
func (c *Column) long(typ byte, size int) error {
	form, limit := wireString, 4
	switch typ {
	case mysql.MYSQL_TYPE_GEOMETRY:
		c.Kind, c.Type = Geometry, "GEOMETRY"
	case mysql.MYSQL_TYPE_JSON:
		c.Kind, c.Type, form = JSON, "JSON", wireJSON
	case typeVector:
		c.Kind, c.Type = Vector, "VECTOR"
	case typeVarcharCompressed:
		// The length includes the byte that tells how it is compressed.
		c.variable("VARCHAR", size)
		c.wire.form, c.Length = wireCompressed, size-1
		return nil
	default:
		c.Kind = Text
		c.Type = [...]string{"BLOB", "TINYTEXT", "TEXT", "MEDIUMTEXT", "LONGTEXT"}[min(max(size, 0), 4)]
		if typ == typeBlobCompressed {
			form = wireCompressed
		}
	}
	if size < 1 || size > limit {
		return fmt.Errorf("a length of %d bytes does not exist", size)
	}
	c.Length, c.wire = size, wire{form: form, size: size}
	return nil
}

// setCharset makes a column of strings what its character set says.
func (c *Column) setCharset(name string) error {
	switch c.Kind {
	case Text:
		if name == "binary" {
			c.toBytes()
			return nil
		}
	case Enum, Set:
	default:
		return nil
	}
	c.Charset = name
	if c.decode = decoderOf(name); c.decode == nil {
		return fmt.Errorf("character set %q is not known", name)
	}
	_, c.wire.same = c.decode.(utf8Text)
	return nil
}

var bytesNames = strings.NewReplacer("VARCHAR", "VARBINARY", "CHAR", "BINARY", "TEXT", "BLOB")

func (c *Column) toBytes() {
	c.Kind, c.Type = Bytes, bytesNames.Replace(c.Type)
	if c.Fixed {
		c.wire.pad = c.Length
	}
}

// fingerprint appends what decides how the column's values are written.
func (c *Column) fingerprint(dst []byte) []byte {
	dst = strconv.AppendQuote(dst, c.Name)
	w := c.wire
	for _, n := range []int{int(w.form), w.size, w.pad, c.Length, c.Precision, c.Scale, c.FSP} {
		dst = append(dst, ' ')
		dst = strconv.AppendInt(dst, int64(n), 10)
	}
	dst = append(dst, ' ')
	dst = strconv.AppendBool(dst, c.Unsigned)
	dst = strconv.AppendBool(dst, c.Nullable)
	dst = append(dst, c.Charset...)
	for _, m := range c.Members {
		dst = strconv.AppendQuote(append(dst, ' '), m)
	}
	return append(dst, '\n')
}
