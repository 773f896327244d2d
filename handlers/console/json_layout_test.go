package console

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// TestLaidOut: only space between values changes, lines are short where they can be, and what is no JSON stays.
func TestLaidOut(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("long ", 30)
	for _, body := range []string{
		`{"a":1}`, `[]`, `null`, `"` + long + `"`, `{"id":18446744073709551615,"price":1.10,"text":"a \\\" , } ] ","long":"` + long + `","list":[{"n":"x,y","e":{}},[],[1,2,3]]}`,
		`[{"name":"` + long + `"},{},[]]`, `{"":"","` + long + `":{"a":[[[{"b":"` + long + `"}]]]}}`,
	} {
		got := laidOut(body)
		var back bytes.Buffer
		if err := json.Compact(&back, []byte(got)); err != nil || back.String() != body {
			t.Errorf("%s became %s (%v)", body, got, err)
		}
	}
	for _, body := range []string{"", "no JSON", `{"a":`, `{"a":1} rest`} {
		if got := laidOut(body); got != body {
			t.Errorf("%q became %q", body, got)
		}
	}
	const message = `{"schema":{"dataColumn":[{"name":"id","type":"LONG"},{"name":"created_at","type":"DATE"}],"primaryKey":["id"]},"payload":{"before":null,"after":{"dataColumn":{"id":1,"created_at":1795399529746}},"op":"INSERT"},"version":"0.0.1"}`
	const want = `{
  "schema": {
    "dataColumn": [{"name":"id","type":"LONG"},{"name":"created_at","type":"DATE"}],
    "primaryKey": ["id"]
  },
  "payload": {
    "before": null,
    "after": {"dataColumn":{"id":1,"created_at":1795399529746}},
    "op": "INSERT"
  },
  "version": "0.0.1"
}`
	if got := laidOut(message); got != want {
		t.Errorf("laid out:\n%s", got)
	}
}
