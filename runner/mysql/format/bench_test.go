package format_test

import (
	"encoding/binary"
	"syscall"
	"testing"
	"time"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/sluice-io/sluice/runner/mysql/format"
	"github.com/sluice-io/sluice/runner/mysql/row"
)

// benchTable is id BIGINT PRIMARY KEY, name VARCHAR(255), amount DECIMAL(10,2), at DATETIME(3), note VARCHAR(255), as
// a TABLE_MAP event tells it.
func benchTable(tb testing.TB) *row.Table {
	tb.Helper()
	body := []byte{1, 0, 0, 0, 0, 0, 1, 0, 1, 'd', 0, 1, 't', 0, 5, 8, 15, 246, 18, 15}
	meta := []byte{0xFC, 0x03, 10, 2, 3, 0xFC, 0x03}
	body = append(append(body, byte(len(meta))), meta...)
	body = append(body, 0x1E)
	body = append(body, 1, 1, 0)            // signs: none is unsigned
	body = append(body, 2, 3, 0xFC, 255, 0) // default collation utf8mb4_0900_ai_ci
	names := []byte("\x02id\x04name\x06amount\x02at\x04note")
	body = append(append(body, 4, byte(len(names))), names...)
	body = append(body, 8, 1, 0)
	t, err := row.ParseTableMap(body, row.MySQL)
	if err != nil {
		tb.Fatal(err)
	}
	return t
}

// benchRows is a WRITE_ROWS event of n rows of about 200 bytes.
func benchRows(n int) []byte {
	body := []byte{1, 0, 0, 0, 0, 0, 1, 0, 2, 0, 5, 0xFF}
	for i := range n {
		body = append(body, 0)
		body = binary.LittleEndian.AppendUint64(body, uint64(1_000_000+i))
		body = appendText(body, 60, i)
		body = append(body, 0x80, 0, byte(i>>8), byte(i), 42)
		body = append(body, 0x99, 0xA6, 0x9E, 0xC0, byte(i%60), 0x04, 0xCE)
		body = appendText(body, 110, i)
	}
	return body
}

func appendText(body []byte, length, seed int) []byte {
	body = binary.LittleEndian.AppendUint16(body, uint16(length))
	for j := range length {
		body = append(body, byte('a'+(seed+j)%26))
	}
	return body
}

func benchmark(b *testing.B, name string, encode bool) {
	const rows = 64
	table, body := benchTable(b), benchRows(rows)
	e, err := format.New(name, format.Options{Zone: time.FixedZone("", 8*3600), Version: "9.7.4", Name: "pre"})
	if err != nil {
		b.Fatal(err)
	}
	var d row.Decoder
	var sequence uint64
	next := func() uint64 { sequence++; return sequence }
	bytes := 0
	emit := func(m *format.Message) error { bytes += len(m.Key) + len(m.Value); return nil }
	c := &format.Change{Table: table, Op: format.Insert, Origin: origin(), Sequence: next}
	each := func(_, after row.Row) error {
		if !encode {
			return nil
		}
		c.After = after
		return e.Encode(c, emit)
	}
	b.ReportAllocs()
	started := cpuTime(b)
	for i := 0; i < b.N; i += rows {
		if err := d.Rows(table, replication.WRITE_ROWS_EVENTv2, body, each); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)/(cpuTime(b)-started).Seconds(), "rows/cpu-s")
	b.ReportMetric(float64(len(body))/rows, "B/row-in")
	b.ReportMetric(float64(bytes)/float64(b.N), "B/row-out")
}

// cpuTime is the processor time that this process took: unlike the time of day it does not
// depend on what else the machine does.
func cpuTime(b *testing.B) time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		b.Fatal(err)
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

func BenchmarkDecode(b *testing.B)          { benchmark(b, format.DataWorks, false) }
func BenchmarkDecodeDataWorks(b *testing.B) { benchmark(b, format.DataWorks, true) }
func BenchmarkDecodeDebezium(b *testing.B)  { benchmark(b, format.Debezium, true) }
