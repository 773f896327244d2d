package format_test

import (
	"encoding/json"
	"testing"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// TestDebeziumKeyBytes: keys have the escapes of the JSON library that Debezium's have theirs from.
func TestDebeziumKeyBytes(t *testing.T) {
	t.Parallel()
	table := &row.Table{Database: "d", Name: "t", Key: []int{0}, Columns: []row.Column{{Name: "é😀", Kind: row.Text, Charset: "utf8mb4"}}}
	const name = "{\"é\\uD83D\\uDE00\":"
	for _, tt := range []struct{ text, want string }{
		{"plain", `"plain"`},
		{"é日\uffff\ufffd", "\"é日\uffff\ufffd\""},
		{"\U00010000\U0010ffff", `"\uD800\uDC00\uDBFF\uDFFF"`},
		{"\x00\x0b\x1f\x7f\b\t\n\f\r", "\"\\u0000\\u000B\\u001F\x7f\\b\\t\\n\\f\\r\""},
		{"\x1fabc", `"\u001Fabc"`},
		{`\u001f`, `"\\u001f"`},    // not an escape: six characters
		{"\\\x1f", `"\\\u001F"`},   // a backslash, and an escape
		{`\\u001f`, `"\\\\u001f"`}, // two backslashes and text
		{"\\\\\x1a😀", `"\\\\\u001A\uD83D\uDE00"`},
		{`"</>&'`, `"\"</>&'"`},
	} {
		e, err := format.New(format.Debezium, format.Options{})
		if err != nil {
			t.Fatal(err)
		}
		var got []emitted
		if err := e.Encode(&format.Change{Table: table, Op: format.Insert, After: row.Row{text(tt.text)}}, collect(&got)); err != nil {
			t.Fatal(err)
		}
		if want := name + tt.want + "}"; got[0].key != want {
			t.Errorf("%q: %s, want %s", tt.text, got[0].key, want)
		}
		var back map[string]string
		if err := json.Unmarshal([]byte(got[0].key), &back); err != nil || back["é😀"] != tt.text {
			t.Errorf("%q reads back as %q (%v)", tt.text, back["é😀"], err)
		}
	}
}
