package fc

import (
	"errors"
	"fmt"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// shape is what the shape settings say of a request's body.
type shape struct {
	size   int // most records
	limit  int // most bytes of the whole body, brackets and commas among them
	binary record.Binary
}

func newShape(cfg connector.Config) (shape, error) {
	s := shape{size: int(cfg.Int(keyBatchSize)), limit: int(cfg.Bytes(keyBatchBytes))}
	var err error
	if s.binary, err = record.ParseBinary(cfg.Get(keyBinary)); err != nil {
		return s, wrongField(keyBinary, err)
	}
	if s.size < 1 || s.size > mostBatchRecords {
		return s, wrongField(keyBatchSize, fmt.Errorf("%s must be from 1 to %d", keyBatchSize, mostBatchRecords))
	}
	if s.limit < leastBatchBytes || s.limit > mostSyncBytes {
		return s, wrongField(keyBatchBytes, fmt.Errorf("%s must be from %d to %d", keyBatchBytes, leastBatchBytes, mostSyncBytes))
	}
	return s, nil
}

// batch is one request's body: a part of a block, closed by its bracket.
type batch struct {
	first, last int64 // offsets
	count       int
	block       *block
	from, to    int // in the block
}

func (b *batch) body() []byte { return b.block.bytes[b.from:b.to:b.to] }

// block is a piece of memory that holds the bodies of batches one behind the other.
type block struct {
	bytes []byte
	live  int // batches in it that are not delivered
}

// Blocks double from firstBlock on, so that a partition with few records holds little;
// a batch never spans two.
const (
	firstBlock = 4 << 10
	mostBlock  = 1 << 20
	// room is what is kept free beside a record's bytes for its frame and a few escapes.
	room = 256
	// mostEscaped is how many bytes one byte of a key or value becomes at most.
	mostEscaped = 6
)

// cutter gathers the records of a range into batches. The same records and shape give
// the same batches; with cuts, those of an intent, they are made as the intent says.
type cutter struct {
	shape   shape
	buffers *buffers
	cuts    []cut // nil: by count and bytes
	nextCut int

	batches []batch
	block   *block // holds the open batch
	open    batch  // count 0: none
	size    int    // of the next block, in bytes
	held    int64
	longest int // of the records so far, encoded
}

// cut is the first and last offset of a batch.
type cut struct{ first, last int64 }

// errSkipped: the record was diverted when its range was announced.
var errSkipped = errors.New("the record was diverted when its range was announced")

// add takes one record. A *connector.RecordError leaves everything as it was.
func (c *cutter) add(r *record.Record) error {
	if c.cuts != nil {
		if err := c.follow(r); err != nil {
			return err
		}
	}
	// Encoded behind the open batch as if it belonged there; where it does not fit its
	// bytes are moved by one, or into a body of their own.
	c.reserve(len(r.Key) + len(r.Value) + len(r.Value)/4 + room)
	b := c.block
	mark, before := len(b.bytes), cap(b.bytes)
	defer func() { c.held += int64(cap(b.bytes) - before) }()
	lead := byte(',')
	if c.open.count == 0 {
		lead = '['
	}
	overflow := len(r.Value) > c.shape.limit
	if !overflow {
		var err error
		if b.bytes, err = record.AppendJSON(append(b.bytes, lead), r, c.shape.binary); err != nil {
			b.bytes = b.bytes[:mark]
			return converterError(err)
		}
	}
	n := len(b.bytes) - mark - 1
	switch fits := c.open.count > 0 && c.cuts != nil || mark-c.open.from+1+n+1 <= c.shape.limit; {
	case c.open.count > 0 && !overflow && fits:
	case !overflow && n+2 <= c.shape.limit:
		if c.open.count > 0 {
			b.bytes = append(b.bytes, 0)
			copy(b.bytes[mark+2:], b.bytes[mark+1:mark+1+n])
			b.bytes[mark], b.bytes[mark+1] = ']', '['
			c.closeAt(mark + 1)
		}
	default:
		b.bytes = b.bytes[:mark]
		return c.addOverflow(r)
	}
	c.take(r, n)
	if c.open.count >= c.shape.size && c.cuts == nil {
		c.closeOpen()
	}
	return nil
}

// take counts the record, whose n bytes stand at the end of the block, to the open batch.
func (c *cutter) take(r *record.Record, n int) {
	if c.open.count == 0 {
		c.open.first = r.Offset
	}
	c.open.last = r.Offset
	c.open.count++
	c.longest = max(c.longest, n)
}

// addOverflow takes a record that is too large for any request: it goes alone, without
// its value. Where its key alone is too large it cannot be sent at all.
func (c *cutter) addOverflow(r *record.Record) error {
	var own []byte
	err := error(nil)
	if len(r.Key) <= c.shape.limit {
		own, err = record.AppendOverflowJSON(append(c.buffers.get(len(r.Key)+room), '['), r, c.shape.binary)
		if err != nil {
			c.buffers.put(own)
			return converterError(err)
		}
		own = append(own, ']')
	}
	if len(r.Key) > c.shape.limit || len(own) > c.shape.limit {
		c.buffers.put(own)
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "oversize",
			Err: fmt.Errorf("the key of %d bytes alone is over the limit of %d bytes of a request", len(r.Key), c.shape.limit)}
	}
	c.closeOpen()
	c.reserve(len(own))
	c.block.bytes = append(c.block.bytes, own[:len(own)-1]...)
	c.buffers.put(own)
	c.take(r, 0)
	c.closeOpen()
	return nil
}

