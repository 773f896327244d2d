package console

import (
	"bytes"
	"encoding/json"
	"strings"
)

// layoutWidth is how wide a JSON value may be that stays on one line.
const layoutWidth = 84

// laidOut breaks JSON into lines for reading: what is short stays on one. Nothing but space between values changes;
// what is no JSON stays as it is.
func laidOut(body string) string {
	var compact bytes.Buffer
	if json.Compact(&compact, []byte(body)) != nil {
		return body
	}
	var out strings.Builder
	layOut(&out, compact.String(), "")
	return out.String()
}

// layOut writes one compact value, whose first line stands behind what is written already.
func layOut(out *strings.Builder, v, indent string) {
	if len(indent)+len(v) <= layoutWidth || v[0] != '{' && v[0] != '[' {
		out.WriteString(v)
		return
	}
	out.WriteByte(v[0])
	inner := indent + "  "
	for i, member := range members(v) {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString("\n" + inner)
		if name, value, named := cutName(member); v[0] == '{' && named {
			out.WriteString(name + ": ")
			member = value
		}
		layOut(out, member, inner)
	}
	out.WriteString("\n" + indent + v[len(v)-1:])
}

// members cuts a compact object or list at its own commas.
func members(v string) []string {
	var out []string
	depth, from := 0, 1
	for i := 1; i < len(v)-1; i++ {
		switch v[i] {
		case '"':
			i = endOfText(v, i)
		case '{', '[':
			depth++
		case '}', ']':
			depth--
		case ',':
			if depth == 0 {
				out = append(out, v[from:i])
				from = i + 1
			}
		}
	}
	return append(out, v[from:len(v)-1])
}

// cutName divides a member of an object at its colon.
func cutName(member string) (name, value string, ok bool) {
	if end := endOfText(member, 0); end+1 < len(member) {
		return member[:end+1], member[end+2:], true
	}
	return "", member, false
}

// endOfText is where the text that begins at i has its closing quote.
func endOfText(v string, i int) int {
	for i++; i < len(v) && v[i] != '"'; i++ {
		if v[i] == '\\' {
			i++
		}
	}
	return i
}
