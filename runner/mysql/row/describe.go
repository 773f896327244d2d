package row

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/go-mysql-org/go-mysql/mysql"
)

// Querier is a connection to the server, for example a *client.Conn. Its results are in
// utf8mb4, or in the character set of each column as SnapshotSession makes it.
type Querier interface {
	Execute(command string, args ...any) (*mysql.Result, error)
}

const (
	tableQuery = `SELECT TABLE_SCHEMA, TABLE_NAME, TABLE_TYPE, VERSION() FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?`

	columnQuery = `SELECT COLUMN_NAME, DATA_TYPE, COLUMN_TYPE, IS_NULLABLE, COALESCE(CHARACTER_OCTET_LENGTH, 0), COALESCE(NUMERIC_PRECISION, 0),
 COALESCE(NUMERIC_SCALE, 0), COALESCE(DATETIME_PRECISION, 0), COALESCE(CHARACTER_SET_NAME, 'binary'), EXTRA, COLUMN_KEY, COALESCE(COLLATION_NAME, '')
 FROM information_schema.COLUMNS WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ? ORDER BY ORDINAL_POSITION`

	// keyQuery lists the indexes in the table's own order, which information_schema does not tell.
	keyQuery = `SHOW INDEX FROM %s.%s`
)

// Describe asks the server for a table's definition, as it is now: with every column that the
// binary log has, also invisible and generated ones. A table that does not exist is ErrNoTable;
// one that cannot be read (a view, an unknown type, a system-versioned table) a *DefinitionError.
func Describe(ctx context.Context, conn Querier, database, name string) (*Table, error) {
	rows, err := query(ctx, conn, tableQuery, database, name)
	if err != nil {
		return nil, fmt.Errorf("asking for table %s.%s: %w", database, name, err)
	}
	if len(rows) == 0 {
		return nil, fmt.Errorf("%s.%s: %w", database, name, ErrNoTable)
	}
	t := &Table{Database: rows[0].text(0), Name: rows[0].text(1)}
	maria := strings.Contains(strings.ToLower(rows[0].text(3)), "mariadb")
	switch kind := rows[0].text(2); {
	case kind == "SYSTEM VERSIONED":
		return nil, t.wrong("", errors.New("a system-versioned table: the binary log has its history, which is not told from its rows"))
	case kind != "BASE TABLE":
		return nil, t.wrong("", fmt.Errorf("%w but a %s", ErrNotTable, strings.ToLower(kind)))
	}
	if !maria {
		// Or the server may hide a generated invisible primary key. Versions before 8.0.30 have
		// neither the key nor the variable, and refuse.
		_, _ = query(ctx, conn, "SET SESSION show_gipk_in_create_table_and_information_schema = ON")
	}
	if rows, err = query(ctx, conn, columnQuery, t.Database, t.Name); err != nil {
		return nil, fmt.Errorf("asking for the columns of %s: %w", t, err)
	}
	t.Columns = make([]Column, len(rows))
	keyed := false
	for i, r := range rows {
		keyed = keyed || r.text(10) == "PRI"
		if err := t.Columns[i].describe(r, maria); err != nil {
			return nil, t.wrong(r.text(0), err)
		}
	}
	if len(t.Columns) == 0 {
		return nil, fmt.Errorf("%s: %w", t, ErrNoTable)
	}
	if rows, err = query(ctx, conn, fmt.Sprintf(keyQuery, QuoteName(t.Database), QuoteName(t.Name))); err != nil {
		if gone := new(mysql.MyError); errors.As(err, &gone) && gone.Code == mysql.ER_NO_SUCH_TABLE { // since the question before
			return nil, fmt.Errorf("%s: %w", t, ErrNoTable)
		}
		return nil, fmt.Errorf("asking for the keys of %s: %w", t, err)
	}
	if keyed && len(rows) == 0 { // its rows would be taken for those of a table without a key
		return nil, fmt.Errorf("asking for the keys of %s: the server tells of a key and shows none", t)
	}
	if err := t.describeKey(rows); err != nil {
		return nil, err
	}
	t.seal()
	return t, nil
}

// record is a row of a query's result.
type record []mysql.FieldValue

func (r record) text(i int) string {
	switch f := r[i]; f.Type {
	case mysql.FieldValueTypeString:
		return string(f.AsString())
	case mysql.FieldValueTypeNull:
		return ""
	default:
		return f.String()
	}
}

func (r record) number(i int) int {
	if f := r[i]; f.Type != mysql.FieldValueTypeString {
		return int(f.AsInt64())
	}
	n, _, _ := cutNumber(r[i].AsString())
	return n
}

func query(ctx context.Context, conn Querier, command string, args ...any) ([]record, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	result, err := conn.Execute(command, args...)
	if err != nil {
		return nil, err
	}
	defer result.Close()
	if result.Resultset == nil {
		return nil, nil
	}
	out := make([]record, 0, len(result.Values))
	for _, v := range result.Values {
		kept := make(record, len(v))
		for i := range v {
			if v[i].Type == mysql.FieldValueTypeNull { // its number is what the memory had before
				continue
			}
			kept[i] = mysql.NewFieldValue(v[i].Type, v[i].AsUint64(), append([]byte{}, v[i].AsString()...))
		}
		out = append(out, kept)
	}
	return out, nil
}

