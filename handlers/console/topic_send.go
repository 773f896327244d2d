package console

import (
	"encoding/base64"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/sluice-io/sluice/runner/control"
	"github.com/sluice-io/sluice/views"
	"github.com/sluice-io/sluice/views/components"
	"github.com/sluice-io/sluice/views/text"
)

// sendForm is what the Send Message panel holds.
type sendForm struct {
	values  map[string]string
	wrong   map[string]string
	general []string
}

// shown is the panel for a topic, whose message some connectors read.
func (f *sendForm) shown(q *request, t control.Topic, used []views.Link) views.SendForm {
	ctx := q.Request.Context()
	field := func(key, kind, label, help string) components.Field {
		return components.Field{Key: key, Kind: kind, Label: label, Help: help, Value: f.values[key], Error: f.wrong[key]}
	}
	encodings := []components.Option{{Value: "text", Label: text.T(ctx, "send.text")}, {Value: "base64", Label: text.T(ctx, "send.base64")}}
	partition := field("partition", components.KindSelect, text.T(ctx, "send.partition"), "")
	partition.Options = []components.Option{{Value: "", Label: text.T(ctx, "send.any")}}
	for i := range t.Partitions {
		partition.Options = append(partition.Options, components.Option{Value: strconv.Itoa(i), Label: strconv.Itoa(i)})
	}
	key := field("key", components.KindText, text.T(ctx, "send.key"), text.T(ctx, "send.key_help"))
	key.Mono = true
	value := field("value", components.KindTextarea, text.T(ctx, "send.value"), "")
	value.Mono, value.Rows = true, 6
	null := field("null", components.KindCheckbox, text.T(ctx, "send.value_null"), "")
	encoding := field("encoding", components.KindSegmented, text.T(ctx, "send.encoding"), "")
	encoding.Options = encodings
	if encoding.Value == "" {
		encoding.Value = "text"
	}
	headers := field("headers", components.KindTextarea, text.T(ctx, "send.headers"), text.T(ctx, "send.headers_help"))
	headers.Mono, headers.Optional, headers.Rows = true, true, 3
	out := views.SendForm{URL: topicURL(q.instance(), t.Name) + "/records", Errors: f.general, Fields: []components.Field{key, value, null, encoding, headers, partition}}
	if len(used) > 0 {
		watch := field("connector", components.KindSelect, text.T(ctx, "send.connector"), "")
		watch.Options = []components.Option{{Value: "", Label: text.T(ctx, "send.all")}}
		for _, l := range used {
			watch.Options = append(watch.Options, components.Option{Value: l.Label, Label: l.Label})
		}
		out.Fields = append(out.Fields, watch)
	}
	return out
}

// topicSend writes one message and leads to what becomes of it.
func (c *Console) topicSend(q *request) error {
	ctx := q.Request.Context()
	f := &sendForm{values: map[string]string{}, wrong: map[string]string{}}
	for _, key := range []string{"key", "value", "null", "encoding", "headers", "partition", "connector"} {
		f.values[key] = q.value(key)
	}
	record := f.read(q)
	if len(f.wrong) > 0 {
		return c.showSend(q, f, http.StatusUnprocessableEntity)
	}
	partition, offset, err := c.control.SendRecord(ctx, q.instance(), q.Param("topic"), record)
	if err != nil {
		return c.sendRefused(q, f, err)
	}
	to := fmt.Sprintf("%s/records/%d/%d", topicURL(q.instance(), q.Param("topic")), partition, offset)
	if name := f.values["connector"]; name != "" {
		to += "?connector=" + url.QueryEscape(name)
	}
	return q.redirect(to)
}

func (c *Console) sendRefused(q *request, f *sendForm, err error) error {
	e := control.AsError(err)
	switch e.Kind {
	case control.Invalid, control.TooLarge:
		for _, p := range e.Fields {
			key, _, _ := strings.Cut(p.Field, "[")
			f.wrong[key] = p.Message
			if e.Kind == control.TooLarge {
				f.wrong[key] = p.Message + " " + e.Message
			}
		}
		return c.showSend(q, f, statusOf(e.Kind))
	case control.Unavailable:
		f.general = []string{e.Message}
		return c.showSend(q, f, statusOf(e.Kind))
	}
	return err
}

func (c *Console) showSend(q *request, f *sendForm, status int) error {
	m, _, err := c.topicPage(q, f)
	if err != nil {
		return err
	}
	return q.render(status, views.TopicShow(m))
}

// read turns the form into a record and notes what is wrong with it.
func (f *sendForm) read(q *request) control.NewRecord {
	ctx := q.Request.Context()
	out := control.NewRecord{Partition: -1}
	if given := strings.TrimSpace(f.values["partition"]); given != "" {
		n, ok := int32Of(given)
		if !ok {
			f.wrong["partition"] = text.T(ctx, "topic.bad_number", strconv.Quote(clip(given, 40)))
		}
		out.Partition = n
	}
	decode := func(key string) []byte {
		v := f.values[key]
		switch f.values["encoding"] {
		case "", "text":
			return []byte(strings.ReplaceAll(v, "\r\n", "\n"))
		case "base64":
			b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(v), ""))
			if err != nil {
				f.wrong[key] = text.T(ctx, "send.bad_base64")
			}
			return b
		}
		f.wrong["encoding"] = text.T(ctx, "send.bad_encoding")
		return nil
	}
	if f.values["key"] != "" {
		out.Key = decode("key")
	}
	if f.values["null"] != "true" {
		if out.Value = decode("value"); out.Value == nil {
			out.Value = []byte{}
		}
	}
	for i, line := range strings.Split(strings.ReplaceAll(f.values["headers"], "\r\n", "\n"), "\n") {
		if strings.TrimSpace(line) == "" {
			continue
		}
		name, value, ok := strings.Cut(line, ":")
		if name = strings.TrimSpace(name); !ok || name == "" {
			f.wrong["headers"] = text.T(ctx, "send.bad_header", i+1)
			break
		}
		out.Headers = append(out.Headers, control.Header{Key: name, Value: []byte(strings.TrimSpace(value))})
	}
	return out
}
