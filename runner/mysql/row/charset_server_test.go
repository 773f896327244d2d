package row_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/sluice-io/sluice/e2e/beds"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// TestEveryCollationIsKnown takes the servers' own list of collations, makes a column of
// each character set, and reads it from the binary log.
func TestEveryCollationIsKnown(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		query := "SELECT COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATIONS WHERE ID IS NOT NULL AND CHARACTER_SET_NAME <> 'binary'"
		if s.Flavor == beds.MariaDB {
			query = "SELECT FULL_COLLATION_NAME, CHARACTER_SET_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE CHARACTER_SET_NAME <> 'binary'"
		}
		want := map[string]string{}
		var columns []string
		flush := func() {
			name := fmt.Sprintf("t%d", len(want))
			s.Exec("CREATE TABLE "+name+" (id INT PRIMARY KEY, "+strings.Join(columns, ", ")+")", "INSERT INTO "+name+" (id) VALUES (1)")
			columns = nil
		}
		for i, r := range s.Query(query) {
			name := fmt.Sprintf("c%d", i)
			want[name] = strings.Replace(*r[1], "utf8", "utf8mb3", 1) // as servers of before called it
			if strings.HasPrefix(*r[1], "utf8mb") {
				want[name] = *r[1]
			}
			columns = append(columns, fmt.Sprintf("%s CHAR(3) CHARACTER SET %s COLLATE %s", name, *r[1], *r[0]))
			if len(columns) == 100 {
				flush()
			}
		}
		flush()
		log := readLog(t, s)
		seen := 0
		for _, table := range log.tables {
			for i := range table.Columns {
				if w, ok := want[table.Columns[i].Name]; ok {
					seen++
					if got := table.Columns[i].Charset; got != w {
						t.Errorf("column %s has charset %s, want %s", table.Columns[i].Name, got, w)
					}
				}
			}
		}
		if err := log.errs[""]; err != nil || seen != len(want) {
			t.Errorf("%d of %d columns, %v", seen, len(want), err)
		}
	})
}

// sequences are the byte sequences that a character set is asked for, as SQL that makes a table of them.
func sequences(charset string) string {
	digits := "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7" +
		" UNION ALL SELECT 8 UNION ALL SELECT 9 UNION ALL SELECT 10 UNION ALL SELECT 11 UNION ALL SELECT 12 UNION ALL SELECT 13 UNION ALL SELECT 14 UNION ALL SELECT 15)"
	one := "SELECT a.d * 16 + b.d v FROM " + digits + " a, " + digits + " b"
	out := "SELECT CHAR(v) b FROM (" + one + ") x"
	switch charset {
	case "big5", "cp932", "eucjpms", "euckr", "gb18030", "gb2312", "gbk", "sjis", "ujis":
		out += " UNION ALL SELECT CONCAT(CHAR(x.v), CHAR(y.v)) FROM (" + one + ") x, (" + one + ") y WHERE x.v >= 128 AND y.v >= 64"
	}
	if charset == "ujis" || charset == "eucjpms" {
		out += " UNION ALL SELECT CONCAT(CHAR(143), CHAR(x.v), CHAR(y.v)) FROM (" + one + ") x, (" + one + ") y WHERE x.v >= 160 AND y.v >= 160"
	}
	if charset == "gb18030" {
		out += " UNION ALL SELECT CONCAT(CHAR(x.v), CHAR(48 + z.d), CHAR(y.v), CHAR(48 + w.d)) FROM (" + one + ") x, (" + one + ") y, " + digits + " z, " + digits +
			" w WHERE (x.v BETWEEN 129 AND 132 OR x.v IN (144, 227)) AND y.v BETWEEN 129 AND 254 AND z.d < 10 AND w.d < 10"
	}
	return out
}

