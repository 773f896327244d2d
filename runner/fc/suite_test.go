package fc

import (
	"net/http"
	"testing"

	"github.com/sluice-io/sluice/runner/connector"
	"github.com/sluice-io/sluice/runner/record"
	"github.com/sluice-io/sluice/runner/runnertest"
)

// TestConformance runs what every sink must pass. Synchronous invocations are made at
// least once: there it is looked at what the function saw, not how often.
func TestConformance(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		cfg  connector.Config
		once bool
	}{
		"async 2.0":           {connector.Config{}, false},
		"async 3.0":           {connector.Config{keyService: "", keyQualifier: "prod"}, false},
		"async, small":        {connector.Config{keyBatchSize: "3"}, false},
		"sync 2.0":            {connector.Config{keyMode: "sync", keyBatchSize: "4"}, true},
		"sync 3.0":            {connector.Config{keyMode: "sync", keyService: ""}, true},
		"sync 2.0, version 7": {connector.Config{keyMode: "sync", keyQualifier: "7"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			runnertest.SinkSuite(t, func(t *testing.T) runnertest.SinkUnderTest {
				change := connector.Config{keyBinary: "dlq", keyOnError: "split"}
				for k, v := range c.cfg {
					change[k] = v
				}
				b := newBed(t, change)
				u := runnertest.SinkUnderTest{
					New:    func(t *testing.T) connector.Sink { return b.sink(t) },
					Poison: func(r *record.Record) { r.Value = []byte{0xff, 0xfe} },
					Refuse: func(r *record.Record) { r.Value = []byte(refuseMe) },
					Visible: func(*testing.T) map[string][]byte {
						out := map[string][]byte{}
						b.set(func() {
							for _, d := range b.delivered {
								out[d.name] = []byte(d.body)
							}
						})
						return out
					},
					Offsets: func(_ *testing.T, topic string, partition int32) []int64 { return b.offsets(topic, partition, c.once) },
					Away:    func(_ *testing.T, off bool) { b.set(func() { b.away = off }) },
				}
				if !c.once {
					u.LoseAnswers = func(_ *testing.T, on bool) { b.set(func() { b.lose = on }) }
				}
				return u
			})
		})
	}
}

// An answer with a body that must be read to the end leaves the connection for the next
// request.
func TestConnectionsAreKept(t *testing.T) {
	t.Parallel()
	b := newBed(t, connector.Config{keyMode: "sync", keyBatchSize: "1"})
	from := map[string]bool{}
	big := make([]byte, 300<<10)
	b.hook = func(w http.ResponseWriter, r *http.Request, _ []byte) bool {
		b.set(func() { from[r.RemoteAddr] = true })
		_, _ = w.Write(big)
		return true
	}
	c, _ := fill(t, b.sink(t), nil, records(10, 50)...)
	if _, err := c.Publish(t.Context(), free); err != nil {
		t.Fatal(err)
	}
	if len(from) != 1 {
		t.Errorf("50 requests one after the other took %d connections", len(from))
	}
	if c.loud {
		t.Log("the last request was still being written when its answer came")
	}
}
