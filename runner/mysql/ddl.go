package mysql

import (
	"strings"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/mysql/format"
)

// ddl is what a statement of the log does to one table.
type ddl struct {
	kind     format.DDLKind
	database string // "" is the statement's default
	table    string
	to       string // of RENAME: the new name
	toDB     string
	all      bool // it concerns all tables of database
	empty    bool // of CREATE: the table is new, or was emptied
}

// dml are the statements that change rows. A log of rows has none of them.
var dml = map[string]bool{"INSERT": true, "UPDATE": true, "DELETE": true, "REPLACE": true, "LOAD": true}

// parseDDL finds out what a statement does to tables. It knows the statements' heads only:
// what it does not know does nothing. changes is true of a statement that changes
// rows, with the table where it can be told.
func parseDDL(text string) (found []ddl, changes *ddl) {
	w := words{text: text}
	first := w.keyword()
	switch first {
	case "CREATE":
		return w.create(), nil
	case "ALTER":
		return w.alter(), nil
	case "DROP":
		return w.drop(), nil
	case "TRUNCATE":
		w.skip("TABLE")
		if db, table, ok := w.name(); ok {
			return []ddl{{kind: format.DDLTruncate, database: db, table: table}}, nil
		}
	case "RENAME":
		return w.rename(), nil
	}
	if dml[first] {
		d := &ddl{}
		for _, filler := range []string{"LOW_PRIORITY", "DELAYED", "HIGH_PRIORITY", "QUICK", "IGNORE", "INTO", "FROM"} {
			w.skip(filler)
		}
		d.database, d.table, _ = w.name()
		return nil, d
	}
	return nil, nil
}

func (w *words) create() []ddl {
	for w.skip("OR") || w.skip("REPLACE") || w.skip("UNIQUE") || w.skip("FULLTEXT") || w.skip("SPATIAL") || w.skip("ONLINE") || w.skip("OFFLINE") {
	}
	switch w.keyword() {
	case "TABLE":
		only := w.exists() // a table that was there already is logged too, and kept its rows
		if db, table, ok := w.name(); ok {
			return []ddl{{kind: format.DDLCreate, database: db, table: table, empty: !only}}
		}
	case "INDEX":
		return w.on()
	}
	return nil // TEMPORARY tables among them
}

// on finds the table of CREATE INDEX … ON t and DROP INDEX … ON t.
func (w *words) on() []ddl {
	for {
		switch t, quoted := w.next(); {
		case t == "" && !quoted:
			return nil
		case !quoted && strings.EqualFold(t, "ON"):
			if db, table, ok := w.name(); ok {
				return []ddl{{kind: format.DDLAlter, database: db, table: table}}
			}
			return nil
		}
	}
}

func (w *words) alter() []ddl {
	for w.skip("ONLINE") || w.skip("OFFLINE") || w.skip("IGNORE") {
	}
	if w.keyword() != "TABLE" {
		return nil
	}
	w.exists()
	db, table, ok := w.name()
	if !ok {
		return nil
	}
	d := ddl{kind: format.DDLAlter, database: db, table: table}
	for {
		t, quoted := w.next()
		if t == "" && !quoted {
			return []ddl{d}
		}
		if quoted || !strings.EqualFold(t, "RENAME") {
			continue
		}
		at := w.at
		switch k := w.keyword(); k {
		case "COLUMN", "INDEX", "KEY":
			continue
		case "TO", "AS":
		default:
			w.at = at
		}
		if toDB, to, ok := w.name(); ok {
			d.kind, d.toDB, d.to = format.DDLRename, toDB, to
			return []ddl{d}
		}
	}
}

func (w *words) drop() []ddl {
	switch w.keyword() {
	case "TABLE", "TABLES":
		w.exists()
		var out []ddl
		for {
			db, table, ok := w.name()
			if !ok {
				return out
			}
			out = append(out, ddl{kind: format.DDLErase, database: db, table: table})
			if !w.skip(",") {
				return out
			}
		}
	case "INDEX":
		return w.on()
	case "DATABASE", "SCHEMA":
		w.exists()
		if name, quoted := w.next(); name != "" || quoted {
			return []ddl{{kind: format.DDLErase, database: name, all: true}}
		}
	}
	return nil
}

