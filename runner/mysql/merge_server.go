package mysql

import (
	"context"
	"fmt"
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

// askedAtOnce is how many keys the server compares in one statement.
const askedAtOnce = 500

// aboveByServer has the server compare a key with a bound: by the column's own collation,
// which values get in a UNION with the column.
func (r *reader) aboveByServer(def *row.Table, key, bound []row.Value) (bool, error) {
	if above, ok := r.asked[r.question(def, key, bound)]; ok {
		return above, nil
	}
	if err := r.askServer(r.ctxRow, def, [][]row.Value{key}, [][]row.Value{bound}); err != nil {
		return false, err
	}
	return r.asked[r.question(def, key, bound)], nil
}

// question names a comparison.
func (r *reader) question(def *row.Table, key, bound []row.Value) string {
	b := r.keyText[:0]
	for i, at := range def.Key {
		c := &def.Columns[at]
		b = append(c.AppendLiteral(b, key[i]), ',')
		b = append(c.AppendLiteral(b, bound[i]), ';')
	}
	r.keyText = b
	return string(b)
}

// askServer compares keys with bounds and keeps the answers.
func (r *reader) askServer(ctx context.Context, def *row.Table, keys, bounds [][]row.Value) error {
	if r.asked == nil || len(r.asked) > 100_000 {
		r.asked = map[string]bool{}
	}
	var q strings.Builder
	q.WriteString("SELECT n")
	for _, bound := range bounds {
		q.WriteString(", (" + aboveSQL(def, bound) + ")")
	}
	q.WriteString(" FROM (SELECT -1 n")
	for _, at := range def.Key {
		q.WriteString(", " + quoteName(def.Columns[at].Name))
	}
	q.WriteString(" FROM " + quoteName(def.Database) + "." + quoteName(def.Name) + " WHERE 1 = 0")
	for n, key := range keys {
		fmt.Fprintf(&q, " UNION ALL SELECT %d", n)
		for i, at := range def.Key {
			q.WriteString(", ")
			q.Write(def.Columns[at].AppendLiteral(nil, key[i]))
		}
	}
	q.WriteString(") x")
	return r.ask(ctx, "comparing keys of table "+def.Name, func(c *client.Conn) error {
		res, err := c.Execute(q.String())
		if err != nil {
			return err
		}
		for i := range res.RowNumber() {
			n, err := res.GetInt(i, 0)
			if err != nil || n < 0 || int(n) >= len(keys) {
				return fmt.Errorf("comparing keys: answer %d: %w", n, err)
			}
			for j, bound := range bounds {
				v, _ := res.GetInt(i, j+1)
				r.asked[r.question(def, keys[n], bound)] = v != 0
			}
		}
		return nil
	})
}

// foresee asks the server at once about all keys of a batch of events that will have to be
// compared by it: asked one by one a busy table would change faster than its copy can follow.
func (r *reader) foresee(ctx context.Context, events []event) error {
	if len(events) < 3 {
		return nil
	}
	t, bounds := r.askedBounds()
	if len(bounds) == 0 {
		return nil
	}
	var (
		keys [][]row.Value
		seen = map[string]bool{}
	)
	note := func(values row.Row) {
		if values == nil {
			return
		}
		key := keyValues(t.def, values)
		q := r.question(t.def, key, bounds[len(bounds)-1])
		if _, known := r.asked[q]; !known && !seen[q] {
			seen[q] = true
			keys = append(keys, key)
		}
	}
	for i := range events {
		e := &events[i]
		if !isRows(e.kind) {
			continue
		}
		id, err := row.TableID(e.body)
		if known := r.maps[id]; err != nil || known == nil || known.table != t || known.def != t.def {
			continue
		}
		err = r.ahead.Rows(t.def, e.kind, e.body, func(before, after row.Row) error { note(before); note(after); return nil })
		if err != nil {
			return nil // told when the event's turn comes
		}
		for len(keys) >= askedAtOnce {
			if err := r.askServer(ctx, t.def, keys[:askedAtOnce], bounds); err != nil {
				return err
			}
			keys = keys[askedAtOnce:]
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return r.askServer(ctx, t.def, keys, bounds)
}

// askedBounds are the bounds of the copy at work when only the server can compare with them.
func (r *reader) askedBounds() (*table, [][]row.Value) {
	m := &r.merge
	if m.job == nil {
		return nil, nil
	}
	t := r.tables[m.job.table]
	if t == nil || t.def == nil || t.def.Key == nil || ordered(t.def) {
		return nil, nil
	}
	var bounds [][]row.Value
	if t.state.Frontier != nil {
		bounds = append(bounds, t.state.Frontier)
	}
	for _, c := range m.held {
		if !c.eof {
			bounds = append(bounds, c.last)
		}
	}
	return t, bounds
}
