package kafka

import (
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/sluice-io/sluice/runner/record"
)

const (
	// parcelBytes is where a record batch is cut, before compression, unless its topic
	// takes only smaller ones.
	parcelBytes = 900 << 10
	// keptBytes is how much memory the batches of a Stream hold on to for further records.
	keptBytes = 16 << 20
	// stageBytes is how much of a record batch is compressed at once: little enough to be
	// in the processor's caches still, and more than compressors look back.
	stageBytes = 64 << 10
	// stageRoom is more than a record batch grows by when it cannot be compressed.
	stageRoom = 1 << 10
	// squeezeFrom: less is sent as it is.
	squeezeFrom = 512
	// maxPartition is far above what a topic has.
	maxPartition = 1 << 20
)

// Batch collects the records of a transaction in the form in which they are sent: for
// each partition one or more record batches, which are compressed as they fill. It
// belongs to no transaction until Stream.Commit, and survives the Stream that made
// it: after an error the same Batch can be given to the next one.
//
// A Batch is for one goroutine at a time.
type Batch struct {
	limit   func(topic string) int
	squeeze squeezer
	topics  map[string][]*shelf // by partition
	last    struct {            // of Append
		topic  string
		shelfs []*shelf
	}
	used    []*shelf // since Reset, in order of their first record
	touched []*shelf // since Mark
	buffers *buffers
	headers []byte // scratch
	tail    []byte // scratch
	small   []byte // scratch: what is being compressed
	err     error  // what cannot be encoded

	records, unmarkedRecords int
	bytes, unmarked          int64
}

// shelf holds the records of one partition.
type shelf struct {
	tp    TP
	limit int // of a record batch, before compression
	done  []*parcel
	// open are batches that are being filled: the last one, and before it those that are
	// full but have records that are not marked yet. What is marked is a prefix of the first.
	open    []chunk
	mark    mark
	used    bool
	touched bool

	sending
}

// chunk is a record batch that is being filled, with room for its header in front.
type chunk struct {
	raw []byte
	mark
	first int64 // timestamp
	// packed is what of it is compressed already; all of that is marked. It has room for
	// the header too, and raw goes on behind it.
	packed []byte
	staged int // bytes that packed was
}

// mark is how much of a chunk there is.
type mark struct {
	size   int // of raw
	count  int32
	newest int64 // timestamp
}

// parcel is a record batch as it is sent.
type parcel struct {
	bytes    []byte
	count    int32
	sequence int32
	pooled   bool // bytes go back to the buffers
	pending  bool // it is under way
	doubtful bool // it was sent and not answered: the broker may have it
}

func newBatch(limit func(string) int, squeeze squeezer) *Batch {
	return &Batch{limit: limit, squeeze: squeeze, topics: make(map[string][]*shelf), buffers: &buffers{}}
}

// Append adds a record and copies what it refers to. timestamp is in milliseconds
// since the Unix epoch; 0 means now. A nil key or value is Kafka's null. The partition
// must exist; a record that is larger than its topic takes goes alone, and the broker
// decides.
func (b *Batch) Append(tp TP, key, value []byte, headers []record.Header, timestamp int64) {
	if timestamp <= 0 {
		timestamp = time.Now().UnixMilli()
	}
	if tp.Partition < 0 || tp.Partition > maxPartition {
		b.err = fmt.Errorf("topic %s has no partition %d", tp.Topic, tp.Partition)
		return
	}
	b.headers = appendHeaders(b.headers[:0], headers)
	b.add(b.shelf(tp), &fields{key: key, value: value, headers: b.headers, count: len(headers), timestamp: timestamp})
}

// Bytes is the size of what it holds as it will be sent: what is in full batches is
// compressed already.
func (b *Batch) Bytes() int64 { return b.bytes }

// Records is how many were appended.
func (b *Batch) Records() int { return b.records }

// Unmarked is the size of what was appended since the last Mark. It is not compressed.
func (b *Batch) Unmarked() int64 { return b.unmarked }

// Mark ends a group of records: Tag and Drop do not reach it any more.
func (b *Batch) Mark() {
	for _, s := range b.touched {
		s.touched = false
		last := len(s.open) - 1
		for _, c := range s.open[:last] {
			b.seal(s, c)
		}
		s.open[0] = s.open[last]
		clear(s.open[1:])
		s.open = s.open[:1]
		if c := &s.open[0]; c.size >= stageBytes && b.squeeze.stages() {
			b.stage(c)
		}
		s.mark = s.open[0].mark
	}
	b.touched = b.touched[:0]
	b.unmarked, b.unmarkedRecords = 0, 0
}

