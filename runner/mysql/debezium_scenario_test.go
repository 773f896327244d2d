//go:build debezium

package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/sluice-io/sluice/e2e/beds"
)

// debeziumMode lets the session write what servers refuse by default.
const debeziumMode = "SET sql_mode = 'ALLOW_INVALID_DATES', SESSION explicit_defaults_for_timestamp = 1"

// debeziumTypes are types of columns, each with values as SQL, separated by |.
var debeziumTypes = [][2]string{
	{"TINYINT", "-128|127|0"}, {"TINYINT(1)", "1|-5|0"}, {"BOOLEAN", "TRUE|FALSE"}, {"TINYINT UNSIGNED", "255|128"}, {"SMALLINT", "-32768|32767"},
	{"SMALLINT UNSIGNED", "65535"}, {"MEDIUMINT", "-8388608|8388607"}, {"MEDIUMINT UNSIGNED", "16777215"}, {"INT", "-2147483648|2147483647"},
	{"INT UNSIGNED", "4294967295|2147483648"}, {"INT(8) UNSIGNED ZEROFILL", "42"}, {"BIGINT", "-9223372036854775808|9223372036854775807"},
	{"BIGINT UNSIGNED", "0|9223372036854775807|9223372036854775808|18446744073709551615"},
	{"BIT(1)", "b'0'|b'1'"}, {"BIT(9)", "1|256|511"}, {"BIT(64)", "1|9223372036854775808|18446744073709551615"}, {"YEAR", "1901|2155"},
	{"DECIMAL(1)", "-9|9"}, {"DECIMAL(5,2)", "-999.99|0.01|100|0|1.28|-1.28"}, {"DECIMAL(65,30)", "-99999999999999999999999999999999999.999999999999999999999999999999|0.000000000000000000000000000001"},
	{"DECIMAL(65)", "99999999999999999999999999999999999999999999999999999999999999999|-1"}, {"DECIMAL(10,2) UNSIGNED", "1.5|12345678.90"}, {"NUMERIC(20,4)", "-1234567890123456.7890"},
	{"FLOAT", "0.1|1.5|3.40282e38|16777217|123456.789|-1.17549e-38"}, {"FLOAT(7,3)", "1.234|9999.999"}, {"FLOAT(53)", "0.1|1e300"}, {"FLOAT UNSIGNED", "1.1"},
	{"DOUBLE", "0|1.5|-2.2250738585072014e-308|1.7976931348623157e308|123456789012345678|0.1"}, {"DOUBLE(10,4)", "1.2345|999999.9999"}, {"REAL", "1e21|1e-7|12345678.5|0.001|0.0005|100"},
	{"DATE", "'1000-01-01'|'9999-12-31'|'0000-00-00'|'2020-00-00'|'0001-01-01'|'2020-02-29'"},
	{"TIME", "'00:00:00'|'838:59:59'|'-838:59:59'|'-00:00:01'|'12:34:56'"}, {"TIME(3)", "'12:34:56.789'|'-00:00:00.001'"}, {"TIME(6)", "'-00:00:00.000001'|'838:59:58.999999'|'00:00:00.5'"},
	{"DATETIME", "'1000-01-01 00:00:00'|'9999-12-31 23:59:59'|'0000-00-00 00:00:00'|'2020-00-00 01:02:03'|'1582-10-10 00:00:00'"}, {"DATETIME(2)", "'2020-02-29 23:59:59.99'|'1969-12-31 23:59:59.99'"},
	{"DATETIME(3)", "'2020-02-29 23:59:59.999'|'0000-00-00 00:00:00.000'"}, {"DATETIME(5)", "'2020-02-29 23:59:59.99999'"}, {"DATETIME(6)", "'2020-02-29 23:59:59.999999'|'1969-12-31 23:59:59.999999'|'0000-00-00 00:00:00'"},
	{"TIMESTAMP NULL", "'1970-01-01 00:00:01'|'2038-01-19 03:14:07'|'0000-00-00 00:00:00'|'2020-06-15 12:00:00'"}, {"TIMESTAMP(1) NULL", "'2020-06-15 12:00:00.9'|'2020-06-15 12:00:00'"},
	{"TIMESTAMP(3) NULL", "'2020-06-15 12:00:00.120'"}, {"TIMESTAMP(6) NULL", "'1970-01-01 00:00:01.000001'|'2038-01-19 03:14:07.999999'|'2020-06-15 12:00:00.120000'|'2020-06-15 12:00:00'"},
	{"CHAR(10)", "''|'  a  '|'日本語'|'😀'"}, {"VARCHAR(30)", "''|'a '|'q\"b\\\\s/n\\nt\\tz\\0<&>'|X'010B1F7F08'|'é日😀'"}, {"VARCHAR(20) CHARACTER SET latin1", "'äöü€'"}, {"VARCHAR(20) CHARACTER SET gbk", "'中文'"},
	{"VARCHAR(20) CHARACTER SET utf16", "'中😀'"}, {"TINYTEXT", "'a'"}, {"TEXT", "REPEAT('é', 30)"}, {"MEDIUMTEXT", "'b'"}, {"LONGTEXT", "'NULL'"},
	{"ENUM('a','b','it''s','x,y','back\\\\slash','日本')", "'a'|'it''s'|'x,y'|'back\\\\slash'|'日本'|0"}, {"SET('a','b','c','it''s')", "''|'a'|'a,c'|'a,b,c,it''s'"},
	{"BINARY(5)", "''|'a'|X'61000000'|X'FF00FF00FF'"}, {"VARBINARY(5)", "''|X'6100'|X'FF20'"}, {"TINYBLOB", "X'00FF'"}, {"BLOB", "''|REPEAT(X'FE', 30)"}, {"MEDIUMBLOB", "X'00'"}, {"LONGBLOB", "X'00FF'"},
	{"GEOMETRY", "POINT(1,2)|ST_GeomFromText('LINESTRING(0 0,1 1,2 2)')|ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0))', 4326)|ST_GeomFromText('POINT(10 20)', 4326)"}, {"POINT", "POINT(-1.5,2.5)|ST_GeomFromText('POINT(10 20)', 4326)"},
	{"LINESTRING", "ST_GeomFromText('LINESTRING(0 0,1 1)')"}, {"POLYGON", "ST_GeomFromText('POLYGON((0 0,10 0,10 10,0 10,0 0))')"}, {"MULTIPOINT", "ST_GeomFromText('MULTIPOINT(0 0,1 1)')"},
	{"MULTILINESTRING", "ST_GeomFromText('MULTILINESTRING((0 0,1 1))')"}, {"MULTIPOLYGON", "ST_GeomFromText('MULTIPOLYGON(((0 0,10 0,10 10,0 10,0 0)))')"}, {"GEOMETRYCOLLECTION", "ST_GeomFromText('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(2 2,3 3))')"},
	{"JSON", `'{"b": 1, "a": [1, 2.50, null]}'|'[]'|'null'|'"t\\"日"'|'1e300'|'{"k": "v", "n": -0.5, "x": true}'`},
}