// TestCharsets compares every sequence of one and two bytes, and of more where there are,
// with what the server makes of it.
func TestCharsets(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		for _, r := range s.Query("SELECT CHARACTER_SET_NAME FROM information_schema.CHARACTER_SETS WHERE CHARACTER_SET_NAME NOT IN ('binary', 'utf8mb4', 'utf8mb3', 'utf8', 'ucs2', 'utf16', 'utf16le', 'utf32')") {
			charset := *r[0]
			wrong, n := 0, 0
			for _, q := range s.Query("SELECT HEX(b), HEX(CONVERT(CONVERT(b USING " + charset + ") USING utf8mb4)) FROM (" + sequences(charset) + ") q") {
				raw, _ := hex.DecodeString(*q[0])
				want := ""
				if q[1] != nil {
					b, _ := hex.DecodeString(*q[1])
					want = string(b)
				}
				got, ok := row.DecodeText(charset, raw)
				single := utf8.RuneCountInString(want) == 1 && (want != "?" || string(raw) == "?") && (want != "\ufffd" || charset == "gb18030")
				n++
				if ok && single && got == want || !ok && !single {
					continue
				}
				if !single && ok && utf8.RuneCountInString(got) == len([]rune(want)) && got == want {
					continue // two characters of one byte each
				}
				if wrong++; wrong < 5 {
					t.Errorf("%s %X: %q %v, the server %q", charset, raw, got, ok, want)
				}
			}
			t.Logf("%s: %d sequences, %d wrong", charset, n, wrong)
		}
	})
}

// TestUnicodeCharsets reads text in the encodings of Unicode back, and does not take what
// they do not allow.
func TestUnicodeCharsets(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		charset, hex, want string
		ok                 bool
	}{
		{"utf16", "0061D83DDE00", "a😀", true}, {"utf16", "D83D", "\ufffd", false}, {"utf16", "DE00D83D", "\ufffd\ufffd", false}, {"utf16", "006100", "a\ufffd", false},
		{"utf16le", "61003DD800DE", "a😀", true}, {"utf16le", "3DD86100", "\ufffda", false},
		{"ucs2", "006165E5", "a日", true}, {"ucs2", "D83DDE00", "\ufffd\ufffd", false},
		{"utf32", "000000610001F600", "a😀", true}, {"utf32", "00110000", "\ufffd", false}, {"utf32", "0000D800", "\ufffd", false}, {"utf32", "000061", "\ufffd", false},
		{"utf8mb4", "61F09F9880", "a😀", true}, {"utf8mb4", "EDA080", "\ufffd\ufffd\ufffd", false}, {"utf8mb3", "C0AF", "\ufffd\ufffd", false},
		{"ascii", "6180", "a\ufffd", false}, {"gbk", "81FF", "\ufffd", false}, {"gbk", "8131", "\ufffd1", false}, {"sjis", "83", "\ufffd", false},
		{"gb18030", "8130", "\ufffd0", false}, {"gb18030", "9439FC36", "😀", true}, {"cp1252", "", "", false},
	} {
		raw, _ := hex.DecodeString(c.hex)
		got, ok := row.DecodeText(c.charset, raw)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("%s %s: %q %v", c.charset, c.hex, got, ok)
		}
		if lossy, known := row.ReplaceText(c.charset, raw); known && lossy != c.want {
			t.Errorf("%s %s replaced: %q, want %q", c.charset, c.hex, lossy, c.want)
		}
	}
}

