package api

import (
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/sluice-io/sluice/handlers/web"
	"github.com/sluice-io/sluice/runner/control"
)

// recordSend answers POST /instances/{instance}/topics/{topic}/records.
func recordSend(c *call) error {
	body, err := c.object("partition", "key", "keyEncoding", "value", "valueEncoding", "headers")
	if err != nil {
		return err
	}
	partition, err := body.integer("partition", -1, 32)
	if err != nil {
		return err
	}
	r := control.NewRecord{Partition: int32(partition)}
	if r.Key, err = body.bytes("key"); err != nil {
		return err
	}
	if r.Value, err = body.bytes("value"); err != nil {
		return err
	}
	if r.Headers, err = body.headers(); err != nil {
		return err
	}
	p, offset, err := c.svc.SendRecord(c.Request.Context(), c.Param("instance"), c.Param("topic"), r)
	if err != nil {
		return err
	}
	return c.created(map[string]any{"partition": p, "offset": offset}, "instances", c.Param("instance"), "topics", c.Param("topic"),
		"records", strconv.Itoa(int(p)), strconv.FormatInt(offset, 10), "fate")
}

// headers reads an object of strings, or an array of {"key","value","valueEncoding"?}
// where keys repeat or values are bytes.
func (v values) headers() ([]control.Header, error) {
	var out []control.Header
	switch x := v["headers"].(type) {
	case nil:
		return nil, nil
	case map[string]any:
		for _, k := range slices.Sorted(maps.Keys(x)) {
			b, err := values{"value": x[k]}.bytes("value")
			if err != nil {
				return nil, invalid("headers."+k, "must be a string or null, not %s.", web.KindOf(x[k]))
			}
			out = append(out, control.Header{Key: k, Value: b})
		}
	case []any:
		for i, item := range x {
			h, err := header(item, fmt.Sprintf("headers[%d]", i))
			if err != nil {
				return nil, err
			}
			out = append(out, h)
		}
	default:
		return nil, invalid("headers", "must be an object of strings or an array, not %s.", web.KindOf(x))
	}
	return out, nil
}

func header(item any, field string) (control.Header, error) {
	o, ok := item.(map[string]any)
	if !ok {
		return control.Header{}, invalid(field, "must be an object with key and value, not %s.", web.KindOf(item))
	}
	h := values(o)
	if err := h.only([]string{"key", "value", "valueEncoding"}); err != nil {
		return control.Header{}, invalid(field, "has key, value and valueEncoding only.")
	}
	key, err := h.text("key")
	if err != nil || key == "" {
		return control.Header{}, invalid(field+".key", "must be a string that is not empty.")
	}
	value, err := h.bytes("value")
	if err != nil {
		return control.Header{}, invalid(field+".value", "must be a string, null, or base64 with valueEncoding.")
	}
	return control.Header{Key: key, Value: value}, nil
}
