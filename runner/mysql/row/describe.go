package row

import (
	"context"
	"errors"

	"github.com/go-mysql-org/go-mysql/mysql"
	"github.com/go-mysql-org/go-mysql/replication"
)

var errNotYet = errors.New("not yet")

// Querier is a connection to the server, for example a *client.Conn.
type Querier interface {
	Execute(command string, args ...any) (*mysql.Result, error)
}

// SnapshotSession are the statements that a connection must have executed before it
// reads rows by SelectList.
var SnapshotSession = []string{
	"SET SESSION time_zone = '+00:00'",
	"SET SESSION character_set_results = NULL",
}

// ParseTable makes a definition of a TABLE_MAP event. flavor is mysql.MySQLFlavor or
// mysql.MariaDBFlavor. Where binlog_row_metadata is not FULL the error is a *MetadataError.
func ParseTable(m *replication.TableMapEvent, flavor string) (*Table, error) { return nil, errNotYet }

// ParseTableMap is ParseTable of the event's bytes: what follows the header of 19 bytes,
// without checksum.
func ParseTableMap(body []byte, flavor string) (*Table, error) { return nil, errNotYet }

// Describe asks the server for a table's definition, as it is now. A table that does not
// exist is ErrNoTable. It refuses what ParseTable refuses.
func Describe(ctx context.Context, conn Querier, database, name string) (*Table, error) {
	return nil, errNotYet
}

// ErrNoTable is Describe's error for a table that does not exist or is not shown to the account.
var ErrNoTable = errors.New("no such table")

// Refine adds to a definition from the binary log what only the server knows (UUID and INET
// of MariaDB, TINYINT(1)): of columns that from has under the same name and with the same
// storage. It returns t itself where there is nothing to add.
func (t *Table) Refine(from *Table) *Table { return t }

// SelectList is the expressions for a snapshot's SELECT, one a column, in order, so that
// Decoder.Fields gives the same Values as the binary log. Column names are quoted.
func (t *Table) SelectList() string { return "" }

// AppendLiteral appends the SQL expression of a value, to be compared with the column.
func (c *Column) AppendLiteral(dst []byte, v Value) []byte { return dst }

// AppendText appends a value as the server prints it; NULL is nothing.
func (c *Column) AppendText(dst []byte, v Value) []byte { return dst }

// Ordered is true when Compare orders values of the column as the server does.
func (c *Column) Ordered() bool { return false }

// Compare orders two values of the column: -1, 0 or 1. NULL comes first.
func (c *Column) Compare(a, b Value) int { return 0 }

// AppendKey appends the row's primary key in a form that is equal for equal keys only; for maps.
func (t *Table) AppendKey(dst []byte, r Row) []byte { return dst }

type wire struct{}

type textDecoder interface{}
