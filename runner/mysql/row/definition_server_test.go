package row_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// TestDefinitions compares what the log and the server say of tables: key order, prefix keys,
// signs among columns that have none, invisible and generated columns, hidden keys.
func TestDefinitions(t *testing.T) {
	t.Parallel()
	ownFlavors(t, func(t *testing.T, s *server) {
		hidesKeys := len(s.Query("SHOW VARIABLES LIKE 'sql_generate_invisible_primary_key'")) > 0 // MySQL 8.0.30
		if hidesKeys {
			s.Exec("SET GLOBAL show_gipk_in_create_table_and_information_schema = OFF")
		}
		s.Exec("CREATE TABLE keyorder (a INT, b VARCHAR(10), c INT, PRIMARY KEY (c, b, a))",
			"CREATE TABLE prefix (a VARCHAR(100), b BLOB, c CHAR(10) CHARACTER SET latin1, PRIMARY KEY (a(7), b(20), c))",
			"CREATE TABLE nokey (a INT UNIQUE, b INT NOT NULL, c VARCHAR(10) NOT NULL, UNIQUE (c(3)), INDEX (b))",
			"CREATE TABLE uniquekey (a INT NOT NULL, b INT NOT NULL, n INT UNIQUE, x VARCHAR(9) NOT NULL, UNIQUE zz (x(2)), INDEX (a), UNIQUE later (b, a), UNIQUE aa (a))",
			"CREATE TABLE signs (a INT UNSIGNED, y YEAR, b INT, bt BIT(3), c SMALLINT UNSIGNED, d DECIMAL(5,2) UNSIGNED, e TINYINT, f FLOAT UNSIGNED, g DOUBLE, dt DATE, h BIGINT UNSIGNED, v VARCHAR(3), i MEDIUMINT UNSIGNED, j INT)",
			"CREATE TABLE gen (id INT PRIMARY KEY, virt INT AS (id * 2) VIRTUAL, st VARCHAR(20) AS (CONCAT('n', id)) STORED, inv INT INVISIBLE DEFAULT 7, plain INT)",
			"CREATE TABLE `we``ird \"name\"` (`a``b` INT PRIMARY KEY, `日本` INT, `sp ace` INT)",
			"INSERT INTO keyorder VALUES (1, 'x', 2)", "INSERT INTO prefix VALUES ('key', 'blob', 'c')", "INSERT INTO nokey VALUES (1, 2, 'x')", "INSERT INTO uniquekey VALUES (1, 2, 3, 'x')",
			"INSERT INTO signs VALUES (4294967295, 2000, -1, 5, 65535, 9.5, -1, 1.5, -2.5, '2020-01-01', 18446744073709551615, 'x', 16777215, -2147483648)",
			"INSERT INTO gen (id, plain) VALUES (3, 4)", "INSERT INTO `we``ird \"name\"` VALUES (1, 2, 3)")
		names := []string{"keyorder", "prefix", "nokey", "uniquekey", "signs", "gen", "we`ird \"name\"", "charsets"}
		vector := "v BLOB" // its character set is told too, where there is such a type
		if _, err := s.Connect().Execute("CREATE TABLE vectors (v VECTOR(2))"); err == nil && s.Flavor == beds.MySQL {
			vector = "v VECTOR(2)"
		}
		s.Exec("CREATE TABLE charsets (id INT PRIMARY KEY, "+vector+", a VARCHAR(10) CHARACTER SET latin1, g POINT, b TEXT CHARACTER SET gbk, e ENUM('x') CHARACTER SET latin2, bl BLOB, c CHAR(5) CHARACTER SET utf8mb4)",
			"INSERT INTO charsets VALUES (1, X'0000803F00000040', 'ä', ST_GeomFromText('POINT(1 2)'), '中', 'x', 'x', 'é')")
		if s.Flavor == beds.MySQL {
			conn := s.Connect()
			statements := []string{"CREATE TABLE functional (id INT PRIMARY KEY, a INT, INDEX ((a + 1)))", "INSERT INTO functional VALUES (1, 2)"}
			names = append(names, "functional")
			if hidesKeys {
				statements = append(statements, "SET SESSION sql_generate_invisible_primary_key = ON", "CREATE TABLE gipk (a INT)", "INSERT INTO gipk VALUES (5), (6)")
				names = append(names, "gipk")
			}
			for _, q := range statements {
				if _, err := conn.Execute(q); err != nil {
					t.Fatal(q, err)
				}
			}
		}
		log, conn := readLog(t, s), session(t, s)
		for _, name := range names {
			table, err := row.Describe(context.Background(), conn, s.Database, name)
			logged := log.tables[name]
			if err != nil || logged == nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if table.Fingerprint != logged.Fingerprint || !slices.Equal(table.Key, logged.Key) || !slices.Equal(table.KeyPrefix, logged.KeyPrefix) {
				t.Errorf("%s\nlog    %v %v %+v\nserver %v %v %+v", name, logged.Key, logged.KeyPrefix, logged.Columns, table.Key, table.KeyPrefix, table.Columns)
			}
			for _, binary := range []bool{false, true} {
				rows := snapshot(t, conn, table, binary)
				if len(rows) != len(log.rows[name]) || !rows[0].Equal(log.rows[name][0]) {
					t.Errorf("%s: the snapshot has %s, the log %s", name, show(table, rows[0]), show(logged, log.rows[name][0]))
				}
			}
		}
		unique, err := row.Describe(context.Background(), conn, s.Database, "uniquekey")
		if err != nil || unique.KeyName == "" || unique.KeyName == "PRIMARY" || log.tables["uniquekey"].Refine(unique).KeyName != unique.KeyName {
			t.Errorf("the index of a key that is none by name: %q, %v", unique.KeyName, err)
		}
		s.Exec("SELECT * FROM uniquekey FORCE INDEX (" + row.QuoteName(unique.KeyName) + ")")
		if k := log.tables["keyorder"].Key; !slices.Equal(k, []int{2, 1, 0}) {
			t.Errorf("the key's order is %v", k)
		}
		if k := log.tables["nokey"].Key; k != nil {
			t.Errorf("a unique index with NULL or a prefix is no key: %v", k)
		}
		if got := show(log.tables["gen"], log.rows["gen"][0]); got != `id="3" virt="6" st="n3" inv="7" plain="4" ` {
			t.Errorf("generated and invisible columns: %s", got)
		}
	})
}

