package row_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// typeCase is a column type and values of it, as SQL.
type typeCase struct {
	only   string // "" both servers
	since  string // "": every version
	typ    string
	values string // separated by |
	print  string // how the server is asked for the text; "" is CAST(v AS CHAR), "-" is not asked
}

var typeCases = []typeCase{
	{typ: "TINYINT", values: "0|-128|127|1"},
	{typ: "TINYINT(1)", values: "0|1|-5"},
	{typ: "TINYINT UNSIGNED", values: "0|128|255"},
	{typ: "SMALLINT", values: "0|-32768|32767"},
	{typ: "SMALLINT UNSIGNED", values: "0|32768|65535"},
	{typ: "MEDIUMINT", values: "0|-8388608|8388607|-1"},
	{typ: "MEDIUMINT UNSIGNED", values: "0|8388608|16777215"},
	{typ: "INT", values: "0|-2147483648|2147483647"},
	{typ: "INT UNSIGNED", values: "0|2147483648|4294967295"},
	{typ: "INT(8) UNSIGNED ZEROFILL", values: "0|42|4294967295", print: "v + 0"},
	{typ: "BIGINT", values: "0|-9223372036854775808|9223372036854775807"},
	{typ: "BIGINT UNSIGNED", values: "0|9223372036854775808|18446744073709551615"},
	{typ: "BIT(1)", values: "b'0'|b'1'", print: "CAST(v AS UNSIGNED)"},
	{typ: "BIT(9)", values: "0|1|511|256", print: "CAST(v AS UNSIGNED)"},
	{typ: "BIT(64)", values: "0|1|9223372036854775808|18446744073709551615", print: "CAST(v AS UNSIGNED)"},
	{typ: "YEAR", values: "0|1901|2155|1970|'2000'"},
	{typ: "DECIMAL(1)", values: "0|-9|9"},
	{typ: "DECIMAL(5,2)", values: "0|-999.99|999.99|0.01|-0.01|100"},
	{typ: "DECIMAL(3,3)", values: "0|-0.999|0.001"},
	{typ: "DECIMAL(18,9)", values: "0|-999999999.999999999|123456789.000000001|0.000000001"},
	{typ: "DECIMAL(65,30)", values: "0|-99999999999999999999999999999999999.999999999999999999999999999999|12345678901234567890123456789012345.123456789012345678901234567890|0.000000000000000000000000000001"},
	{typ: "DECIMAL(65)", values: "99999999999999999999999999999999999999999999999999999999999999999|-1"},
	{typ: "DECIMAL(10,2) UNSIGNED ZEROFILL", values: "0|1.5|12345678.90", print: "-"},
	{typ: "FLOAT", values: "0|1.5|-1.17549e-38|3.40282e38|0.1|16777217|123456.789|-0e0", print: "-"},
	{typ: "FLOAT(7,3)", values: "0|1.234|9999.999", print: "-"},
	{typ: "FLOAT UNSIGNED", values: "0|1.1", print: "-"},
	{typ: "DOUBLE", values: "0|1.5|-2.2250738585072014e-308|1.7976931348623157e308|0.1|1e15|1e-15|123456789012345678|5e-324"},
	{typ: "DOUBLE(10,4)", values: "0|1.2345|999999.9999|0.1", print: "-"},
	{typ: "DATE", values: "'1000-01-01'|'9999-12-31'|'0000-00-00'|'2020-00-00'|'2020-02-00'|'2020-02-31'|'0001-01-01'"},
	{typ: "TIME", values: "'00:00:00'|'838:59:59'|'-838:59:59'|'-00:00:01'|'12:34:56'|'100:00:00'"},
	{typ: "TIME(1)", values: "'00:00:00'|'-00:00:00.1'|'-838:59:59.0'|'12:34:56.7'|'-01:00:00.0'"},
	{typ: "TIME(3)", values: "'-00:00:00.001'|'12:34:56.789'|'-12:34:56.789'|'-00:00:59.999'"},
	{typ: "TIME(4)", values: "'-00:00:00.0001'|'12:34:56.7891'|'-12:34:56.7891'"},
	{typ: "TIME(6)", values: "'12:00:00'|'-00:00:00.000001'|'838:59:59.000000'|'-838:59:58.999999'|'00:00:00.5'"},
	{typ: "DATETIME", values: "'1000-01-01 00:00:00'|'9999-12-31 23:59:59'|'0000-00-00 00:00:00'|'2020-00-00 01:02:03'|'2020-02-31 00:00:00'"},
	{typ: "DATETIME(2)", values: "'2020-02-29 23:59:59.99'|'1970-01-01 00:00:00'"},
	{typ: "DATETIME(3)", values: "'2020-02-29 23:59:59.999'|'0000-00-00 00:00:00.000'"},
	{typ: "DATETIME(5)", values: "'2020-02-29 23:59:59.99999'|'0001-01-01 00:00:00.00001'"},
	{typ: "DATETIME(6)", values: "'2020-02-29 23:59:59.999999'|'2020-02-29 12:00:00'|'0000-00-00 00:00:00'"},
	{typ: "TIMESTAMP NULL", values: "'1970-01-01 00:00:01'|'2038-01-19 03:14:07'|'0000-00-00 00:00:00'|'2020-06-15 12:00:00'"},
	{typ: "TIMESTAMP(1) NULL", values: "'2020-06-15 12:00:00.9'"},
	{typ: "TIMESTAMP(4) NULL", values: "'2020-06-15 12:00:00.1234'"},
	{typ: "TIMESTAMP(6) NULL", values: "'1970-01-01 00:00:01.000001'|'2038-01-19 03:14:07.999999'|'0000-00-00 00:00:00'"},
	{typ: "CHAR(10)", values: "''|'a'|'  a  '|'日本語'|'😀'"},
	{typ: "CHAR(0)", values: "''"},
	{typ: "CHAR(255) CHARACTER SET utf8mb4", values: "REPEAT('é', 255)|'x'"},
	{typ: "VARCHAR(10)", values: "''|'a '|'日本語'|'😀\\0\\n\\\\'"},
	{typ: "VARCHAR(255) CHARACTER SET latin1", values: "REPEAT('a', 255)|'äöü€'"},
	{typ: "VARCHAR(256) CHARACTER SET latin1", values: "REPEAT('a', 256)|''"},
	{typ: "VARCHAR(16000)", values: "REPEAT('日', 16000)|'a'"},
	{typ: "TINYTEXT", values: "''|REPEAT('a', 255)"},
	{typ: "TEXT", values: "''|REPEAT('é', 30000)"},
	{typ: "MEDIUMTEXT", values: "''|REPEAT('a', 70000)"},
	{typ: "LONGTEXT", values: "''|REPEAT('a', 300000)|'NULL'"},
	{typ: "ENUM('a','b','it''s','x,y','back\\\\slash','日本','line\\nend') CHARACTER SET utf8mb4", values: "'a'|'it''s'|'x,y'|'back\\\\slash'|'日本'|'line\\nend'|'nothing'|0"},
	{typ: "ENUM(" + manyMembers(300) + ")", values: "'m1'|'m256'|'m300'"},
	{typ: "ENUM('中','文') CHARACTER SET gbk", values: "'中'|'文'"},
	{typ: "ENUM('中','文') CHARACTER SET utf16", values: "'中'|'文'"},
	{typ: "SET('a','b','c','it''s')", values: "''|'a'|'a,c'|'a,b,c,it''s'|'nothing'"},
	{typ: "SET('ä','ö') CHARACTER SET latin1", values: "'ä'|'ä,ö'"},
	{typ: "SET(" + manyMembers(64) + ")", values: "'m1'|'m64'|'m1,m33,m64'|18446744073709551615"},
	{typ: "SET(" + manyMembers(20) + ")", values: "'m1'|'m20'"},
	{typ: "BINARY(5)", values: "''|'a'|X'61000000'|X'0000000000'|X'FF00FF00FF'", print: "HEX(v)"},
	{typ: "BINARY(255)", values: "''|REPEAT('a', 255)", print: "HEX(v)"},
	{typ: "VARBINARY(5)", values: "''|X'6100'|X'0000000000'|X'FF20'", print: "HEX(v)"},
	{typ: "VARBINARY(300)", values: "''|REPEAT(X'00', 300)", print: "HEX(v)"},
	{typ: "TINYBLOB", values: "''|X'00FF'", print: "HEX(v)"},
	{typ: "BLOB", values: "''|REPEAT(X'FE', 1000)", print: "HEX(v)"},
	{typ: "MEDIUMBLOB", values: "X'00'", print: "HEX(v)"},
	{typ: "LONGBLOB", values: "X'00'|REPEAT(X'00FF', 40000)", print: "HEX(v)"},
	{typ: "GEOMETRY", values: "POINT(1,2)|ST_GeomFromText('LINESTRING(0 0,1 1,2 2)')|ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0))', 4326)", print: "HEX(v)"},
	{typ: "POINT", values: "POINT(-1.5,2.5)", print: "HEX(v)"},
	{typ: "GEOMETRYCOLLECTION", values: "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(2 2,3 3))')", print: "HEX(v)"},
	{only: beds.MariaDB, typ: "JSON", values: `'{"b": 1, "a": [1, 2.50, null]}'|'[]'`},
	{only: beds.MariaDB, typ: "UUID", values: "'123e4567-e89b-12d3-a456-426655440000'|'00000000-0000-0000-0000-000000000000'|'ffffffff-ffff-ffff-ffff-ffffffffffff'|'018f3c1e-0000-7abc-8def-000000000000'"},
	{only: beds.MariaDB, typ: "INET4", values: "'0.0.0.0'|'255.255.255.255'|'1.0.0.0'|'10.20.30.40'"},
	{only: beds.MariaDB, typ: "INET6", values: "'::'|'::1'|'2001:db8::1'|'1::'|'::ffff:1.2.3.4'|'::1.2.3.4'|'1:0:0:2:0:0:0:3'|'1:0:2:3:4:5:6:7'|'1:2:3:4:5:6:7:8'|'ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff'|'0:0:1::'|'::ffff:0:0'|'::1:0:0'"},
	{only: beds.MariaDB, typ: "VARCHAR(100) COMPRESSED", values: "''|'short'|REPEAT('ab', 50)"},
	{only: beds.MariaDB, typ: "VARCHAR(10000) COMPRESSED CHARACTER SET latin1", values: "''|'ä'|REPEAT('long text ', 999)"},
	{only: beds.MariaDB, typ: "VARBINARY(254) COMPRESSED", values: "''|REPEAT(X'00', 254)", print: "HEX(v)"},
	{only: beds.MariaDB, typ: "VARBINARY(255) COMPRESSED", values: "''|REPEAT(X'00', 255)", print: "HEX(v)"},
	{only: beds.MariaDB, typ: "TEXT COMPRESSED", values: "''|'short'|REPEAT('日本', 5000)"},
	{only: beds.MariaDB, typ: "LONGBLOB COMPRESSED", values: "''|X'00'|REPEAT(X'00FF', 50000)", print: "HEX(v)"},
	{only: beds.MariaDB, since: "11.7", typ: "VECTOR(3)", values: "VEC_FromText('[1,2.5,-3]')|VEC_FromText('[0,0,0]')", print: "HEX(v)"},
	{only: beds.MySQL, since: "9.0", typ: "VECTOR(3)", values: "TO_VECTOR('[1,2.5,-3]')|TO_VECTOR('[0,0,0]')", print: "HEX(v)"},
	{only: beds.MySQL, typ: "JSON", values: jsonValues},
}