func (w *words) rename() []ddl {
	if k := w.keyword(); k != "TABLE" && k != "TABLES" {
		return nil
	}
	w.exists()
	var out []ddl
	for {
		db, table, ok := w.name()
		if !ok {
			return out
		}
		for w.skip("WAIT") || w.skip("NOWAIT") { // MariaDB
			if t, _ := w.peek(); t != "" && t[0] >= '0' && t[0] <= '9' {
				_, _ = w.next()
			}
		}
		if !w.skip("TO") {
			return out
		}
		toDB, to, ok := w.name()
		if !ok {
			return out
		}
		out = append(out, ddl{kind: format.DDLRename, database: db, table: table, toDB: toDB, to: to})
		if !w.skip(",") {
			return out
		}
	}
}

// words reads a statement word by word: names, keywords, single characters. Comments are
// blanks; the content of /*! … */, which servers execute, is text.
type words struct {
	text string
	at   int
	open bool // inside /*!
}

// next returns a word; quoted is true of one in quotes. "" unquoted is the end.
func (w *words) next() (word string, quoted bool) {
	w.blanks()
	if w.at >= len(w.text) {
		return "", false
	}
	switch c := w.text[w.at]; {
	case c == '`' || c == '"' || c == '\'':
		return w.quoted(c), true
	case wordByte(c):
		from := w.at
		for w.at < len(w.text) && wordByte(w.text[w.at]) {
			w.at++
		}
		return w.text[from:w.at], false
	default:
		_, n := utf8.DecodeRuneInString(w.text[w.at:])
		w.at += n
		return w.text[w.at-n : w.at], false
	}
}

func wordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c == '$' || c >= 0x80
}

func (w *words) quoted(q byte) string {
	var b strings.Builder
	for w.at++; w.at < len(w.text); w.at++ {
		c := w.text[w.at]
		switch {
		case c == '\\' && q != '`' && w.at+1 < len(w.text):
			w.at++
			b.WriteByte(w.text[w.at])
		case c == q && w.at+1 < len(w.text) && w.text[w.at+1] == q:
			w.at++
			b.WriteByte(q)
		case c == q:
			w.at++
			return b.String()
		default:
			b.WriteByte(c)
		}
	}
	return b.String()
}

// blanks passes blanks and comments.
func (w *words) blanks() {
	for w.at < len(w.text) {
		rest := w.text[w.at:]
		switch {
		case rest[0] == ' ' || rest[0] == '\t' || rest[0] == '\n' || rest[0] == '\r':
			w.at++
		case rest[0] == '#' || strings.HasPrefix(rest, "-- ") || strings.HasPrefix(rest, "--\n"):
			n := strings.IndexByte(rest, '\n')
			if n < 0 {
				n = len(rest) - 1
			}
			w.at += n + 1
		case strings.HasPrefix(rest, "/*!") || strings.HasPrefix(rest, "/*M!"):
			w.at += strings.IndexByte(rest, '!') + 1
			for w.at < len(w.text) && w.text[w.at] >= '0' && w.text[w.at] <= '9' {
				w.at++
			}
			w.open = true
		case strings.HasPrefix(rest, "*/") && w.open:
			w.at += 2
			w.open = false
		case strings.HasPrefix(rest, "/*"):
			n := strings.Index(rest[2:], "*/")
			if n < 0 {
				w.at = len(w.text)
				return
			}
			w.at += n + 4
		default:
			return
		}
	}
}

func (w *words) peek() (string, bool) {
	at, open := w.at, w.open
	t, q := w.next()
	w.at, w.open = at, open
	return t, q
}

// keyword is the next word in upper case; "" when it is quoted or none follows.
func (w *words) keyword() string {
	t, quoted := w.next()
	if quoted {
		return ""
	}
	return strings.ToUpper(t)
}

// skip passes a word when it is the next.
func (w *words) skip(word string) bool {
	if t, quoted := w.peek(); quoted || !strings.EqualFold(t, word) {
		return false
	}
	_, _ = w.next()
	return true
}

// exists passes IF [NOT] EXISTS, and tells whether it was there.
func (w *words) exists() bool {
	if !w.skip("IF") {
		return false
	}
	w.skip("NOT")
	return w.skip("EXISTS")
}

// name reads table, or database.table.
func (w *words) name() (database, table string, ok bool) {
	t, quoted := w.next()
	if t == "" || !quoted && !wordByte(t[0]) {
		return "", "", false
	}
	if !w.skip(".") {
		return "", t, true
	}
	u, quoted := w.next()
	if u == "" || !quoted && !wordByte(u[0]) {
		return "", "", false
	}
	return t, u, true
}