// Tag adds headers to every record that was appended since the last Mark.
func (b *Batch) Tag(headers []record.Header) {
	if len(headers) == 0 || b.unmarkedRecords == 0 {
		return
	}
	more := appendHeaders(nil, headers)
	for _, s := range b.touched {
		b.retag(s, more, len(headers))
	}
}

// retag takes the unmarked records of s out and adds them again with more headers.
func (b *Batch) retag(s *shelf, more []byte, count int) {
	type run struct {
		raw   []byte
		first int64
	}
	runs := make([]run, 0, len(s.open))
	b.tail = append(b.tail[:0], s.open[0].raw[s.mark.size:]...)
	runs = append(runs, run{b.tail, s.open[0].first})
	behind := slices.Clone(s.open[1:])
	for _, c := range behind {
		runs = append(runs, run{c.raw[batchHeaderBytes:], c.first})
	}
	s.open = s.open[:1]
	s.back()
	for _, r := range runs {
		for left := r.raw; len(left) > 0; {
			var f fields
			rest, err := f.parse(left, r.first)
			if err != nil { // they are our own
				b.err = err
				return
			}
			b.count(-1, -int64(len(left)-len(rest)))
			left = rest
			b.headers = append(append(b.headers[:0], f.headers...), more...)
			f.headers, f.count = b.headers, f.count+count
			b.add(s, &f)
		}
	}
	for _, c := range behind {
		b.give(c.raw)
	}
	if cap(b.tail) > parcelBytes*2 {
		b.tail = nil
	}
}

// Drop takes out what was appended since the last Mark.
func (b *Batch) Drop() {
	for _, s := range b.touched {
		s.touched = false
		for i := range s.open[1:] {
			b.give(s.open[1+i].raw)
		}
		clear(s.open[1:])
		s.open = s.open[:1]
		s.back()
	}
	b.touched = b.touched[:0]
	b.count(-b.unmarkedRecords, -b.unmarked)
}

// back goes back to the mark; only the first chunk is left.
func (s *shelf) back() {
	c := &s.open[0]
	c.raw, c.mark = c.raw[:s.mark.size], s.mark
}

// Seal marks everything and compresses what is left, so that Stream.Commit, which
// calls it otherwise, has only to send.
func (b *Batch) Seal() error {
	b.Mark()
	for _, s := range b.used {
		for _, c := range s.open {
			b.seal(s, c)
		}
		s.open, s.mark = s.open[:0], mark{}
	}
	if b.err != nil {
		return fmt.Errorf("encoding records: %w", b.err)
	}
	return nil
}

// Reset empties the Batch. Its memory is kept for the Stream's batches, up to 16 MiB of
// it.
func (b *Batch) Reset() {
	for _, s := range b.used {
		for _, c := range s.open {
			b.give(c.raw)
			b.give(c.packed)
		}
		for _, p := range s.done {
			if p.pooled {
				b.give(p.bytes)
			}
		}
		clear(s.open)
		clear(s.done)
		s.open, s.done, s.mark = s.open[:0], s.done[:0], mark{}
		s.used, s.touched = false, false
		s.limit = b.limit(s.tp.Topic)
	}
	b.used, b.touched = b.used[:0], b.touched[:0]
	b.records, b.unmarkedRecords, b.bytes, b.unmarked, b.err = 0, 0, 0, 0, nil
	if cap(b.small) > parcelBytes*2 {
		b.small = nil
	}
}

func (b *Batch) shelf(tp TP) *shelf {
	if b.last.topic != tp.Topic || b.last.shelfs == nil {
		b.last.topic, b.last.shelfs = tp.Topic, b.topics[tp.Topic]
	}
	if int(tp.Partition) < len(b.last.shelfs) {
		return b.last.shelfs[tp.Partition]
	}
	limit := b.limit(tp.Topic)
	for p := int32(len(b.last.shelfs)); p <= tp.Partition; p++ {
		b.last.shelfs = append(b.last.shelfs, &shelf{tp: TP{tp.Topic, p}, limit: limit})
	}
	b.topics[tp.Topic] = b.last.shelfs
	return b.last.shelfs[tp.Partition]
}

func (b *Batch) count(records int, bytes int64) {
	b.records += records
	b.unmarkedRecords += records
	b.bytes += bytes
	b.unmarked += bytes
}

