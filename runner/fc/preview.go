package fc

import (
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// previewBody bounds a sample's text, in bytes.
const previewBody = 64 << 10

// preview shows the requests that the records would become, by the very code that
// makes them, and every record that would be diverted.
func preview(_ context.Context, cfg connector.Config, _ connector.Deps, records []record.Record) ([]connector.Sample, error) {
	s, err := settings(cfg)
	if err != nil {
		return nil, err
	}
	c := &client{service: cfg.Get(keyService), function: cfg.Get(keyFunction), qualifier: cfg.Get(keyQualifier)}
	if c.qualifier == latest {
		c.qualifier = ""
	}
	request := "POST " + c.functionPath("/invocations")
	if c.v3() && c.qualifier != "" {
		request += "?qualifier=" + escape(c.qualifier)
	}
	kind := "asynchronous"
	if s.sync {
		kind = "synchronous"
	}
	var out []connector.Sample
	for _, group := range byPartition(records) {
		out = append(out, s.previewPartition(request, kind, group)...)
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

func (s *sink) previewPartition(request, kind string, records []record.Record) []connector.Sample {
	c := cutter{shape: s.shape, buffers: s.buffers}
	var out, refused []connector.Sample
	first := &records[0]
	for i := range records {
		r := &records[i]
		err := c.add(r)
		var re *connector.RecordError
		if errors.As(err, &re) {
			title := "abnormal data topic"
			if re.DeadLetter {
				title = "dead-letter queue topic"
			}
			refused = append(refused, connector.Sample{Source: connector.SampleSource{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset}, Title: title, MediaType: "text/plain", Refused: re.Error()})
		}
	}
	c.closeOpen()
	for i := range c.batches {
		b := &c.batches[i]
		records := "1 record"
		if b.count > 1 {
			records = fmt.Sprintf("%d records", b.count)
		}
		body := b.body()
		text := string(body)
		if len(body) > previewBody {
			text = fmt.Sprintf("%s (%d bytes in all)", clip(text, previewBody), len(body))
		}
		out = append(out, connector.Sample{Source: connector.SampleSource{Topic: first.Topic, Partition: first.Partition, Offset: b.first},
			Title: fmt.Sprintf("%s, %s, %s, %d bytes", request, kind, records, len(body)), MediaType: "application/json", Body: text})
	}
	return append(out, refused...)
}
