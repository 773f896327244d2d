package record

import (
	"encoding/binary"
	"hash/crc32"

	"github.com/minio/crc64nvme"
)

// LastCRC is the CRC-32C (Castagnoli) over the key and the value of r, each led by
// its length in bytes as a 64-bit little-endian number, all ones for null. It is what
// a committed position remembers of the last record below it.
func LastCRC(r *Record) uint32 {
	table := crc32.MakeTable(crc32.Castagnoli)
	var size [8]byte
	binary.LittleEndian.PutUint64(size[:], nullableLength(r.Key))
	c := crc32.Update(0, table, size[:])
	c = crc32.Update(c, table, r.Key)
	binary.LittleEndian.PutUint64(size[:], nullableLength(r.Value))
	c = crc32.Update(c, table, size[:])
	return crc32.Update(c, table, r.Value)
}

// nullableLength is the length of b, or all ones where it is null.
func nullableLength(b []byte) uint64 {
	if b == nil {
		return ^uint64(0)
	}
	return uint64(len(b))
}

// Sum is the running CRC-64/NVME over the records of a range, which an intent names
// and a redo has to reach again. It covers what becomes visible: offset, timestamp,
// key, value and headers, with their lengths. The zero Sum is that of no records.
// It is to be held by reference: it gathers bytes before it hashes them, because
// the hash is fast for long input only.
type Sum struct {
	buffer [sumBuffer]byte
	n      int
	crc    uint64
}

// sumBuffer is how many bytes are hashed at once.
const sumBuffer = 4 << 10

// Add takes one more record in.
func (s *Sum) Add(r *Record) {
	if sumBuffer-s.n < 40 {
		s.flush()
	}
	b := s.buffer[s.n : s.n+40]
	binary.LittleEndian.PutUint64(b, uint64(r.Offset))
	binary.LittleEndian.PutUint64(b[8:], uint64(r.Timestamp))
	binary.LittleEndian.PutUint64(b[16:], nullableLength(r.Key))
	binary.LittleEndian.PutUint64(b[24:], nullableLength(r.Value))
	binary.LittleEndian.PutUint64(b[32:], uint64(len(r.Headers)))
	s.n += 40
	s.write(r.Key)
	s.write(r.Value)
	for i := range r.Headers {
		s.addHeader(&r.Headers[i])
	}
}

func (s *Sum) addHeader(h *Header) {
	var sizes [16]byte
	binary.LittleEndian.PutUint64(sizes[:], uint64(len(h.Key)))
	binary.LittleEndian.PutUint64(sizes[8:], nullableLength(h.Value))
	s.write(sizes[:])
	s.write([]byte(h.Key))
	s.write(h.Value)
}

// Sum64 is the sum so far.
func (s *Sum) Sum64() uint64 { return crc64nvme.Update(s.crc, s.buffer[:s.n]) }

func (s *Sum) write(b []byte) {
	if len(b) > sumBuffer-s.n {
		s.flush()
		if len(b) >= sumBuffer {
			s.crc = crc64nvme.Update(s.crc, b)
			return
		}
	}
	s.n += copy(s.buffer[s.n:], b)
}

func (s *Sum) flush() {
	s.crc, s.n = s.Sum64(), 0
}
