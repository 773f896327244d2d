package main

import (
	"bufio"
	"encoding/hex"
	"fmt"
	"os"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/simplifiedchinese"
)

func main() {
	r, _ := os.Open("/tmp/rows/g4.out")
	s := bufio.NewScanner(r)
	n := 0
	d := simplifiedchinese.GB18030.NewDecoder()
	for s.Scan() {
		p := strings.Split(s.Text(), "\t")
		k, _ := hex.DecodeString(p[0])
		v := ""
		if p[1] != "NULL" {
			b, _ := hex.DecodeString(p[1])
			v = string(b)
			if v == "?" || !utf8.ValidString(v) {
				v = ""
			}
		}
		x, err := d.String(string(k))
		if err != nil || utf8.RuneCountInString(x) != 1 || strings.ContainsRune(x, 0xfffd) {
			x = ""
		}
		if x != v {
			n++
			if n < 40 {
				fmt.Printf("%x my %q x %q raw %s\n", k, v, x, p[1])
			}
		}
	}
	fmt.Println(n)
}