// TestMetadataIsDemanded: without full metadata names and types are a guess.
func TestMetadataIsDemanded(t *testing.T) {
	t.Parallel()
	ownFlavors(t, func(t *testing.T, s *server) {
		levels := []string{"MINIMAL"}
		if s.Flavor == beds.MariaDB {
			levels = append(levels, "NO_LOG")
		}
		for _, level := range levels {
			s.Exec("CREATE TABLE "+level+" (id INT UNSIGNED PRIMARY KEY, v VARCHAR(10))", "SET GLOBAL binlog_row_metadata = "+level, "INSERT INTO "+level+" VALUES (1, 'x')", "SET GLOBAL binlog_row_metadata = FULL")
			log := readLog(t, s)
			var missing *row.MetadataError
			if err := log.errs[""]; !errors.As(err, &missing) || missing.Table != s.Database+"."+level {
				t.Errorf("%s: %v", level, err)
			}
		}
	})
}

// TestFullImageIsDemanded: a row of which columns are missing is not a row.
func TestFullImageIsDemanded(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		conn := s.Connect()
		s.Exec("CREATE TABLE minimal (id INT PRIMARY KEY, v VARCHAR(10))", "CREATE TABLE noblob (id INT PRIMARY KEY, v BLOB, n INT)")
		queries := []string{"SET SESSION binlog_row_image = MINIMAL", "INSERT INTO minimal VALUES (1, 'x')", "UPDATE minimal SET v = 'y'",
			"SET SESSION binlog_row_image = NOBLOB", "INSERT INTO noblob VALUES (1, 'x', 1)", "UPDATE noblob SET n = 2"}
		tables := []string{"minimal", "noblob"}
		if s.Flavor == beds.MySQL {
			s.Exec("CREATE TABLE partial (id INT PRIMARY KEY, j JSON)")
			queries = append(queries, "SET SESSION binlog_row_image = FULL, binlog_row_value_options = PARTIAL_JSON",
				`INSERT INTO partial VALUES (1, '{"a": "long enough to be worth a diff", "b": 1}')`, "UPDATE partial SET j = JSON_SET(j, '$.b', 2)")
			tables = append(tables, "partial")
		}
		for _, q := range queries {
			if _, err := conn.Execute(q); err != nil {
				t.Fatal(q, err)
			}
		}
		log := readLog(t, s)
		for _, name := range tables {
			var image *row.ImageError
			if err := log.errs[name]; !errors.As(err, &image) || image.Table != s.Database+"."+name {
				t.Errorf("%s: %v", name, err)
			}
		}
	})
}

