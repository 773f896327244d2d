package row

import (
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// declared is a column's type as information_schema has it.
type declared struct {
	name, full                    string // DATA_TYPE and COLUMN_TYPE, in lower case
	octets, precision, scale, fsp int
	maria                         bool
}

// plainTypes are those whose storage follows from their name.
var plainTypes = map[string]byte{
	"tinyint": mysql.MYSQL_TYPE_TINY, "smallint": mysql.MYSQL_TYPE_SHORT, "mediumint": mysql.MYSQL_TYPE_INT24,
	"int": mysql.MYSQL_TYPE_LONG, "bigint": mysql.MYSQL_TYPE_LONGLONG, "year": mysql.MYSQL_TYPE_YEAR, "date": mysql.MYSQL_TYPE_DATE,
}

// temporalTypes have a form of their own since MySQL 5.6.4, and one from before.
var temporalTypes = map[string][2]byte{
	"time":      {mysql.MYSQL_TYPE_TIME2, mysql.MYSQL_TYPE_TIME},
	"datetime":  {mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_DATETIME},
	"timestamp": {mysql.MYSQL_TYPE_TIMESTAMP2, mysql.MYSQL_TYPE_TIMESTAMP},
}

// lengthBytes is the width of the length of the TEXT and BLOB types.
var lengthBytes = map[string]int{
	"tinytext": 1, "text": 2, "mediumtext": 3, "longtext": 4, "tinyblob": 1, "blob": 2, "mediumblob": 3, "longblob": 4,
}

// oldTemporal is how MariaDB marks a column in the form of before MySQL 5.6.4.
const oldTemporal = "mariadb-5.3"

// setDeclared makes the column what TABLE_MAP would make it. Of ENUM and SET the width and the
// members are still to be set.
func (c *Column) setDeclared(d declared, charset string) error {
	if typ, ok := plainTypes[d.name]; ok {
		return c.setWire(typ, 0)
	}
	if types, ok := temporalTypes[d.name]; ok {
		if !strings.Contains(d.full, oldTemporal) {
			return c.setWire(types[0], uint16(d.fsp))
		}
		if d.fsp > 0 {
			return errors.New("a time with a fraction in the format of MariaDB 5.3, whose digits the binary log does not tell: rebuild it with ALTER TABLE … FORCE")
		}
		return c.setWire(types[1], 0)
	}
	if size, ok := lengthBytes[d.name]; ok {
		typ := byte(mysql.MYSQL_TYPE_BLOB)
		if strings.Contains(d.full, "compressed") {
			typ = typeBlobCompressed
		}
		if err := c.setWire(typ, uint16(size)); err != nil {
			return err
		}
		return c.setCharset(charset)
	}
	switch d.name {
	case "char", "binary":
		c.variable("CHAR", d.octets)
		c.Fixed = true
		return c.setCharset(charset)
	case "varchar", "varbinary":
		if c.variable("VARCHAR", d.octets); strings.Contains(d.full, "compressed") {
			c.wire.form = wireCompressed
			c.wire.size = 1 + (d.octets+1)/256 // the byte that tells how counts
			c.wire.size = min(c.wire.size, 2)
		}
		return c.setCharset(charset)
	case "enum":
		c.Kind = Enum
		return nil
	case "set":
		c.Kind = Set
		return nil
	}
	return c.setDeclaredRare(d)
}

func (c *Column) setDeclaredRare(d declared) error {
	switch d.name {
	case "decimal":
		return c.setWire(mysql.MYSQL_TYPE_NEWDECIMAL, uint16(d.precision)<<8|uint16(d.scale))
	case "float":
		return c.setWire(mysql.MYSQL_TYPE_FLOAT, 4)
	case "double":
		return c.setWire(mysql.MYSQL_TYPE_DOUBLE, 8)
	case "bit":
		return c.setWire(mysql.MYSQL_TYPE_BIT, uint16(d.precision/8)<<8|uint16(d.precision%8))
	case "json":
		return c.setWire(mysql.MYSQL_TYPE_JSON, 4)
	case "vector":
		if !d.maria {
			return c.setWire(typeVector, 4)
		}
		c.variable("VARCHAR", d.octets)
		c.toBytes()
		c.Kind, c.Type = Vector, "VECTOR"
		return nil
	case "uuid":
		c.address(UUID, 16)
		return nil
	case "inet6":
		c.address(INET6, 16)
		return nil
	case "inet4":
		c.address(INET4, 4)
		return nil
	}
	name := strings.ToUpper(d.name)
	if name == "GEOMCOLLECTION" {
		name = "GEOMETRYCOLLECTION"
	}
	for _, g := range geometryNames {
		if name == g {
			err := c.setWire(mysql.MYSQL_TYPE_GEOMETRY, 4)
			c.Type = name
			return err
		}
	}
	return fmt.Errorf("type %q is not known", d.full)
}

// address is one of MariaDB's types that the binary log has as BINARY(n).
func (c *Column) address(kind Kind, n int) {
	c.variable("CHAR", n)
	c.Fixed = true
	c.toBytes()
	c.Kind, c.Type = kind, map[Kind]string{UUID: "UUID", INET4: "INET4", INET6: "INET6"}[kind]
}

// Refine adds to a definition from the binary log what only the server knows: that a
// column is MariaDB's UUID, INET4, INET6 or VECTOR, that it is TINYINT(1), or invisible, and the
// name of the key's index. It takes it from columns of the same name and storage. It returns t itself where there is nothing to add.
func (t *Table) Refine(from *Table) *Table {
	if from == nil || from == t {
		return t
	}
	out := *t
	out.Columns = append([]Column(nil), t.Columns...)
	changed := false
	if t.Fingerprint == from.Fingerprint && t.KeyName != from.KeyName {
		out.KeyName, changed = from.KeyName, true
	}
	for i := range out.Columns {
		c := &out.Columns[i]
		at := from.Column(c.Name)
		if at < 0 {
			continue
		}
		f := &from.Columns[at]
		if f.wire != c.wire || f.Kind != c.Kind && (c.Kind != Bytes || !f.isBytesInLog()) {
			continue
		}
		if f.Kind == c.Kind && f.TinyInt1 == c.TinyInt1 && f.Invisible == c.Invisible {
			continue
		}
		c.Kind, c.Type, c.TinyInt1, c.Invisible, changed = f.Kind, f.Type, f.TinyInt1, f.Invisible, true
	}
	if !changed {
		return t
	}
	return &out
}

func (c *Column) isBytesInLog() bool {
	return c.Kind == UUID || c.Kind == INET4 || c.Kind == INET6 || c.Kind == Vector && c.wire.form == wireString
}
