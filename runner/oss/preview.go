package oss

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// previewBody bounds a sample's text, in bytes.
const previewBody = 16 << 10

// preview shows the objects that the records would become, by the very code that
// writes them, and every record that would be diverted.
func preview(ctx context.Context, cfg connector.Config, _ connector.Deps, records []record.Record) ([]connector.Sample, error) {
	l, err := newLayout(cfg)
	if err != nil {
		return nil, err
	}
	s := &sink{layout: l, buffers: &buffers{}}
	var out []connector.Sample
	for _, group := range byPartition(records) {
		samples, err := s.previewPartition(ctx, group)
		if err != nil {
			return nil, err
		}
		out = append(out, samples...)
	}
	return out, nil
}

func byPartition(records []record.Record) [][]record.Record {
	type tp struct {
		topic     string
		partition int32
	}
	at := map[tp]int{}
	var out [][]record.Record
	for _, r := range records {
		k := tp{r.Topic, r.Partition}
		i, ok := at[k]
		if !ok {
			i = len(out)
			at[k] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], r)
	}
	return out
}

func (s *sink) previewPartition(ctx context.Context, records []record.Record) ([]connector.Sample, error) {
	first := &records[0]
	begun, err := s.Begin(ctx, connector.Range{Topic: first.Topic, Partition: first.Partition, First: first.Offset}, nil)
	if err != nil {
		return nil, err
	}
	c := begun.(*chunk)
	defer c.Discard()
	var refused []connector.Sample
	taken := map[string][]record.Record{}
	for i := range records {
		r := &records[i]
		err := c.Add(ctx, r)
		var re *connector.RecordError
		switch {
		case errors.As(err, &re):
			refused = append(refused, connector.Sample{Source: source(r), Title: "dead-letter queue topic", MediaType: "text/plain", Refused: re.Error()})
		case err != nil:
			return nil, err
		default:
			path := c.paths.Of(r)
			taken[path] = append(taken[path], *r)
		}
	}
	var out []connector.Sample
	if _, err := c.Prepare(ctx); err != nil {
		return nil, err
	}
	for _, p := range c.parts {
		body, media, err := s.readable(p, taken[p.Path])
		if err != nil {
			return nil, err
		}
		out = append(out, connector.Sample{Source: source(&taken[p.Path][0]), Title: p.name, MediaType: media, Body: body})
	}
	return append(out, refused...), nil
}

func source(r *record.Record) connector.SampleSource {
	return connector.SampleSource{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}
}

// readable is an object's content as text: what is compressed is shown before
// compression, what is binary as its records.
func (s *sink) readable(p *part, records []record.Record) (body, media string, err error) {
	l := &s.layout
	text := l.text
	var b []byte
	if text == nil {
		if text, err = record.NewText(record.FormatJSONL, record.BinaryBase64); err != nil {
			return "", "", err
		}
		b = fmt.Appendf(b, "%s file of %d bytes, compression %s. Its rows, shown as JSON:\n", l.format, len(p.body), l.compression)
	}
	b = text.Begin(b)
	for i := range records {
		if b, err = text.Append(b, &records[i], i == 0); err != nil {
			return "", "", err
		}
	}
	return clip(text.End(b)), l.format.ContentType(record.None), nil
}

// clip keeps a sample short and valid text.
func clip(b []byte) string {
	if len(b) <= previewBody {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	cut := previewBody
	for cut > 0 && !utf8.RuneStart(b[cut]) {
		cut--
	}
	return strings.ToValidUTF8(string(b[:cut]), "\uFFFD") + fmt.Sprintf("\n… (%d bytes in all)", len(b))
}
