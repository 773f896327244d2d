package sandbox

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The SQL that the stand-in knows: CREATE, DROP and TRUNCATE TABLE, ALTER TABLE with ADD or DROP PARTITION and ADD
// COLUMNS, and SELECT of columns or aggregates of one table with WHERE, GROUP BY and LIMIT.

// odpsSQLError is a statement that the service would refuse, with the code that it would give.
type odpsSQLError struct{ code, message string }

func (e *odpsSQLError) Error() string { return e.code + ":" + e.message }

func sqlError(code, format string, args ...any) error {
	return &odpsSQLError{code, fmt.Sprintf(format, args...)}
}

// Codes of the service's documentation ("SQL errors").
const (
	odpsParseError    = "ODPS-0130161" // Parse exception
	odpsSemanticError = "ODPS-0130071" // Semantic analysis exception
	odpsNoTableError  = "ODPS-0130131" // Table not found
	odpsExistsError   = "ODPS-0110061" // Failed to run ddltask: exists already
)

// odpsStatement is a parsed statement; kind tells which fields are used.
type odpsStatement struct {
	kind       string // "create", "drop", "truncate", "add partition", "drop partition", "add columns", "select"
	table      []string
	lenient    bool // IF [NOT] EXISTS
	columns    []odpsColumn
	partitions []odpsColumn
	comment    string
	lifecycle  int
	specs      []map[string]string

	items []odpsItem
	where *odpsExpr
	group []string
	limit int64 // negative: none
}

// odpsItem is one column of a result.
type odpsItem struct {
	function string // "", "COUNT", "MIN", "MAX", "SUM"
	distinct bool
	column   string // "*" is all columns, of COUNT all rows
	alias    string
}

// odpsExpr is a condition: a comparison, or others joined.
type odpsExpr struct {
	op     string // AND, OR, NOT, =, <>, <, <=, >, >=, IN, NULL
	args   []*odpsExpr
	left   odpsOperand
	rights []odpsOperand
}

// odpsOperand is a column or a literal.
type odpsOperand struct {
	column string
	value  odpsValue
}

type odpsToken struct {
	kind byte // 'w' word, 'q' quoted name, 's' string, 'n' number, 'p' punctuation, 0 the end
	text string
	at   int
}

const (
	odpsMaxTokens = 100_000
	odpsMaxDepth  = 200
)