// add puts a record onto a shelf.
func (b *Batch) add(s *shelf, f *fields) {
	if len(s.open) == 0 {
		if !s.used {
			s.used = true
			b.used = append(b.used, s)
		}
		s.open = append(s.open, chunk{raw: b.take(), mark: mark{size: batchHeaderBytes}})
		s.mark = mark{size: batchHeaderBytes}
	}
	if !s.touched {
		s.touched = true
		b.touched = append(b.touched, s)
	}
	c := &s.open[len(s.open)-1]
	size := f.bodySize(c.first, c.count)
	if c.count > 0 && c.staged+c.size+size+5 > s.limit {
		c = b.cut(s)
	}
	if c.count == 0 {
		c.first, c.newest = f.timestamp, f.timestamp
		size = f.bodySize(c.first, 0)
	}
	before := c.size
	c.raw = f.append(c.raw, size, c.first, c.count)
	c.size = len(c.raw)
	c.count++
	c.newest = max(c.newest, f.timestamp)
	b.count(1, int64(c.size-before))
}

// cut begins a new chunk of s.
func (b *Batch) cut(s *shelf) *chunk {
	c := chunk{raw: b.take(), mark: mark{size: batchHeaderBytes}}
	if len(s.open) == 1 && s.mark.count == s.open[0].count {
		b.seal(s, s.open[0])
		s.open[0], s.mark = c, c.mark
	} else {
		s.open = append(s.open, c)
	}
	return &s.open[len(s.open)-1]
}

// stage compresses what is in c.raw, all of which is marked.
func (b *Batch) stage(c *chunk) {
	first := c.packed == nil
	if first {
		c.packed = b.take()
		c.staged = stageRoom
	}
	before := len(c.packed)
	c.packed = b.press(c.packed, c.raw[batchHeaderBytes:], first, false)
	b.bytes += int64(len(c.packed) - before - (c.size - batchHeaderBytes))
	c.staged += c.size - batchHeaderBytes
	c.raw, c.size = c.raw[:batchHeaderBytes], batchHeaderBytes
}

func (b *Batch) press(dst, src []byte, first, last bool) []byte {
	dst, err := b.squeeze.append(dst, src, first, last)
	if err != nil {
		b.err = err
	}
	return dst
}

// seal makes a parcel of a chunk.
func (b *Batch) seal(s *shelf, c chunk) {
	if c.count == 0 {
		b.give(c.raw)
		return
	}
	b.bytes -= int64(c.size - batchHeaderBytes)
	if c.packed != nil {
		b.bytes -= int64(len(c.packed) - batchHeaderBytes)
	}
	out, codec := c.raw, int16(0)
	switch {
	case c.packed != nil:
		packed := b.press(c.packed, c.raw[batchHeaderBytes:], false, true)
		out, codec = slices.Clone(packed), int16(b.squeeze.codec)
		b.give(packed)
	case b.squeeze.codec != 0 && len(c.raw) > squeezeFrom:
		if b.small == nil {
			b.small = make([]byte, batchHeaderBytes)
		}
		if b.small = b.press(b.small[:batchHeaderBytes], c.raw[batchHeaderBytes:], true, true); len(b.small) < len(c.raw) {
			// A buffer that held the records would be several times as long as this, for as
			// long as the transaction takes.
			out, codec = slices.Clone(b.small), int16(b.squeeze.codec)
		}
	}
	if codec != 0 {
		b.give(c.raw)
	}
	b.bytes += int64(len(out))
	sealBatch(out, codec, c.count, c.first, c.newest)
	s.done = append(s.done, &parcel{bytes: out, count: c.count, pooled: codec == 0})
}

// take returns a buffer with room for a batch's header.
func (b *Batch) take() []byte { return b.buffers.take()[:batchHeaderBytes] }

func (b *Batch) give(f []byte) { b.buffers.give(f) }

// buffers are what the batches of a Stream fill: what one has compressed, the other can
// use while the first is on its way. Safe for concurrent use.
type buffers struct {
	mu   sync.Mutex
	free [][]byte
	kept int // their bytes
}

func (p *buffers) take() []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.free)
	if n == 0 {
		return make([]byte, batchHeaderBytes, 16<<10)
	}
	f := p.free[n-1]
	p.free[n-1] = nil
	p.free, p.kept = p.free[:n-1], p.kept-cap(f)
	return f
}

func (p *buffers) give(f []byte) {
	if cap(f) < batchHeaderBytes {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.kept+cap(f) <= keptBytes {
		p.free, p.kept = append(p.free, f), p.kept+cap(f)
	}
}
