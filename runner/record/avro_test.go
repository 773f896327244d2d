package record

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"hash/crc32"
	"io"
	"testing"

	"github.com/hamba/avro/v2"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// avroRow is a record as a library's decoder reads it by the schema in the file.
type avroRow struct {
	Topic     string  `avro:"topic"`
	Partition int32   `avro:"partition"`
	Offset    int64   `avro:"offset"`
	Timestamp int64   `avro:"timestamp"`
	Key       *[]byte `avro:"key"`
	Value     *[]byte `avro:"value"`
	Headers   []struct {
		Key   string  `avro:"key"`
		Value *[]byte `avro:"value"`
	} `avro:"headers"`
}

// readAvro takes the container apart by the specification and has a library decode
// the records.
func readAvro(t *testing.T, file []byte, rs []Record) {
	t.Helper()
	r := bytes.NewReader(file)
	magic := readN(t, r, 4)
	if string(magic) != "Obj\x01" {
		t.Fatalf("magic %q", magic)
	}
	meta := map[string]string{}
	for n := readLong(t, r); n != 0; n = readLong(t, r) {
		for range n {
			key := string(readN(t, r, readLong(t, r)))
			meta[key] = string(readN(t, r, readLong(t, r)))
		}
	}
	sync := readN(t, r, 16)
	schema, err := avro.Parse(meta["avro.schema"])
	if err != nil {
		t.Fatal(err)
	}
	i := 0
	for r.Len() > 0 {
		count := readLong(t, r)
		body := avroPlain(t, meta["avro.codec"], readN(t, r, readLong(t, r)))
		if !bytes.Equal(readN(t, r, 16), sync) {
			t.Fatal("a block does not end with the sync marker")
		}
		d := avro.Config{MaxByteSliceSize: 64 << 20}.Freeze().NewDecoder(schema, bytes.NewReader(body))
		for range count {
			var row avroRow
			if err := d.Decode(&row); err != nil {
				t.Fatal(err)
			}
			got := Record{Topic: row.Topic, Partition: row.Partition, Offset: row.Offset, Timestamp: row.Timestamp, Key: pointed(row.Key), Value: pointed(row.Value)}
			for _, h := range row.Headers {
				got.Headers = append(got.Headers, Header{h.Key, pointed(h.Value)})
			}
			sameRecord(t, i, &got, &rs[i])
			i++
		}
	}
	if i != len(rs) {
		t.Fatalf("%d of %d records", i, len(rs))
	}
}

func readN(t *testing.T, r io.Reader, n int64) []byte {
	t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		t.Fatal(err)
	}
	return b
}

func readLong(t *testing.T, r io.ByteReader) int64 {
	t.Helper()
	v, err := binary.ReadVarint(r)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

func avroPlain(t *testing.T, codec string, b []byte) []byte {
	t.Helper()
	var out []byte
	var err error
	switch codec {
	case "null":
		return b
	case "deflate":
		out, err = io.ReadAll(flate.NewReader(bytes.NewReader(b)))
	case "zstandard":
		var d *zstd.Decoder
		if d, err = zstd.NewReader(nil); err == nil {
			defer d.Close()
			out, err = d.DecodeAll(b, nil)
		}
	case "snappy":
		n := len(b) - 4
		out, err = s2.Decode(nil, b[:n])
		if binary.BigEndian.Uint32(b[n:]) != crc32.ChecksumIEEE(out) {
			t.Fatal("the block's checksum is wrong")
		}
	default:
		t.Fatalf("codec %q", codec)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func pointed(p *[]byte) []byte {
	if p == nil {
		return nil
	}
	if *p == nil {
		return []byte{}
	}
	return *p
}
