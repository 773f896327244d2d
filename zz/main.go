package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"sort"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
)

func load(f string) map[string]string {
	m := map[string]string{}
	r, _ := os.Open(f)
	s := bufio.NewScanner(r)
	for s.Scan() {
		p := strings.Split(s.Text(), "\t")
		k, _ := hex.DecodeString(p[0])
		v := ""
		if p[1] != "NULL" {
			b, _ := hex.DecodeString(p[1])
			v = string(b)
			if utf8.RuneCountInString(v) != 1 || (v == "?" && string(k) != "?") {
				v = ""
			}
		}
		m[string(k)] = v
	}
	return m
}

func main() {
	for _, c := range []struct {
		n string
		e encoding.Encoding
	}{{"big5", traditionalchinese.Big5}, {"cp932", japanese.ShiftJIS}, {"sjis", japanese.ShiftJIS}, {"ujis", japanese.EUCJP}, {"eucjpms", japanese.EUCJP}, {"euckr", korean.EUCKR}, {"gbk", simplifiedchinese.GBK}, {"gb2312", simplifiedchinese.GBK}, {"gb18030", simplifiedchinese.GB18030}} {
		my := load("/tmp/rows/43307." + c.n)
		ma := my; _ = ma
		if c.n != "gb18030" {
			ma = load("/tmp/rows/43306." + c.n)
		}
		var keys []string
		for k := range my { keys = append(keys, k) }
		sort.Strings(keys)
		d := c.e.NewDecoder()
		type run struct{ from, n, to int }
		var runs []run
		open := false
		for _, k := range keys {
			v := my[k]
			if v == "\ufffd" { v = "" }
			if len(k) == 2 && my[k[:1]] != "" { continue }
			if len(k) == 3 && c.n != "ujis" && c.n != "eucjpms" { continue }
			x, err := d.String(k)
			if err != nil || utf8.RuneCountInString(x) != 1 || strings.ContainsRune(x, 0xfffd) { x = "" }
			from := 0
			for i := range len(k) { from = from<<8 | int(k[i]) }
			to := 0
			if v != "" { r, _ := utf8.DecodeRuneInString(v); to = int(r) }
			l := len(runs)-1
			if x == v {
				if x != "" { open = false }
				continue
			}
			if l >= 0 && to == 0 && runs[l].to == 0 && open { runs[l].n = from - runs[l].from + 1; continue }
			open = true
			if l >= 0 && to != 0 && runs[l].to != 0 && from == runs[l].from+runs[l].n && to == runs[l].to+runs[l].n { runs[l].n++; continue }
			runs = append(runs, run{from, 1, to})
		}
		fmt.Println(c.n, len(runs))
		f := os.Getenv("DUMP")
		if f == c.n || f == "all" { for _, r := range runs { fmt.Printf("%x+%d=%x ", r.from, r.n, r.to) }; fmt.Println() }
	}
}
