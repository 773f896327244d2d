package sandbox

import (
	"encoding/binary"
	"hash/crc32"
	"io"
)

// odpsEncoder writes a stream of records.
type odpsEncoder struct {
	w     io.Writer
	sum   odpsRecords // for its CRC only
	buf   []byte
	rows  int64
	sums  uint32
	spoil bool // falsify the sum of sums
}

func newODPSEncoder(w io.Writer) *odpsEncoder {
	return &odpsEncoder{w: w, sum: odpsRecords{table: crc32.MakeTable(crc32.Castagnoli)}}
}

// raw writes a record that is coded already.
func (e *odpsEncoder) raw(record []byte, crc uint32) error {
	e.buf = append(e.buf, record...)
	return e.endRecord(crc)
}

func (e *odpsEncoder) endRecord(crc uint32) error {
	e.buf = binary.AppendUvarint(e.buf, odpsEndRecord<<3|wireVarint)
	e.buf = binary.AppendUvarint(e.buf, uint64(crc))
	var four [4]byte
	binary.LittleEndian.PutUint32(four[:], crc)
	e.sums = crc32.Update(e.sums, e.sum.table, four[:])
	e.rows++
	if len(e.buf) > odpsWindow {
		return e.flush()
	}
	return nil
}

// row writes chosen columns of a record, numbered in the order of the choice.
func (e *odpsEncoder) row(columns []odpsColumn, choice []int, cells []odpsCell) error {
	crc := uint32(0)
	for i, column := range choice {
		t := columns[column].t
		cell := &odpsCell{}
		if column < len(cells) {
			cell = &cells[column]
		}
		if !cell.set {
			continue
		}
		e.buf = binary.AppendUvarint(e.buf, uint64(i+1)<<3|t.wire())
		e.buf = appendODPSValue(e.buf, t.kind, cell)
		crc = e.sum.sum(crc, uint32(i+1), t.kind, cell)
	}
	return e.endRecord(crc)
}

func appendODPSValue(b []byte, kind odpsKind, cell *odpsCell) []byte {
	switch kind {
	case odpsDouble:
		return binary.LittleEndian.AppendUint64(b, uint64(cell.num))
	case odpsFloat:
		return binary.LittleEndian.AppendUint32(b, uint32(cell.num))
	case odpsBoolean:
		return append(b, byte(cell.num))
	case odpsTimestamp, odpsTimestampNTZ:
		return binary.AppendVarint(binary.AppendVarint(b, cell.num), int64(cell.nanos))
	case odpsBigint, odpsInt, odpsSmallint, odpsTinyint, odpsDate, odpsDatetime:
		return binary.AppendVarint(b, cell.num)
	}
	return append(binary.AppendUvarint(b, uint64(len(cell.text))), cell.text...)
}

func (e *odpsEncoder) flush() error {
	_, err := e.w.Write(e.buf)
	e.buf = e.buf[:0]
	return err
}

// close writes the trailer.
func (e *odpsEncoder) close() error {
	sums := e.sums
	if e.spoil {
		sums ^= 1
	}
	e.buf = binary.AppendUvarint(e.buf, odpsMetaCount<<3|wireVarint)
	e.buf = binary.AppendVarint(e.buf, e.rows)
	e.buf = binary.AppendUvarint(e.buf, odpsMetaSum<<3|wireVarint)
	e.buf = binary.AppendUvarint(e.buf, uint64(sums))
	return e.flush()
}