const jsonValues = `'{}'|'[]'|'null'|'true'|'false'|'0'|'-1'|'32767'|'-32768'|'32768'|'65535'|'65536'|'2147483647'|'-2147483648'|'4294967295'|'4294967296'|'9223372036854775807'|'-9223372036854775808'|'18446744073709551615'` +
	`|'1.0'|'-0.0'|'1e15'|'1234567890123456.5'|'1e300'|'2.5e-7'|'1e-15'|'1e-16'|'123456789012345678901234567890'` +
	`|'"text"'|'"quote \\" back \\\\ slash / nl \\n tab \\t bell \\u0007 del \\u007f"'|'"日本 😀"'|'{"b": 1, "aa": {"c": [1, "x", null, true]}, "": 0}'` +
	`|CAST(CAST('2020-01-02' AS DATE) AS JSON)|CAST(CAST('-12:34:56.7' AS TIME(1)) AS JSON)|CAST(CAST('2020-01-02 03:04:05.678' AS DATETIME(3)) AS JSON)|CAST(TIMESTAMP'2020-01-02 03:04:05' AS JSON)` +
	`|JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST(-12345678901234567890.12345 AS DECIMAL(40,5)), 0.0001)|JSON_OBJECT('blob', X'00FF', 'bit', b'101')|JSON_ARRAY(POINT(1,2))` +
	`|JSON_ARRAY(REPEAT('x', 70000), 1, 65536, 4294967296)|JSON_OBJECT('k', REPEAT('y', 200), REPEAT('long', 100), 5)|CAST(CONCAT(REPEAT('[', 90), REPEAT(']', 90)) AS JSON)`