// TestChangesOfRows reads inserts, updates and deletes of many rows, compressed events too, in the events of either version.
func TestChangesOfRows(t *testing.T) {
	t.Parallel()
	for _, options := range [][]beds.Option{nil, {beds.With("binlog_row_event_max_size", "8192")}} {
		ownFlavors(t, func(t *testing.T, s *server) {
			switch s.Flavor {
			case beds.MariaDB:
				s.Exec("SET GLOBAL log_bin_compress = ON, log_bin_compress_min_len = 10")
			case beds.MySQL:
				s.Exec("SET GLOBAL binlog_transaction_compression = OFF")
			}
			conn := s.Connect()
			for _, q := range []string{"CREATE TABLE t (id INT PRIMARY KEY, a VARCHAR(300), b INT NULL)",
				"INSERT INTO t WITH RECURSIVE n AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM n WHERE i < 1000) SELECT i, REPEAT('text ', i % 60), IF(i % 3 = 0, NULL, i) FROM n",
				"UPDATE t SET a = CONCAT(a, '!'), b = NULL WHERE id <= 700", "DELETE FROM t WHERE id > 900"} {
				if _, err := conn.Execute(q); err != nil {
					t.Fatal(q, err)
				}
			}
			log := readLog(t, s)
			after, before := log.rows["t"], log.before["t"]
			if log.errs["t"] != nil || len(after) != 1700 || len(before) != 800 {
				t.Fatalf("%d rows after, %d before, %v", len(after), len(before), log.errs["t"])
			}
			for i, r := range after {
				id, text := i+1, strings.Repeat("text ", (i+1)%60)
				b := fmt.Sprintf("b=%q ", fmt.Sprint(id))
				if id%3 == 0 {
					b = "b=NULL "
				}
				if i >= 1000 {
					id = i - 999
					text, b = strings.Repeat("text ", id%60)+"!", "b=NULL "
					if !before[i-1000].Equal(after[id-1]) {
						t.Fatalf("row %d before the update is %s", id, show(log.tables["t"], before[i-1000]))
					}
				}
				if got, want := show(log.tables["t"], r), fmt.Sprintf("id=\"%d\" a=%q ", id, text)+b; got != want {
					t.Fatalf("row %d: %s, want %s", i, got, want)
				}
			}
			if got := before[799][0].N; got != 1000 {
				t.Errorf("the last row deleted is %d", got)
			}
		}, options...)
	}
}

// TestDescribeRefuses what has no rows of its own in the log.
func TestDescribeRefuses(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		s.Exec("CREATE TABLE t (id INT PRIMARY KEY)", "CREATE VIEW v AS SELECT * FROM t")
		names := []string{"v"}
		if s.Flavor == beds.MariaDB {
			s.Exec("CREATE TABLE versioned (id INT PRIMARY KEY) WITH SYSTEM VERSIONING", "CREATE SEQUENCE s")
			names = append(names, "versioned", "s")
		}
		conn := s.Connect()
		for _, name := range names {
			var wrong *row.DefinitionError
			if _, err := row.Describe(context.Background(), conn, s.Database, name); !errors.As(err, &wrong) {
				t.Errorf("%s: %v", name, err)
			}
		}
		if _, err := row.Describe(context.Background(), conn, s.Database, "nothing"); !errors.Is(err, row.ErrNoTable) {
			t.Errorf("no table: %v", err)
		}
	})
}

// TestLiterals compares every kind of value with its own column by the literal that stands for it.
func TestLiterals(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		conn := s.Connect()
		if _, err := conn.Execute("SET sql_mode = 'ALLOW_INVALID_DATES'"); err != nil {
			t.Fatal(err)
		}
		for _, q := range []string{"CREATE TABLE t (i BIGINT, u BIGINT UNSIGNED, b BIT(64), y YEAR, dc DECIMAL(65,30), f FLOAT, db DOUBLE, d DATE, tm TIME(6), dt DATETIME(6), ts TIMESTAMP(6) NULL," +
			" c CHAR(10) CHARACTER SET latin1, g VARCHAR(20) CHARACTER SET gbk, v VARCHAR(100) CHARACTER SET utf8mb4, e ENUM('a','b'), st SET('a','b','c'), bn BINARY(5), vb VARBINARY(9), bl BLOB)",
			"INSERT INTO t VALUES (-9223372036854775808, 18446744073709551615, 18446744073709551615, 2155, -12345.000000000000000000000000000001, 0.1, 0.1, '2020-00-00', '-838:59:59', '2020-02-31 01:02:03.000004', '2020-01-01 00:00:00.000001'," +
				" 'ä', '中文', 'a\\'\\\\\\0日😀', 'b', 'a,c', 'x', X'00FF27', 'blob\\0')"} {
			if _, err := conn.Execute(q); err != nil {
				t.Fatal(q, err)
			}
		}
		snap := session(t, s)
		table, err := row.Describe(context.Background(), snap, s.Database, "t")
		if err != nil {
			t.Fatal(err)
		}
		rows := snapshot(t, snap, table, false)
		for i := range table.Columns {
			c := &table.Columns[i]
			literal := string(c.AppendLiteral(nil, rows[0][i]))
			for operator, want := range map[string]int{"=": 1, ">=": 1, ">": 0, "<": 0} {
				r, err := snap.Execute("SELECT COUNT(*) FROM t WHERE " + row.QuoteName(c.Name) + " " + operator + " " + literal)
				if err != nil {
					t.Fatal(c.Name, err)
				}
				if got, _ := r.GetInt(0, 0); int(got) != want {
					t.Errorf("%s %s %s: %d rows, want %d", c.Name, operator, literal, got, want)
				}
			}
		}
	})
}

