package oss

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// chunk gathers the records of a range, one part for each path that occurs.
type chunk struct {
	s        *sink
	at       connector.Range
	redo     bool
	promised map[string]entry

	paths   *record.PathCache
	parts   []*part
	byPath  map[string]*part
	current *part
	held    int64
}

// part is what becomes one object.
type part struct {
	entry
	name  string
	count int64
	text  []byte        // of textual formats: the content so far
	arena *record.Arena // of columnar ones
	body  []byte        // after Prepare: the object's bytes
	up    upload
	done  bool
}

// room is what is kept free beside a record's bytes for its frame and a few escapes.
const room = 256

// Add takes one record into the part of its path.
func (c *chunk) Add(_ context.Context, r *record.Record) error {
	path := c.paths.Of(r)
	p := c.current
	if p == nil || p.Path != path {
		p = c.partOf(path, r)
	}
	if p.arena != nil {
		before := p.arena.Size()
		if err := p.arena.Add(r); err != nil {
			return fmt.Errorf("keeping the record: %w", err)
		}
		c.held += p.arena.Size() - before
	} else if err := c.addText(p, r); err != nil {
		return err
	}
	if p.count == 0 {
		p.First = r.Offset
		c.keep(p)
	}
	p.count++
	p.Last = r.Offset
	c.current = p
	return nil
}

func (c *chunk) addText(p *part, r *record.Record) error {
	before := cap(p.text)
	text := c.s.buffers.grow(p.text, len(r.Key)+len(r.Value)+len(r.Value)/4+room)
	if p.count == 0 {
		text = c.s.layout.text.Begin(text[:0])
	}
	text, err := c.s.layout.text.Append(text, r, p.count == 0)
	p.text = text
	if p.count > 0 || err == nil {
		c.held += int64(cap(p.text) - before)
	}
	if err == nil {
		return nil
	}
	if p.count == 0 { // nothing of a refused record stays, not even its part
		c.s.buffers.put(p.text)
		p.text = nil
	}
	stage := connector.StageValueConverter
	var te *record.TextError
	if errors.As(err, &te) && te.Field == "key" {
		stage = connector.StageKeyConverter
	}
	return &connector.RecordError{Stage: stage, Code: "binary", DeadLetter: true, Err: err}
}

// partOf finds the part of a path, or makes one that keep takes in with its first record.
func (c *chunk) partOf(path string, _ *record.Record) *part {
	if p, ok := c.byPath[path]; ok {
		return p
	}
	p := &part{entry: entry{Path: path}}
	if c.s.layout.format.Columnar() {
		p.arena = &record.Arena{}
	}
	return p
}

func (c *chunk) keep(p *part) {
	if c.byPath == nil {
		c.byPath = map[string]*part{}
	}
	c.byPath[p.Path] = p
	c.parts = append(c.parts, p)
}

// Full: there are as many objects as one chunk may have.
func (c *chunk) Full() bool { return len(c.parts) >= mostPaths }

// Held is the memory of the parts, in bytes.
func (c *chunk) Held() int64 { return c.held }

// Prepare makes every object's bytes, name and checksum.
func (c *chunk) Prepare(ctx context.Context) ([]byte, error) {
	out := make([]entry, 0, len(c.parts))
	for _, p := range c.parts {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if err := c.encode(p); err != nil {
			return nil, err
		}
		name, err := c.s.layout.name(c.at, p.entry)
		if err != nil {
			return nil, err
		}
		p.name = name
		p.Length = int64(len(p.body))
		p.CRC = uint64(record.CRC64(0).Update(p.body))
		out = append(out, p.entry)
	}
	return encodePayload(c.at.First, out)
}

// encode turns what a part has gathered into the object's bytes and lets go of it.
func (c *chunk) encode(p *part) error {
	if p.body != nil {
		return nil // by an earlier Prepare, which failed behind this part
	}
	l := &c.s.layout
	if p.arena != nil {
		w := bytes.NewBuffer(c.s.buffers.get(int(p.arena.Bytes())))
		if err := record.EncodeFile(w, l.format, l.compression, p.arena); err != nil {
			return err
		}
		c.held += int64(w.Cap()) - p.arena.Size()
		p.body, p.arena = w.Bytes(), nil
		return nil
	}
	p.text = l.text.End(p.text)
	c.s.buffers.finished(len(p.text))
	if l.compression == record.None {
		p.body, p.text = p.text, nil
		return nil
	}
	body, err := l.compressors.Append(l.compression, c.s.buffers.get(len(p.text)/3), p.text)
	if err != nil {
		return fmt.Errorf("compressing: %w", err)
	}
	c.held += int64(cap(body) - cap(p.text))
	c.s.buffers.put(p.text)
	p.body, p.text = body, nil
	return nil
}

// Discard forgets everything; a multipart upload that was begun is aborted.
func (c *chunk) Discard() {
	for _, p := range c.parts {
		if p.up.id != "" && !p.done {
			c.s.abort(p)
		}
		if p.text != nil {
			c.s.buffers.put(p.text)
		}
		if p.body != nil {
			c.s.buffers.put(p.body)
		}
	}
	c.parts, c.byPath, c.current, c.held = nil, nil, nil, 0
}