var debeziumOnly = map[string][][2]string{
	beds.MySQL:   {{"YEAR", "0"}, {"VECTOR(3)", "TO_VECTOR('[1,2.5,-3]')"}, {"JSON", "CAST(CAST('2020-01-02 03:04:05.678' AS DATETIME(3)) AS JSON)|JSON_ARRAY(CAST(1.50 AS DECIMAL(10,2)), CAST('-12:34:56.7' AS TIME(1)), CAST('2020-01-02' AS DATE), X'00FF')"}},
	beds.MariaDB: {{"UUID", "'123e4567-e89b-12d3-a456-426655440000'"}},
}

// debeziumTable is a table of every type, and the INSERT of the rows: the first is all NULL.
func debeziumTable(flavor, name string) []string {
	types := slices.Concat(debeziumTypes, debeziumOnly[flavor])
	var columns, values []string
	rows := 0
	for i, t := range types {
		columns = append(columns, fmt.Sprintf("c%02d %s", i, t[0]))
		rows = max(rows, strings.Count(t[1], "|")+1)
	}
	for n := -1; n < rows; n++ {
		line := []string{"NULL"}
		for _, t := range types {
			v := "NULL"
			if all := strings.Split(t[1], "|"); n >= 0 && n < len(all) {
				v = all[n]
			}
			line = append(line, v)
		}
		values = append(values, "("+strings.Join(line, ", ")+")")
	}
	return []string{fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY AUTO_INCREMENT, %s)", name, strings.Join(columns, ", ")), "INSERT IGNORE INTO " + name + " VALUES " + strings.Join(values, ", ")}
}

