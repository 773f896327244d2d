package maxcompute

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/klauspost/compress/s2"
)

// The stream in which Tunnel takes rows. A row is a run of protobuf fields whose
// numbers are column numbers counted from 1, nulls left out, ended by a field with the
// row's CRC-32C; behind the last row are the number of rows and the CRC-32C of the rows'
// CRCs. A CRC covers each field's number (4 bytes) and value (integers as 8 bytes,
// booleans as one, floats as their bits, a timestamp as 8 bytes of seconds and 4 of
// nanoseconds, all little-endian; others as they are). The source of this is the
// service's Go SDK, package tunnel.
const (
	fieldEndRow   = 33553408
	fieldRowCount = 33554430
	fieldSums     = 33554431

	wireVarint  = 0
	wireFixed64 = 1
	wireBytes   = 2
	wireFixed32 = 5
)

// The stream is compressed in the framing format of snappy, which the service calls
// x-snappy-framed: pieces of at most 64 KiB, each with the masked CRC-32C of its text.
const (
	frameBytes     = 64 << 10
	frameCompress  = 0x00
	framePlain     = 0x01
	frameHeader    = 8
	contentCoding  = "x-snappy-framed"
	smallSegment   = 128 << 10
	segmentBytes   = 1 << 20
	smallRaw       = 4 << 10
	inlineChecksum = 256 // up to so many bytes are gathered before they are hashed
)

// encoder writes rows into a compressed stream that is held in memory. It is for one
// goroutine.
type encoder struct {
	pool *segments
	raw  []byte // rows that are not compressed yet
	body *body  // nil until something is compressed
	rows int64  // of the stream
	sums uint32 // CRC of the rows' CRCs
	crc  uint32 // of the row being written
	tmp  []byte // what is hashed next
	held int64  // bytes of memory
	tab  *crc32.Table
}

func newEncoder(pool *segments) *encoder {
	return &encoder{pool: pool, tab: crc32.MakeTable(crc32.Castagnoli), tmp: make([]byte, 0, 2*inlineChecksum)}
}

// body is a compressed stream in pieces.
type body struct {
	segments [][]byte
	length   int64 // bytes
	memory   int64 // bytes, with unused room
}

// mark is a place in the stream that a refused row takes the encoder back to.
func (e *encoder) mark() int { e.crc, e.tmp = 0, e.tmp[:0]; return len(e.raw) }

// undo forgets what was written since mark.
func (e *encoder) undo(at int) { e.raw = e.raw[:at] }

// reset forgets the whole stream.
func (e *encoder) reset() {
	e.pool.put(e.body)
	e.raw, e.body, e.rows, e.sums = e.raw[:0], nil, 0, 0
}

func (e *encoder) tag(column, wire int) {
	e.raw = binary.AppendUvarint(e.raw, uint64(column)<<3|uint64(wire))
	if len(e.tmp) > inlineChecksum {
		e.hash()
	}
	e.tmp = binary.LittleEndian.AppendUint32(e.tmp, uint32(column))
}

func (e *encoder) hash() {
	e.crc = crc32.Update(e.crc, e.tab, e.tmp)
	e.tmp = e.tmp[:0]
}

// integer writes BIGINT, INT, SMALLINT, TINYINT, DATE (days) and DATETIME (milliseconds).
func (e *encoder) integer(column int, v int64) {
	e.tag(column, wireVarint)
	e.raw = binary.AppendVarint(e.raw, v)
	e.tmp = binary.LittleEndian.AppendUint64(e.tmp, uint64(v))
}

func (e *encoder) boolean(column int, v bool) {
	e.tag(column, wireVarint)
	b := byte(0)
	if v {
		b = 1
	}
	e.raw, e.tmp = append(e.raw, b), append(e.tmp, b)
}

func (e *encoder) fixed64(column int, bits uint64) {
	e.tag(column, wireFixed64)
	e.raw = binary.LittleEndian.AppendUint64(e.raw, bits)
	e.tmp = binary.LittleEndian.AppendUint64(e.tmp, bits)
}

func (e *encoder) fixed32(column int, bits uint32) {
	e.tag(column, wireFixed32)
	e.raw = binary.LittleEndian.AppendUint32(e.raw, bits)
	e.tmp = binary.LittleEndian.AppendUint32(e.tmp, bits)
}

func (e *encoder) timestamp(column int, seconds int64, nanos int32) {
	e.tag(column, wireBytes)
	e.raw = binary.AppendVarint(binary.AppendVarint(e.raw, seconds), int64(nanos))
	e.tmp = binary.LittleEndian.AppendUint64(e.tmp, uint64(seconds))
	e.tmp = binary.LittleEndian.AppendUint32(e.tmp, uint32(nanos))
}

