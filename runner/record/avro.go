package record

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// avroSchema is the schema of an Avro object, in the columns of every columnar
// format. Kafka's record without a time (timestamp -1) is written as it is.
const avroSchema = `{"type":"record","name":"Record","namespace":"sluice","fields":[` +
	`{"name":"topic","type":"string"},` +
	`{"name":"partition","type":"int"},` +
	`{"name":"offset","type":"long"},` +
	`{"name":"timestamp","type":{"type":"long","logicalType":"timestamp-millis"}},` +
	`{"name":"key","type":["null","bytes"],"default":null},` +
	`{"name":"value","type":["null","bytes"],"default":null},` +
	`{"name":"headers","type":{"type":"array","items":{"type":"record","name":"Header","fields":[` +
	`{"name":"key","type":"string"},` +
	`{"name":"value","type":["null","bytes"],"default":null}]}}}]}`

// avroBlock is how many bytes of encoded records close a block.
const avroBlock = 256 << 10

// encodeAvro writes the records of a as an object container file (Avro 1.12
// specification, "Object Container Files"). The writer is our own because a library's
// draws the sync marker at random, and a redo must give the same bytes.
func encodeAvro(w io.Writer, a *Arena, c Compression) error {
	codec, err := newAvroCodec(c)
	if err != nil {
		return err
	}
	sync := avroSync(a)
	head := append([]byte("Obj\x01"), 4) // a map block of two entries
	head = appendAvroBytes(head, "avro.schema")
	head = appendAvroBytes(head, avroSchema)
	head = appendAvroBytes(head, "avro.codec")
	head = appendAvroBytes(head, codec.name)
	head = append(head, 0)
	head = append(head, sync...)
	if _, err := w.Write(head); err != nil {
		return err
	}
	block := make([]byte, 0, avroBlock+avroBlock/4)
	var out []byte
	count := 0
	flush := func() error {
		if count == 0 {
			return nil
		}
		body, err := codec.compress(block)
		if err != nil {
			return fmt.Errorf("compressing an avro block: %w", err)
		}
		out = binary.AppendVarint(out[:0], int64(count))
		out = binary.AppendVarint(out, int64(len(body)))
		out = append(out, body...)
		out = append(out, sync...)
		block, count = block[:0], 0
		_, err = w.Write(out)
		return err
	}
	for cur := a.cursor(); cur.next(); {
		block = appendAvro(block, &cur.record)
		if count++; len(block) >= avroBlock {
			if err := flush(); err != nil {
				return err
			}
		}
	}
	return flush()
}

// avroSync is the file's sync marker: no two objects of a topic have the same range,
// and the same range gives the same marker again.
func avroSync(a *Arena) []byte {
	h := sha256.Sum256(fmt.Appendf(nil, "%s-%d-%d-%d-%d-%d-%d", a.topic, a.partition,
		a.first.offset, a.last.offset, a.first.timestamp, a.last.timestamp, a.count))
	return h[:16]
}

// appendAvro appends one record in Avro's binary encoding.
func appendAvro(b []byte, r *Record) []byte {
	b = appendAvroBytes(b, r.Topic)
	b = binary.AppendVarint(b, int64(r.Partition))
	b = binary.AppendVarint(b, r.Offset)
	b = binary.AppendVarint(b, r.Timestamp)
	b = appendAvroNullable(b, r.Key)
	b = appendAvroNullable(b, r.Value)
	if n := len(r.Headers); n > 0 {
		b = binary.AppendVarint(b, int64(n))
		for i := range r.Headers {
			h := &r.Headers[i]
			b = appendAvroBytes(b, headerKey(h.Key))
			b = appendAvroNullable(b, h.Value)
		}
	}
	return append(b, 0)
}

// appendAvroBytes appends a string or bytes: a long with the length, and the bytes.
func appendAvroBytes[T string | []byte](b []byte, v T) []byte {
	b = binary.AppendVarint(b, int64(len(v)))
	return append(b, v...)
}

// appendAvroNullable appends the branch of ["null","bytes"] that v is of, and v.
func appendAvroNullable(b, v []byte) []byte {
	if v == nil {
		return append(b, 0)
	}
	return appendAvroBytes(append(b, 2), v)
}

// avroCodec compresses the blocks of one file; what compress returns is good until
// it is called again.
type avroCodec struct {
	name     string
	compress func([]byte) ([]byte, error)
}

func newAvroCodec(c Compression) (avroCodec, error) {
	switch c {
	case None:
		return avroCodec{"null", func(b []byte) ([]byte, error) { return b, nil }}, nil
	case Gzip:
		var out bytes.Buffer
		w, err := flate.NewWriter(&out, flate.BestSpeed)
		if err != nil {
			return avroCodec{}, fmt.Errorf("making a deflate encoder: %w", err)
		}
		return avroCodec{"deflate", func(b []byte) ([]byte, error) {
			out.Reset()
			w.Reset(&out)
			if _, err := w.Write(b); err != nil {
				return nil, err
			}
			err := w.Close()
			return out.Bytes(), err
		}}, nil
	case Zstd:
		enc, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(1),
			zstd.WithWindowSize(zstdWindow), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return avroCodec{}, fmt.Errorf("making a zstd encoder: %w", err)
		}
		var out []byte
		return avroCodec{"zstandard", func(b []byte) ([]byte, error) {
			out = enc.EncodeAll(b, out[:0])
			return out, nil
		}}, nil
	case Snappy:
		var out []byte
		return avroCodec{"snappy", func(b []byte) ([]byte, error) {
			if n := s2.MaxEncodedLen(len(b)) + 4; cap(out) < n {
				out = make([]byte, n)
			}
			out = s2.EncodeSnappy(out[:cap(out)], b)
			// The specification wants the CRC-32 of the plain bytes, big-endian.
			out = binary.BigEndian.AppendUint32(out, crc32.ChecksumIEEE(b))
			return out, nil
		}}, nil
	}
	return avroCodec{}, fmt.Errorf("compression %s is unknown", c)
}
