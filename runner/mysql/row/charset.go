package row

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf16"
	"unicode/utf8"
)

// textDecoder turns text in a character set into UTF-8.
type textDecoder interface {
	// decode appends src in UTF-8 to dst. ok is false when src is not valid; with lossy
	// what is not valid becomes U+FFFD, and ok is true.
	decode(dst, src []byte, lossy bool) (out []byte, ok bool)
}

// decoderOf gives the decoder of a character set by the server's name, nil for one that
// is not known. utf8 is utf8mb3.
func decoderOf(charset string) textDecoder {
	switch charset {
	case "utf8mb4", "utf8mb3", "utf8", "binary":
		return utf8Text{}
	case "ascii":
		return asciiText{}
	case "utf16", "utf16le", "ucs2":
		return utf16Text{little: charset == "utf16le", pairs: charset != "ucs2"}
	case "utf32":
		return utf32Text{}
	}
	if make, ok := manyByteTexts[charset]; ok {
		return make()
	}
	if high, ok := singleBytes[charset]; ok {
		return newSingleByteText(high, charset == "swe7")
	}
	return nil
}

// charsetName is the name under which a character set is known here: MariaDB and older
// MySQL call utf8mb3 utf8.
func charsetName(server string) string {
	server = strings.ToLower(server)
	if server == "utf8" {
		return "utf8mb3"
	}
	return server
}

// charsetOf finds the character set of a collation.
var charsetOf = sync.OnceValue(func() map[uint64]string {
	out := map[uint64]string{}
	for name, ids := range collations {
		for id := range strings.FieldsSeq(ids) {
			from, to, isRange := strings.Cut(id, "-")
			if !isRange {
				to = from
			}
			a, errA := strconv.ParseUint(from, 10, 16)
			b, errB := strconv.ParseUint(to, 10, 16)
			if errA != nil || errB != nil {
				panic(fmt.Sprintf("collations of %s: %q", name, id))
			}
			for ; a <= b; a++ {
				out[a] = name
			}
		}
	}
	return out
})

// utf8Text is utf8mb4 and utf8mb3. The servers let surrogates through; they are invalid here.
type utf8Text struct{}

func (utf8Text) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	if utf8.Valid(src) {
		return append(dst, src...), true
	}
	if !lossy {
		return dst, false
	}
	for len(src) > 0 {
		r, n := utf8.DecodeRune(src)
		dst, src = utf8.AppendRune(dst, r), src[n:]
	}
	return dst, true
}

type asciiText struct{}

func (asciiText) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	for _, c := range src {
		switch {
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		case lossy:
			dst = utf8.AppendRune(dst, utf8.RuneError)
		default:
			return dst, false
		}
	}
	return dst, true
}

// singleByteText has a rune for each byte; U+FFFD where there is none.
type singleByteText struct{ runes [256]rune }

func newSingleByteText(half string, low bool) *singleByteText {
	t := &singleByteText{}
	at := 128
	if low {
		at = 0
	}
	for i := range t.runes {
		t.runes[i] = rune(i)
		if i >= 128 {
			t.runes[i] = utf8.RuneError
		}
	}
	for _, r := range half {
		t.runes[at] = r
		at++
	}
	return t
}

func (t *singleByteText) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	for _, c := range src {
		r := t.runes[c]
		if r < utf8.RuneSelf {
			dst = append(dst, byte(r))
			continue
		}
		if r == utf8.RuneError && !lossy {
			return dst, false
		}
		dst = utf8.AppendRune(dst, r)
	}
	return dst, true
}

// utf16Text is utf16 and utf16le, and without pairs ucs2.
type utf16Text struct{ little, pairs bool }

func (t utf16Text) unit(b []byte) rune {
	if t.little {
		return rune(b[0]) | rune(b[1])<<8
	}
	return rune(b[1]) | rune(b[0])<<8
}

func (t utf16Text) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	for len(src) >= 2 {
		r, n := t.unit(src), 2
		if utf16.IsSurrogate(r) {
			pair := rune(utf8.RuneError)
			if t.pairs && len(src) >= 4 {
				pair = utf16.DecodeRune(r, t.unit(src[2:]))
			}
			if r = pair; r != utf8.RuneError {
				n = 4
			} else if !lossy {
				return dst, false
			}
		}
		dst, src = utf8.AppendRune(dst, r), src[n:]
	}
	if len(src) > 0 {
		if !lossy {
			return dst, false
		}
		dst = utf8.AppendRune(dst, utf8.RuneError)
	}
	return dst, true
}

type utf32Text struct{}

func (utf32Text) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	for len(src) > 0 {
		r, n := rune(-1), min(4, len(src))
		if n == 4 && src[0] == 0 {
			r = rune(src[1])<<16 | rune(src[2])<<8 | rune(src[3])
		}
		if !utf8.ValidRune(r) {
			if !lossy {
				return dst, false
			}
			r = utf8.RuneError
		}
		dst, src = utf8.AppendRune(dst, r), src[n:]
	}
	return dst, true
}
