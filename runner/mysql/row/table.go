// Package row reads rows of MySQL and MariaDB tables into one canonical form, the
// same for a row that a SELECT returns and for that row in the binary log.
//
// A Table comes from a TABLE_MAP event (ParseTable) or from the server (Describe).
// A Decoder turns the bytes of a rows event, or the fields of a streamed SELECT, into
// Rows of Values. Nothing here panics on hostile bytes: what does not add up is an
// error that names the table and the column.
package row

import "strings"

// Kind is what a column holds, apart from its width.
type Kind uint8

// Kinds. For each: what of a Value holds it.
const (
	Int       Kind = iota + 1 // TINYINT … BIGINT: N, an int64, or with Unsigned a uint64
	Bit                       // BIT(1) … BIT(64): N
	Year                      // YEAR: N, 0 or 1901–2155
	Decimal                   // DECIMAL: B, the digits as the server prints them
	Float                     // FLOAT: N, the float32's bits
	Double                    // DOUBLE: N, the float64's bits
	Date                      // DATE: N, see PackDate; zero and partial dates kept
	Time                      // TIME: N, an int64 of microseconds, ±838:59:59.999999
	DateTime                  // DATETIME: N, see PackDateTime; zero and partial dates kept
	Timestamp                 // TIMESTAMP: N, microseconds since the Unix epoch; 0 is the zero date
	Text                      // CHAR, VARCHAR, TEXT with a character set: B in UTF-8, unless Invalid
	Enum                      // ENUM: N, the index from 1; 0 is the invalid value ''
	Set                       // SET: N, a bit for each member
	JSON                      // MySQL's JSON: B, the text as the server prints it
	Bytes                     // BINARY, VARBINARY, BLOB: B
	Geometry                  // every geometry type: B as stored (SRID, then WKB)
	Vector                    // MySQL's VECTOR: B, float32 little-endian
	UUID                      // MariaDB's UUID: B, the text as the server prints it
	INET4                     // MariaDB's INET4: B, the text as the server prints it
	INET6                     // MariaDB's INET6: B, the text as the server prints it
)

// Column is one column of a table. It is not changed after its table was made.
type Column struct {
	Name string
	Kind Kind
	// Type is the declared type's name as messages show it, in upper case, without
	// width and sign: "INT", "VARCHAR", "MEDIUMBLOB", "POINT". A type that the binary
	// log does not tell from another has its general name there ("JSON" of MariaDB is LONGTEXT).
	Type string
	// Unsigned is of Int, Decimal, Float and Double.
	Unsigned bool
	Nullable bool
	// Length is in bytes: of Int, Float and Double the width in storage; of Text and
	// Bytes the most a value can have (of the BLOB and TEXT types the width of the length, 1–4);
	// of Enum and Set the width of the index. Of Bit it is the number of bits.
	Length int
	// Fixed marks CHAR and BINARY.
	Fixed bool
	// Precision and Scale are of Decimal.
	Precision, Scale int
	// FSP is the number of digits after the second, 0–6, of Time, DateTime and Timestamp.
	FSP int
	// Charset is the server's name of the character set of Text, Enum and Set: "utf8mb4".
	Charset string
	// Collation of Text, as the server names it; "" where only the binary log was asked.
	Collation string
	// Members are those of Enum and Set, in UTF-8, in order.
	Members []string
	// Invisible is true of a column that SELECT * leaves out. MariaDB's binary log does not tell.
	Invisible bool
	// TinyInt1 is true of TINYINT(1). The binary log does not tell, see Refine.
	TinyInt1 bool

	wire   wire
	decode textDecoder
	// stored are the members as the binary log has them, where some are not valid in Charset: both
	// servers leave such behind where CONVERT TO CHARACTER SET passes over them. nil: all are valid.
	stored []string
	// doubt is true of an ENUM or SET with a question mark in a member, as Describe sees it. The
	// server's catalogue is in utf8mb3: what stands there may be a character beyond.
	doubt bool
}

// Table is a table's definition. It is immutable: a change of the definition makes
// another Table, and pointers may be used to tell one from the other.
type Table struct {
	Database, Name string
	Columns        []Column
	// Key has the indexes into Columns of the primary key, in key order; nil without one. A
	// table without primary key whose first unique index of whole columns cannot be NULL has
	// that: so the servers write it to the binary log.
	Key []int
	// KeyName is the name of the key's index, "PRIMARY" as a rule; "" when only the binary log
	// was asked, which does not tell.
	KeyName string
	// KeyPrefix has for each of Key the length of the prefix, 0 for a whole column; nil
	// when all are whole.
	KeyPrefix []int
	// Fingerprint is equal for definitions under which rows are written alike, whether
	// they come from the binary log or from the server.
	Fingerprint string
}

// String is database and name, for messages.
func (t *Table) String() string { return t.Database + "." + t.Name }

// Column finds a column by its name, in any case; -1 when there is none.
func (t *Table) Column(name string) int {
	for i := range t.Columns {
		if strings.EqualFold(t.Columns[i].Name, name) {
			return i
		}
	}
	return -1
}
