package sandbox

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
)

// The stream of records in which Tunnel takes and gives rows. A record is a run of protobuf fields whose numbers are
// column numbers counted from 1, nulls left out, ended by a field with the record's CRC32C; behind the last record are
// the number of records and the CRC32C of the records' CRCs. A CRC is computed over each field's number (4 bytes,
// little-endian) and value (integers as 8 bytes, booleans as one, floats as their bits, a timestamp as 8 bytes of
// seconds and 4 of nanoseconds, all little-endian; others as they are). The source of this is the service's Go SDK.
const (
	odpsEndRecord = 33553408
	odpsMetaCount = 33554430
	odpsMetaSum   = 33554431

	odpsWindow    = 256 << 10
	odpsMaxRecord = 128 << 20
)

// Errors of the stream, which the service names by two codes: what is not such a stream, and what was changed on its way.
var (
	errODPSMalformed = errors.New("malformed data stream")
	errODPSCorrupted = errors.New("corrupted data stream")
)

// errODPSShort says that a record goes on behind the bytes that are there.
var errODPSShort = errors.New("record is not complete")

func malformed(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errODPSMalformed, fmt.Sprintf(format, args...))
}

func corrupted(format string, args ...any) error {
	return fmt.Errorf("%w: %s", errODPSCorrupted, fmt.Sprintf(format, args...))
}

// odpsRecords reads a stream of records and checks all that it says of itself.
type odpsRecords struct {
	r       io.Reader
	columns []odpsColumn
	table   *crc32.Table
	trusted bool // the records come from the store: what was checked once is not checked again

	buf        []byte
	start, end int // the bytes of buf that are not yet used
	eof        bool
	rows       int64
	sums       uint32 // CRC of the records' CRCs
	done       bool

	cells  []odpsCell // of the latest record
	record []byte     // its bytes without the end field; good until the next call
	crc    uint32
}

func newODPSRecords(r io.Reader, columns []odpsColumn) *odpsRecords {
	return &odpsRecords{r: r, columns: columns, table: crc32.MakeTable(crc32.Castagnoli), buf: make([]byte, odpsWindow), cells: make([]odpsCell, len(columns))}
}

// next reads one record, or returns io.EOF behind the trailer once that agrees with what came before.
func (s *odpsRecords) next() error {
	for !s.done {
		n, err := s.parse(s.buf[s.start:s.end])
		if err == nil {
			s.start += n
			if s.done {
				break
			}
			s.rows++
			return nil
		}
		if err != errODPSShort {
			return err
		}
		if err := s.fill(); err != nil {
			return err
		}
	}
	return s.ended()
}

// fill reads more bytes behind those that wait.
func (s *odpsRecords) fill() error {
	if s.eof {
		return malformed("it ends in record %d", s.rows+1)
	}
	if s.start > 0 {
		copy(s.buf, s.buf[s.start:s.end])
		s.start, s.end = 0, s.end-s.start
	}
	if s.end == len(s.buf) {
		if len(s.buf) >= odpsMaxRecord {
			return malformed("record %d is longer than %d bytes", s.rows+1, odpsMaxRecord)
		}
		s.buf = append(s.buf, make([]byte, len(s.buf))...)
	}
	for tries := 0; tries < 100; tries++ {
		n, err := s.r.Read(s.buf[s.end:])
		s.end += n
		if err == io.EOF {
			s.eof = true
			return nil
		}
		if err != nil {
			return err
		}
		if n > 0 {
			return nil
		}
	}
	return io.ErrNoProgress
}

// ended checks that nothing follows the trailer.
func (s *odpsRecords) ended() error {
	for s.start == s.end && !s.eof {
		if err := s.fill(); err != nil {
			return err
		}
	}
	if s.start != s.end {
		return malformed("something follows its trailer")
	}
	return io.EOF
}

// parse reads the record, or the trailer, at the beginning of b and returns its length.
func (s *odpsRecords) parse(b []byte) (int, error) {
	for i := range s.cells {
		s.cells[i].set = false
	}
	at, crc := 0, uint32(0)
	for {
		tag, n := binary.Uvarint(b[at:])
		if n == 0 {
			return 0, errODPSShort
		}
		field, wire := tag>>3, tag&7
		if n < 0 || field == 0 || field > odpsMetaSum {
			return 0, malformed("record %d has the field number %d", s.rows+1, field)
		}
		begin := at
		at += n
		switch {
		case field == odpsEndRecord:
			return s.endRecord(b, begin, at, wire, crc)
		case field == odpsMetaCount && begin == 0:
			return s.trailer(b, at, wire)
		case field > uint64(len(s.columns)):
			return 0, malformed("record %d has field %d and the table has %d columns", s.rows+1, field, len(s.columns))
		}
		cell, t := &s.cells[field-1], s.columns[field-1].t
		if cell.set {
			return 0, malformed("record %d has column %s twice", s.rows+1, s.columns[field-1].Name)
		}
		if wire != t.wire() {
			return 0, malformed("record %d: column %s is %s, which is not coded with wire type %d", s.rows+1, s.columns[field-1].Name, t, wire)
		}
		n, err := s.value(t.kind, b[at:], cell)
		if err != nil {
			if err == errODPSShort {
				return 0, err
			}
			return 0, malformed("record %d: column %s %s", s.rows+1, s.columns[field-1].Name, err.Error())
		}
		at += n
		if s.trusted {
			continue
		}
		if problem := t.check(cell); problem != "" {
			return 0, malformed("record %d: column %s %s", s.rows+1, s.columns[field-1].Name, problem)
		}
		crc = s.sum(crc, uint32(field), t.kind, cell)
	}
}

