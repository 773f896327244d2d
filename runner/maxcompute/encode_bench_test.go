package maxcompute

import (
	"fmt"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
)

// BenchmarkRows is the encoder alone: rows in the wire format, compressed. The values have
// 198 bytes, as in the benchmark of the stand-in.
func BenchmarkRows(b *testing.B) {
	records := make([]record.Record, 4096)
	for i := range records {
		value := fmt.Appendf(nil, `{"id":%d,"user":"user-%d","amount":%d.%02d,"currency":"CNY","state":"paid","items":[{"sku":"%08x","n":%d},{"sku":"%08x","n":%d}],"note":"%032x"}`,
			i, i*7919%100_000, i%1000, i%100, i*2654435761, i%5, i*40503, i%3, i*i)
		records[i] = record.Record{Topic: "orders", Partition: 3, Offset: int64(i), Timestamp: 1_700_000_000_000, Key: fmt.Appendf(nil, "%010d", i), Value: value}
	}
	types := func(of ...string) *table {
		t := &table{}
		for i := 0; i < len(of); i += 2 {
			c := parseType(of[i+1])
			c.name = of[i]
			t.columns = append(t.columns, c)
		}
		return t
	}
	for name, c := range map[string]struct {
		cfg   connector.Config
		table *table
	}{
		"record": {connector.Config{}, types("topic", "STRING", "partition", "BIGINT", "offset", "BIGINT", "key", "STRING", "value", "STRING")},
		"json":   {connector.Config{keyMapping: mappingJSON}, types("id", "BIGINT", "user", "STRING", "amount", "DECIMAL(18,2)", "currency", "STRING", "state", "STRING", "items", "JSON", "note", "STRING")},
	} {
		b.Run(name, func(b *testing.B) {
			sh, err := newShape(specOf().Resolve(c.cfg, connector.Env{}))
			if err != nil {
				b.Fatal(err)
			}
			pool := &segments{}
			e, m := newEncoder(pool), sh.newMapper(c.table)
			b.ReportAllocs()
			b.SetBytes(int64(len(records[0].Value)))
			for i := range b.N {
				if err := m.row(e, &records[i%len(records)]); err != nil {
					b.Fatal(err)
				}
				if e.compressed() >= softBlock {
					body, _ := e.end()
					pool.put(body)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "rows/s")
		})
	}
}

// specOf is Spec as a pointer, for its methods.
func specOf() *connector.Spec { s := Spec(); return &s }