// TestLiteralsKeepTheOrder: values that stand as literals in a derived table, where keys are compared with a
// bound, are ordered as the column is.
func TestLiteralsKeepTheOrder(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		values := map[string][2]string{"TIME": {"20:00:00", "100:00:00"}, "TIME(3)": {"-20:00:00.500", "-01:00:00.250"}, "DATETIME(6)": {"0000-00-00 00:00:00.000000", "2020-01-01 00:00:00.000001"}}
		if s.Flavor == beds.MariaDB {
			values["INET4"], values["INET6"] = [2]string{"9.0.0.0", "10.0.0.0"}, [2]string{"::1", "::ffff:1.2.3.4"}
			values["UUID"] = [2]string{"ffffffff-0000-1000-8000-000000000000", "00000000-0001-1000-8000-000000000000"}
		}
		snap := session(t, s)
		for typ, v := range values {
			for _, q := range []string{"DROP TABLE IF EXISTS literals", "CREATE TABLE literals (n INT PRIMARY KEY, c " + typ + " NOT NULL, UNIQUE (c))", "INSERT INTO literals VALUES (0, '" + v[0] + "'), (1, '" + v[1] + "')"} {
				if _, err := snap.Execute("USE " + row.QuoteName(s.Database)); err != nil {
					t.Fatal(err)
				}
				if _, err := snap.Execute(q); err != nil {
					t.Fatal(q, err)
				}
			}
			table, err := row.Describe(context.Background(), snap, s.Database, "literals")
			if err != nil {
				t.Fatal(err)
			}
			rows := snapshot(t, snap, table, false)
			c := &table.Columns[1]
			low, high := string(c.AppendLiteral(nil, rows[0][1])), string(c.AppendLiteral(nil, rows[1][1]))
			r, err := snap.Execute("SELECT c > " + low + ", c > " + high + " FROM (SELECT c FROM literals WHERE 1 = 0 UNION ALL SELECT " + low + " UNION ALL SELECT " + high + ") x")
			if err != nil {
				t.Errorf("%s: %v", typ, err)
				continue
			}
			stored, err := snap.Execute("SELECT n FROM literals ORDER BY c")
			if err != nil {
				t.Fatal(err)
			}
			first, _ := stored.GetInt(0, 0)
			got := fmt.Sprint(r.Values[0][0].AsInt64(), r.Values[0][1].AsInt64(), r.Values[1][0].AsInt64(), r.Values[1][1].AsInt64())
			want := "0 0 1 0"
			if first == 1 {
				want = "0 1 0 0"
			}
			if got != want {
				t.Errorf("%s: %s, want %s (%s, %s)", typ, got, want, low, high)
			}
		}
	})
}

// TestMembersThatAreNotText: CONVERT TO CHARACTER SET passes over members of ENUM and SET and leaves bytes of the
// character set of before. Rows with other members are read, rows with these are invalid text.
func TestMembersThatAreNotText(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		s.Exec("CREATE TABLE members (id INT PRIMARY KEY, e ENUM('é', 'x') CHARACTER SET latin1, s SET('y', 'é') CHARACTER SET latin1)", "ALTER TABLE members CONVERT TO CHARACTER SET utf8mb4",
			"INSERT INTO members VALUES (1, 'x', 'y'), (2, 1, 3)")
		log := readLog(t, s)
		if err := log.errs["members"]; err != nil || len(log.rows["members"]) != 2 {
			t.Fatalf("%v, %d rows", err, len(log.rows["members"]))
		}
		table, good, bad := log.tables["members"], log.rows["members"][0], log.rows["members"][1]
		if got := show(table, good); got != `id="1" e="x" s="y" ` || good[1].State != row.Present || good[2].State != row.Present {
			t.Error(got)
		}
		for i, raw := range map[int]string{1: "\xe9", 2: "y,\xe9"} {
			if v := bad[i]; v.State == row.Invalid && string(v.B) != raw || v.State != row.Invalid && table.Columns[i].Members[i-1] != "é" {
				t.Errorf("%+v, members %q", v, table.Columns[i].Members)
			}
		}
	})
}
