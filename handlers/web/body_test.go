package web

import "testing"

// TestHalfCharacters: what the decoder would turn into U+FFFD in silence is refused.
func TestHalfCharacters(t *testing.T) {
	t.Parallel()
	for body, good := range map[string]bool{
		`{"a":"\ud83d\ude00"}`:       true,
		`{"a":"\u00e9"}`:             true,
		`{"a":"\\ud800"}`:            true, // a backslash, then text
		`{"a":"\\\ud83d\ude00"}`:     true,
		`{"a":"\ufffd"}`:             true, // asked for by name
		`{"a":"\ud800"}`:             false,
		`{"a":"\udc00 x"}`:           false,
		`{"a":"\ud83d\ud83d\ude00"}`: false,
		`{"\uDBFF":1}`:               false,
		`{"a":"\ud83d\\ude00"}`:      false,
	} {
		if _, err := DecodeValue([]byte(body)); (err == nil) != good {
			t.Errorf("%s: %v", body, err)
		}
	}
}
