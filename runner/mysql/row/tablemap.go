package row

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"math"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

// maxColumns is the most columns that a table of either server can have.
const maxColumns = 4096

// ParseTableMap makes a definition of a TABLE_MAP event: of body, which is what follows the
// header of 19 bytes, without checksum. flavor is mysql.MySQLFlavor or mysql.MariaDBFlavor.
//
// Where binlog_row_metadata was not FULL the error is a *MetadataError, for all else that
// does not add up a *DefinitionError. The library's own TableMapEvent is not used: it
// misreads the metadata of MariaDB's compressed columns, and panics on hostile bytes.
//
// Format: MySQL, libs/mysql/binlog/event/rows_event.h, class Table_map_event.
func ParseTableMap(body []byte, flavor string) (*Table, error) {
	t := &Table{}
	in := cursor{b: body}
	in.take(8) // table id, flags
	t.Database = string(in.take(uint64(in.byte())))
	in.byte()
	t.Name = string(in.take(uint64(in.byte())))
	in.byte()
	types := in.take(in.packed())
	meta := cursor{b: in.text()}
	nulls := in.take(uint64(len(types)+7) / 8)
	if in.short {
		return nil, &DefinitionError{Err: errShort}
	}
	if len(types) == 0 || len(types) > maxColumns {
		return nil, t.wrong("", fmt.Errorf("%d columns", len(types)))
	}
	t.Columns = make([]Column, len(types))
	for i, typ := range types {
		c := &t.Columns[i]
		if err := c.setWire(typ, metaOf(&meta, typ)); err != nil {
			return nil, t.wrong(fmt.Sprintf("%d", i+1), err)
		}
		c.Nullable = bitAt(nulls, i)
	}
	if meta.short || len(meta.b) > 0 {
		return nil, t.wrong("", errors.New("metadata of the columns is of a wrong length"))
	}
	more, err := readOptional(in)
	if err != nil {
		return nil, t.wrong("", err)
	}
	if err := more.apply(t, types, flavor == mysql.MariaDBFlavor); err != nil {
		return nil, err
	}
	t.seal()
	return t, nil
}

// ParseEvent is ParseTableMap of an event as a BinlogSyncer gives it. checksum tells whether
// the server's events end with one (binlog_checksum = CRC32); those inside of a compressed
// transaction never do.
func ParseEvent(e *replication.BinlogEvent, checksum bool, flavor string) (*Table, error) {
	body, err := Body(e, checksum)
	if err != nil {
		return nil, err
	}
	return ParseTableMap(body, flavor)
}

// Body is what follows an event's header, without checksum.
func Body(e *replication.BinlogEvent, checksum bool) ([]byte, error) {
	n := len(e.RawData)
	if checksum {
		n -= replication.BinlogChecksumLength
	}
	if n < replication.EventHeaderSize {
		return nil, fmt.Errorf("an event of %d bytes: %w", len(e.RawData), errShort)
	}
	return e.RawData[replication.EventHeaderSize:n], nil
}

func (t *Table) wrong(column string, err error) error {
	return &DefinitionError{Table: t.String(), Column: column, Err: err}
}

// seal computes the fingerprint of a definition that is complete.
func (t *Table) seal() {
	text := fmt.Appendf(nil, "%q %q %v %v\n", t.Database, t.Name, t.Key, t.KeyPrefix)
	for i := range t.Columns {
		text = t.Columns[i].fingerprint(text)
	}
	sum := sha256.Sum256(text)
	t.Fingerprint = hex.EncodeToString(sum[:16])
}

// metaOf reads the metadata of one column, which takes 0, 1 or 2 bytes by its type.
func metaOf(in *cursor, typ byte) uint16 {
	switch typ {
	case mysql.MYSQL_TYPE_STRING, mysql.MYSQL_TYPE_NEWDECIMAL, mysql.MYSQL_TYPE_ENUM, mysql.MYSQL_TYPE_SET:
		first := uint16(in.byte())
		return first<<8 | uint16(in.byte())
	case mysql.MYSQL_TYPE_VAR_STRING, mysql.MYSQL_TYPE_VARCHAR, mysql.MYSQL_TYPE_BIT, typeVarcharCompressed:
		return uint16(in.little(2))
	case mysql.MYSQL_TYPE_BLOB, mysql.MYSQL_TYPE_DOUBLE, mysql.MYSQL_TYPE_FLOAT, mysql.MYSQL_TYPE_GEOMETRY, typeVector,
		mysql.MYSQL_TYPE_JSON, mysql.MYSQL_TYPE_TIME2, mysql.MYSQL_TYPE_DATETIME2, mysql.MYSQL_TYPE_TIMESTAMP2, typeBlobCompressed:
		return uint16(in.byte())
	}
	return 0
}