func lexODPS(text string) ([]odpsToken, error) {
	var tokens []odpsToken
	for i := 0; i < len(text); {
		c := text[i]
		begin := i
		switch {
		case c == ' ' || c == '\t' || c == '\n' || c == '\r':
			i++
			continue
		case strings.HasPrefix(text[i:], "--"):
			if n := strings.IndexByte(text[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(text)
			}
			continue
		case isWordByte(c) && (c < '0' || c > '9'):
			for i < len(text) && isWordByte(text[i]) {
				i++
			}
			tokens = append(tokens, odpsToken{'w', text[begin:i], begin})
		case c >= '0' && c <= '9' || c == '.' && i+1 < len(text) && text[i+1] >= '0' && text[i+1] <= '9':
			i = endOfNumber(text, i)
			tokens = append(tokens, odpsToken{'n', text[begin:i], begin})
		case c == '\'' || c == '"' || c == '`':
			value, n, ok := quoted(text[i:])
			if !ok {
				return nil, sqlError(odpsParseError, "Parse exception - position %d: a quotation that does not end", i)
			}
			kind := byte('s')
			if c == '`' {
				kind = 'q'
			}
			tokens = append(tokens, odpsToken{kind, value, begin})
			i += n
		default:
			i++
			if i < len(text) && slices.Contains([]string{"<=", ">=", "<>", "!=", "=="}, text[begin:i+1]) {
				i++
			}
			tokens = append(tokens, odpsToken{'p', text[begin:i], begin})
		}
		if len(tokens) > odpsMaxTokens {
			return nil, sqlError(odpsParseError, "Parse exception - the statement has more than %d words", odpsMaxTokens)
		}
	}
	return append(tokens, odpsToken{at: len(text)}), nil
}

func isWordByte(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_'
}

func endOfNumber(text string, i int) int {
	for i < len(text) {
		c := text[i]
		exponent := (c == '-' || c == '+') && (text[i-1] == 'e' || text[i-1] == 'E')
		if !isWordByte(c) && c != '.' && !exponent {
			break
		}
		i++
	}
	return i
}

// quoted reads a quotation with backslash escapes and returns its length with the marks. In backquotes there is no escape
// but the mark twice.
func quoted(text string) (string, int, bool) {
	var b strings.Builder
	mark := text[0]
	for i := 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == mark && mark == '`' && i+1 < len(text) && text[i+1] == mark:
			b.WriteByte(mark)
			i++
		case c == mark:
			return b.String(), i + 1, true
		case c == '\\' && mark != '`' && i+1 < len(text):
			i++
			switch e := text[i]; e {
			case 'n':
				b.WriteByte('\n')
			case 't':
				b.WriteByte('\t')
			case 'r':
				b.WriteByte('\r')
			case '0':
				b.WriteByte(0)
			default:
				b.WriteByte(e)
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", 0, false
}

// odpsParser walks through tokens. The first error stays, and from then on every token is the end.
type odpsParser struct {
	tokens []odpsToken
	at     int
	depth  int
	err    error
}

// parseODPS reads one statement, which may end in a semicolon.
func parseODPS(text string) (*odpsStatement, error) {
	tokens, err := lexODPS(text)
	if err != nil {
		return nil, err
	}
	p := &odpsParser{tokens: tokens}
	statement := p.statement()
	p.punctuation(";")
	if p.err == nil && p.peek().kind != 0 {
		p.fail("the end of the statement")
	}
	if p.err != nil {
		return nil, p.err
	}
	return statement, nil
}

func (p *odpsParser) peek() odpsToken {
	if p.err != nil {
		return odpsToken{}
	}
	return p.tokens[p.at]
}

func (p *odpsParser) fail(want string) {
	if p.err == nil {
		t := p.tokens[p.at]
		found := strconv.Quote(clip(t.text, 64))
		if t.kind == 0 {
			found = "the end"
		}
		p.err = sqlError(odpsParseError, "Parse exception - position %d: expected %s and found %s", t.at, want, found)
	}
}

// word takes the next token if it is one of the words, which it returns in capitals.
func (p *odpsParser) word(words ...string) string {
	if t := p.peek(); t.kind == 'w' {
		for _, w := range words {
			if strings.EqualFold(t.text, w) {
				p.at++
				return w
			}
		}
	}
	return ""
}

// words takes a run of words, all or none.
func (p *odpsParser) words(run ...string) bool {
	at := p.at
	for _, w := range run {
		if p.word(w) == "" {
			p.at = at
			return false
		}
	}
	return true
}

func (p *odpsParser) needWord(words ...string) string {
	w := p.word(words...)
	if w == "" {
		p.fail(strings.Join(words, " or "))
	}
	return w
}

func (p *odpsParser) punctuation(texts ...string) string {
	if t := p.peek(); t.kind == 'p' {
		for _, text := range texts {
			if t.text == text {
				p.at++
				return text
			}
		}
	}
	return ""
}

func (p *odpsParser) need(text string) {
	if p.punctuation(text) == "" {
		p.fail(strconv.Quote(text))
	}
}

func (p *odpsParser) name() string {
	t := p.peek()
	if t.kind != 'w' && t.kind != 'q' || !validODPSName(t.text) {
		p.fail("a name")
		return ""
	}
	p.at++
	return strings.ToLower(t.text)
}

func (p *odpsParser) text() string {
	t := p.peek()
	if t.kind != 's' {
		p.fail("a string in quotation marks")
		return ""
	}
	p.at++
	return t.text
}

func (p *odpsParser) number() int64 {
	n, err := strconv.ParseInt(p.peek().text, 10, 64)
	if p.peek().kind != 'n' || err != nil {
		p.fail("a number")
		return 0
	}
	p.at++
	return n
}

// list reads items between parentheses.
func (p *odpsParser) list(item func()) {
	p.need("(")
	for item(); p.punctuation(",") != ""; {
		item()
	}
	p.need(")")
}
