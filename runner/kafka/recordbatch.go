package kafka

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"math"
	"math/bits"

	"github.com/sluice-io/sluice/runner/record"
)

// Places in a record batch of format 2; see "Record Batch" under "Message Format" in
// Apache Kafka's documentation.
const (
	batchLengthAt     = 8
	batchMagicAt      = 16
	batchChecksumAt   = 17
	batchAttributesAt = 21
	batchLastDeltaAt  = 23
	batchFirstTimeAt  = 27
	batchMaxTimeAt    = 35
	batchProducerAt   = 43
	batchEpochAt      = 51
	batchSequenceAt   = 53
	batchCountAt      = 57
	batchHeaderBytes  = 61

	batchTransactional = 0x10
	batchCodecBits     = 0x07
)

// fields are one record in parts. Its headers are encoded already.
type fields struct {
	key, value []byte
	headers    []byte
	count      int // of headers
	timestamp  int64
}

// varintSize is how many bytes x takes as a zigzag varint.
func varintSize(x int64) int {
	return (bits.Len64(uint64(x)<<1^uint64(x>>63)|1) + 6) / 7
}

func nullableSize(b []byte) int {
	if b == nil {
		return 1
	}
	return varintSize(int64(len(b))) + len(b)
}

func appendNullable(dst, b []byte) []byte {
	if b == nil {
		return append(dst, 1) // zigzag of -1
	}
	return append(binary.AppendVarint(dst, int64(len(b))), b...)
}

func appendHeaders(dst []byte, headers []record.Header) []byte {
	for i := range headers {
		dst = binary.AppendVarint(dst, int64(len(headers[i].Key)))
		dst = append(dst, headers[i].Key...)
		dst = appendNullable(dst, headers[i].Value)
	}
	return dst
}

// bodySize is the size of a record without the varint of that size in front of it.
func (f *fields) bodySize(firstTime int64, delta int32) int {
	return 1 + varintSize(f.timestamp-firstTime) + varintSize(int64(delta)) + nullableSize(f.key) + nullableSize(f.value) +
		varintSize(int64(f.count)) + len(f.headers)
}

// append adds the record, as number delta of a batch that begins at firstTime and of
// the size that bodySize told.
func (f *fields) append(dst []byte, size int, firstTime int64, delta int32) []byte {
	dst = binary.AppendVarint(dst, int64(size))
	dst = append(dst, 0) // attributes: none are defined
	dst = binary.AppendVarint(dst, f.timestamp-firstTime)
	dst = binary.AppendVarint(dst, int64(delta))
	dst = appendNullable(dst, f.key)
	dst = appendNullable(dst, f.value)
	dst = binary.AppendVarint(dst, int64(f.count))
	return append(dst, f.headers...)
}

var errRecord = errors.New("the encoded record is damaged")

// parse reads the first record of b and returns what follows it. The fields refer to b.
func (f *fields) parse(b []byte, firstTime int64) (rest []byte, err error) {
	size, n := binary.Varint(b)
	if n <= 0 || size < 1 || size > int64(len(b)-n) {
		return nil, errRecord
	}
	b, rest = b[n+1:n+int(size)], b[n+int(size):]
	next := func() int64 {
		v, n := binary.Varint(b)
		if n <= 0 {
			err, n = errRecord, 0
		}
		b = b[n:]
		return v
	}
	bytes := func() []byte {
		n := next()
		if n < 0 || err != nil {
			return nil
		}
		if n > int64(len(b)) {
			err = errRecord
			return nil
		}
		v := b[:n:n]
		b = b[n:]
		return v
	}
	f.timestamp = firstTime + next()
	next()
	f.key = bytes()
	f.value = bytes()
	f.count = int(next())
	f.headers = b
	return rest, err
}

// BatchSize is how large a record batch is that holds only this record, before it is
// compressed: what a topic's max.message.bytes is compared with.
func BatchSize(key, value []byte, headers []record.Header) int {
	n := 0
	for i := range headers {
		n += varintSize(int64(len(headers[i].Key))) + len(headers[i].Key) + nullableSize(headers[i].Value)
	}
	f := fields{key: key, value: value, count: len(headers)}
	n += f.bodySize(0, 0)
	return batchHeaderBytes + varintSize(int64(n)) + n
}

// sealBatch fills the header of a batch but for what identifies the producer.
func sealBatch(b []byte, codec int16, count int32, first, newest int64) {
	clear(b[:batchHeaderBytes])
	binary.BigEndian.PutUint32(b[batchLengthAt:], uint32(len(b)-batchLengthAt-4))
	b[batchMagicAt] = 2
	binary.BigEndian.PutUint16(b[batchAttributesAt:], uint16(codec|batchTransactional))
	binary.BigEndian.PutUint32(b[batchLastDeltaAt:], uint32(count-1))
	binary.BigEndian.PutUint64(b[batchFirstTimeAt:], uint64(first))
	binary.BigEndian.PutUint64(b[batchMaxTimeAt:], uint64(newest))
	binary.BigEndian.PutUint32(b[batchCountAt:], uint32(count))
}

// signBatch says whose the batch is and where it stands, and sums it up.
func signBatch(b []byte, castagnoli *crc32.Table, producer int64, epoch int16, sequence int32) {
	binary.BigEndian.PutUint64(b[batchProducerAt:], uint64(producer))
	binary.BigEndian.PutUint16(b[batchEpochAt:], uint16(epoch))
	binary.BigEndian.PutUint32(b[batchSequenceAt:], uint32(sequence))
	binary.BigEndian.PutUint32(b[batchChecksumAt:], crc32.Checksum(b[batchAttributesAt:], castagnoli))
}

// addSequence is the sequence number n records after s. It begins again at 0 behind
// the largest int32, as brokers count.
func addSequence(s, n int32) int32 {
	if s > math.MaxInt32-n {
		return n - (math.MaxInt32 - s) - 1
	}
	return s + n
}
