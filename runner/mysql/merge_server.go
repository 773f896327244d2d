package mysql

import (
	"strings"

	"github.com/go-mysql-org/go-mysql/client"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

// serverOrdered tells the columns whose order only the server knows, and tells when asked.
func serverOrdered(c *row.Column) bool {
	switch c.Kind {
	case row.Text, row.Decimal, row.Enum, row.Set, row.Bit, row.Year, row.UUID, row.INET4, row.INET6:
		return true
	}
	return false
}

// aboveByServer has the server compare a key with a bound: by the column's own collation,
// which values get in a UNION with the column.
func (r *reader) aboveByServer(def *row.Table, key, bound []row.Value) (bool, error) {
	r.keyText = r.keyText[:0]
	for i, at := range def.Key {
		c := &def.Columns[at]
		r.keyText = append(c.AppendLiteral(r.keyText, key[i]), ',')
		r.keyText = append(c.AppendLiteral(r.keyText, bound[i]), ';')
	}
	if above, ok := r.asked[string(r.keyText)]; ok {
		return above, nil
	}
	var names, literals []string
	for _, at := range def.Key {
		names = append(names, quoteName(def.Columns[at].Name))
	}
	for i, at := range def.Key {
		literals = append(literals, string(def.Columns[at].AppendLiteral(nil, key[i])))
	}
	query := "SELECT COUNT(*) FROM (SELECT " + strings.Join(names, ", ") + " FROM " + quoteName(def.Database) + "." + quoteName(def.Name) + " WHERE 1 = 0 UNION ALL SELECT " +
		strings.Join(literals, ", ") + ") x WHERE " + aboveSQL(def, bound)
	answer := ""
	err := r.ask(r.ctxRow, "comparing keys of table "+def.Name, func(c *client.Conn) (err error) {
		answer, err = one(c, query)
		return err
	})
	if err != nil {
		return false, err
	}
	if r.asked == nil || len(r.asked) > 50_000 {
		r.asked = map[string]bool{}
	}
	r.asked[string(r.keyText)] = answer != "0"
	return answer != "0", nil
}
