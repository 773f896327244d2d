package maxcompute_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
	"github.com/sluice-io/sluice/runner/sandbox"
)

// TestSinkSuite is what every sink must pass, in each way of mapping.
func TestSinkSuite(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		change connector.Config
		record func(topic string, partition int32, offset int64) record.Record
		poison func(*record.Record)
	}{
		{name: "text", change: connector.Config{"odps.binary": "dlq"}, poison: func(r *record.Record) { r.Value = []byte("\xff\xfe") }},
		{name: "binary", change: connector.Config{"odps.table": "binaries", "odps.format": "BINARY", "odps.partition": "MINUTE"}},
		{name: "csv", change: connector.Config{"odps.table": "fields", "odps.format": "CSV", "odps.mode": "KEY", "odps.partition": "DAY"},
			record: func(topic string, partition int32, offset int64) record.Record {
				return record.Record{Topic: topic, Partition: partition, Offset: offset, Timestamp: 1_700_000_000_000 + offset, Key: fmt.Appendf(nil, "%s,%d,%d", topic, partition, offset), Value: []byte("v")}
			},
			poison: func(r *record.Record) { r.Key = []byte("one,2") }},
		{name: "json", change: connector.Config{"odps.table": "objects", "odps.mapping": "json"},
			record: func(topic string, partition int32, offset int64) record.Record {
				return record.Record{Topic: topic, Partition: partition, Offset: offset, Timestamp: 1_700_000_000_000 + offset, Value: fmt.Appendf(nil, `{"t":%q,"p":%d,"o":%d}`, topic, partition, offset)}
			},
			poison: func(r *record.Record) { r.Value = []byte(`{"t":"suite","p":0,"o":1e40}`) }},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
				b := newBed(t, c.change)
				u := underTest(b)
				u.Record, u.Poison = c.record, c.poison
				return u
			})
		})
	}
}

// underTest is the sink as the suite wants it.
func underTest(b *bed) runnertest.SinkUnderTest {
	return runnertest.SinkUnderTest{
		New: func(*testing.T) connector.Sink { return b.sink() },
		Visible: func(*testing.T) map[string][]byte {
			out := map[string][]byte{}
			for pt, rows := range b.rows() {
				out[pt] = []byte(strings.Join(rows, "\n"))
			}
			return out
		},
		Offsets: func(_ *testing.T, topic string, partition int32) []int64 { return b.offsets(topic, partition) },
		Away: func(_ *testing.T, off bool) {
			b.noFault()
			if off {
				b.fault(sandbox.Fault{Operation: "*", Rate: 1, Cut: sandbox.CutBefore})
			}
		},
		LoseAnswers: func(_ *testing.T, on bool) {
			b.noFault()
			if on {
				b.fault(sandbox.Fault{Operation: "CommitUpload", Rate: 1, Cut: sandbox.CutAfter})
			}
		},
	}
}
