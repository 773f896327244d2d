package oss

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// sink serves one task: the partitions' chunks become objects of one bucket.
type sink struct {
	client   *client
	classify *classifier
	layout   layout
	buffers  *buffers
	uploads  chan struct{} // places for requests that carry a body
}

var (
	_ connector.Sink   = (*sink)(nil)
	_ connector.Prober = (*sink)(nil)
	_ connector.Chunk  = (*chunk)(nil)
)

// layout is what the shape settings say: names and bytes.
type layout struct {
	prefix      string
	path        *record.Path
	format      record.Format
	compression record.Compression
	text        record.Text // nil for columnar formats
	compressors *record.Compressors
}

// compressing is how many compressions one task runs at once.
const compressing = 2

func newLayout(cfg connector.Config) (layout, error) {
	l := layout{prefix: cfg.Get(keyPrefix), compressors: record.NewCompressors(compressing)}
	var zone *time.Location
	var err error
	if zone, err = record.ParseZone(cfg.Get(keyTimezone)); err != nil {
		return l, wrongField(keyTimezone, err)
	}
	if l.path, err = record.ParsePath(cfg.Get(keyPath), zone); err != nil {
		return l, wrongField(keyPath, err)
	}
	if l.format, err = record.ParseFormat(cfg.Get(keyFormat)); err != nil {
		return l, wrongField(keyFormat, err)
	}
	if l.compression, err = record.ParseCompression(cfg.Get(keyCompression)); err != nil {
		return l, wrongField(keyCompression, err)
	}
	if l.format.Columnar() {
		return l, nil
	}
	binary := record.BinaryBase64
	if v := cfg.Get(keyBinary); v != "" {
		if binary, err = record.ParseBinary(v); err != nil {
			return l, wrongField(keyBinary, err)
		}
	}
	l.text, err = record.NewText(l.format, binary)
	return l, err
}

func wrongField(key string, err error) error {
	return &connector.WrongError{Field: key, Err: err, Remedy: "Correct " + key + "."}
}

func newSink(_ context.Context, cfg connector.Config, deps connector.Deps) (connector.Sink, error) {
	l, err := newLayout(cfg)
	if err != nil {
		return nil, err
	}
	c, err := newClient(cfg, deps)
	if err != nil {
		return nil, err
	}
	return &sink{client: c, classify: c.classify, layout: l, buffers: &buffers{}, uploads: make(chan struct{}, uploadingAll)}, nil
}

// Begin opens a chunk.
func (s *sink) Begin(_ context.Context, at connector.Range, redo *connector.Intent) (connector.Chunk, error) {
	c := &chunk{s: s, at: at, paths: s.layout.path.NewCache()}
	if redo != nil {
		promised, _, err := parsePayload(redo.Payload, redo.First)
		if err != nil {
			return nil, err
		}
		c.redo, c.promised = true, map[string]entry{}
		for _, e := range promised {
			c.promised[e.Path] = e
		}
	}
	return c, nil
}

// Close ends idle connections.
func (s *sink) Close() error {
	s.client.close()
	return nil
}

// Resolve looks at every object that the intent names: all there and equal is done;
// otherwise, or when it names none, the range is written again, which leaves equal ones
// alone.
func (s *sink) Resolve(ctx context.Context, in connector.Intent, _ connector.Guard) (connector.Outcome, error) {
	objects, many, err := parsePayload(in.Payload, in.First)
	if err != nil {
		return connector.Outcome{}, err
	}
	if many > 0 {
		return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d objects, too many to be named one by one", many)}, nil
	}
	there := 0
	for _, e := range objects {
		name, err := s.layout.name(in.Range, e)
		if err != nil {
			return connector.Outcome{}, err
		}
		got, err := s.head(ctx, name)
		switch {
		case errors.Is(err, errAbsent):
		case err != nil:
			return connector.Outcome{}, err
		case got.length == e.Length && got.crc == e.CRC:
			there++
		default:
			return connector.Outcome{}, &connector.MismatchError{What: different(name, got, e.Length, e.CRC)}
		}
	}
	if there == len(objects) {
		return connector.Outcome{Kind: connector.Done, Detail: fmt.Sprintf("all %d objects are in the bucket", there)}, nil
	}
	return connector.Outcome{Kind: connector.Redo, Detail: fmt.Sprintf("%d of %d objects are in the bucket", there, len(objects))}, nil
}

func (l *layout) name(at connector.Range, e entry) (string, error) {
	name, err := record.ObjectName(l.prefix, e.Path, at.Topic, at.Partition, e.First, e.Last, l.format.Ext(l.compression))
	if err != nil {
		return "", &connector.WrongError{Field: keyPath, Err: err, Remedy: "Shorten " + keyPrefix + " or " + keyPath + "."}
	}
	return name, nil
}

func different(name string, got object, length int64, crc uint64) string {
	return fmt.Sprintf("the object %s exists with other content (%d bytes, CRC64 %d) than this range gives (%d bytes, CRC64 %d); nothing was overwritten", name, got.length, got.crc, length, crc)
}