// TestTextOfEveryCharset stores text in columns of many character sets and reads it by both paths.
func TestTextOfEveryCharset(t *testing.T) {
	t.Parallel()
	texts := map[string]string{
		"utf8mb4": "日本 é😀", "utf8mb3": "日本 é", "ascii": "plain", "latin1": "äöü€", "latin2": "łódź", "cp1251": "привет", "koi8r": "привет", "greek": "αβγ", "hebrew": "שלום",
		"gbk": "中文字符", "gb2312": "中文", "big5": "中文字", "sjis": "日本ﾊﾝ", "cp932": "①～日本", "ujis": "日本語", "eucjpms": "①日本", "euckr": "한국어",
		"utf16": "日本😀", "utf16le": "日本😀", "ucs2": "日本", "utf32": "日本😀", "tis620": "ไทย", "swe7": "abc", "armscii8": "Ա", "macroman": "é", "keybcs2": "č",
	}
	flavors(t, func(t *testing.T, s *server) {
		list := map[string]string{"gb18030": "中文😀㐂"}
		if s.Flavor == beds.MariaDB {
			list = map[string]string{}
		}
		for charset, value := range texts {
			list[charset] = value
		}
		for charset, value := range list {
			s.Exec(fmt.Sprintf("CREATE TABLE %s (id INT PRIMARY KEY, a CHAR(20) CHARACTER SET %[1]s, b VARCHAR(90) CHARACTER SET %[1]s, c TEXT CHARACTER SET %[1]s, e ENUM('%[3]s', '?') CHARACTER SET %[1]s)", charset, value, bmp(value)),
				fmt.Sprintf("INSERT INTO %s VALUES (1, '%[2]s', '%[2]s', '%[2]s', '%[3]s'), (2, '', ' ', '', NULL)", charset, value, bmp(value)))
		}
		log := readLog(t, s)
		conn := session(t, s)
		for charset, value := range list {
			table, err := row.Describe(context.Background(), conn, s.Database, charset)
			if err != nil || log.tables[charset] == nil || log.tables[charset].Fingerprint != table.Fingerprint {
				t.Errorf("%s: %v, or another definition", charset, err)
				continue
			}
			rows, stream := snapshot(t, conn, table, false), log.rows[charset]
			if len(rows) != 2 || len(stream) != 2 || !rows[0].Equal(stream[0]) || !rows[1].Equal(stream[1]) {
				t.Errorf("%s: the snapshot has %s, the log %s", charset, show(table, rows[0]), show(table, stream[0]))
				continue
			}
			for i := 1; i < 5; i++ {
				want := value
				if i == 4 {
					want = bmp(value)
				}
				if got := string(table.Columns[i].AppendText(nil, stream[0][i])); got != want {
					t.Errorf("%s: column %d is %q, want %q", charset, i, got, want)
				}
			}
		}
	})
}

// bmp leaves out characters beyond U+FFFF.
func bmp(s string) string {
	return strings.Map(func(r rune) rune {
		if r > 0xFFFF {
			return -1
		}
		return r
	}, s)
}

// TestMembersBeyondTheCatalogue: the servers' catalogues are in utf8mb3 and show ? for a
// member's character beyond. The log has it; a snapshot that meets it says so instead of ?.
func TestMembersBeyondTheCatalogue(t *testing.T) {
	t.Parallel()
	flavors(t, func(t *testing.T, s *server) {
		s.Exec("CREATE TABLE t (id INT PRIMARY KEY, e ENUM('?', '😀x') CHARACTER SET utf8mb4)", "INSERT INTO t VALUES (1, '?')")
		log, conn := readLog(t, s), session(t, s)
		table, err := row.Describe(context.Background(), conn, s.Database, "t")
		if err != nil {
			t.Fatal(err)
		}
		if rows := snapshot(t, conn, table, false); len(rows) != 1 || !rows[0].Equal(log.rows["t"][0]) {
			t.Errorf("a member ? is read as %v", rows)
		}
		s.Exec("INSERT INTO t VALUES (2, '😀x')")
		log = readLog(t, s)
		if got := show(log.tables["t"], log.rows["t"][1]); !strings.Contains(got, `"😀x"`) {
			t.Errorf("the log says %s", got)
		}
		var d row.Decoder
		var dst row.Row
		r, err := conn.Execute("SELECT " + table.SelectList() + " FROM t WHERE id = 2")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := d.Fields(table, r.Values[0], dst); err == nil || !strings.Contains(err.Error(), "column e") || !strings.Contains(err.Error(), "catalogue") {
			t.Errorf("the snapshot says %v", err)
		}
	})
}
