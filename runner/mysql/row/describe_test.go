package row_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"

	"github.com/sluice-io/sluice/runner/mysql/row"
)

// answers is a server that answers each statement that begins so.
type answers map[string][][]any

func (a answers) Execute(command string, _ ...any) (*mysql.Result, error) {
	for begin, rows := range a {
		if !strings.HasPrefix(command, begin) {
			continue
		}
		if len(rows) == 0 {
			return &mysql.Result{Resultset: mysql.NewResultset(1)}, nil
		}
		names := make([]string, len(rows[0]))
		for i := range names {
			names[i] = fmt.Sprint("c", i)
		}
		set, err := mysql.BuildSimpleTextResultset(names, rows)
		if err != nil {
			return nil, err
		}
		for _, data := range set.RowDatas {
			used := make([]mysql.FieldValue, len(set.Fields)) // as the library has it from results before
			for i := range used {
				used[i] = mysql.NewFieldValue(mysql.FieldValueTypeSigned, 4, nil)
			}
			values, err := data.ParseText(set.Fields, used)
			if err != nil {
				return nil, err
			}
			set.Values = append(set.Values, values)
		}
		return &mysql.Result{Resultset: set}, nil
	}
	return nil, fmt.Errorf("not expected: %s", command)
}

// A server that tells of a key and shows none is not believed: rows of the table would go without keys.
func TestDescribeDoesNotLoseTheKey(t *testing.T) {
	t.Parallel()
	column := func(key string) []any {
		return []any{"id", "int", "int(11)", "NO", "0", "10", "0", "0", "binary", "", key, ""}
	}
	server := answers{
		"SELECT TABLE_SCHEMA": {{"shop", "orders", "BASE TABLE", "10.11.0-MariaDB"}},
		"SELECT COLUMN_NAME":  {column("PRI")},
		"SHOW INDEX":          {},
	}
	if table, err := row.Describe(context.Background(), server, "shop", "orders"); err == nil || !strings.Contains(err.Error(), "shows none") {
		t.Errorf("with a key that is not shown: %+v, %v", table, err)
	}
	server["SELECT COLUMN_NAME"] = [][]any{column("")}
	if table, err := row.Describe(context.Background(), server, "shop", "orders"); err != nil || len(table.Key) != 0 {
		t.Errorf("without a key: %+v, %v", table, err)
	}
	server["SELECT COLUMN_NAME"] = [][]any{column("PRI")}
	server["SHOW INDEX"] = [][]any{{"orders", "0", "PRIMARY", "1", "id", "A", "0", "", "", "", "BTREE"}}
	if table, err := row.Describe(context.Background(), server, "shop", "orders"); err != nil || len(table.Key) != 1 {
		t.Errorf("with a key: %+v, %v", table, err)
	}
}

// A key of whole columns has no prefix, whatever number stood before where the server says NULL: the column
// was taken for a part of it, and a table with a unique key for one without.
func TestDescribeReadsNullAsNothing(t *testing.T) {
	t.Parallel()
	server := answers{
		"SELECT TABLE_SCHEMA": {{"shop", "orders", "BASE TABLE", "9.7.0"}},
		"SELECT COLUMN_NAME":  {{"at", "datetime", "datetime(4)", "NO", "0", "0", "0", "4", "binary", "", "PRI", ""}},
		"SHOW INDEX":          {{"orders", "0", "u", "1", "at", "A", "0", nil, nil, "", "BTREE"}},
	}
	table, err := row.Describe(context.Background(), server, "shop", "orders")
	if err != nil || table.KeyName != "u" || table.KeyPrefix != nil {
		t.Errorf("%+v, %v", table, err)
	}
}
