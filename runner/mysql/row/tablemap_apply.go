package row

import (
	"errors"
	"fmt"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// geometryNames by the number of TABLE_MAP's geometry types (Field::geometry_type).
var geometryNames = [...]string{"GEOMETRY", "POINT", "LINESTRING", "POLYGON", "MULTIPOINT", "MULTILINESTRING", "MULTIPOLYGON", "GEOMETRYCOLLECTION"}

// apply adds the optional metadata to the columns.
func (o *optional) apply(t *Table, types []byte, maria bool) error {
	if !o.hasNames {
		return &MetadataError{Table: t.String(), Missing: "column names"}
	}
	if len(o.names) != len(t.Columns) {
		return t.wrong("", fmt.Errorf("%d names of %d columns", len(o.names), len(t.Columns)))
	}
	at := optionalAt{}
	for i := range t.Columns {
		c := &t.Columns[i]
		c.Name = string(o.names[i])
		c.Invisible = o.visible != nil && !highBitAt(o.visible, i)
		missing, err := o.column(c, types[i], maria, &at)
		if err != nil {
			return t.wrong(c.Name, err)
		}
		if missing != "" {
			return &MetadataError{Table: t.String(), Missing: missing}
		}
	}
	return o.applyKey(t)
}

// optionalAt counts how many columns of each sort were seen: the lists have entries for
// those columns only.
type optionalAt struct{ number, text, index, enum, set, shape int }

// column adds what the metadata says of one column; missing names what it should say and does not.
func (o *optional) column(c *Column, typ byte, maria bool, at *optionalAt) (missing string, err error) {
	switch c.Kind {
	case Int, Decimal, Float, Double, Year:
		if at.number>>3 >= len(o.signs) {
			return "signs", nil
		}
		c.Unsigned = highBitAt(o.signs, at.number) && c.Kind != Year
		at.number++
	case Text:
		id, ok := collation(o.charset, o.charsetDefault, at.text)
		if !ok {
			return "character sets", nil
		}
		at.text++
		return "", c.setCollation(id)
	case Geometry:
		if maria { // which counts them among the strings
			at.text++
		}
		if at.shape < len(o.shapes) && o.shapes[at.shape] < uint64(len(geometryNames)) {
			c.Type = geometryNames[o.shapes[at.shape]]
		}
		at.shape++
	case Vector: // a BLOB to MySQL, with a character set; MariaDB logs a VARBINARY
		at.text++
	case Enum, Set:
		return o.members(c, at)
	}
	return "", nil
}

// members adds the members of an ENUM or SET, and their character set.
func (o *optional) members(c *Column, at *optionalAt) (missing string, err error) {
	lists, n := o.enums, &at.enum
	if c.Kind == Set {
		lists, n = o.sets, &at.set
	}
	if *n >= len(lists) {
		return "members of ENUM and SET", nil
	}
	members := lists[*n]
	*n++
	id, ok := collation(o.member, o.memberDefault, at.index)
	if !ok {
		return "character sets of ENUM and SET", nil
	}
	at.index++
	if err := c.setCollation(id); err != nil {
		return "", err
	}
	return "", c.setMembers(members)
}

func (c *Column) setCollation(id uint64) error {
	name, ok := charsetOf()[id]
	if !ok {
		return fmt.Errorf("collation %d is not known: give the column one of another character set", id)
	}
	return c.setCharset(name)
}

// setMembers takes members in the column's character set, or already in UTF-8 when that is how the
// server tells them.
func (c *Column) setMembers(members []string) error {
	if len(members) > 65535 || c.Kind == Set && len(members) > 64 {
		return fmt.Errorf("%d members", len(members))
	}
	c.Members = make([]string, len(members))
	for i, m := range members {
		out, ok := c.decode.decode(nil, []byte(m), false)
		if !ok { // which is for the rows that have it
			c.stored = members
			out, _ = c.decode.decode(nil, []byte(m), true)
		}
		c.Members[i] = string(out)
	}
	return nil
}

// applyKey adds the primary key.
func (o *optional) applyKey(t *Table) error {
	seen := map[uint64]bool{}
	prefixed := false
	for i, k := range o.key {
		if k >= uint64(len(t.Columns)) || seen[k] {
			return t.wrong("", errors.New("the primary key has a column that does not exist, or one twice"))
		}
		seen[k] = true
		t.Key = append(t.Key, int(k))
		if i < len(o.prefix) {
			t.KeyPrefix = append(t.KeyPrefix, int(min(o.prefix[i], 1<<16)))
			prefixed = prefixed || o.prefix[i] != 0
		}
	}
	if !prefixed {
		t.KeyPrefix = nil
	}
	return nil
}

// highBitAt is bit i of a bitmap whose first bit is the highest of its first byte; false beyond its end.
func highBitAt(bitmap []byte, i int) bool {
	return i>>3 < len(bitmap) && bitmap[i>>3]&(0x80>>(i&7)) != 0
}

// Flavors as ParseTableMap takes them.
const (
	MySQL   = mysql.MySQLFlavor
	MariaDB = mysql.MariaDBFlavor
)