// debeziumSnapshot are the tables and rows that are there before anybody reads.
func debeziumSnapshot(flavor string) []string {
	return append(debeziumTable(flavor, "types"),
		"CREATE TABLE k_int (id INT PRIMARY KEY, v VARCHAR(10))", "INSERT INTO k_int VALUES (1,'a'),(2,'b'),(3,NULL)",
		"CREATE TABLE k_two (a INT, b VARCHAR(20), v INT, PRIMARY KEY (b, a))", "INSERT INTO k_two VALUES (1,'x',0),(2,'q\\\"\\n',0)",
		"CREATE TABLE k_text (id VARCHAR(40) PRIMARY KEY, v INT)", "INSERT INTO k_text VALUES ('é日😀',1),(X'010B1F7F08',2),('q\\\"b\\\\s/<&>',3),('',4)",
		"CREATE TABLE k_none (a INT, b VARCHAR(10))", "INSERT INTO k_none VALUES (1,'a'),(1,'a'),(2,NULL)",
		"CREATE TABLE k_unique (v INT, u INT NOT NULL, UNIQUE (u))", "INSERT INTO k_unique VALUES (1,1),(2,2)",
		"CREATE TABLE k_unique_null (v INT, u INT, UNIQUE (u))", "INSERT INTO k_unique_null VALUES (1,1),(2,NULL)",
		"CREATE TABLE k_unique_second (v INT, n INT, a INT NOT NULL, b INT NOT NULL, UNIQUE one (n), UNIQUE two (b, a))", "INSERT INTO k_unique_second VALUES (1,1,1,2)",
		"CREATE TABLE k_prefix (id VARCHAR(20), v INT, PRIMARY KEY (id(3)))", "INSERT INTO k_prefix VALUES ('abcdef',1)",
		"CREATE TABLE k_odd (d DECIMAL(10,2), dt DATE, t TIME, m DATETIME(3), u DATETIME(6), ts TIMESTAMP(6), b VARBINARY(4), b5 BINARY(5), y YEAR, f1 BIT(1), f9 BIT(9), bu BIGINT UNSIGNED, e ENUM('x','y'), s SET('p','q'), f DOUBLE, v INT,"+
			" PRIMARY KEY (d, dt, t, m, u, ts, b, b5, y, f1, f9, bu, e, s, f))", "INSERT INTO k_odd VALUES (1.28,'2020-01-02','12:34:56','2020-01-02 03:04:05.678','2020-01-02 03:04:05.678901','2020-01-02 03:04:05.600000',X'FF00','a',2020,1,256,5,'y','p,q',1e10,1)",
		"CREATE TABLE defaults (id INT PRIMARY KEY, a INT DEFAULT 5, b VARCHAR(10) DEFAULT 'x', c INT NOT NULL DEFAULT 7, d DECIMAL(5,2) DEFAULT 1.00, e DATETIME DEFAULT CURRENT_TIMESTAMP, f TIMESTAMP NULL DEFAULT '2020-01-01 00:00:00')",
		"INSERT INTO defaults VALUES (1,NULL,NULL,1,NULL,NULL,NULL)", "INSERT INTO defaults (id, e) VALUES (2,'2020-01-01')",
		"CREATE TABLE `odd names` (`i d` INT PRIMARY KEY, `na\"me` INT, `naïve.col` INT, `日本` INT, `Upper` INT)", "INSERT INTO `odd names` VALUES (1,2,3,4,5)",
		"CREATE TABLE extras (id INT PRIMARY KEY, a INT, g INT AS (a + 1) VIRTUAL, h INT AS (a * 2) STORED, i INT INVISIBLE DEFAULT 9)", "INSERT INTO extras (id, a) VALUES (1, 1)",
		"CREATE TABLE ddl (id INT PRIMARY KEY, a INT)", "INSERT INTO ddl VALUES (1,1)",
		"CREATE TABLE nothing (id INT PRIMARY KEY)",
		"CREATE TABLE zeros (id INT PRIMARY KEY, d DATE NOT NULL, m DATETIME NOT NULL, u DATETIME(6) NOT NULL, t TIMESTAMP NOT NULL)", "INSERT INTO zeros VALUES (1,0,0,0,0)")
}