func manyMembers(n int) string {
	var out []string
	for i := range n {
		out = append(out, fmt.Sprintf("'m%d'", i+1))
	}
	return strings.Join(out, ",")
}

// TestEveryType inserts edge values of every type, reads them from the binary log and by
// SELECT, in both protocols, and compares them to each other and to what the server prints.
func TestEveryType(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		cases := map[string]typeCase{}
		conn := s.Connect()
		execute := func(statement string) {
			t.Helper()
			if _, err := conn.Execute(statement); err != nil {
				t.Fatalf("%.300s: %v", statement, err)
			}
		}
		execute("SET sql_mode = 'ALLOW_INVALID_DATES', SESSION explicit_defaults_for_timestamp = 1")
		for i, c := range typeCases {
			if c.only != "" && c.only != s.Flavor || c.since != "" && !newer(t, s, c.since) {
				continue
			}
			name := fmt.Sprintf("t%d", i)
			cases[name] = c
			execute(fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY AUTO_INCREMENT, v %s)", name, c.typ))
			execute(fmt.Sprintf("INSERT IGNORE INTO %s (v) VALUES (NULL)", name))
			for _, v := range strings.Split(c.values, "|") {
				execute(fmt.Sprintf("INSERT IGNORE INTO %s (v) VALUES (%s)", name, v))
			}
		}
		log := readLog(t, s)
		snap := session(t, s)
		for name, c := range cases {
			compareType(t, s, log, name, c, func(table *row.Table, binary bool) []row.Row { return snapshot(t, snap, table, binary) })
		}
	})
}

