package runnertest_test

import (
	"errors"
	"fmt"
	"maps"
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

func TestScriptSource(t *testing.T) {
	t.Parallel()
	runnertest.SourceSuite(t, func(t *testing.T) runnertest.SourceUnderTest {
		s := runnertest.NewScript()
		content := map[string]string{}
		return runnertest.SourceUnderTest{
			New: func(*testing.T) connector.Source { return s.Source() },
			Change: func(_ *testing.T, n int) {
				s.Numbers("numbers", n, n+1, 2, 7)
				content[fmt.Sprintf("k%d", n%7)] = fmt.Sprintf("%d/1", n)
			},
			Content: func(*testing.T) map[string]string { return maps.Clone(content) },
			Apply:   func(r record.Record) (string, string) { return string(r.Key), string(r.Value) },
			ID:      func(r record.Record) string { return string(r.Value) },
			Whole: func(fact []record.Record) error {
				if len(fact) != 2 {
					return fmt.Errorf("%d records", len(fact))
				}
				return nil
			},
			Part: "numbers",
		}
	})
}
