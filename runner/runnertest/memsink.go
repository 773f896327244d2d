package runnertest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"strings"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// Class is the task type of MemSpec.
const Class = "KAFKA2MEM"

// Values that a MemSink treats specially begin with these words.
const (
	// Poison: the record cannot be converted.
	Poison = "poison"
	// Refused: the destination refuses the record, everything else of its chunk is visible.
	Refused = "refused"
	// Passing: as Refused, but not at the second attempt.
	Passing = "passing"
)

// KeyPrefix is a shape setting of MemSpec: it stands in front of object names and of
// every line of their content.
const KeyPrefix = "mem.prefix"

// KeyAccess is an access setting of MemSpec; with the value "wrong" every act fails,
// with "unknown" every act and the probe.
const KeyAccess = "mem.access"

// KeyUnit is how many records of a chunk make it ready to be closed when the feed
// pauses; 0 never.
const KeyUnit = "mem.unit"

// MemSpec declares a sink into d.
func MemSpec(d *Destination) *connector.Spec {
	return &connector.Spec{
		Class: Class, Title: "Message Queue for Apache Kafka → memory", Version: "1", EncoderVersion: 1, Kind: connector.KindSink,
		Steps: connector.SinkSteps(connector.SinkDefaults{
			Tasks: 1, TaskOptions: []int64{1, 2}, FlushSize: 10, FlushBytes: 1 << 20, FlushMillis: 200,
			Destination: []connector.Field{
				{Key: KeyPrefix, Label: "Prefix", Kind: connector.String, Shapes: true},
				{Key: KeyAccess, Label: "Access", Kind: connector.String},
				{Key: KeyUnit, Label: "Unit", Kind: connector.Int, Max: 1000, Default: connector.Const("0")},
			},
		}),
		NewSink: func(_ context.Context, c connector.Config, _ connector.Deps) (connector.Sink, error) {
			return NewMemSink(d, c), nil
		},
	}
}

// BrokenSpec is MemSpec with a sink that cannot be made.
func BrokenSpec(err error) *connector.Spec {
	spec := MemSpec(NewDestination())
	spec.NewSink = func(context.Context, connector.Config, connector.Deps) (connector.Sink, error) { return nil, err }
	return spec
}

// MemSink delivers each chunk as one object of a Destination.
type MemSink struct {
	d      *Destination
	prefix string
	access string
	unit   int64
}

var (
	_ connector.Sink   = (*MemSink)(nil)
	_ connector.Prober = (*MemSink)(nil)
)

// NewMemSink makes a sink into d, as a new process would.
func NewMemSink(d *Destination, c connector.Config) *MemSink {
	return &MemSink{d: d, prefix: c.Get(KeyPrefix), access: c.Get(KeyAccess), unit: c.Int(KeyUnit)}
}

func wrongAccess() error {
	return &connector.WrongError{Field: KeyAccess, Remedy: "Correct " + KeyAccess + ".", Err: errors.New("access denied")}
}

// Probe implements connector.Prober. It knows what Away says; hooks are for acts.
func (m *MemSink) Probe(context.Context) error {
	if m.access == "unknown" {
		return wrongAccess()
	}
	m.d.mu.Lock()
	defer m.d.mu.Unlock()
	if m.d.away {
		return errSwitchedOff()
	}
	return nil
}

type memPayload struct {
	Name string `json:"name"`
	Size int    `json:"size"`
	CRC  uint32 `json:"crc"`
	// Refused: so many records the destination refused or will refuse. What became of
	// them is not seen at the destination, so the range is published again.
	Refused int `json:"refused,omitempty"`
}

// Begin implements connector.Sink.
func (s *MemSink) Begin(_ context.Context, at connector.Range, redo *connector.Intent) (connector.Chunk, error) {
	return &memChunk{sink: s, at: at, redo: redo}, nil
}