// newer tells whether the server's version is at least a major.minor one.
func newer(t *testing.T, s *server, since string) bool {
	t.Helper()
	var major, minor, wantMajor, wantMinor int
	version := *s.Query("SELECT VERSION()")[0][0]
	if _, err := fmt.Sscanf(version, "%d.%d", &major, &minor); err != nil {
		t.Fatalf("version %q: %v", version, err)
	}
	if _, err := fmt.Sscanf(since, "%d.%d", &wantMajor, &wantMinor); err != nil {
		t.Fatalf("version %q: %v", since, err)
	}
	return major > wantMajor || major == wantMajor && minor >= wantMinor
}

func compareType(t *testing.T, s *server, log *logged, name string, c typeCase, read func(*row.Table, bool) []row.Row) {
	t.Helper()
	fromLog := log.tables[name]
	if fromLog == nil || log.errs[name] != nil {
		t.Errorf("%s: no definition, or %v", c.typ, log.errs[name])
		return
	}
	conn := s.Connect()
	described, err := row.Describe(context.Background(), conn, s.Database, name)
	if err != nil {
		t.Errorf("%s: %v", c.typ, err)
		return
	}
	if described.Fingerprint != fromLog.Fingerprint {
		t.Errorf("%s: the definitions differ:\nlog    %v %v %+v\nserver %v %v %+v", c.typ, fromLog.Key, fromLog.KeyPrefix, fromLog.Columns, described.Key, described.KeyPrefix, described.Columns)
	}
	table := fromLog.Refine(described)
	stream := log.rows[name]
	if table.Columns[1].Kind != fromLog.Columns[1].Kind { // UUID and INET: decoded by the refined definition
		stream = nil
		stream = again(t, s, log, table)
	}
	text, binary := read(described, false), read(described, true)
	want := s.Query(printQuery(name, c))
	if len(stream) != len(text) || len(stream) != len(binary) || len(stream) != len(want) {
		t.Errorf("%s: %d rows in the log, %d and %d by SELECT, %d printed", c.typ, len(stream), len(text), len(binary), len(want))
		return
	}
	for i := range stream {
		if !stream[i].Equal(text[i]) {
			t.Errorf("%s: row %d\nlog  %s\ntext %s", c.typ, i, show(table, stream[i]), show(described, text[i]))
		}
		if !stream[i].Equal(binary[i]) {
			t.Errorf("%s: row %d\nlog    %s\nbinary %s", c.typ, i, show(table, stream[i]), show(described, binary[i]))
		}
		if c.print != "-" {
			comparePrinted(t, &table.Columns[1], c, stream[i][1], want[i][0])
		}
	}
}

func printQuery(name string, c typeCase) string {
	print := c.print
	if print == "" || print == "-" {
		print = "CAST(v AS CHAR)"
	}
	return fmt.Sprintf("SELECT %s FROM %s ORDER BY id", print, name)
}

func comparePrinted(t *testing.T, col *row.Column, c typeCase, v row.Value, want *string) {
	t.Helper()
	if v.IsNull() || want == nil {
		if v.IsNull() != (want == nil) {
			t.Errorf("%s: NULL is %v here and %v there", c.typ, v.IsNull(), want == nil)
		}
		return
	}
	got := string(col.AppendText(nil, v))
	if c.print == "HEX(v)" {
		got = strings.ToUpper(hex.EncodeToString([]byte(got)))
	}
	if got != *want {
		t.Errorf("%s: %.200q, the server prints %.200q", c.typ, got, *want)
	}
}

// again reads the log once more and decodes a table's rows by another definition.
func again(t *testing.T, s *server, _ *logged, table *row.Table) []row.Row {
	t.Helper()
	l := readLogAs(t, s, map[string]*row.Table{table.Name: table})
	return l.rows[table.Name]
}
