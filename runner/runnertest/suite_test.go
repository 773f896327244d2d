package runnertest_test

import (
	"errors"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

func TestMemSink(t *testing.T) {
	t.Parallel()
	runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
		d := runnertest.NewDestination()
		return runnertest.SinkUnderTest{
			New:     func(*testing.T) connector.Sink { return runnertest.NewMemSink(d, connector.Config{}) },
			Poison:  func(r *record.Record) { r.Value = []byte(runnertest.Poison) },
			Refuse:  func(r *record.Record) { r.Value = []byte(runnertest.Refused) },
			Visible: func(*testing.T) map[string][]byte { return d.Objects() },
			Offsets: func(_ *testing.T, topic string, partition int32) (out []int64) {
				for _, r := range d.Records() {
					if r.Topic == topic && r.Partition == partition {
						out = append(out, r.Offset)
					}
				}
				return out
			},
			Away: func(_ *testing.T, off bool) { d.Away(off) },
			LoseAnswers: func(_ *testing.T, on bool) {
				d.After(nil)
				if on {
					d.After(func(string) error {
						return &connector.AwayError{System: "the destination", Err: errors.New("the answer was lost")}
					})
				}
			},
		}
	})
}