func (s *odpsRecords) endRecord(b []byte, length, at int, wire uint64, crc uint32) (int, error) {
	given, n := binary.Uvarint(b[at:])
	if n == 0 {
		return 0, errODPSShort
	}
	if n < 0 || wire != wireVarint {
		return 0, malformed("record %d has no checksum", s.rows+1)
	}
	if !s.trusted && uint32(given) != crc { // pyodps writes negative numbers where others write 32 bits
		return 0, corrupted("the checksum of record %d is %d and should be %d", s.rows+1, uint32(given), crc)
	}
	for i := range s.columns {
		if !s.trusted && s.columns[i].NotNull && !s.cells[i].set {
			return 0, malformed("record %d: column %s must not be null", s.rows+1, s.columns[i].Name)
		}
	}
	var four [4]byte
	binary.LittleEndian.PutUint32(four[:], uint32(given))
	s.sums = crc32.Update(s.sums, s.table, four[:])
	s.record, s.crc = b[:length], uint32(given)
	return at + n, nil
}

// trailer checks the number of records and the sum of their sums.
func (s *odpsRecords) trailer(b []byte, at int, wire uint64) (int, error) {
	count, n := binary.Uvarint(b[at:])
	if n == 0 {
		return 0, errODPSShort
	}
	if n < 0 || wire != wireVarint {
		return 0, malformed("it has no number of records")
	}
	at += n
	tag, n := binary.Uvarint(b[at:])
	if n == 0 {
		return 0, errODPSShort
	}
	at += n
	sum, m := binary.Uvarint(b[max(at, 0):])
	if n > 0 && m == 0 {
		return 0, errODPSShort
	}
	if n < 0 || m < 0 || tag != odpsMetaSum<<3|wireVarint {
		return 0, malformed("it has no checksum at its end")
	}
	if rows := unzigzag(count); rows != s.rows {
		return 0, corrupted("it says that it has %d records and has %d", rows, s.rows)
	}
	if uint32(sum) != s.sums {
		return 0, corrupted("the checksum at its end is %d and should be %d", uint32(sum), s.sums)
	}
	s.done = true
	return at + m, nil
}

func unzigzag(u uint64) int64 { return int64(u>>1) ^ -int64(u&1) }

// value reads a value and returns how many bytes it takes.
func (s *odpsRecords) value(kind odpsKind, b []byte, cell *odpsCell) (int, error) {
	cell.set = true
	switch kind {
	case odpsDouble:
		if len(b) < 8 {
			return 0, errODPSShort
		}
		cell.num = int64(binary.LittleEndian.Uint64(b))
		return 8, nil
	case odpsFloat:
		if len(b) < 4 {
			return 0, errODPSShort
		}
		cell.num = int64(binary.LittleEndian.Uint32(b))
		return 4, nil
	}
	u, n := binary.Uvarint(b)
	if n == 0 {
		return 0, errODPSShort
	}
	if n < 0 {
		return 0, errors.New("is not a number")
	}
	switch kind {
	case odpsBoolean:
		cell.num = int64(min(u, math.MaxInt64))
	case odpsTimestamp, odpsTimestampNTZ:
		cell.num = unzigzag(u)
		u, m := binary.Uvarint(b[n:])
		if m == 0 {
			return 0, errODPSShort
		}
		nanos := unzigzag(u)
		if m < 0 || nanos != int64(int32(nanos)) {
			return 0, errors.New("has no nanoseconds")
		}
		cell.nanos = int32(nanos)
		return n + m, nil
	case odpsBigint, odpsInt, odpsSmallint, odpsTinyint, odpsDate, odpsDatetime:
		cell.num = unzigzag(u)
	default:
		if u > odpsMaxField {
			return 0, fmt.Errorf("is %d bytes long, above %d", u, odpsMaxField)
		}
		if len(b)-n < int(u) {
			return 0, errODPSShort
		}
		cell.text = b[n : n+int(u)]
		return n + int(u), nil
	}
	return n, nil
}

// sum adds a field to a record's CRC.
func (s *odpsRecords) sum(crc, field uint32, kind odpsKind, cell *odpsCell) uint32 {
	var b [16]byte
	binary.LittleEndian.PutUint32(b[:], field)
	n := 4
	switch kind {
	case odpsBoolean:
		b[4] = byte(cell.num)
		n = 5
	case odpsFloat:
		binary.LittleEndian.PutUint32(b[4:], uint32(cell.num))
		n = 8
	case odpsTimestamp, odpsTimestampNTZ:
		binary.LittleEndian.PutUint64(b[4:], uint64(cell.num))
		binary.LittleEndian.PutUint32(b[12:], uint32(cell.nanos))
		n = 16
	case odpsBigint, odpsInt, odpsSmallint, odpsTinyint, odpsDouble, odpsDate, odpsDatetime:
		binary.LittleEndian.PutUint64(b[4:], uint64(cell.num))
		n = 12
	default:
		crc = crc32.Update(crc, s.table, b[:4])
		return crc32.Update(crc, s.table, cell.text)
	}
	return crc32.Update(crc, s.table, b[:n])
}
