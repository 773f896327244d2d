package web

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MaxBody bounds every request body, in bytes.
const MaxBody = 1 << 20

// ErrTooLarge: the body is over MaxBody.
var ErrTooLarge = errors.New("the body is larger than 1 MiB")

// BadBodyError: the body is not what was asked for; the text says why.
type BadBodyError struct{ Text string }

func (e *BadBodyError) Error() string { return e.Text }

// ReadBody reads the whole body, at most MaxBody bytes: ErrTooLarge, *BadBodyError.
func ReadBody(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if r.ContentLength > MaxBody {
		return nil, ErrTooLarge
	}
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, MaxBody))
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, ErrTooLarge
	case err != nil:
		return nil, &BadBodyError{"The body did not arrive whole."}
	}
	return b, nil
}

// IsJSON tells whether a Content-Type is application/json in UTF-8.
func IsJSON(contentType string) bool {
	kind, params, err := mime.ParseMediaType(contentType)
	if err != nil || kind != "application/json" {
		return false
	}
	charset := params["charset"]
	return charset == "" || strings.EqualFold(charset, "utf-8")
}

// DecodeValue reads one JSON value; numbers stay text (json.Number).
func DecodeValue(body []byte) (any, error) {
	if len(bytes.TrimSpace(body)) == 0 {
		return nil, &BadBodyError{"The body is empty; a JSON object is expected."}
	}
	if !utf8.Valid(body) {
		return nil, &BadBodyError{"The body is not UTF-8."}
	}
	if at := halfCharacter(body); at >= 0 {
		return nil, &BadBodyError{fmt.Sprintf("The escape at byte %d is half of a character: it needs the other half, as in \\ud83d\\ude00.", at)}
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, &BadBodyError{"The body is not JSON: " + explain(err) + "."}
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return nil, &BadBodyError{"The body holds more than one JSON value."}
	}
	return v, nil
}

// halfCharacter finds an escape of JSON that is one surrogate without its pair; -1 when
// there is none. The decoder would replace it by U+FFFD without a word.
func halfCharacter(body []byte) int {
	for i := 0; i+1 < len(body); i++ {
		if body[i] != '\\' {
			continue
		}
		r := escaped(body[i:])
		if !utf16.IsSurrogate(r) {
			i++ // the escaped character may be a backslash
			continue
		}
		if utf16.DecodeRune(r, escaped(body[min(i+6, len(body)):])) == utf8.RuneError {
			return i
		}
		i += 11
	}
	return -1
}

// escaped reads the \uXXXX that b begins with; -1 when it does not.
func escaped(b []byte) rune {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return -1
	}
	n, err := strconv.ParseUint(string(b[2:6]), 16, 32)
	if err != nil {
		return -1
	}
	return rune(n)
}

// explain puts a decoder's error into words without quoting the body at length.
func explain(err error) string {
	var syntax *json.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return fmt.Sprintf("%s (at byte %d)", syntax.Error(), syntax.Offset)
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return "it ends too early"
	}
	return "it cannot be read"
}

// DecodeObject reads one JSON object; anything else is a *BadBodyError.
func DecodeObject(body []byte) (map[string]any, error) {
	v, err := DecodeValue(body)
	if err != nil {
		return nil, err
	}
	o, is := v.(map[string]any)
	if !is {
		return nil, &BadBodyError{"The body must be a JSON object, not " + KindOf(v) + "."}
	}
	return o, nil
}

// KindOf names a decoded JSON value's type in words.
func KindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "a boolean"
	case json.Number:
		return "a number"
	case string:
		return "a string"
	case []any:
		return "an array"
	}
	return "an object"
}

// Scalar turns a string, number or boolean into text, as Kafka Connect does with the
// values of a configuration: 5 becomes "5", true becomes "true".
func Scalar(v any) (string, bool) {
	switch x := v.(type) {
	case string:
		return x, true
	case json.Number:
		return x.String(), true
	case bool:
		if x {
			return "true", true
		}
		return "false", true
	}
	return "", false
}

// WriteJSON answers with a JSON body; characters that matter to HTML are not escaped,
// the content type forbids reading it as HTML.
func WriteJSON(w http.ResponseWriter, contentType string, status int, body any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(body); err != nil {
		http.Error(w, `{"error_code":500,"message":"the answer cannot be encoded"}`, http.StatusInternalServerError)
		return
	}
	h := w.Header()
	h.Set("Content-Type", contentType)
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_, _ = w.Write(bytes.TrimSuffix(b.Bytes(), []byte("\n"))) // the client has gone: nobody to tell
}
