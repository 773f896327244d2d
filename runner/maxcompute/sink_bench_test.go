package maxcompute_test

import (
	"fmt"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// BenchmarkSink is a chunk of 100,000 records of 200 bytes from Add to Publish, with the
// stand-in, which takes its part of the processors, behind it.
func BenchmarkSink(b *testing.B) {
	bed := newBed(b, nil, func(o *sandbox.ODPSOptions) {
		o.Discard = true
		o.Limits = sandbox.ODPSLimits{Sessions: -1, Blocks: -1, Commits: -1, Committing: -1}
	})
	const rows = 100_000
	records := make([]record.Record, 1000)
	for i := range records {
		records[i] = record.Record{Topic: "orders", Partition: 1, Timestamp: at(0), Key: fmt.Appendf(nil, "%010d", i), Value: fmt.Appendf(nil, `{"id":%d,"user":"user-%d","state":"paid","note":"%0140x"}`, i, i*7919, i*2654435761)}
	}
	s := bed.sink()
	b.ResetTimer()
	for n := range b.N {
		first := int64(n) * rows
		c, err := s.Begin(b.Context(), connector.Range{Topic: "orders", Partition: 1, First: first}, nil)
		if err != nil {
			b.Fatal(err)
		}
		for i := range int64(rows) {
			r := &records[i%1000]
			r.Offset = first + i
			if err := c.Add(b.Context(), r); err != nil {
				b.Fatal(err)
			}
		}
		if _, err := c.Prepare(b.Context()); err != nil {
			b.Fatal(err)
		}
		if _, err := c.Publish(b.Context(), free); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N*rows)/b.Elapsed().Seconds(), "rows/s")
}
