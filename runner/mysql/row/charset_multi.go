package row

import (
	"fmt"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

// manyByteTexts has the East Asian character sets. A table is made at its first use and
// kept: it takes 128 KiB, or twice that.
var manyByteTexts = map[string]func() textDecoder{
	"big5":    manyBytes("big5", traditionalchinese.Big5),
	"cp932":   manyBytes("cp932", japanese.ShiftJIS),
	"sjis":    manyBytes("sjis", japanese.ShiftJIS),
	"ujis":    manyBytes("ujis", japanese.EUCJP),
	"eucjpms": manyBytes("eucjpms", japanese.EUCJP),
	"euckr":   manyBytes("euckr", korean.EUCKR),
	"gbk":     manyBytes("gbk", simplifiedchinese.GBK),
	"gb2312":  manyBytes("gb2312", simplifiedchinese.GBK),
	"gb18030": manyBytes("gb18030", simplifiedchinese.GB18030),
}

func manyBytes(name string, base encoding.Encoding) func() textDecoder {
	return sync.OnceValue(func() textDecoder { return newManyByteText(name, base) })
}

// manyByteText knows the characters of one and two bytes by table, those of three bytes
// (EUC, after 0x8F) too, and of four bytes (GB18030) by x/text. 0 stands for none.
type manyByteText struct {
	one   [256]uint16
	two   []uint16
	three []uint16          // indexed by the last two bytes
	odd   map[uint32]uint16 // of GB18030: where characters of four bytes differ from x/text
}

func newManyByteText(name string, base encoding.Encoding) *manyByteText {
	t := &manyByteText{two: make([]uint16, 1<<16)}
	d := base.NewDecoder()
	single := func(seq []byte) uint16 {
		s, err := d.Bytes(seq)
		r, n := utf8.DecodeRune(s)
		if err != nil || n != len(s) || r == utf8.RuneError || r > 0xFFFF {
			return 0
		}
		return uint16(r)
	}
	for i := range t.one {
		t.one[i] = single([]byte{byte(i)})
	}
	euc := name == "ujis" || name == "eucjpms"
	if euc {
		t.three = make([]uint16, 1<<16)
	}
	for lead := 0x80; lead < 0x100; lead++ {
		for trail := 0x40; trail < 0x100; trail++ {
			if t.one[lead] == 0 {
				t.two[lead<<8|trail] = single([]byte{byte(lead), byte(trail)})
			}
			if euc && lead >= 0xA0 && trail >= 0xA0 {
				t.three[lead<<8|trail] = single([]byte{0x8F, byte(lead), byte(trail)})
			}
		}
	}
	if name == "gb18030" {
		t.odd = map[uint32]uint16{}
	}
	t.override(name)
	return t
}

// override applies what overrides says.
func (t *manyByteText) override(name string) {
	for run := range strings.FieldsSeq(overrides[name]) {
		var from, count, to uint64
		first, rest, _ := strings.Cut(run, "+")
		n, r, _ := strings.Cut(rest, "=")
		var errs [3]error
		from, errs[0] = strconv.ParseUint(first, 16, 32)
		count, errs[1] = strconv.ParseUint(n, 10, 32)
		to, errs[2] = strconv.ParseUint(r, 16, 16)
		if errs != [3]error{} {
			panic(fmt.Sprintf("overrides of %s: %q", name, run))
		}
		for i := range count {
			r := uint16(to)
			if to != 0 {
				r += uint16(i)
			}
			switch at := from + i; {
			case at < 1<<8:
				t.one[at] = r
			case at < 1<<16:
				t.two[at] = r
			case at < 1<<24:
				t.three[at&0xFFFF] = r
			default:
				t.odd[uint32(at)] = r
			}
		}
	}
}

func (t *manyByteText) decode(dst, src []byte, lossy bool) ([]byte, bool) {
	for len(src) > 0 {
		if c := src[0]; c < utf8.RuneSelf {
			dst, src = append(dst, c), src[1:]
			continue
		}
		r, n := t.next(src)
		if n == 0 {
			if !lossy {
				return dst, false
			}
			r, n = utf8.RuneError, 1
			if len(src) > 1 && src[1] >= utf8.RuneSelf {
				n = 2
			}
		}
		dst, src = utf8.AppendRune(dst, r), src[n:]
	}
	return dst, true
}

// next reads one character that does not begin with ASCII; n is 0 where there is none.
func (t *manyByteText) next(src []byte) (r rune, n int) {
	if u := t.one[src[0]]; u != 0 {
		return rune(u), 1
	}
	if len(src) < 2 {
		return 0, 0
	}
	if u := t.two[int(src[0])<<8|int(src[1])]; u != 0 {
		return rune(u), 2
	}
	if t.three != nil && src[0] == 0x8F && len(src) >= 3 {
		if u := t.three[int(src[1])<<8|int(src[2])]; u != 0 {
			return rune(u), 3
		}
	}
	if t.odd == nil || len(src) < 4 || src[1] < '0' || src[1] > '9' {
		return 0, 0
	}
	if u := t.odd[uint32(src[0])<<24|uint32(src[1])<<16|uint32(src[2])<<8|uint32(src[3])]; u != 0 {
		return rune(u), 4
	}
	var buf [utf8.UTFMax]byte
	written, read, err := simplifiedchinese.GB18030.NewDecoder().Transform(buf[:], src[:4], true)
	if err != nil || read != 4 {
		return 0, 0
	}
	if r, n = utf8.DecodeRune(buf[:written]); r == utf8.RuneError || n != written {
		return 0, 0
	}
	return r, 4
}