// Resolve implements connector.Sink.
func (s *MemSink) Resolve(_ context.Context, in connector.Intent, _ connector.Guard) (connector.Outcome, error) {
	var p memPayload
	if err := json.Unmarshal(in.Payload, &p); err != nil {
		return connector.Outcome{}, fmt.Errorf("reading the payload: %w", err)
	}
	body, found, err := s.d.head(p.Name)
	switch {
	case err != nil:
		return connector.Outcome{}, err
	case !found:
		return connector.Outcome{Kind: connector.Redo, Detail: p.Name + " is not there"}, nil
	case len(body) == p.Size && p.Refused > 0:
		return connector.Outcome{Kind: connector.Redo, Detail: p.Name + " is there, its refusals are not known"}, nil
	case len(body) == p.Size && crc32.ChecksumIEEE(body) == p.CRC:
		return connector.Outcome{Kind: connector.Done, Detail: p.Name + " is there"}, nil
	}
	return connector.Outcome{Kind: connector.Unknown, Detail: p.Name + " is there with other content"}, nil
}

// Close implements connector.Sink.
func (s *MemSink) Close() error { return nil }

type memChunk struct {
	sink     *MemSink
	at       connector.Range
	redo     *connector.Intent
	body     []byte
	records  []Delivered
	refused  []connector.Refusal
	attempts int
	name     string
	gone     bool
}

// Add implements connector.Chunk.
func (c *memChunk) Add(_ context.Context, r *record.Record) error {
	value := string(r.Value)
	if strings.HasPrefix(value, Poison) {
		return &connector.RecordError{Stage: connector.StageValueConverter, Code: "poison", DeadLetter: true, Err: errors.New("the value is poison")}
	}
	if strings.HasPrefix(value, Refused) || strings.HasPrefix(value, Passing) {
		c.refused = append(c.refused, connector.Refusal{Offset: r.Offset, Err: &connector.RecordError{
			Stage: connector.StageTaskPut, Code: "refused", Err: errors.New("the destination refuses the value"), Retry: strings.HasPrefix(value, Passing)}})
		if strings.HasPrefix(value, Refused) {
			return nil
		}
	}
	c.body = fmt.Appendf(c.body, "%s%d=%s\n", c.sink.prefix, r.Offset, r.Value)
	c.records = append(c.records, Delivered{Topic: r.Topic, Partition: r.Partition, Offset: r.Offset, Value: value})
	return nil
}

// Ready implements connector.Readier.
func (c *memChunk) Ready() bool { return c.sink.unit > 0 && int64(len(c.records)) >= c.sink.unit }

// Full implements connector.Chunk.
func (c *memChunk) Full() bool { return false }

// Held implements connector.Chunk.
func (c *memChunk) Held() int64 { return int64(len(c.body)) }

// Prepare implements connector.Chunk.
func (c *memChunk) Prepare(context.Context) ([]byte, error) {
	c.name = fmt.Sprintf("%s%s-%d-%020d", c.sink.prefix, c.at.Topic, c.at.Partition, c.at.First)
	return json.Marshal(memPayload{Name: c.name, Size: len(c.body), CRC: crc32.ChecksumIEEE(c.body), Refused: len(c.refused)})
}

// Publish implements connector.Chunk.
func (c *memChunk) Publish(_ context.Context, guard connector.Guard) ([]connector.Refusal, error) {
	if c.sink.access == "wrong" || c.sink.access == "unknown" {
		return nil, wrongAccess()
	}
	if c.gone {
		return nil, errors.New("published after Discard")
	}
	if err := guard(); err != nil {
		return nil, fmt.Errorf("not putting %s: %w", c.name, err)
	}
	if err := c.sink.d.put(c.name, object{body: c.body, records: c.records}); err != nil {
		return nil, err
	}
	c.attempts++
	var refused []connector.Refusal
	for _, r := range c.refused {
		if !r.Err.Retry || c.attempts < 2 {
			refused = append(refused, r)
		}
	}
	return refused, nil
}

// Discard implements connector.Chunk.
func (c *memChunk) Discard() { c.gone, c.body, c.records = true, nil, nil }
