package api

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/control"
)

// values is a decoded JSON object; its methods answer wrong types as 422.
type values map[string]any

func invalid(field, format string, args ...any) error {
	return &control.Error{Kind: control.Invalid, Message: "Some values are not valid.",
		Fields: []connector.FieldError{{Field: clip(field), Message: fmt.Sprintf(format, args...)}}}
}

func clip(s string) string {
	if r := []rune(s); len(r) > 60 {
		s = string(r[:60]) + "…"
	}
	return s
}

// only refuses members that are not named.
func (v values) only(members []string) error {
	for _, k := range slices.Sorted(maps.Keys(v)) {
		if !slices.Contains(members, k) {
			return invalid(k, "There is no such member; there is %s.", strings.Join(members, ", "))
		}
	}
	return nil
}

// text reads a string; absent and null are "".
func (v values) text(key string) (string, error) {
	switch x := v[key].(type) {
	case nil:
		return "", nil
	case string:
		return x, nil
	default:
		return "", invalid(key, "must be a string, not %s.", web.KindOf(x))
	}
}

// integer reads a whole number; absent and null are the given one.
func (v values) integer(key string, absent int64, bits int) (int64, error) {
	switch x := v[key].(type) {
	case nil:
		return absent, nil
	case json.Number:
		n, err := strconv.ParseInt(x.String(), 10, bits)
		if err != nil {
			return 0, invalid(key, "%s is not a whole number that is allowed here.", clip(x.String()))
		}
		return n, nil
	default:
		return 0, invalid(key, "must be a number, not %s.", web.KindOf(x))
	}
}

// config reads a flat object of strings; numbers and booleans become text.
func (v values) config(key string) (connector.Config, error) {
	o, ok := v[key].(map[string]any)
	if !ok {
		return nil, invalid(key, "must be an object of strings, not %s.", web.KindOf(v[key]))
	}
	out := connector.Config{}
	for _, k := range slices.Sorted(maps.Keys(o)) {
		text, ok := web.Scalar(o[k])
		if !ok {
			return nil, invalid(key+"."+k, "must be a string, not %s.", web.KindOf(o[k]))
		}
		out[k] = text
	}
	return out, nil
}

// bytes reads a key or value: a string, or null for Kafka's null. A member
// <key>Encoding of "base64" decodes it.
func (v values) bytes(key string) ([]byte, error) {
	if v[key] == nil {
		return nil, nil
	}
	text, err := v.text(key)
	if err != nil {
		return nil, err
	}
	encoding, err := v.text(key + "Encoding")
	if err != nil {
		return nil, err
	}
	switch encoding {
	case "":
		return []byte(text), nil
	case "base64":
		b, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			return nil, invalid(key, "is not base64.")
		}
		return b, nil
	}
	return nil, invalid(key+"Encoding", "must be base64 or left out, not %q.", clip(encoding))
}