// Columns of SHOW INDEX.
const (
	indexNotUnique = 1
	indexName      = 2
	indexColumn    = 4
	indexPrefix    = 7
)

// describeKey finds what the server itself takes for the table's primary key, and writes as
// such to the binary log: without one that is the first unique index of whole columns that
// cannot be NULL.
func (t *Table) describeKey(rows []record) error {
	for len(rows) > 0 {
		name, n := rows[0].text(indexName), 1
		for n < len(rows) && rows[n].text(indexName) == name {
			n++
		}
		primary := name == "PRIMARY"
		if primary || rows[0].number(indexNotUnique) == 0 {
			key, prefix, whole, err := t.index(rows[:n], primary)
			if err != nil {
				return err
			}
			if primary || whole {
				t.Key, t.KeyPrefix, t.KeyName = key, prefix, name
				return nil
			}
		}
		rows = rows[n:]
	}
	return nil
}

// index reads an index; whole is true when it could be the primary key.
func (t *Table) index(rows []record, primary bool) (key, prefix []int, whole bool, err error) {
	whole = true
	prefixed := false
	for _, r := range rows {
		i := -1
		for at := range t.Columns { // names differ in more than case: the server tells ä from a
			if t.Columns[at].Name == r.text(indexColumn) {
				i = at
			}
		}
		switch {
		case i < 0 && primary:
			return nil, nil, false, t.wrong(r.text(indexColumn), errors.New("a column of the primary key that is not shown; the account may lack rights on it"))
		case i < 0: // an expression
			return nil, nil, false, nil
		}
		key, prefix = append(key, i), append(prefix, r.number(indexPrefix))
		prefixed = prefixed || r.number(indexPrefix) != 0
		whole = whole && r.number(indexPrefix) == 0 && !t.Columns[i].Nullable
	}
	if !prefixed {
		prefix = nil
	}
	return key, prefix, whole, nil
}

// describe fills in a column by its row of columnQuery.
func (c *Column) describe(r record, maria bool) error {
	columnType := strings.ToLower(r.text(2))
	c.Name, c.Nullable = r.text(0), r.text(3) == "YES"
	c.Invisible = strings.Contains(strings.ToUpper(r.text(9)), "INVISIBLE")
	d := declared{
		name: strings.ToLower(r.text(1)), full: columnType, maria: maria,
		octets: r.number(4), precision: r.number(5), scale: r.number(6), fsp: r.number(7),
	}
	charset := charsetName(r.text(8))
	if err := c.setDeclared(d, charset); err != nil {
		return err
	}
	switch c.Kind {
	case Int, Decimal, Float, Double:
		c.Unsigned = strings.Contains(columnType, "unsigned")
		c.TinyInt1 = strings.HasPrefix(columnType, "tinyint(1)")
	case Text:
		c.Collation = r.text(11)
	case Enum, Set:
		members, err := parseMembers(r.text(2))
		if err != nil {
			return err
		}
		width := 1
		switch {
		case c.Kind == Set && len(members) > 32:
			width = 8
		case c.Kind == Set:
			width = (len(members) + 7) / 8
		case len(members) > 255:
			width = 2
		}
		kind := byte(mysql.MYSQL_TYPE_ENUM)
		if c.Kind == Set {
			kind = mysql.MYSQL_TYPE_SET
		}
		if err := c.index(kind, width); err != nil {
			return err
		}
		if err := c.setCharset(charset); err != nil {
			return err
		}
		c.Members = members
		c.doubt = strings.Contains(r.text(2), "?")
	}
	return nil
}

// parseMembers reads the list of COLUMN_TYPE: a quote in a member is doubled, and a backslash
// stands before another one and for line ends and zero bytes (MySQL, sql/sql_show.cc, append_unescaped).
func parseMembers(columnType string) ([]string, error) {
	open := strings.IndexByte(columnType, '(')
	var out []string
	var member strings.Builder
	quoted := false
	for i := open + 1; open > 0 && i < len(columnType); i++ {
		switch c := columnType[i]; {
		case !quoted && c == '\'':
			quoted = true
			member.Reset()
		case !quoted && c == ')':
			return out, nil
		case !quoted:
		case c == '\\' && i+1 < len(columnType):
			i++
			member.WriteByte(unescaped(columnType[i]))
		case c == '\'' && i+1 < len(columnType) && columnType[i+1] == '\'':
			i++
			member.WriteByte('\'')
		case c == '\'':
			quoted = false
			out = append(out, member.String())
		default:
			member.WriteByte(c)
		}
	}
	return nil, fmt.Errorf("%q does not tell its members", columnType)
}

func unescaped(c byte) byte {
	switch c {
	case 'n':
		return '\n'
	case 'r':
		return '\r'
	case '0':
		return 0
	}
	return c
}
