package maxcompute

import (
	"errors"
	"unicode/utf16"
	"unicode/utf8"
)

// tokenKind is what a JSON value is.
type tokenKind uint8

const (
	tokenNone tokenKind = iota // the field is not there
	tokenNull
	tokenTrue
	tokenFalse
	tokenNumber
	tokenString // between its quotation marks
	tokenNested // object or array
)

// token is a JSON value in the text: b[from:to].
type token struct {
	kind     tokenKind
	escaped  bool // a string with escapes
	from, to int
}

// maxDepth bounds how deep objects and arrays may stand in each other.
const maxDepth = 512

var errJSON = errors.New("it is not JSON")

// scanner reads JSON by RFC 8259 without making anything of it.
type scanner struct {
	b []byte
	i int
}

func (s *scanner) blanks() {
	for s.i < len(s.b) {
		switch s.b[s.i] {
		case ' ', '\t', '\n', '\r':
			s.i++
		default:
			return
		}
	}
}

// next skips blanks and tells the byte that follows; 0 at the end.
func (s *scanner) next() byte {
	s.blanks()
	if s.i < len(s.b) {
		return s.b[s.i]
	}
	return 0
}

// value reads one value.
func (s *scanner) value(depth int) (token, error) {
	switch c := s.next(); {
	case c == '"':
		return s.str()
	case c == '-' || c >= '0' && c <= '9':
		return s.number()
	case c == 't':
		return s.word("true", tokenTrue)
	case c == 'f':
		return s.word("false", tokenFalse)
	case c == 'n':
		return s.word("null", tokenNull)
	case c == '{' || c == '[':
		from := s.i
		if err := s.nested(depth); err != nil {
			return token{}, err
		}
		return token{kind: tokenNested, from: from, to: s.i}, nil
	}
	return token{}, errJSON
}

func (s *scanner) word(w string, kind tokenKind) (token, error) {
	if len(s.b)-s.i < len(w) || string(s.b[s.i:s.i+len(w)]) != w {
		return token{}, errJSON
	}
	s.i += len(w)
	return token{kind: kind, from: s.i - len(w), to: s.i}, nil
}

func (s *scanner) number() (token, error) {
	from := s.i
	if s.b[s.i] == '-' {
		s.i++
	}
	n := countDigits(s.b[s.i:])
	if n == 0 || n > 1 && s.b[s.i] == '0' {
		return token{}, errJSON
	}
	s.i += n
	if s.i < len(s.b) && s.b[s.i] == '.' {
		if n = countDigits(s.b[s.i+1:]); n == 0 {
			return token{}, errJSON
		}
		s.i += 1 + n
	}
	if s.i < len(s.b) && (s.b[s.i] == 'e' || s.b[s.i] == 'E') {
		s.i++
		if s.i < len(s.b) && (s.b[s.i] == '+' || s.b[s.i] == '-') {
			s.i++
		}
		if n = countDigits(s.b[s.i:]); n == 0 {
			return token{}, errJSON
		}
		s.i += n
	}
	return token{kind: tokenNumber, from: from, to: s.i}, nil
}

func (s *scanner) str() (token, error) {
	s.i++
	t := token{kind: tokenString, from: s.i}
	for s.i < len(s.b) {
		switch c := s.b[s.i]; {
		case c == '"':
			t.to = s.i
			s.i++
			return t, nil
		case c == '\\':
			t.escaped = true
			n := escapeLength(s.b[s.i:])
			if n == 0 {
				return t, errJSON
			}
			s.i += n
		case c < ' ':
			return t, errJSON
		default:
			s.i++
		}
	}
	return t, errJSON
}

// escapeLength is how many bytes the escape at the beginning of b has; 0 for none.
func escapeLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	switch b[1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return 2
	case 'u':
		if _, ok := hex4(b[2:]); ok {
			return 6
		}
	}
	return 0
}

func hex4(b []byte) (v rune, ok bool) {
	if len(b) < 4 {
		return 0, false
	}
	for _, c := range b[:4] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		case c >= 'A' && c <= 'F':
			c -= 'A' - 10
		default:
			return 0, false
		}
		v = v<<4 | rune(c)
	}
	return v, true
}

// nested reads over an object or an array.
func (s *scanner) nested(depth int) error {
	if depth >= maxDepth {
		return errors.New("it is nested too deep")
	}
	object := s.b[s.i] == '{'
	end := byte(']')
	if object {
		end = '}'
	}
	s.i++
	if s.next() == end {
		s.i++
		return nil
	}
	for {
		if object {
			if _, err := s.name(); err != nil {
				return err
			}
		}
		if _, err := s.value(depth + 1); err != nil {
			return err
		}
		c := s.next()
		s.i++
		if c == end {
			return nil
		}
		if c != ',' {
			return errJSON
		}
	}
}

// name reads a field's name and the colon behind it.
func (s *scanner) name() (token, error) {
	if s.next() != '"' {
		return token{}, errJSON
	}
	t, err := s.str()
	if err != nil {
		return t, err
	}
	if s.next() != ':' {
		return t, errJSON
	}
	s.i++
	return t, nil
}

// unescape appends the string that stands in b with escapes; false for half of a
// surrogate pair, which is no character.
func unescape(dst, b []byte) ([]byte, bool) {
	for i := 0; i < len(b); {
		c := b[i]
		if c != '\\' {
			dst = append(dst, c)
			i++
			continue
		}
		switch c = b[i+1]; c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r, _ := hex4(b[i+2:])
			i += 6
			if utf16.IsSurrogate(r) {
				if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
					return dst, false
				}
				low, _ := hex4(b[i+2:])
				if r = utf16.DecodeRune(r, low); r == utf8.RuneError {
					return dst, false
				}
				i += 6
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
		i += 2
	}
	return dst, true
}
