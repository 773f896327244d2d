package record

import (
	"fmt"
	"io"

	"github.com/parquet-go/parquet-go"
	"github.com/parquet-go/parquet-go/compress"
	"github.com/parquet-go/parquet-go/compress/gzip"
	"github.com/parquet-go/parquet-go/compress/snappy"
	"github.com/parquet-go/parquet-go/compress/uncompressed"
	"github.com/parquet-go/parquet-go/compress/zstd"
)

// parquetRow gives the columns and their encodings; rows are not made of it, the
// columns are written one by one.
type parquetRow struct {
	Topic     string          `parquet:"topic,dict"`
	Partition int32           `parquet:"partition,dict"`
	Offset    int64           `parquet:"offset,delta"`
	Timestamp int64           `parquet:"timestamp,delta,timestamp(millisecond)"`
	Key       []byte          `parquet:"key,optional"`
	Value     []byte          `parquet:"value,optional"`
	Headers   []parquetHeader `parquet:"headers,list"`
}

type parquetHeader struct {
	Key   string `parquet:"key"`
	Value []byte `parquet:"value,optional"`
}

// The leaf columns in the schema's order.
const (
	columnTopic = iota
	columnPartition
	columnOffset
	columnTimestamp
	columnKey
	columnValue
	columnHeaderKey
	columnHeaderValue
	columns
)

const (
	// parquetRowGroup is how many bytes of records close a row group: the writer
	// holds a row group's compressed pages until it is complete.
	parquetRowGroup = 32 << 20
	// parquetPage is how many plain bytes of a column close a page.
	parquetPage = 256 << 10
	// parquetBatch is how many records, and parquetBatchBytes how many bytes, are
	// turned into values of columns before these are handed to the writer.
	parquetBatch      = 512
	parquetBatchBytes = 128 << 10
)

// encodeParquet writes the records of a as a Parquet file.
func encodeParquet(w io.Writer, a *Arena, c Compression) error {
	codec, err := parquetCodec(c)
	if err != nil {
		return err
	}
	// Data pages of version 1 are what every reader knows. Bounds of keys and values
	// are left out: they are opaque bytes, up to the size limit of a record each.
	file := parquet.NewWriter(w, parquet.SchemaOf(parquetRow{}), parquet.Compression(codec),
		parquet.DataPageVersion(1), parquet.PageBufferSize(parquetPage), parquet.CreatedBy("sluice", "1", ""),
		parquet.SkipPageBounds("key"), parquet.SkipPageBounds("value"),
		parquet.SkipPageBounds("headers", "list", "element", "key"), parquet.SkipPageBounds("headers", "list", "element", "value"))
	batch := newColumnBatch(a)
	cur := a.cursor()
	for group, more := 0, true; more; {
		batch.reset()
		for batch.rows < parquetBatch && batch.bytes < parquetBatchBytes {
			if more = cur.next(); !more {
				break
			}
			batch.add(&cur.record)
		}
		if err := batch.write(file.ColumnWriters()); err != nil {
			return err
		}
		if group += batch.bytes; group >= parquetRowGroup {
			if err := file.Flush(); err != nil {
				return fmt.Errorf("writing a row group: %w", err)
			}
			group = 0
		}
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("writing the footer: %w", err)
	}
	return nil
}

// columnBatch is some records turned into columns.
type columnBatch struct {
	rows, bytes int
	topic       parquet.Value
	partition   parquet.Value
	columns     [columns][]parquet.Value
}

func newColumnBatch(a *Arena) *columnBatch {
	b := &columnBatch{
		topic:     parquet.ByteArrayValue([]byte(a.topic)).Level(0, 0, columnTopic),
		partition: parquet.Int32Value(a.partition).Level(0, 0, columnPartition),
	}
	for i := range b.columns {
		b.columns[i] = make([]parquet.Value, 0, parquetBatch)
	}
	return b
}

func (b *columnBatch) reset() {
	b.rows, b.bytes = 0, 0
	for i := range b.columns {
		b.columns[i] = b.columns[i][:0]
	}
}

// add appends the values of r, which alias its bytes.
func (b *columnBatch) add(r *Record) {
	b.rows++
	b.bytes += int(r.Size())
	b.put(columnTopic, b.topic)
	b.put(columnPartition, b.partition)
	b.put(columnOffset, parquet.Int64Value(r.Offset).Level(0, 0, columnOffset))
	b.put(columnTimestamp, parquet.Int64Value(r.Timestamp).Level(0, 0, columnTimestamp))
	b.put(columnKey, optionalBytes(r.Key, 0, 0, columnKey))
	b.put(columnValue, optionalBytes(r.Value, 0, 0, columnValue))
	if len(r.Headers) == 0 {
		b.put(columnHeaderKey, parquet.NullValue().Level(0, 0, columnHeaderKey))
		b.put(columnHeaderValue, parquet.NullValue().Level(0, 0, columnHeaderValue))
		return
	}
	for i := range r.Headers {
		repeated := min(i, 1) // 0 begins the record's list, 1 goes on with it
		key := parquet.ByteArrayValue([]byte(headerKey(r.Headers[i].Key)))
		b.put(columnHeaderKey, key.Level(repeated, 1, columnHeaderKey))
		b.put(columnHeaderValue, optionalBytes(r.Headers[i].Value, repeated, 1, columnHeaderValue))
	}
}

func (b *columnBatch) put(column int, v parquet.Value) {
	b.columns[column] = append(b.columns[column], v)
}

// optionalBytes is v in an optional column whose parents are defined up to level.
func optionalBytes(v []byte, repeated, level, column int) parquet.Value {
	if v == nil {
		return parquet.NullValue().Level(repeated, level, column)
	}
	return parquet.ByteArrayValue(v).Level(repeated, level+1, column)
}

func (b *columnBatch) write(to []*parquet.ColumnWriter) error {
	if b.rows == 0 {
		return nil
	}
	for i, values := range b.columns {
		if _, err := to[i].WriteRowValues(values); err != nil {
			return fmt.Errorf("writing column %d: %w", i, err)
		}
	}
	return nil
}

func parquetCodec(c Compression) (compress.Codec, error) {
	switch c {
	case None:
		return &uncompressed.Codec{}, nil
	case Gzip:
		return &gzip.Codec{Level: gzip.BestSpeed}, nil
	case Zstd:
		return &zstd.Codec{Level: zstd.SpeedFastest, Concurrency: 1}, nil
	case Snappy:
		return &snappy.Codec{}, nil
	}
	return nil, fmt.Errorf("compression %s is unknown", c)
}
