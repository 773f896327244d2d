package maxcompute

import (
	"context"
	"encoding/json"
	"encoding/xml"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
)

// partitionColumn is the column by which the table is partitioned.
const partitionColumn = "pt"

// Names of the columns of records.
const (
	columnTopic     = "topic"
	columnPartition = "partition"
	columnOffset    = "offset"
	columnKey       = "key"
	columnValue     = "value"
)

// table is what the connector knows of its table.
type table struct {
	columns    []column
	partitions []column
}

// columnJSON is a column as the service's REST half tells it.
type columnJSON struct {
	Name       string `json:"name"`
	Type       string `json:"type"`
	IsNullable *bool  `json:"isNullable"`
}

func (c columnJSON) column() column {
	t := parseType(c.Type)
	t.name, t.notNull = c.Name, c.IsNullable != nil && !*c.IsNullable
	return t
}

// loadTable asks for the table's columns.
func (c *client) loadTable(ctx context.Context, p place) (*table, error) {
	query := url.Values{"curr_project": {p.project}}
	if p.schema != "" {
		query.Set("curr_schema", p.schema)
	}
	doing := "reading table " + p.sql()
	a, err := c.do(ctx, call{doing: doing, method: http.MethodGet, path: "/projects/" + url.PathEscape(p.project) + "/tables/" + url.PathEscape(p.table), query: query})
	if err != nil {
		return nil, err
	}
	var doc struct {
		Schema string
	}
	var schema struct {
		IsVirtualView bool         `json:"isVirtualView"`
		Columns       []columnJSON `json:"columns"`
		PartitionKeys []columnJSON `json:"partitionKeys"`
	}
	if err := xml.Unmarshal(a.body, &doc); err != nil {
		return nil, c.classify.away(fmt.Errorf("%s: the answer is no table: %w", doing, err))
	}
	if err := json.Unmarshal([]byte(doc.Schema), &schema); err != nil {
		return nil, c.classify.away(fmt.Errorf("%s: the table's columns cannot be read: %w", doing, err))
	}
	if schema.IsVirtualView {
		return nil, &connector.WrongError{Field: keyTable, Err: fmt.Errorf("%s is a view", p.sql()), Remedy: "Give a table in " + keyTable + "."}
	}
	t := &table{}
	for _, col := range schema.Columns {
		t.columns = append(t.columns, col.column())
	}
	for _, col := range schema.PartitionKeys {
		t.partitions = append(t.partitions, col.column())
	}
	return t, nil
}

// expected are the columns that the settings need; nil where the table itself decides.
func (s *shape) expected() []column {
	if s.json || s.format == formatCSV {
		return nil
	}
	of := kindString
	if s.format == formatBinary {
		of = kindBinary
	}
	text := map[kind]string{kindString: "STRING", kindBinary: "BINARY"}[of]
	out := []column{{name: columnTopic, text: "STRING", kind: kindString}, {name: columnPartition, text: "BIGINT", kind: kindBigint}, {name: columnOffset, text: "BIGINT", kind: kindBigint}}
	if s.mode != modeValue {
		out = append(out, column{name: columnKey, text: text, kind: of})
	}
	if s.mode != modeKey {
		out = append(out, column{name: columnValue, text: text, kind: of})
	}
	return out
}

// ddl is the CREATE TABLE that fits the settings.
func (s *shape) ddl(p place) string {
	var names []string
	expected := s.expected()
	for i := range expected {
		names = append(names, expected[i].String())
	}
	switch {
	case s.json:
		names = []string{"id BIGINT", "name STRING", "amount DECIMAL(18,2)", "created TIMESTAMP"}
	case s.format == formatCSV:
		names = []string{"field1 STRING", "field2 BIGINT", "field3 DOUBLE"}
	}
	text := fmt.Sprintf("CREATE TABLE %s (%s) PARTITIONED BY (%s STRING);", p.sql(), strings.Join(names, ", "), partitionColumn)
	if expected == nil {
		text += " (with columns of your own in place of these)"
	}
	return text
}

// fits tells what of the table does not fit the settings; the error names every column.
func (s *shape) fits(t *table, p place) error {
	var bad []string
	switch {
	case len(t.partitions) == 0:
		bad = append(bad, "it is not partitioned by "+partitionColumn+" STRING")
	case len(t.partitions) > 1 || !strings.EqualFold(t.partitions[0].name, partitionColumn) || t.partitions[0].kind != kindString:
		var names []string
		for i := range t.partitions {
			names = append(names, t.partitions[i].String())
		}
		bad = append(bad, fmt.Sprintf("it is partitioned by %s instead of %s STRING", strings.Join(names, ", "), partitionColumn))
	}
	if expected := s.expected(); expected != nil {
		bad = append(bad, t.lacks(expected)...)
	} else {
		bad = append(bad, t.unfillable(s.format == formatCSV)...)
	}
	if len(bad) == 0 {
		return nil
	}
	return &connector.WrongError{Field: keyTable, Err: fmt.Errorf("table %s does not fit: %s", p.sql(), strings.Join(bad, "; ")),
		Brief: "table " + p.sql() + " does not fit: " + bad[0], Remedy: "Make or alter the table so that it fits: " + s.ddl(p)}
}

// lacks names what is wrong with the columns for records.
func (t *table) lacks(expected []column) (bad []string) {
	found := map[string]bool{}
	for i := range expected {
		want := &expected[i]
		at := t.find(want.name)
		switch {
		case at < 0:
			bad = append(bad, "column "+want.name+" "+want.text+" is missing")
		case t.columns[at].text != want.text:
			bad = append(bad, fmt.Sprintf("column %s is %s and should be %s", want.name, t.columns[at].text, want.text))
		}
		found[strings.ToLower(want.name)] = true
	}
	for i := range t.columns {
		if c := &t.columns[i]; c.notNull && !found[strings.ToLower(c.name)] {
			bad = append(bad, fmt.Sprintf("column %s is NOT NULL and nothing fills it", c.name))
		}
	}
	return bad
}

// unfillable names columns of types that nothing here can write, where one has to.
func (t *table) unfillable(all bool) (bad []string) {
	if len(t.columns) == 0 {
		bad = append(bad, "it has no columns")
	}
	for i := range t.columns {
		if c := &t.columns[i]; c.kind == kindOther && (all || c.notNull) {
			bad = append(bad, fmt.Sprintf("column %s is %s, which cannot be filled", c.name, c.text))
		}
	}
	return bad
}

// find is the index of a column by its name, whose case does not count; -1 for none.
func (t *table) find(name string) int {
	for i := range t.columns {
		if strings.EqualFold(t.columns[i].name, name) {
			return i
		}
	}
	return -1
}

// extends tells whether rows that were written for before can go into a table as now is:
// columns may have been added behind the others.
func extends(before, now []column) error {
	for i := range before {
		if i >= len(now) {
			return fmt.Errorf("column %s is gone", before[i].name)
		}
		if !before[i].same(&now[i]) {
			return fmt.Errorf("column %d is %s %s now and was %s %s", i+1, now[i].name, now[i].text, before[i].name, before[i].text)
		}
	}
	for _, c := range now[min(len(before), len(now)):] {
		if c.notNull {
			return fmt.Errorf("column %s was added and is NOT NULL", c.name)
		}
	}
	return nil
}

// columnsOf are the columns that an upload session was opened for.
func (s *session) columnsOf() []column {
	out := make([]column, len(s.Schema.Columns))
	for i, c := range s.Schema.Columns {
		out[i] = columnJSON{c.Name, c.Type, c.Nullable}.column()
	}
	return out
}