// bytes writes STRING, VARCHAR, CHAR, BINARY, DECIMAL and JSON.
func (e *encoder) bytes(column int, v []byte) {
	e.tag(column, wireBytes)
	e.raw = binary.AppendUvarint(e.raw, uint64(len(v)))
	e.raw = append(e.raw, v...)
	if len(v) <= inlineChecksum {
		e.tmp = append(e.tmp, v...)
		return
	}
	e.hash()
	e.crc = crc32.Update(e.crc, e.tab, v)
}

// prefix is what many rows begin with: its bytes, and the CRC behind them.
type prefix struct {
	raw []byte
	crc uint32
}

// prefixOf takes what was written since at out of the stream.
func (e *encoder) prefixOf(at int) prefix {
	e.hash()
	p := prefix{raw: append([]byte(nil), e.raw[at:]...), crc: e.crc}
	e.undo(at)
	return p
}

func (e *encoder) begin(p prefix) {
	e.raw = append(e.raw, p.raw...)
	e.crc = p.crc
}

// endRow ends the row; where enough has come together it is compressed.
func (e *encoder) endRow() {
	e.hash()
	e.raw = binary.AppendUvarint(e.raw, fieldEndRow<<3|wireVarint)
	e.raw = binary.AppendUvarint(e.raw, uint64(e.crc))
	e.tmp = binary.LittleEndian.AppendUint32(e.tmp, e.crc)
	e.sums = crc32.Update(e.sums, e.tab, e.tmp)
	e.tmp = e.tmp[:0]
	e.rows++
	if len(e.raw) >= frameBytes {
		e.compress(false)
	}
	e.count()
}

// compress moves whole frames out of raw, and with all what is left too.
func (e *encoder) compress(all bool) {
	raw := e.raw
	for len(raw) >= frameBytes || all && len(raw) > 0 {
		n := min(len(raw), frameBytes)
		e.frame(raw[:n])
		raw = raw[n:]
	}
	e.raw = e.raw[:copy(e.raw, raw)]
	if cap(e.raw) > 4*frameBytes { // a row of megabytes must not stay
		e.raw = append(make([]byte, 0, 2*frameBytes), e.raw...)
	}
}

// snappyBegin is the stream identifier of the framing format.
const snappyBegin = "\xff\x06\x00\x00sNaPpY"

func (e *encoder) frame(text []byte) {
	if e.body == nil {
		e.body = &body{}
		e.grow()
		s := &e.body.segments[0]
		*s = append(*s, snappyBegin...)
	}
	need := frameHeader + s2.MaxEncodedLen(len(text))
	last := &e.body.segments[len(e.body.segments)-1]
	if cap(*last)-len(*last) < need {
		e.grow()
		last = &e.body.segments[len(e.body.segments)-1]
	}
	at := len(*last)
	room := (*last)[at+frameHeader : at+need]
	kind, coded := byte(frameCompress), s2.EncodeSnappy(room, text)
	if len(coded) >= len(text)-len(text)/8 {
		kind, coded = framePlain, room[:copy(room, text)]
	}
	sum := crc32.Checksum(text, e.tab)
	sum = (sum>>15 | sum<<17) + 0xa282ead8
	head := (*last)[at : at+frameHeader]
	binary.LittleEndian.PutUint32(head, uint32(len(coded)+4)<<8|uint32(kind))
	binary.LittleEndian.PutUint32(head[4:], sum)
	*last = (*last)[:at+frameHeader+len(coded)]
	e.body.length = e.body.length + int64(frameHeader+len(coded))
}

// grow adds a segment: the first ones are small, for there may be thousands of streams.
func (e *encoder) grow() {
	size := segmentBytes
	if len(e.body.segments) < 2 {
		size = smallSegment
	}
	s := e.pool.get(size)
	e.body.segments = append(e.body.segments, s)
	e.body.memory += int64(cap(s))
}

func (e *encoder) count() {
	e.held = int64(cap(e.raw))
	if e.body != nil {
		e.held += e.body.memory
	}
}

// compressed is how long the stream would be if it ended here, nearly, in bytes.
func (e *encoder) compressed() int64 {
	if e.body == nil {
		return 0
	}
	return e.body.length
}

// end writes the trailer and gives the stream; the encoder is ready for another.
func (e *encoder) end() (*body, int64) {
	e.raw = binary.AppendUvarint(e.raw, fieldRowCount<<3|wireVarint)
	e.raw = binary.AppendVarint(e.raw, e.rows)
	e.raw = binary.AppendUvarint(e.raw, fieldSums<<3|wireVarint)
	e.raw = binary.AppendUvarint(e.raw, uint64(e.sums))
	e.compress(true)
	b, rows := e.body, e.rows
	b.length += int64(len(snappyBegin))
	e.body, e.rows, e.sums = nil, 0, 0
	e.count()
	return b, rows
}