// follow closes the open batch where the intent's cuts say so.
func (c *cutter) follow(r *record.Record) error {
	for c.nextCut < len(c.cuts) && r.Offset > c.cuts[c.nextCut].last {
		c.closeOpen()
		c.nextCut++
	}
	if c.nextCut == len(c.cuts) || r.Offset < c.cuts[c.nextCut].first {
		return &connector.RecordError{Stage: connector.StageTaskPut, Code: "skipped", Err: errSkipped}
	}
	return nil
}

func converterError(err error) error {
	stage := connector.StageValueConverter
	var te *record.TextError
	if errors.As(err, &te) && te.Field == "key" {
		stage = connector.StageKeyConverter
	}
	return &connector.RecordError{Stage: stage, Code: "binary", DeadLetter: true, Err: err}
}

// closeOpen ends the open batch, if there is one.
func (c *cutter) closeOpen() {
	if c.open.count == 0 {
		return
	}
	c.block.bytes = append(c.block.bytes, ']')
	c.closeAt(len(c.block.bytes))
}

// closeAt ends the open batch, whose bracket stands, before the byte to; what stands
// behind it begins the next.
func (c *cutter) closeAt(to int) {
	c.open.block, c.open.to = c.block, to
	c.block.live++
	c.batches = append(c.batches, c.open)
	c.open = batch{from: to}
}

// reserve makes room for n more bytes in the block, or takes another, into which the
// open batch moves.
func (c *cutter) reserve(n int) {
	if c.block != nil {
		if c.open.count == 0 {
			c.open.from = len(c.block.bytes)
		}
		if cap(c.block.bytes)-len(c.block.bytes) >= n {
			return
		}
	}
	var part []byte
	if c.block != nil && c.open.count > 0 {
		part = c.block.bytes[c.open.from:]
	}
	c.size = min(max(2*c.size, firstBlock), mostBlock)
	fresh := &block{bytes: c.buffers.get(max(c.size, 2*len(part)+n))}
	c.held += int64(cap(fresh.bytes))
	if old := c.block; old != nil {
		fresh.bytes = append(fresh.bytes, part...)
		old.bytes = old.bytes[:c.open.from]
		if old.live == 0 {
			c.held -= int64(cap(old.bytes))
			c.buffers.put(old.bytes)
		}
	}
	c.block, c.open.from = fresh, 0
}

// openSize is the length of the open batch's body with its closing bracket, 0 when none
// is open.
func (c *cutter) openSize() int {
	if c.open.count == 0 {
		return 0
	}
	return len(c.block.bytes) - c.open.from + 1
}

// fits tells whether the record goes into the open batch.
func (c *cutter) fits(r *record.Record) bool {
	left := c.shape.limit - c.openSize() - 1 // behind the comma
	n := len(r.Key) + len(r.Value)
	if n > left {
		return false
	}
	if mostEscaped*n+len(r.Topic)+room <= left {
		return true
	}
	own, err := record.AppendJSON(c.buffers.get(n+n/4+room), r, c.shape.binary)
	n = len(own)
	c.buffers.put(own)
	return err != nil || n <= left // one that is refused is in nobody's way
}

// nearlyFull tells that the open batch might not take another record.
func (c *cutter) nearlyFull() bool {
	return c.open.count > 0 && c.openSize()+c.longest+1 > c.shape.limit
}