// bitAt is bit i of a bitmap whose first bit is the lowest of its first byte; false beyond its end.
func bitAt(bitmap []byte, i int) bool {
	return i>>3 < len(bitmap) && bitmap[i>>3]&(1<<(i&7)) != 0
}

// optional is the metadata of a TABLE_MAP event that binlog_row_metadata decides about.
type optional struct {
	signs           []byte
	names           [][]byte
	hasNames        bool
	charset, member []uint64 // collations of strings; of ENUM and SET
	charsetDefault  []uint64
	memberDefault   []uint64
	enums, sets     [][]string
	shapes          []uint64
	key, prefix     []uint64
	visible         []byte
}

// readOptional reads the fields, each a type, a length and a value.
func readOptional(in cursor) (*optional, error) {
	o := &optional{}
	for len(in.b) > 0 {
		typ := in.byte()
		v := cursor{b: in.text()}
		if in.short {
			return nil, fmt.Errorf("optional metadata: %w", errShort)
		}
		switch typ {
		case replication.TABLE_MAP_OPT_META_SIGNEDNESS:
			o.signs = v.b
		case replication.TABLE_MAP_OPT_META_DEFAULT_CHARSET:
			o.charsetDefault = v.numbers()
		case replication.TABLE_MAP_OPT_META_COLUMN_CHARSET:
			o.charset = v.numbers()
		case replication.TABLE_MAP_OPT_META_COLUMN_NAME:
			o.hasNames = true
			for len(v.b) > 0 {
				o.names = append(o.names, v.text())
			}
		case replication.TABLE_MAP_OPT_META_SET_STR_VALUE:
			o.sets = v.lists()
		case replication.TABLE_MAP_OPT_META_ENUM_STR_VALUE:
			o.enums = v.lists()
		case replication.TABLE_MAP_OPT_META_GEOMETRY_TYPE:
			o.shapes = v.numbers()
		case replication.TABLE_MAP_OPT_META_SIMPLE_PRIMARY_KEY:
			o.key = v.numbers()
		case replication.TABLE_MAP_OPT_META_PRIMARY_KEY_WITH_PREFIX:
			pairs := v.numbers()
			for i := 0; i+1 < len(pairs); i += 2 {
				o.key, o.prefix = append(o.key, pairs[i]), append(o.prefix, pairs[i+1])
			}
			v.short = v.short || len(pairs)%2 != 0
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_DEFAULT_CHARSET:
			o.memberDefault = v.numbers()
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_COLUMN_CHARSET:
			o.member = v.numbers()
		case replication.TABLE_MAP_OPT_META_COLUMN_VISIBILITY:
			o.visible = v.b
		}
		if v.short {
			return nil, fmt.Errorf("optional metadata of type %d: %w", typ, errShort)
		}
	}
	return o, nil
}

// numbers reads packed integers to the end.
func (c *cursor) numbers() []uint64 {
	var out []uint64
	for len(c.b) > 0 {
		out = append(out, c.packed())
	}
	return out
}

// lists reads lists of strings, each with its number first.
func (c *cursor) lists() [][]string {
	var out [][]string
	for len(c.b) > 0 {
		n := c.packed()
		if n > uint64(len(c.b)) {
			c.b, c.short = nil, true
			return nil
		}
		list := make([]string, 0, n)
		for range n {
			list = append(list, string(c.text()))
		}
		out = append(out, list)
	}
	return out
}

// collation is the collation of the i-th string column: of a list of all, or of a default
// followed by pairs of index and collation.
func collation(all, defaults []uint64, i int) (uint64, bool) {
	if len(defaults)%2 == 1 {
		for p := 1; p < len(defaults); p += 2 {
			if defaults[p] == uint64(i) {
				return defaults[p+1], true
			}
		}
		return defaults[0], true
	}
	if i < len(all) && all[i] <= math.MaxUint16 {
		return all[i], true
	}
	return 0, false
}