// debeziumStream are the changes that are read from the log.
func debeziumStream(flavor string) []string {
	return slices.Concat(debeziumTable(flavor, "types_log"), []string{
		"UPDATE types_log SET c00 = 5 WHERE id = 2", "DELETE FROM types_log WHERE id = 2",
		"INSERT INTO k_int VALUES (4,'d'),(5,'e'),(6,'f')", "UPDATE k_int SET v = 'z' WHERE id > 3", "UPDATE k_int SET v = NULL WHERE id = 1", "DELETE FROM k_int WHERE id IN (2,3)",
		"UPDATE k_int SET id = 40, v = 'moved' WHERE id = 4", "REPLACE INTO k_int VALUES (5,'replaced')", "INSERT INTO k_int VALUES (5,'x') ON DUPLICATE KEY UPDATE v = 'dup'",
		"BEGIN", "INSERT INTO k_int VALUES (100,'t')", "INSERT INTO k_two VALUES (100,'t',1)", "UPDATE k_int SET v = 'u' WHERE id = 100", "COMMIT",
		"UPDATE k_two SET a = 9 WHERE b = 'x'", "UPDATE k_two SET v = 1", "UPDATE k_two SET b = 'n\\\"ew😀' WHERE a = 2", "DELETE FROM k_two WHERE a = 9",
		"UPDATE k_text SET v = v + 1", "UPDATE k_text SET id = CONCAT(id, '日\\n😀')", "DELETE FROM k_text",
		"INSERT INTO k_none VALUES (3,'c')", "UPDATE k_none SET b = 'u' WHERE a = 1", "DELETE FROM k_none WHERE a = 1",
		"INSERT INTO k_unique VALUES (3,3)", "UPDATE k_unique SET v = 0 WHERE u = 1", "UPDATE k_unique SET u = 20 WHERE u = 2", "DELETE FROM k_unique WHERE u = 20",
		"INSERT INTO k_unique_null VALUES (3,3)", "UPDATE k_unique_null SET v = 0", "UPDATE k_unique_null SET u = 30 WHERE u = 3", "DELETE FROM k_unique_null",
		"UPDATE k_unique_second SET v = 2", "UPDATE k_unique_second SET b = 3", "DELETE FROM k_unique_second",
		"UPDATE k_prefix SET v = 2", "UPDATE k_prefix SET id = 'abcxyz'", "UPDATE k_prefix SET id = 'zzz'", "DELETE FROM k_prefix",
		"UPDATE k_odd SET v = 2", "UPDATE k_odd SET d = -1.28, f = 1e-5, t = '-01:00:00', bu = 18446744073709551615, f1 = 0", "UPDATE k_odd SET f = 123.5, ts = '2020-01-02 03:04:05', e = 'x', s = ''", "DELETE FROM k_odd",
		"INSERT INTO defaults VALUES (3,NULL,NULL,1,NULL,NULL,NULL)", "INSERT INTO defaults (id, e) VALUES (4,'2020-01-01')", "UPDATE defaults SET a = NULL, c = 8 WHERE id = 4",
		"UPDATE `odd names` SET `Upper` = 6", "DELETE FROM `odd names`", "UPDATE extras SET a = 2", "UPDATE extras SET i = 3",
		"INSERT INTO zeros VALUES (2,0,0,0,0)",
		"ALTER TABLE ddl ADD b VARCHAR(10) DEFAULT 'x' AFTER id", "INSERT INTO ddl (id, a) VALUES (2,2)", "ALTER TABLE ddl MODIFY a BIGINT UNSIGNED, ADD c DATETIME(6) FIRST", "INSERT INTO ddl VALUES ('2020-01-01 00:00:00',3,'y',3)",
		"ALTER TABLE ddl RENAME COLUMN b TO bb", "UPDATE ddl SET bb = 'r' WHERE id = 3", "ALTER TABLE ddl DROP COLUMN c", "UPDATE ddl SET bb = 's' WHERE id = 3", "ALTER TABLE ddl DROP PRIMARY KEY, ADD PRIMARY KEY (id, a)",
		"UPDATE ddl SET bb = 't' WHERE id = 3", "ALTER TABLE ddl DROP PRIMARY KEY", "DELETE FROM ddl WHERE id = 3", "ALTER TABLE ddl ADD PRIMARY KEY (a)", "TRUNCATE TABLE ddl", "INSERT INTO ddl VALUES (4,'u',4)",
		"DROP TABLE ddl", "TRUNCATE TABLE k_none",
		"SET SESSION " + map[string]string{beds.MySQL: "binlog_transaction_compression = ON", beds.MariaDB: "binlog_annotate_row_events = ON"}[flavor],
		"BEGIN", "INSERT INTO k_int VALUES (200,'c'),(201,'d')", "UPDATE k_int SET v = 'e' WHERE id >= 200", "COMMIT", "SET SESSION " + map[string]string{beds.MySQL: "binlog_transaction_compression = OFF", beds.MariaDB: "binlog_annotate_row_events = OFF"}[flavor],
		"CREATE TABLE cts AS SELECT id, v FROM k_int WHERE id = 1", "CREATE TABLE cti (id INT UNIQUE KEY NOT NULL)", "INSERT INTO cti VALUES (1)",
	})
}
