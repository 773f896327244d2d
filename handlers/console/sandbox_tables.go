package console

import (
	"encoding/hex"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

const (
	partitionsPage = 100
	rowsPage       = 50
	cellRunes      = 200 // of a value that are shown
	lineRunes      = 48  // of a value in one line
)

// sandboxTables shows what the tables hold: a table's partitions, and the rows of one.
func (c *Console) sandboxTables(q *request) error {
	ctx := q.Request.Context()
	m := views.SandboxTablesPage{SandboxPage: q.sandboxPage(tabTables), Table: q.Query("table"), Partition: q.Query("partition")}
	var table *SandboxTable
	for _, t := range c.sandbox.Tables() {
		if m.Table == "" || m.Table == t.Name {
			if table == nil {
				table = &t
			}
		}
		m.Tables = append(m.Tables, components.Option{Value: t.Name, Hint: text.T(ctx, "sandbox_page.table", text.N(ctx, "sandbox_page.rows", t.Rows),
			text.N(ctx, "sandbox_page.partitions", int64(t.Partitions)), components.Bytes(t.Bytes))})
	}
	if table == nil {
		if m.Table != "" {
			return q.notFound()
		}
		return q.render(http.StatusOK, views.SandboxTables(m))
	}
	m.Table, m.Partitioned = table.Name, table.Partitioned
	for _, column := range table.Columns {
		m.Columns = append(m.Columns, views.Column{Name: column.Name, Type: column.Type, Number: numberType(column.Type)})
	}
	if err := c.listPartitions(q, &m); err != nil {
		return sandboxError(q, err)
	}
	if m.Partitioned && m.Partition == "" {
		return q.render(http.StatusOK, views.SandboxTables(m)) // no partition, no rows
	}
	if err := c.listRows(q, &m); err != nil {
		return sandboxError(q, err)
	}
	return q.render(http.StatusOK, views.SandboxTables(m))
}

func numberType(kind string) bool {
	kind, _, _ = strings.Cut(strings.ToLower(kind), "(")
	switch kind {
	case "tinyint", "smallint", "int", "bigint", "float", "double", "decimal":
		return true
	}
	return false
}

// tablesURL is the page with a table, a place in its partitions, a partition and a place in its rows chosen.
func tablesURL(table, after, partition string, first int64) string {
	v := url.Values{"table": {table}}
	for name, value := range map[string]string{"after": after, "partition": partition} {
		if value != "" {
			v.Set(name, value)
		}
	}
	if first > 0 {
		v.Set("row", strconv.FormatInt(first, 10))
	}
	return tabTables + "?" + v.Encode()
}

// listPartitions fills in a page of partitions, and chooses the first with rows when none is.
func (c *Console) listPartitions(q *request, m *views.SandboxTablesPage) error {
	after := q.Query("after")
	list, more, err := c.sandbox.Partitions(m.Table, after, partitionsPage)
	if err != nil {
		return err
	}
	for _, p := range list {
		if m.Partition == "" && p.Rows > 0 {
			m.Partition = p.Spec // a newcomer sees at once what arrived
		}
	}
	if m.Partition == "" && len(list) > 0 {
		m.Partition = list[0].Spec
	}
	for _, p := range list {
		m.Partitions = append(m.Partitions, views.TablePartition{Spec: p.Spec, Href: tablesURL(m.Table, after, p.Spec, 0), Rows: p.Rows, Size: p.Bytes, Time: p.Modified, Current: p.Spec == m.Partition})
	}
	if more {
		m.NextPartitions = tablesURL(m.Table, list[len(list)-1].Spec, "", 0)
	}
	return nil
}

// listRows fills in a page of rows, which are for operators: they are payload.
func (c *Console) listRows(q *request, m *views.SandboxTablesPage) error {
	if !m.Operator {
		return nil
	}
	if given := q.Query("row"); given != "" {
		n, err := strconv.ParseInt(given, 10, 64)
		if err != nil || n < 0 {
			return ErrSandboxNotFound
		}
		m.FirstRow = n
	}
	rows, err := c.sandbox.Rows(q.Request.Context(), m.Table, m.Partition, m.FirstRow, rowsPage+1)
	if err != nil {
		return err
	}
	after := q.Query("after")
	if len(rows) > rowsPage {
		rows = rows[:rowsPage]
		m.NextRows = tablesURL(m.Table, after, m.Partition, m.FirstRow+rowsPage)
	}
	if m.FirstRow > 0 {
		m.PreviousRows = tablesURL(m.Table, after, m.Partition, max(m.FirstRow-rowsPage, 0))
	}
	for _, row := range rows {
		cells := make([]views.Cell, len(row))
		for i, v := range row {
			cells[i] = cell(v)
		}
		m.Rows = append(m.Rows, cells)
	}
	return nil
}

// cell is a value as a page shows it: text as it is, other bytes in hex, what is long cut off.
func cell(v SandboxValue) views.Cell {
	if v.Null {
		return views.Cell{Null: true}
	}
	out := views.Cell{Text: v.Text, Cut: v.Cut}
	if !utf8.ValidString(v.Text) && !v.Cut || strings.ContainsFunc(v.Text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\r' && r != '\t' }) {
		out.Text, out.Hex = hex.EncodeToString([]byte(v.Text)), true
	} else {
		out.Text = strings.ToValidUTF8(v.Text, "") // a value that is cut may end within a letter
	}
	if runes := []rune(out.Text); len(runes) > cellRunes {
		out.Text, out.Cut = string(runes[:cellRunes]), true
	}
	out.Long = len([]rune(out.Text)) > lineRunes
	return out
}
