package record

import (
	"encoding/binary"
	"errors"
	"fmt"
	"iter"
	"unsafe"
)

// Arena holds copies of the records of one partition until they are encoded in a
// columnar format: their bytes, and nothing the garbage collector has to look into.
// The zero Arena is ready for use. It is not for use by several goroutines.
//
// A record is laid out as: offset and timestamp, as zigzag varints of their
// difference to the record before; key and value, as uvarint length+1 (0 for null)
// and bytes; the headers' count, and each one's key and value.
type Arena struct {
	topic     string
	partition int32
	blocks    [][]byte // the last one is being filled; a record never spans two
	count     int
	held      int64 // sum of the blocks' capacities
	used      int64 // sum of the blocks' lengths
	first     stamp
	last      stamp
}

// stamp is what the differences of the next record are taken from.
type stamp struct{ offset, timestamp int64 }

// Blocks grow with what is held, so that an arena of few records is small and one of
// many wastes little.
const (
	minBlock = 2 << 10
	maxBlock = 1 << 20
)

// errForeign says that an arena was given a record of another partition.
var errForeign = errors.New("the record is of another partition")

// Add copies r. All records of an arena are of one topic and partition; one of
// another is refused.
func (a *Arena) Add(r *Record) error {
	switch {
	case a.count == 0:
		a.topic, a.partition = r.Topic, r.Partition
		a.first = stamp{r.Offset, r.Timestamp}
		a.last = stamp{}
	case a.partition != r.Partition || a.topic != r.Topic:
		return fmt.Errorf("adding %s-%d offset %d to records of %s-%d: %w", r.Topic, r.Partition, r.Offset, a.topic, a.partition, errForeign)
	}
	need := maxLaidOut(r)
	block := a.room(need)
	b := *block
	before := len(b)
	b = binary.AppendVarint(b, r.Offset-a.last.offset)
	b = binary.AppendVarint(b, r.Timestamp-a.last.timestamp)
	b = appendNullable(b, r.Key)
	b = appendNullable(b, r.Value)
	b = binary.AppendUvarint(b, uint64(len(r.Headers)))
	for i := range r.Headers {
		h := &r.Headers[i]
		b = binary.AppendUvarint(b, uint64(len(h.Key)))
		b = append(b, h.Key...)
		b = appendNullable(b, h.Value)
	}
	*block = b
	a.used += int64(len(b) - before)
	a.last = stamp{r.Offset, r.Timestamp}
	a.count++
	return nil
}

// Len is the number of records.
func (a *Arena) Len() int { return a.count }

// Size is the memory held, in bytes.
func (a *Arena) Size() int64 { return a.held }

// Bytes is what the records take in memory, in bytes: Size without unused room.
func (a *Arena) Bytes() int64 { return a.used }

// Reset empties the arena and lets go of its memory.
func (a *Arena) Reset() { *a = Arena{} }

// All goes through the records in the order in which they were added. The Record is
// reused from one to the next, and so is its slice of headers; its bytes are the
// arena's. It may be called again.
func (a *Arena) All() iter.Seq[*Record] {
	return func(yield func(*Record) bool) {
		c := a.cursor()
		for c.next() {
			if !yield(&c.record) {
				return
			}
		}
	}
}

// cursor goes through an arena's records.
type cursor struct {
	record Record
	blocks [][]byte
	block  []byte
}

func (a *Arena) cursor() *cursor {
	return &cursor{record: Record{Topic: a.topic, Partition: a.partition}, blocks: a.blocks}
}

// next moves to the next record; false at the end.
func (c *cursor) next() bool {
	for len(c.block) == 0 {
		if len(c.blocks) == 0 {
			return false
		}
		c.block, c.blocks = c.blocks[0], c.blocks[1:]
	}
	r := &c.record
	r.Offset += c.varint()
	r.Timestamp += c.varint()
	r.Key = c.nullable()
	r.Value = c.nullable()
	r.Headers = r.Headers[:0]
	for n := c.uvarint(); n > 0; n-- {
		key := c.take(c.uvarint())
		// A block is never written again where it has been, so the key may alias it.
		r.Headers = append(r.Headers, Header{Key: unsafe.String(unsafe.SliceData(key), len(key)), Value: c.nullable()})
	}
	return true
}

func (c *cursor) varint() int64 {
	v, n := binary.Varint(c.block)
	c.block = c.block[n:]
	return v
}

func (c *cursor) uvarint() uint64 {
	v, n := binary.Uvarint(c.block)
	c.block = c.block[n:]
	return v
}

func (c *cursor) take(n uint64) []byte {
	b := c.block[:n:n]
	c.block = c.block[n:]
	return b
}

func (c *cursor) nullable() []byte {
	n := c.uvarint()
	if n == 0 {
		return nil
	}
	return c.take(n - 1)
}

func appendNullable(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	b = binary.AppendUvarint(b, uint64(len(v))+1)
	return append(b, v...)
}

// maxLaidOut is at least the bytes that r takes in an arena.
func maxLaidOut(r *Record) int {
	n := 2*binary.MaxVarintLen64 + 3*binary.MaxVarintLen32 + len(r.Key) + len(r.Value)
	for i := range r.Headers {
		n += 2*binary.MaxVarintLen32 + len(r.Headers[i].Key) + len(r.Headers[i].Value)
	}
	return n
}

// room is a block with room for need more bytes.
func (a *Arena) room(need int) *[]byte {
	if n := len(a.blocks); n > 0 {
		if b := &a.blocks[n-1]; cap(*b)-len(*b) >= need {
			return b
		}
	}
	size := max(need, int(min(max(a.held/4, minBlock), maxBlock)))
	a.blocks = append(a.blocks, make([]byte, 0, size))
	a.held += int64(size)
	return &a.blocks[len(a.blocks)-1]
}
